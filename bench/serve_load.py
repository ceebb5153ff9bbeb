#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The encode worker under load, on the CPU backend and this machine's loopback.

serve_load.py [--depth N] [--seconds N] [--pictures N]

Makes a checkpoint (7B, cut to a few blocks) and pictures of several sizes.  Then,
for 50, 80, 100 and 150 %: measures the worker's capacity with clients that ask
again at once, just before, since other work may share the machine, and sends
requests at that share of it, at times of a Poisson process that do not wait for
answers.  Each request must be answered: 200 with the very bytes of the
library, or 503 with Retry-After.  Whatever else is an error, exit status 1.
Prints Markdown: what is answered, and percentiles of the latency of status 200.

Runs in a Python with oriel-vision[serve].
"""
import argparse
import asyncio
import hashlib
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

if "--help" in sys.argv:  # before what may be absent
    sys.exit(print(__doc__))

import aiohttp
import numpy as np
import oriel

SHARES = (50, 80, 100, 150)
PERCENTILES = (50, 90, 95, 99)
CLIENTS = 16  # that measure the capacity
SIZES = ((112, 112), (168, 126), (126, 224), (224, 168))
QUEUE = 32  # requests that the worker takes at once


def make_pictures(count):
    """Noise as PPM: nothing of it is cheap to encode, nothing dear to decode."""
    made = []
    for i in range(count):
        width, height = SIZES[i % len(SIZES)]
        pixels = np.random.default_rng(i).integers(0, 256, (height, width, 3),
                                                   np.uint8)
        made.append(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())
    return made


class Load:
    """A worker, the pictures, and the digests of their embeddings."""

    def __init__(self, url, pictures, digests):
        self.url, self.pictures, self.digests = url, pictures, digests
        self.errors = []

    async def ask(self, session, number):
        """Status and seconds of one request; wrong answers are remembered."""
        place = number % len(self.pictures)
        began = time.monotonic()
        try:
            async with session.post(self.url + "/v1/encode?rows=safetensors",
                                    data=self.pictures[place]) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.errors.append(f"request {number}: {error!r}")
            return 0, time.monotonic() - began
        seconds = time.monotonic() - began
        if answer.status == 200:
            rows = body[8 + int.from_bytes(body[:8], "little"):]
            if not self.is_right(rows, place):
                self.errors.append(f"request {number}: other bytes")
        elif answer.status != 503 or "Retry-After" not in answer.headers:
            self.errors.append(f"request {number}: {answer.status} {body!r}")
        return answer.status, seconds

    def is_right(self, content, place):
        """The tensor embeddings comes first; the grid's 24 bytes follow."""
        return hashlib.sha256(content[:-24]).digest() == self.digests[place]

    async def capacity(self, session, seconds):
        """Answers a second to clients that ask again at once."""
        end = time.monotonic() + seconds
        done = 0

        async def client(first):
            nonlocal done
            number = first
            while time.monotonic() < end:
                status, _ = await self.ask(session, number)
                done += status == 200
                number += CLIENTS

        began = time.monotonic()
        await asyncio.gather(*map(client, range(CLIENTS)))
        return done / (time.monotonic() - began)

    async def at_rate(self, session, rate, seconds, seed):
        """All answers to requests of a Poisson process."""
        numbers = random.Random(seed)
        tasks = []
        due = began = time.monotonic()
        while due - began < seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(self.ask(session, len(tasks))))
            due += numbers.expovariate(rate)
        return await asyncio.gather(*tasks)


async def measure(load, seconds):
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=connector,
                                     timeout=timeout) as session:
        await load.capacity(session, 5)  # to warm up
        print(f"Capacity is pictures a second, by {CLIENTS} clients that ask "
              "again at once,\njust before each row.\n")
        print("| load | capacity | requests a second | sent | 200 | 503 | "
              + " | ".join(f"p{p}, s" for p in PERCENTILES) + " |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |"
              + " ---: |" * len(PERCENTILES))
        for share in SHARES:
            capacity = await load.capacity(session, seconds / 2)
            rate = capacity * share / 100
            answers = await load.at_rate(session, rate, seconds, share)
            done = [s for status, s in answers if status == 200]
            busy = sum(status == 503 for status, _ in answers)
            shown = [f"{np.percentile(done, p):.3f}" for p in PERCENTILES]
            print(f"| {share} % | {capacity:.1f} | {rate:.1f} | {len(answers)} | "
                  f"{len(done)} | {busy} | " + " | ".join(shown) + " |",
                  flush=True)


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=45)
    parser.add_argument("--pictures", type=int, default=64)
    options = parser.parse_args()
    pictures = make_pictures(options.pictures)
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        subprocess.run([sys.executable, "-m", "oriel", "synth", "--config", "7b",
                        "--depth", str(options.depth), "-q", model], check=True)
        with oriel.Encoder.from_pretrained(model, device="cpu") as encoder:
            info = encoder.info
            digests = [hashlib.sha256(feature.embeddings.tobytes()).digest()
                       for feature in encoder.encode(pictures)]
        worker = subprocess.Popen(
            [sys.executable, "-m", "oriel", "serve", "--model", model,
             "--port", "0", "--device", "cpu", "--queue-requests", str(QUEUE)],
            stdout=subprocess.PIPE, text=True)
        url = worker.stdout.readline().split()[-1]
        assert worker.stdout.readline() == "oriel serve: ready\n"
        load = Load(url, pictures, digests)
        print("\n## Load\n")
        print(f"`bench/serve_load.py`: 7B cut to depth {options.depth}, "
              f"{info.description}, {info.precision}; {len(pictures)} pictures "
              f"of {', '.join(f'{w}x{h}' for w, h in SIZES)}; at most {QUEUE} "
              f"requests at once; {options.seconds} s a row.\n"
              f"{processor()}, {os.cpu_count()} cores, which client and "
              f"worker share; Python {platform.python_version()}, aiohttp "
              f"{metadata.version('aiohttp')}.\nLoad of the machine before: "
              + " ".join(f"{number:.1f}" for number in before)
              + ". Other work shared it: the times mean little without it.\n")
        asyncio.run(measure(load, options.seconds))
        worker.terminate()
        status = worker.wait(120)
    if load.errors:
        print(f"\n{len(load.errors)} errors, the first: {load.errors[0]}")
    else:
        print("\nNo request was lost: each was answered, and each 200 has the "
              "bytes that the library gives.\nAfter TERM the worker ended with "
              f"status {status}.")
    return 1 if load.errors or status else 0


if __name__ == "__main__":
    sys.exit(main())
