# SPDX-License-Identifier: Apache-2.0
"""The encode worker, by HTTP on this machine.  Clients are of the standard
library.  Skipped where aiohttp or prometheus_client is missing:
scripts/test_serve.sh installs them."""
import base64
import contextlib
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import zlib

import numpy as np

import oriel
import support
from oriel import serving

try:
    import aiohttp
    from prometheus_client.parser import text_string_to_metric_families
except ImportError as error:
    missing = str(error)
else:
    missing = None

PHOTO = (support.PICTURES / "upright.jpg").read_bytes()
LARGE = support.ppm(support.noise(400, 400, seed=9))  # some tenths of a second


def setUpModule():
    if missing:
        raise unittest.SkipTest(missing)
    global encoder
    print("aiohttp", aiohttp.__version__)
    encoder = oriel.Encoder(support.tiny(), device="cpu", precision="fp32")


def tearDownModule():
    if not missing:
        encoder.close()


class Answer:
    """Status, head and body of a response."""

    def __init__(self, response):
        self.status, self.head = response.status, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def message(self):
        return self.json()["error"]["message"]


class Server:
    """A worker in a process of its own."""

    def __init__(self, *flags, wait=True, command=("-m", "oriel", "serve")):
        self.process = subprocess.Popen(
            [sys.executable, *command, "--model", str(support.tiny()),
             "--port", "0", "--device", "cpu", "--precision", "fp32",
             *map(str, flags)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=support.scratch())
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)$", line)
        self.port = int(found[1]) if found else None
        if wait:
            assert self.process.stdout.readline() == "oriel serve: ready\n"

    def request(self, method, path, body=None, head=(), source="127.0.0.1"):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(source, 0))
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(head))
            return Answer(connection.getresponse())

    def encode(self, content, rows=None, **options):
        path = "/v1/encode" + (f"?rows={rows}" if rows else "")
        return self.request("POST", path, content, **options)

    def encode_json(self, value, rows=None):
        return self.encode(json.dumps(value).encode(), rows,
                           head={"Content-Type": "application/json"})

    def metrics(self):
        text = self.request("GET", "/metrics").body.decode()
        return {(sample.name, *sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples}

    def wait_for(self, name, value):
        """Until a series has at least this value."""
        end = time.monotonic() + 30
        while self.metrics().get(name, 0) < value:
            assert time.monotonic() < end, f"{name} stays below {value}"
            time.sleep(0.01)

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self):
        """Exit status, and what it said on standard error, at its end."""
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def end(self):
        self.term()
        return self.ended()

    def begin(self, content, first=3):
        """A request that stays in flight: the beginning of its body."""
        client = socket.create_connection(("127.0.0.1", self.port), 60)
        client.sendall(b"POST /v1/encode HTTP/1.1\r\nHost: x\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(content)
                       + content[:first])
        return client


@contextlib.contextmanager
def server(*flags, **options):
    made = Server(*flags, **options)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.communicate()


