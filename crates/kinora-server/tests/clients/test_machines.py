"""Several machines: a server that leaves the work to another program, a database and a bucket between them."""

import os
import time
import unittest
import urllib.parse
import urllib.request

import openai
from gate import Gate
from served import Served

LARGE = 9 << 20  # more than one part of an upload


@unittest.skipUnless(os.environ.get("KINORA_TEST_S3"), "KINORA_TEST_S3 names no bucket")
class Machines(unittest.TestCase):
    def test_files_of_one_and_many_parts_go_up_and_down(self):
        with Served("--stand-in", "1") as served, openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
            line = b'{"custom_id": "a", "method": "POST", "url": "/v1/videos", "body": {"prompt": "%s"}}\n'
            for size in (10, LARGE):
                sent = line % (b"fox " * (size // 4))
                file = client.files.create(file=("shots.jsonl", sent), purpose="batch")
                self.assertEqual(client.files.content(file.id).content, sent)
                client.files.delete(file.id)
                with self.assertRaises(openai.NotFoundError):
                    client.files.content(file.id)
            video = client.videos.create_and_poll(prompt="a stripe", seconds="1")
            whole = client.videos.download_content(video.id).content
            url = f"{served.url}/v1/videos/{video.id}/content"
            with urllib.request.urlopen(urllib.request.Request(url, headers={"range": "bytes=5-104"})) as part:
                self.assertEqual((part.status, part.read()), (206, whole[5:105]))
            self.assertEqual(served.run("doctor"), "the record and the files agree")
            client.videos.delete(video.id)
            self.assertEqual(served.run("doctor"), "the record and the files agree")

    def test_another_worker_takes_over_from_a_killed_one(self):
        with Served("--stand-in", "100", "--lease", "2s") as served:
            with openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
                video = client.videos.create(prompt="a stripe", seconds="1", extra_body={"seed": 7})
                while client.videos.retrieve(video.id).progress == 0:
                    time.sleep(0.05)
                served.worker.kill()
                served.worker.wait()
                served.worker = served.start_worker()
                self.assertEqual(client.videos.poll(video.id).status, "completed", served.log())
                self.assertEqual(served.log().count("begun"), 2, "once by each")

    @unittest.skipUnless(os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"), "the store is not reached by http")
    def test_a_store_that_goes_away_loses_nothing(self):
        real = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
        gate = Gate(real.hostname, real.port or 80)
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{gate.port}"}
        with Served("--stand-in", "50", "--lease", "2s", env=env) as served:
            with openai.OpenAI(base_url=served.url + "/v1", api_key="any", max_retries=0) as client:
                done = client.videos.create_and_poll(prompt="a stripe", seconds="1")
                videos = [client.videos.create(prompt="a stripe", seconds="1") for _ in range(2)]
                gate.shut()
                with self.assertRaises(openai.InternalServerError) as caught:
                    client.videos.download_content(done.id)
                self.assertEqual(caught.exception.status_code, 503)
                self.assertEqual(client.videos.retrieve(videos[0].id).status, "in_progress")
                gate.open = True
                for video in videos:
                    self.assertEqual(client.videos.poll(video.id).status, "completed", served.log())
                    self.assertTrue(client.videos.download_content(video.id).content)

    def test_a_place_that_is_not_there_is_told_at_the_start(self):
        with self.assertRaisesRegex(RuntimeError, "the bucket kinora-has-no-such can't be used"):
            with Served("--stand-in", "1", assets="s3://kinora-has-no-such"):
                pass


if __name__ == "__main__":
    unittest.main()
