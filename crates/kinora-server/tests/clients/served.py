"""A server of Kinora's for a test: started with the program that KINORA names, stopped at the end."""

import os
import subprocess
import tempfile


class Served:
    """The server. Its record is SQLite's, or a new database of the PostgreSQL that KINORA_TEST_POSTGRES names."""

    def __init__(self, *flags, folder=None, database=None, env={}):
        self._own = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or self._own.name
        self._env = {**os.environ, **env}
        self.database = database or (postgres() if folder is None else None)
        if self.database:
            self._env["KINORA_DATABASE"] = self.database
        self._log = open(os.path.join(self.folder, "log"), "ab")
        command = [os.environ["KINORA"], "serve", "--listen", "127.0.0.1:0", "--data", self.folder, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=self._env)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(self.log())

    def log(self):
        with open(os.path.join(self.folder, "log")) as log:
            return log.read()

    def run(self, *args):
        """What another command prints, run on the same record."""
        command = [os.environ["KINORA"], *args, "--data", self.folder]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=self._env).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
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
