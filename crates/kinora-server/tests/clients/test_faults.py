"""What only a whole machine can do to a server: a full disk, a database that goes away, a clock that jumps."""

import os
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import warnings

import openai
from gate import Gate
from served import Served, postgres

warnings.simplefilter("ignore")


def client(served):
    return openai.OpenAI(base_url=served.url + "/v1", api_key="any", max_retries=0)


class Faults(unittest.TestCase):
    @unittest.skipUnless(os.environ.get("KINORA_TEST_POSTGRES"), "KINORA_TEST_POSTGRES names no PostgreSQL")
    def test_a_database_that_goes_away_for_half_a_minute(self):
        real = urllib.parse.urlsplit(postgres())
        gate = Gate(real.hostname, real.port or 5432)
        user = real.netloc.rpartition("@")[0]
        database = f"postgres://{user}@127.0.0.1:{gate.port}{real.path}"
        with Served("--stand-in", "300", "--lease", "2s", database=database) as served, client(served) as c:
            videos = [c.videos.create(prompt="a stripe", seconds="1") for _ in range(3)]
            time.sleep(1)
            gate.shut()
            began = time.monotonic()
            with self.assertRaises(openai.InternalServerError) as caught:
                c.videos.retrieve(videos[0].id)
            self.assertEqual(caught.exception.status_code, 503)
            time.sleep(30 - (time.monotonic() - began))
            gate.open = True
            for video in videos:
                self.assertEqual(c.videos.poll(video.id).status, "completed", served.log())

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a small disk")
    def test_a_full_disk_fails_the_job_with_a_reason_and_the_next_one_runs(self):
        with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as disk:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
            try:
                with Served("--stand-in", "1", folder=data, env={"TMPDIR": disk}) as served, client(served) as c:
                    with open(os.path.join(disk, "fill"), "wb") as fill:
                        fill.write(bytes(1 << 20))
                    video = c.videos.create_and_poll(prompt="a stripe")
                    self.assertEqual(video.status, "failed")
                    self.assertIn("No space left", video.error.message)
                    os.remove(os.path.join(disk, "fill"))
                    self.assertEqual(c.videos.create_and_poll(prompt="a stripe").status, "completed")
            finally:
                subprocess.run(["umount", disk], check=True)

    def test_a_clock_that_jumps(self):
        library = subprocess.run(["faketime", "-f", "+0", "sh", "-c", "echo $LD_PRELOAD"], capture_output=True, text=True)
        with tempfile.TemporaryDirectory() as folder:
            clock = os.path.join(folder, "clock")

            def jump(offset):
                with open(clock + ".new", "w") as file:
                    file.write(offset)
                os.rename(clock + ".new", clock)

            env = {
                "LD_PRELOAD": library.stdout.strip(), "FAKETIME_TIMESTAMP_FILE": clock,
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            for offset in ("+1d", "-1d"):
                jump("+0")
                with Served("--stand-in", "200", "--lease", "2s", folder=folder, env=env) as served, client(served) as c:
                    video = c.videos.create(prompt="a stripe")
                    time.sleep(0.7)
                    jump(offset)
                    ended = c.videos.poll(video.id)
                    self.assertEqual(ended.status, "completed")
                    self.assertGreater(abs(ended.completed_at - ended.created_at), 80_000, "the clock did jump")
                    jump("+0")
                    killed = c.videos.create(prompt="a stripe")
                    time.sleep(0.7)
                    served.process.kill()
                    served.process.wait()
                jump(offset)
                with Served("--stand-in", "1", "--lease", "2s", folder=folder, env=env) as served, client(served) as c:
                    self.assertEqual(c.videos.poll(killed.id).status, "completed", "no job waits for another day")


if __name__ == "__main__":
    unittest.main()
