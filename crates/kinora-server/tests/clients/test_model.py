"""The README's ten lines, with the built-in model."""

import unittest
import warnings

import openai
from served import Served
from test_videos import probe

warnings.simplefilter("ignore")


class Model(unittest.TestCase):
    def test_kinora_1_makes_a_clip(self):
        with Served() as served, openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
            video = client.videos.create_and_poll(
                model="sora-2", prompt="A red fox runs through a snowy forest at dusk", seconds="1"
            )
            self.assertEqual((video.status, video.rendered_by), ("completed", "kinora-1"), video)
            stream = probe(client.videos.download_content(video.id).read())
            self.assertEqual((stream["width"], stream["height"], stream["nb_read_frames"]), (192, 128, "12"))
            refused = lambda: client.videos.create(prompt="a fox", size="1280x720")
            with self.assertRaises(openai.BadRequestError) as caught:
                refused()
            self.assertEqual(caught.exception.param, "size")


if __name__ == "__main__":
    unittest.main()
