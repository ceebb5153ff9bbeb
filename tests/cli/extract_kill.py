# SPDX-License-Identifier: Apache-2.0
"""Kill oriel extract at seeded moments; resumed, it ends with the same bytes.

extract_kill.py TOOL [--kills N] [--seed S] [--images N]

A run over 500 images, of a tar archive, a folder and a list, is stopped by
SIGKILL, SIGTERM or SIGINT after a random part of the time that an undisturbed
run takes, and is resumed with --resume, until it ends; then its folder is held
against the undisturbed one, byte by byte.  That is done again and again until
so many signals were sent.  Works in the current folder, which is empty.
"""
import argparse
import collections
import filecmp
import io
import os
import random
import shutil
import signal
import subprocess
import tarfile
import time


def ppm(numbers):
    width, height = numbers.randint(28, 90), numbers.randint(28, 90)
    return b"P6 %d %d 255\n" % (width, height) + numbers.randbytes(
        width * height * 3)


def make_inputs(numbers, images):
    os.makedirs("pictures/more")
    for i in range(images // 3):
        folder = "pictures/more" if i % 3 else "pictures"
        with open(f"{folder}/{i:04d}.ppm", "wb") as file:
            file.write(b"broken" if i % 37 == 5 else ppm(numbers))
    with tarfile.open("samples.tar", "w") as tar:
        for i in range(images // 3):
            for name, data in ((f"{i:04d}.ppm", ppm(numbers)),
                               (f"{i:04d}.cls", b"%d" % i)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    os.mkdir("listed")
    with open("list.jsonl", "w") as names:
        for i in range(images - 2 * (images // 3)):
            with open(f"listed/{i}.ppm", "wb") as file:
                file.write(ppm(numbers))
            names.write(f'{{"path": "listed/{i}.ppm", "id": {i}}}\n')
        names.write('{"path": "missing.ppm"}\n')


def command(tool, folder):
    return [tool, "extract", "samples.tar", "pictures", "list.jsonl",
            "--model", "model", "--device", "cpu", "--shard-bytes", "150000",
            "--batch-patches", "3000", "-q", "-o", folder]


def different(folder, other):
    """The names of the files that are not the same in both."""
    names = sorted(set(os.listdir(folder)) | set(os.listdir(other)))
    match, mismatch, errors = filecmp.cmpfiles(folder, other, names, False)
    return mismatch + errors


def said():
    """What the last run wrote to standard error."""
    with open("log", errors="replace") as log:
        return log.read()


def run(words, delay=None, number=None):
    """The exit status; negative: the signal that ended it."""
    with open("log", "w") as log:
        process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)
        if delay is not None:
            time.sleep(delay)
            process.send_signal(number)
        status = process.wait(timeout=120)
    # Such a report may end a run with the status of one that failed.
    assert "Sanitizer" not in said() and "runtime error" not in said(), said()
    return status


def check_parts(folder):
    """What a killed run left is whole: every part can be read alone."""
    for name in os.listdir(folder):
        if name.startswith("part-"):
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            header = int.from_bytes(data[:8], "little")
            assert b'"embeddings"' in data[8:8 + header], name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=500)
    given = parser.parse_args()
    numbers = random.Random(given.seed)
    subprocess.run([given.tool, "synth", "--config", "tiny", "--seed", "1",
                    "-q", "model"], check=True)
    make_inputs(numbers, given.images)
    start = time.monotonic()
    assert run(command(given.tool, "whole")) == 1, said()
    seconds = time.monotonic() - start
    parts = sum(name.startswith("part-") for name in os.listdir("whole"))
    assert parts > 5, parts
    sent, chains = 0, 0
    ends = collections.Counter()
    while sent < given.kills:
        status = None
        while status not in (0, 1):
            number = numbers.choice(
                [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM,
                 signal.SIGINT])
            # The last of each run is let through, now and then.
            delay = numbers.random() * seconds * 0.9
            words = command(given.tool, "out") + ["--resume"]
            if sent < given.kills and numbers.random() < 0.8:
                status = run(words, delay, number)
                sent += 1
                expected = {0, 1, -number, 128 + number}
            else:
                status = run(words)
                expected = {1}
            assert status in expected, (status, said())
            ends[status] += 1
            if os.path.isdir("out"):
                check_parts("out")
        wrong = different("whole", "out")
        assert not wrong, (
            f"seed {given.seed}, after {sent} kills: {wrong} differ; the last "
            f"run ended with {status}, {seconds:.2f} s undisturbed: {said()}")
        shutil.rmtree("out")
        chains += 1
    print(f"{sent} signals over {chains} runs of {given.images} images in "
          f"{parts} parts, {seconds:.2f} s undisturbed: all ended with the "
          f"same bytes; statuses {dict(sorted(ends.items()))}")


if __name__ == "__main__":
    main()
