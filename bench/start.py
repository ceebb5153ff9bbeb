#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a worker's encoder takes to start, with a packed model that is cached.

start.py TOOL [--config NAME] [--repeats N] [--threads N] [--json FILE]

Packs a model of random weights, then starts processes in turn.  One opens the
model and creates an encoder of it on the CPU, in bf16 where the processor has it.
The other reads the same file from the page cache into fresh memory of large pages
on as many threads: no encoder with weights in memory of its own starts faster.
Prints the seconds of both, least and median, and the ratio of the least ones.

Runs in a Python with numpy, which finds the package 'oriel' (PYTHONPATH).
"""
import argparse
import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

CHUNK = 8 << 20


def limit(path, threads):
    """Seconds to read the file into fresh memory."""
    start = time.monotonic()
    size = os.path.getsize(path)
    memory = mmap.mmap(-1, size)
    memory.madvise(mmap.MADV_HUGEPAGE)
    view, file = memoryview(memory), os.open(path, os.O_RDONLY)

    def read(first):
        for at in range(first * CHUNK, size, threads * CHUNK):
            os.preadv(file, [view[at:at + CHUNK]], at)

    team = [threading.Thread(target=read, args=[i]) for i in range(threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return time.monotonic() - start


def create(path, threads):
    """Seconds from the path to an encoder that has its weights."""
    import oriel

    start = time.monotonic()
    with oriel.Encoder(path, device="cpu", threads=threads) as encoder:
        assert encoder.info.device == "cpu"
        return time.monotonic() - start


def seconds(what, path, threads):
    """In a process of its own, whose memory is fresh."""
    done = subprocess.run([sys.executable, __file__, f"--{what}", path,
                           str(threads)], check=True, capture_output=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("--config", default="7b")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json")
    given = parser.parse_args()
    times = {"create": [], "limit": []}
    with tempfile.TemporaryDirectory() as work:
        model, packed = f"{work}/model", f"{work}/tower.safetensors"
        for words in (["synth", "--config", given.config, model],
                      ["pack", model, "-o", packed]):
            subprocess.run([given.tool, *words, "-q"], check=True)
        size = os.path.getsize(packed)
        for _ in range(given.repeats):
            for what in times:
                times[what].append(seconds(what, packed, given.threads))
    result = {"config": given.config, "bytes": size, "threads": given.threads,
              "repeats": given.repeats,
              "ratio": min(times["create"]) / min(times["limit"])}
    for what, all_of_them in times.items():
        result[what] = {"least": min(all_of_them),
                        "median": statistics.median(all_of_them)}
        print(f"{what:7} {result[what]['least']:6.3f} s at least, "
              f"{result[what]['median']:6.3f} s in the median")
    print(f"create takes {result['ratio']:.2f} times what reading "
          f"{size / 1e9:.2f} GB into fresh memory takes")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    if sys.argv[1:2] in (["--create"], ["--limit"]):
        print({"--create": create, "--limit": limit}[sys.argv[1]](
            sys.argv[2], int(sys.argv[3])))
    else:
        main()
