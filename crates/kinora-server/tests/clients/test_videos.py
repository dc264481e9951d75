"""The Videos API through PyPI's openai, unmodified: what its users write, and what they must get."""

import base64
import json
import struct
import subprocess
import unittest
import urllib.request
import warnings
import zlib

import openai
from served import Served

warnings.simplefilter("ignore")


def png(width, height):
    """A black PNG picture."""

    def part(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = (b"\0" + bytes(3 * width)) * height
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")


def probe(data, *entries):
    """What ffprobe says of a video."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_streams", "-"]
    told = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    return json.loads(told)["streams"][0]


class Videos(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = Served("--stand-in", "5")
        cls.client = openai.OpenAI(base_url=cls.served.url + "/v1", api_key="any", max_retries=0)
        cls.videos = cls.client.videos

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.served.stop()

    def made(self, prompt="a stripe", **more):
        video = self.videos.create_and_poll(prompt=prompt, **more)
        self.assertEqual(video.status, "completed", video)
        return video

    def refused(self, error, call, param=None):
        with self.assertRaises(error) as caught:
            call()
        body = caught.exception.body
        self.assertEqual(set(body), {"message", "type", "param", "code"}, body)
        self.assertEqual(body["param"], param, body)
        return caught.exception

    def test_create_and_poll_gives_every_key(self):
        video = self.videos.create(model="sora-2", prompt="a stripe", seconds="4", size="64x32")
        self.assertIn(video.status, ("queued", "in_progress"))
        keys = {
            "id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at",
            "prompt", "size", "seconds", "remixed_from_video_id", "error",
        }
        self.assertLessEqual(keys, set(video.to_dict()))
        video = self.videos.poll(video.id)
        self.assertEqual((video.status, video.progress, video.error), ("completed", 100, None))
        self.assertEqual((video.model, video.seconds, video.size), ("sora-2", "4", "64x32"))
        self.assertEqual(video.rendered_by, "stand-in")
        self.assertGreaterEqual(video.completed_at, video.created_at)

    def test_the_poll_helper_reads_the_header(self):
        video = self.made()
        raw = self.videos.with_raw_response.retrieve(video.id)
        self.assertGreater(int(raw.headers["openai-poll-after-ms"]), 0)

    def test_each_variant_is_what_it_says(self):
        video = self.made(seconds="2")
        content = self.videos.download_content(video.id)
        stream = probe(content.read())
        self.assertEqual((stream["codec_name"], stream["width"], stream["nb_read_frames"]), ("h264", 64, "24"))
        self.assertEqual(content.response.headers["content-type"], "video/mp4")
        thumbnail = self.videos.download_content(video.id, variant="thumbnail").read()
        self.assertEqual((thumbnail[:4], thumbnail[8:12]), (b"RIFF", b"WEBP"))
        sheet = self.videos.download_content(video.id, variant="spritesheet").read()
        self.assertEqual(sheet[:3], b"\xff\xd8\xff")

    def test_extra_fields_go_through(self):
        asked = dict(seed=7, steps=3, guidance=2.5, negative_prompt="rain", fps=24, light="golden hour")
        video = self.made(extra_body=asked, seconds="1")
        self.assertEqual(video.seed, 7)
        again = self.made(extra_body=asked, seconds="1")
        both = [self.videos.download_content(v.id).read() for v in (video, again)]
        self.assertEqual(*both)
        self.assertEqual(probe(both[0])["r_frame_rate"], "24/1")

    def test_a_reference_picture_as_file_url_and_file_id(self):
        self.made(input_reference=("first.png", png(64, 32), "image/png"), size="64x32")
        url = "data:image/png;base64," + base64.b64encode(png(64, 32)).decode()
        # The typed parameter takes files alone; its users send references beside it.
        self.made(extra_body={"input_reference": {"image_url": url}})
        file = self.client.files.create(file=("first.png", png(64, 32)), purpose="vision")
        by_id = {"input_reference": {"file_id": file.id}}
        self.made(extra_body=by_id)
        self.assertEqual(self.client.files.content(file.id).read(), png(64, 32))
        self.assertIn(file.id, [f.id for f in self.client.files.list()])
        self.assertTrue(self.client.files.delete(file.id).deleted)
        self.refused(openai.NotFoundError, lambda: self.videos.create(prompt="a", extra_body=by_id))
        text = ("first.png", b"no picture", "image/png")
        self.refused(openai.BadRequestError, lambda: self.videos.create(prompt="a", input_reference=text), "input_reference")

    def test_remix_edit_extend(self):
        video = self.made(seconds="1")
        remix = self.videos.remix(video.id, prompt="a wider stripe")
        self.assertEqual(remix.remixed_from_video_id, video.id)
        # The typed parameter takes files alone; its users send ids beside it.
        by_id = {"extra_body": {"video": {"id": video.id}}}
        edit = self.videos.edit(prompt="a red stripe", video=openai.omit, **by_id)
        longer = self.videos.extend(prompt="it goes on", seconds="4", video=openai.omit, **by_id)
        for other in (remix, edit, longer):
            self.assertEqual(self.videos.poll(other.id).status, "completed")
        self.assertEqual(longer.seconds, "5")
        data = self.videos.download_content(video.id).read()
        edit = self.videos.edit(prompt="a red stripe", video=("v.mp4", data, "video/mp4"))
        longer = self.videos.extend(prompt="it goes on", seconds="4", video=("v.mp4", data, "video/mp4"))
        for other in (edit, longer):
            self.assertEqual(self.videos.poll(other.id).status, "completed")
        stream = probe(self.videos.download_content(longer.id).read())
        self.assertEqual(stream["nb_read_frames"], "60")

    def test_characters(self):
        data = self.videos.download_content(self.made().id).read()
        character = self.videos.create_character(name="Mossy the fox", video=("v.mp4", data))
        self.assertEqual(character.name, "Mossy the fox")
        self.assertEqual(self.videos.get_character(character.id).created_at, character.created_at)
        named = {"characters": [{"id": character.id}]}
        self.made(prompt="Mossy the fox runs", extra_body=named)
        self.refused(openai.BadRequestError, lambda: self.videos.create(prompt="a wolf", extra_body=named), "characters")
        self.refused(openai.NotFoundError, lambda: self.videos.get_character("char_none"))

    def test_list_pages_in_both_orders_and_past_deleted_ones(self):
        own = [self.videos.create(prompt=f"page {n}").id for n in range(5)]
        newest = [v.id for v in self.videos.list(limit=2)]
        self.assertEqual([id for id in newest if id in own], own[::-1])
        oldest = [v.id for v in self.videos.list(limit=2, order="asc")]
        self.assertEqual(oldest, newest[::-1])
        page = self.videos.list(limit=2)
        self.assertTrue(page.has_more)
        for video in page.data:
            self.videos.delete(video.id)
        rest = [v.id for v in page.get_next_page().data]
        self.assertEqual(rest, newest[2:4])
        self.assertEqual(self.videos.list(limit=0).data, [])

    def test_delete(self):
        video = self.made()
        gone = self.videos.delete(video.id)
        self.assertEqual((gone.id, gone.deleted, gone.object), (video.id, True, "video.deleted"))
        for call in (self.videos.retrieve, self.videos.delete, self.videos.download_content):
            self.refused(openai.NotFoundError, lambda: call(video.id))

    def test_a_failed_job_is_an_answer_and_no_exception(self):
        video = self.videos.create_and_poll(prompt="[fail]")
        self.assertEqual((video.status, video.error.code), ("failed", "server_error"))
        self.assertIn("asked to fail", video.error.message)
        self.refused(openai.NotFoundError, lambda: self.videos.download_content(video.id))
        self.assertEqual(self.videos.create_and_poll(prompt="[panic]").status, "failed")
        self.made()

    def test_cancel_stops_the_work(self):
        video = self.videos.create(prompt="[slow]")
        ended = self.client.post(f"/videos/{video.id}/cancel", cast_to=type(video))
        self.assertEqual((ended.status, ended.error.code), ("failed", "cancelled"))
        self.made()

    def test_each_error_is_the_clients_own_exception(self):
        create = self.videos.create
        bad = openai.BadRequestError
        self.refused(bad, lambda: create(prompt=""), "prompt")
        self.refused(bad, lambda: create(prompt="x" * 32_001), "prompt")
        self.refused(bad, lambda: create(prompt="a", model="none"), "model")
        self.refused(bad, lambda: create(prompt="a", size="1280x720"), "size")
        self.refused(bad, lambda: create(prompt="a", size="wide"), "size")
        self.refused(bad, lambda: create(prompt="a", seconds="100000"), "seconds")
        self.refused(bad, lambda: create(prompt="a", seconds="long"), "seconds")
        self.refused(bad, lambda: create(prompt="a", extra_body={"loudness": 3}), "loudness")
        self.refused(bad, lambda: self.videos.list(limit=101), "limit")
        self.refused(bad, lambda: self.videos.list(after="nothing"), "after")
        self.refused(openai.NotFoundError, lambda: self.videos.retrieve("video_none"))
        self.refused(openai.NotFoundError, lambda: self.client.get("/nothing", cast_to=object))

    def test_models(self):
        names = [model.id for model in self.client.models.list()]
        self.assertEqual(set(names), {"stand-in", "sora-2", "sora-2-pro"})
        self.assertEqual(self.client.models.retrieve("sora-2").id, "sora-2")
        self.refused(openai.NotFoundError, lambda: self.client.models.retrieve("none"))

    def test_streamed_download(self):
        video = self.made()
        whole = self.videos.download_content(video.id).read()
        with self.videos.with_streaming_response.download_content(video.id) as answer:
            self.assertEqual(b"".join(answer.iter_bytes()), whole)

    def test_the_async_client(self):
        import asyncio

        async def make():
            async with openai.AsyncOpenAI(base_url=self.served.url + "/v1", api_key="any") as client:
                return await client.videos.create_and_poll(prompt="a stripe")

        self.assertEqual(asyncio.run(make()).status, "completed")

    def test_events(self):
        video = self.videos.create(prompt="a stripe", extra_body={"steps": 200})
        with urllib.request.urlopen(f"{self.served.url}/v1/videos/{video.id}/events") as stream:
            lines = stream.read().decode().splitlines()
        names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        self.assertEqual(names[-1], "video.completed")
        self.assertIn("video.in_progress", names)
        steps = [event["done"] for event in told if event["stage"] == "sampling"]
        self.assertEqual(steps, sorted(steps))
        pictures = [event["preview"] for event in told if event["preview"]]
        self.assertEqual(len(pictures), 1, "each is told once")
        kind, data = pictures[0].split(",")
        self.assertEqual(kind, "data:image/jpeg;base64")
        picture = probe(base64.b64decode(data))
        self.assertEqual((picture["codec_name"], picture["width"], picture["height"]), ("mjpeg", 64, 32))


class Mapped(unittest.TestCase):
    def test_an_operator_may_let_sizes_be_mapped(self):
        with Served("--stand-in", "1", "--map-sizes") as served:
            with openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
                video = client.videos.create_and_poll(model="sora-2-pro", prompt="a", size="1280x720")
                self.assertEqual((video.status, video.size), ("completed", "64x32"))
                self.assertEqual(video.mapped, {"size": "1280x720"})


class Keys(unittest.TestCase):
    def key(self, served, *flags):
        return served.run("keys", "add", *flags)

    def test_keys_separate_their_videos_and_hold_their_limits(self):
        with Served("--stand-in", "5") as served:
            one = self.key(served, "one", "--max-queued", "1")
            other = self.key(served, "other", "--scope", "read")

            def client(key):
                return openai.OpenAI(base_url=served.url + "/v1", api_key=key, max_retries=0)

            with client("wrong") as wrong, client(one) as mine, client(other) as theirs:
                with self.assertRaises(openai.AuthenticationError):
                    wrong.videos.list()
                video = mine.videos.create(prompt="[slow]")
                with self.assertRaises(openai.NotFoundError):
                    theirs.videos.retrieve(video.id)
                self.assertEqual(theirs.videos.list().data, [])
                with self.assertRaises(openai.PermissionDeniedError):
                    theirs.videos.create(prompt="a")
                with self.assertRaises(openai.RateLimitError) as caught:
                    for _ in range(3):
                        mine.videos.create(prompt="[slow]")
                self.assertIn("retry-after", caught.exception.response.headers)


if __name__ == "__main__":
    unittest.main()
