"""A server of Kinora's for a test: started with the program that KINORA names, stopped at the end."""

import os
import subprocess
import tempfile


class Served:
    def __init__(self, *flags, folder=None):
        self._own = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or self._own.name
        self._log = open(os.path.join(self.folder, "log"), "ab")
        command = [os.environ["KINORA"], "serve", "--listen", "127.0.0.1:0", "--data", self.folder, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            with open(os.path.join(self.folder, "log")) as log:
                raise RuntimeError(log.read())

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
