"""Webhooks: signed so that the client's unwrap takes them, and sent again until they are heard."""

import http.server
import queue
import threading
import unittest
import warnings

import openai
from served import Served

warnings.simplefilter("ignore")


class Heard(http.server.BaseHTTPRequestHandler):
    """Notes what it is told; fails at first."""

    told = queue.Queue()
    failures = 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        fails = Heard.failures > 0
        Heard.failures -= fails
        self.send_response(500 if fails else 204)
        self.end_headers()
        Heard.told.put((fails, body, dict(self.headers)))

    def log_message(self, *_):
        pass


class Webhooks(unittest.TestCase):
    def test_ends_are_told_again_until_they_are_heard(self):
        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}/"
        with Served("--stand-in", "1", "--allow-private-urls") as served:
            secret = served.run("webhooks", "add", url)
            with openai.OpenAI(base_url=served.url + "/v1", api_key="any", webhook_secret=secret) as client:
                done = client.videos.create_and_poll(prompt="a stripe")
                first, again = Heard.told.get(timeout=20), Heard.told.get(timeout=20)
                self.assertEqual((first[0], again[0]), (True, False))
                events = [client.webhooks.unwrap(body, headers) for _, body, headers in (first, again)]
                self.assertEqual(events[0].id, events[1].id)
                self.assertEqual((events[1].type, events[1].data.id), ("video.completed", done.id))
                failed = client.videos.create_and_poll(prompt="[fail]")
                _, body, headers = Heard.told.get(timeout=20)
                event = client.webhooks.unwrap(body, headers)
                self.assertEqual((event.type, event.data.id), ("video.failed", failed.id))
                with self.assertRaises(openai.InvalidWebhookSignatureError):
                    client.webhooks.unwrap(body + " ", headers)
        listener.shutdown()

    def test_private_addresses_are_not_told(self):
        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard)
        with Served("--stand-in", "1") as served:
            served.run("webhooks", "add", f"http://127.0.0.1:{listener.server_port}/")
            with openai.OpenAI(base_url=served.url + "/v1", api_key="any") as client:
                client.videos.create_and_poll(prompt="a stripe")
                listener.timeout = 3
                listener.handle_request()
                self.assertTrue(Heard.told.empty())
            self.assertIn("not an address of the public internet", served.log())


if __name__ == "__main__":
    unittest.main()
