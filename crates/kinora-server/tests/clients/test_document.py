"""The server against its own OpenAPI document: schemathesis finds no 5xx and no undocumented answer."""

import os
import subprocess
import sys
import unittest

from served import Served


class Document(unittest.TestCase):
    def test_schemathesis(self):
        program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
        with Served("--stand-in", "0") as served:
            checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
            command = [
                program, "run", served.url + "/openapi.json", "--checks", checks, "--max-examples", "25",
                "--phases", "examples,fuzzing", "--seed", "7", "--exclude-path-regex", "/events$",
                "--request-timeout", "20", "--no-color",
            ]
            ended = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(ended.returncode, 0, ended.stdout[-8000:] + ended.stderr[-2000:])


if __name__ == "__main__":
    unittest.main()
