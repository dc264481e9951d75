"""Batches: lines of a file become videos, each once, and their answers a file."""

import json
import time
import unittest
import warnings

import openai
from served import Served

warnings.simplefilter("ignore")


def lines(*bodies):
    line = lambda n, body: json.dumps({"custom_id": f"shot-{n}", "method": "POST", "url": "/v1/videos", "body": body})
    return "\n".join(line(n, body) for n, body in enumerate(bodies)).encode()


class Batches(unittest.TestCase):
    def test_a_batch_is_worked_through_even_over_a_kill(self):
        with Served("--stand-in", "2", "--lease", "2s") as served:
            client = openai.OpenAI(base_url=served.url + "/v1", api_key="any")
            body = lines(*[{"prompt": f"a stripe {n}", "seconds": "1"} for n in range(20)], {"prompt": ""}, {"prompt": "[fail]"})
            file = client.files.create(file=("shots.jsonl", body), purpose="batch")
            batch = client.batches.create(
                input_file_id=file.id, endpoint="/v1/videos", completion_window="24h", metadata={"film": "one"}
            )
            self.assertEqual((batch.status, batch.request_counts.total), ("in_progress", 22))
            time.sleep(1.2)
            served.process.kill()
            served.process.wait()
            same = {"folder": served.folder, "database": served.database, "assets": served.assets}
            with Served("--stand-in", "2", "--lease", "2s", **same) as again:
                client = openai.OpenAI(base_url=again.url + "/v1", api_key="any")
                while batch.status == "in_progress":
                    time.sleep(0.2)
                    batch = client.batches.retrieve(batch.id)
                counts = batch.request_counts
                self.assertEqual((batch.status, counts.completed, counts.failed), ("completed", 20, 2))
                answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
                names = [answer["custom_id"] for answer in answers]
                self.assertEqual(names, [f"shot-{n}" for n in range(20)] + ["shot-21"])
                self.assertEqual(answers[0]["response"]["body"]["status"], "completed")
                errors = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
                self.assertEqual([error["custom_id"] for error in errors], ["shot-20"])
                self.assertEqual(errors[0]["response"]["body"]["error"]["param"], "prompt")
                self.assertEqual(len(list(client.videos.list(limit=100))), 21, "each line once")
                self.assertEqual([b.id for b in client.batches.list()], [batch.id])

    def test_what_is_no_batch_is_refused_and_one_can_be_cancelled(self):
        with Served("--stand-in", "50") as served, openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
            for text in (b"", b"no json", b'{"custom_id":"a","method":"GET","url":"/v1/videos","body":{}}'):
                file = client.files.create(file=("shots.jsonl", text), purpose="batch")
                with self.assertRaises(openai.BadRequestError):
                    client.batches.create(input_file_id=file.id, endpoint="/v1/videos", completion_window="24h")
            file = client.files.create(file=("shots.jsonl", lines(*[{"prompt": "[slow]"}] * 5)), purpose="batch")
            batch = client.batches.create(input_file_id=file.id, endpoint="/v1/videos", completion_window="24h")
            time.sleep(1.5)
            self.assertEqual(client.batches.cancel(batch.id).status, "cancelled")
            self.assertEqual({video.status for video in client.videos.list()}, {"failed"})


if __name__ == "__main__":
    unittest.main()
