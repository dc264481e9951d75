"""A server of Kinora's for a test: started with the program that KINORA names, stopped at the end."""

import os
import subprocess
import tempfile


# Flags of a server that its worker is told too.
OF_WORKERS = ("--stand-in", "--lease")


class Served:
    """The server. Its record is SQLite's, or a new database of the PostgreSQL that KINORA_TEST_POSTGRES names.

    Its files are in a folder, or in a new place of the bucket that KINORA_TEST_S3 names; the work is then done by another
    program, which is told the two addresses and no folder.
    """

    def __init__(self, *flags, folder=None, database=None, assets=None, env={}):
        self._own = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or self._own.name
        self._env = {**os.environ, **env}
        self.database = database or (postgres() if folder is None else None)
        if self.database:
            self._env["KINORA_DATABASE"] = self.database
        self.assets = assets or (bucket() if folder is None and self.database else None)
        if self.assets:
            self._env["KINORA_ASSETS"] = self.assets
            flags += ("--no-worker",)
        self._log = open(os.path.join(self.folder, "log"), "ab")
        command = [os.environ["KINORA"], "serve", "--listen", "127.0.0.1:0", "--data", self.folder, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=self._env)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(self.log())
        self._work = [word for pair in zip(flags, flags[1:]) if pair[0] in OF_WORKERS for word in pair]
        self.worker = self.start_worker() if self.assets else None

    def start_worker(self, *flags):
        """Another program that works, told where the record and the files are and nothing else of this machine."""
        addresses = ["--database", self.database, "--assets", self.assets]
        env = {name: value for name, value in self._env.items() if not name.startswith("KINORA_")}
        command = [os.environ["KINORA"], "worker", *addresses, *self._work, *flags]
        return subprocess.Popen(command, stderr=self._log, env=env)

    def log(self):
        with open(os.path.join(self.folder, "log")) as log:
            return log.read()

    def run(self, *args):
        """What another command prints, run on the same record."""
        command = [os.environ["KINORA"], *args, "--data", self.folder]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=self._env).stdout.strip()

    def stop(self):
        for process in filter(None, (self.worker, self.process)):
            process.terminate()
            process.wait(30)
        self.process.stdout.close()
        self._log.close()
        if self._own:
            self._own.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def postgres():
    """The address of a new, empty database, if there is a PostgreSQL to make it in."""
    server = os.environ.get("KINORA_TEST_POSTGRES")
    if not server:
        return None
    name = "kinora_" + os.urandom(8).hex()
    subprocess.run(["psql", "-q", server + "/postgres", "-c", f"CREATE DATABASE {name}"], check=True)
    return f"{server}/{name}"


def bucket():
    """The address of a new, empty place for files, if there is a bucket to make it in."""
    store = os.environ.get("KINORA_TEST_S3")
    return store and f"{store}/{os.urandom(8).hex()}"