def read(client):
    """The answer to a request on this socket."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return Answer(response)


def at_once(function, values):
    """function of each value, each on a thread; the results in order."""
    results = [None] * len(values)

    def run(i, value):
        results[i] = function(value)

    threads = [threading.Thread(target=run, args=pair)
               for pair in enumerate(values)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def png(width, height, pixels=b""):
    """A PNG whose head is right; its pixels are what is given."""
    def chunk(kind, data):
        return (len(data).to_bytes(4, "big") + kind + data
                + zlib.crc32(kind + data).to_bytes(4, "big"))

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head + b"\x08\x02\0\0\0")
            + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


class Encoding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == (0, "")

    def test_npy(self):
        made = self.server.encode(PHOTO)
        self.assertEqual(made.status, 200)
        wanted = encoder.encode(PHOTO)
        found = np.load(io.BytesIO(made.body))
        self.assertEqual(found.dtype, np.float32)
        self.assertEqual(found.tobytes(), wanted.embeddings.tobytes())
        self.assertEqual(made.head["Oriel-Grid-Thw"],
                         ",".join(map(str, wanted.grid_thw[0])))
        self.assertEqual(made.head["Oriel-Uuid"],
                         serving.content_id(PHOTO, encoder))

    def test_safetensors(self):
        made = self.server.encode(PHOTO, "safetensors")
        path = support.scratch() / "answer.safetensors"
        path.write_bytes(made.body)
        found = support.read_safetensors(path)
        wanted = encoder.encode(PHOTO)
        np.testing.assert_array_equal(found["embeddings"], wanted.embeddings)
        np.testing.assert_array_equal(found["image_grid_thw"], wanted.grid_thw)

    def test_data_url(self):
        url = "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()
        made = self.server.encode_json({"image": url})
        self.assertEqual((made.status, made.body),
                         (200, self.server.encode(PHOTO).body))

    def test_the_librarys_sentence(self):
        """What the library refuses is status 400 with its words."""
        for content in (b"", b"no picture", PHOTO[:len(PHOTO) // 2],
                        support.ppm(support.noise(2, 900)), png(40, 30)):
            with self.assertRaises(oriel.Error) as caught:
                encoder.encode(content)
            made = self.server.encode(content)
            self.assertEqual((made.status, made.message()),
                             (400, str(caught.exception)))

    def test_a_wrong_request(self):
        for words, value in (
                ("no JSON", "text"), ("expected {", []), ("expected {", {}),
                ("expected {", {"image": "data:", "rows": "npy"}),
                ("fetches nothing", {"image": "http://127.0.0.1/a.png"}),
                ("fetches nothing", {"image": "file:///etc/passwd"}),
                ("fetches nothing", {"image": 7}),
                ("with base64", {"image": "data:image/png,abc"}),
                ("no base64", {"image": "data:image/png;base64,!!!!"})):
            body = value if value == "text" else json.dumps(value)
            made = self.server.encode(
                body.encode(), head={"Content-Type": "application/json"})
            self.assertEqual(made.status, 400)
            self.assertIn(words, made.message())
        for words, rows in (("one of npy, safetensors", "ec"),
                            ("one of npy, safetensors", "json")):
            made = self.server.encode(PHOTO, rows)
            self.assertEqual(made.status, 400)
            self.assertIn(words, made.message())
        made = self.server.request("POST", "/v1/encode?row=npy", PHOTO)
        self.assertEqual((made.status, made.message()),
                         (400, "unknown parameter 'row': expected rows"))
        self.assertEqual(self.server.request("GET", "/v1/encode").status, 405)

    def test_a_batch_of_many_requests(self):
        """What waits while a large picture is encoded is encoded together: in one
        of some attempts, since the large one may be done too early."""
        pictures = [support.ppm(support.noise(40 + 8 * i, 60, seed=i))
                    for i in range(8)]
        for _ in range(8):
            before = self.server.metrics()
            large = threading.Thread(target=self.server.encode, args=(LARGE,))
            large.start()
            self.server.wait_for(("oriel_queue_tokens",), 1)
            made = at_once(self.server.encode, pictures)
            large.join()
            for answer, picture in zip(made, pictures):
                wanted = encoder.encode(picture).embeddings
                self.assertEqual(np.load(io.BytesIO(answer.body)).tobytes(),
                                 wanted.tobytes())
            after = self.server.metrics()
            images, batches = (after[name] - before[name] for name in (
                ("oriel_images_total",), ("oriel_encode_seconds_count",)))
            self.assertEqual(images, 9)
            if batches < images:
                return
        self.fail("9 batches for 9 pictures that came at once")

    def test_probes_and_metrics(self):
        self.assertEqual(self.server.request("GET", "/health").status, 200)
        ready = self.server.request("GET", "/ready")
        self.assertEqual((ready.status, ready.body), (200, b"ready\n"))
        before = self.server.metrics()
        tokens = len(encoder.encode(PHOTO).embeddings)
        self.server.encode(PHOTO)
        self.server.encode(b"no picture")
        after = self.server.metrics()
        for name, more in ((("oriel_requests_total", "200"), 1),
                           (("oriel_requests_total", "400"), 1),
                           (("oriel_tokens_total",), tokens),
                           (("oriel_request_seconds_count",), 2)):
            self.assertEqual(after[name] - before.get(name, 0), more)
        self.assertEqual(after[("oriel_requests_in_flight",)], 0)
        self.assertEqual(after[("oriel_queue_tokens",)], 0)
        build = next(name for name in after if name[0] == "oriel_build")
        self.assertEqual(set(build[1:]), {oriel.__version__, "cpu", "fp32",
                                          encoder.digest()})


class Directory(unittest.TestCase):
    def test_a_file_for_vllm(self):
        root = support.scratch() / "ec-serve"
        root.mkdir()
        wanted = encoder.encode(PHOTO, dtype="bfloat16")
        with server("--ec-directory", root) as worker:
            made = worker.encode(PHOTO).json()
            self.assertEqual(made, {
                "uuid": serving.content_id(PHOTO, encoder),
                "image_grid_thw": wanted.grid_thw[0].tolist(),
                "tokens": len(wanted.raw), "dtype": "bfloat16",
                "found": False})
            path = root / made["uuid"] / "encoder_cache.safetensors"
            np.testing.assert_array_equal(
                support.read_safetensors(path)["ec_cache"], wanted.raw)
            # What lies there is not encoded again.
            again = worker.encode(PHOTO).json()
            self.assertEqual(again, {**made, "found": True})
            self.assertEqual(worker.metrics()[("oriel_images_total",)], 1)
            refused = worker.encode(PHOTO, "npy")
            self.assertEqual(refused.status, 400)
            self.assertIn("bfloat16", refused.message())
            # A file of another width or dtype is no answer, and no path leaks.
            path.write_bytes(path.read_bytes()[:-2])
            broken = worker.encode(PHOTO)
            self.assertEqual(broken.status, 500)
            self.assertNotIn(str(root), broken.message())
            code, said = worker.end()
        self.assertEqual(code, 0)
        self.assertIn("expected", said)


class Limits(unittest.TestCase):
    def test_size(self):
        with server("--max-mebibytes", 1) as worker:
            content = bytes(3 << 20)
            self.assertEqual(worker.encode(content).status, 413)
            chunks = worker.request("POST", "/v1/encode", iter([content]))
            self.assertEqual(chunks.status, 413)
            just_over = b"x" * ((1 << 20) + 1)
            url = "data:;base64," + base64.b64encode(just_over).decode()
            made = worker.encode_json({"image": url})
            self.assertEqual(made.status, 413)
            self.assertIn("1048576 bytes", made.message())
            self.assertEqual(worker.encode(PHOTO).status, 200)

    def test_pixels(self):
        with server("--max-source-pixels", 5000, "--max-tokens", 4) as worker:
            made = worker.encode(support.ppm(support.noise(100, 60)))
            self.assertEqual(made.status, 400)
            self.assertIn("5000", made.message())
            made = worker.encode(support.ppm(support.noise(60, 60)))
            limited = oriel.Encoder(
                support.tiny(), device="cpu", precision="fp32",
                preprocessing=oriel.Preprocessing(max_pixels=4 * 8 * 8))
            with limited:
                wanted = limited.encode(support.noise(60, 60)).embeddings
            self.assertEqual(np.load(io.BytesIO(made.body)).tobytes(),
                             wanted.tobytes())

    def test_rate(self):
        with server("--rate", 0.2, "--burst", 3) as worker:
            made = [worker.encode(PHOTO).status for _ in range(4)]
            self.assertEqual(made, [200, 200, 200, 429])
            refused = worker.encode(PHOTO)
            self.assertIn(int(refused.head["Retry-After"]), range(1, 7))
            # Another address has its own rate; probes have none.
            self.assertEqual(worker.encode(PHOTO, source="127.0.0.2").status,
                             200)
            self.assertEqual(worker.request("GET", "/ready").status, 200)

    def test_full(self):
        """By its cost a picture is refused before its pixels are looked at: in
        one of some attempts, since the large one may be done too early."""
        with server("--token-budget", 1, "--queue-tokens", 1) as worker:
            for _ in range(8):
                first = threading.Thread(target=worker.encode, args=(LARGE,))
                first.start()
                worker.wait_for(("oriel_queue_tokens",), 1)
                made = worker.encode(png(40, 30))
                first.join()
                if made.status == 503:
                    break
            self.assertEqual(made.status, 503)
            self.assertGreaterEqual(int(made.head["Retry-After"]), 1)
            self.assertIn("the queue is full", made.message())
            self.assertEqual(worker.encode(png(40, 30)).status, 400)
            self.assertEqual(worker.encode(PHOTO).status, 200)

    def test_many(self):
        with server("--queue-requests", 2) as worker:
            clients = [worker.begin(PHOTO) for _ in range(2)]
            worker.wait_for(("oriel_requests_in_flight",), 2)
            refused = worker.encode(PHOTO)
            self.assertEqual(refused.status, 503)
            self.assertGreaterEqual(int(refused.head["Retry-After"]), 1)
            self.assertIn("2 requests", refused.message())
            for client in clients:
                with client:
                    client.sendall(PHOTO[3:])
                    self.assertEqual(read(client).status, 200)

    def test_a_slow_request(self):
        with server("--body-seconds", 1) as worker, \
                worker.begin(PHOTO) as client:
            self.assertEqual(read(client).status, 408)

    def test_a_client_that_goes_away(self):
        """Its picture is not encoded: in one of some attempts, as above."""
        with server("--token-budget", 1) as worker:
            for attempt in range(8):
                first = threading.Thread(target=worker.encode, args=(LARGE,))
                first.start()
                worker.wait_for(("oriel_queue_tokens",), 1)
                with worker.begin(PHOTO, len(PHOTO)):
                    pass
                first.join()
                seen = attempt + 1
                worker.wait_for(("oriel_request_seconds_count",), 2 * seen)
                if worker.metrics()[("oriel_images_total",)] == seen:
                    return
        self.fail("the picture of a client that had gone was encoded each time")


class Life(unittest.TestCase):
    def test_term_answers_what_is_in_flight(self):
        wanted = encoder.encode(PHOTO).embeddings.tobytes()
        with server() as worker:
            clients = [worker.begin(PHOTO) for _ in range(3)]
            worker.wait_for(("oriel_requests_in_flight",), 3)
            worker.term()
            self.assertIn("3 requests in flight",
                          worker.process.stdout.readline())
            self.assertEqual(worker.request("GET", "/ready").body, b"draining\n")
            refused = worker.encode(PHOTO)
            self.assertEqual(refused.status, 503)
            self.assertIn("ending", refused.message())
            for client in clients:
                with client:
                    client.sendall(PHOTO[3:])
                    answer = read(client)
                self.assertEqual(answer.status, 200)
                self.assertEqual(np.load(io.BytesIO(answer.body)).tobytes(),
                                 wanted)
            self.assertEqual(worker.ended(), (0, ""))

    def test_term_waits_for_a_slow_reader(self):
        wanted = encoder.encode(LARGE).embeddings.tobytes()
        with server() as worker, socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", worker.port))
            client.sendall(b"POST /v1/encode HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE)
            worker.wait_for(("oriel_requests_total", "200"), 1)
            worker.term()
            time.sleep(0.5)
            answer = read(client)
            self.assertTrue(answer.body.endswith(wanted))
            self.assertEqual(worker.ended(), (0, ""))

    def test_time_is_out(self):
        for flags, terms in ((("--drain-seconds", 1), 1), ((), 2)):
            with server(*flags) as worker, worker.begin(PHOTO):
                worker.wait_for(("oriel_requests_in_flight",), 1)
                worker.term()
                self.assertIn("1 requests in flight",
                              worker.process.stdout.readline())
                if terms == 2:
                    worker.term()
                code, said = worker.ended()
            self.assertEqual(code, 128 + signal.SIGTERM)
            self.assertIn("1 requests in flight", said)

    def failing(self, error):
        """A worker whose encoder raises this."""
        return Server(command=("-c", (
            "import sys, oriel, oriel.serve\n"
            "async def fail(*_, **__):\n"
            f"    raise oriel.{error}('the reason is /secret')\n"
            "oriel.Encoder.aencode = fail\n"
            "sys.exit(oriel.serve.main(sys.argv[1:]))")))

    def test_the_device_fails(self):
        """The request is answered, and the worker ends by itself."""
        worker = self.failing("FaultError")
        answer = worker.encode(PHOTO)
        self.assertEqual(answer.status, 500)
        self.assertNotIn("secret", answer.message())
        code, said = worker.ended()
        self.assertEqual(code, 5)
        self.assertIn("oriel serve: the reason is /secret", said)

    def test_memory_is_out(self):
        worker = self.failing("OutOfMemoryError")
        answer = worker.encode(PHOTO)
        self.assertEqual(answer.status, 503)
        self.assertIn("Retry-After", answer.head)
        self.assertNotIn("secret", answer.message())
        self.assertEqual(worker.encode(PHOTO).status, 503)
        self.assertEqual(worker.end()[0], 0)

    def test_term_while_it_loads(self):
        worker = Server(wait=False)
        self.assertEqual(worker.end(), (0, ""))

    def test_it_does_not_start(self):
        for status, words, flags in (
                (3, "cannot find a folder", ("--model", "/nowhere")),
                (2, "--port: '70000': expected a whole number",
                 ("--port", "70000")),
                (2, "expected a folder that exists",
                 ("--ec-directory", "/nowhere")),
                (2, "device='tpu'", ("--device", "tpu")),
                (2, "expected one of them",
                 ("--max-tokens", "9", "--max-pixels", "9"))):
            code, said = Server(*flags, wait=False).ended()
            self.assertEqual(code, status, said)
            self.assertIn(words, said)
            self.assertNotIn("Traceback", said)
