#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each place of the tool that asks for memory is refused it once.

    fail_sites.py TOOL FAIL-ALLOC-LIBRARY [NAME...]

A scenario is one command line.  It runs without a fault, and says from which
places of the program memory is asked for, directly or by a library; then it runs
once a place, and the first allocation there fails.  Right is: the same exit status
and the same files; or exit status 6, a line that tells of memory, and nothing left
but what --resume goes on with, to the same files.  Standard library only."""
import filecmp
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

MEMORY = 6
# What glibc and others say when their own memory is out, which is not passed on.
OTHERS = ("cannot be loaded", "cannot allocate memory for thread-local data",
          "Fatal Internal Error in libarchive: Out of memory")
RUN = "--model model --device cpu --threads 1 -q"
EXTRACT = f"{RUN} -o out"

# What these print tells times, or what the machine has left.
VARYING = ("doctor", "extract counted")

# Name, exit status, arguments; "out" is what appears.  With 'resumes' what is left
# of a run that failed is gone on with.
SCENARIOS = [
    ("extract folder", 1, f"extract f {EXTRACT} --shard-bytes 4000", True),
    ("extract list", 1, f"extract list.jsonl @names {EXTRACT} --dtype f32", True),
    ("extract again", 1, f"extract f {EXTRACT} --retry-failed "
     "--shard-bytes 4000", True),
    ("extract npy", 0, f"extract f/t.tar {EXTRACT} --format npy --pool mean", True),
    ("extract frames", 0, f"extract clip {EXTRACT} --frames --layer 2", True),
    ("extract counted", 1, "extract f list.jsonl --model model --device cpu "
     "--dry-run -q", False),
    ("extract split", 1, "extract f list.jsonl --model model --device cpu "
     "--dry-run --split 2 -q -o out", False),
    ("merge", 0, "merge job-0 job-1 -o out", False),
    ("merge anew", 0, "merge job-0 job-1 -o out --repack", False),
    ("encode", 1, f"encode f/a.ppm f/b.ppm f/broken.jpg {EXTRACT} --json",
     False),
    ("encode pixels", 0, f"encode pixels.safetensors {EXTRACT}", False),
    ("encode list", 1, f"encode @names {EXTRACT}", False),
    ("preprocess", 1, "preprocess @names f/a.ppm -o out --threads 1 --json", False),
    ("plan", 1, "plan 640x480 f/a.ppm f/broken.jpg --json --model model "
     "--device cpu", False),
    ("plan picture", 0, "plan f/a.ppm --device cpu --picture out", False),
    ("heatmap", 0, f"heatmap f/a.ppm {EXTRACT}", False),
    ("inspect", 0, "inspect model", False),
    ("inspect file", 0, "inspect encoded.safetensors --json", False),
    ("pack", 0, "pack model -q -o out", False),
    ("synth", 0, "synth --config tiny --seed 2 -q out", False),
    ("doctor", 0, "doctor --json", False),
]


def picture(name, width, height, text):
    with open(name, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height))
        file.write((text * (width * height * 3))[:width * height * 3])


def make_inputs(tool):
    """Files of all kinds that the scenarios name."""
    os.makedirs("f/deep")
    os.makedirs("clip")
    picture("f/a.ppm", 64, 48, b"a colourful pattern")
    picture("f/b.ppm", 40, 56, b"another")
    picture("f/deep/c.ppm", 33, 20, b"a third one")
    for i in range(4):
        picture(f"clip/{i}.ppm", 48, 32, b"frame %d" % i)
    with open("f/broken.jpg", "w") as file:
        file.write("no picture\n")
    with open("f/notes.txt", "w") as file:
        file.write("no picture\n")
    with tarfile.open("f/t.tar", "w") as tar:
        def put(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for i, name in enumerate(("f/a.ppm", "f/b.ppm")):
            with open(name, "rb") as file:
                put(f"d/{i:03}.ppm", file.read())
            put(f"d/{i:03}.json", json.dumps({"label": i}).encode())
            put(f"d/{i:03}.txt", b"a caption")
            put(f"d/{i:03}.bin", b"\xff\xfe\x00")
    with open("list.jsonl", "w") as file:
        file.write('{"path": "f/a.ppm", "id": "first", "label": {"x": [1]}}\n'
                   '{"path": "f/deep", "id": "second"}\n'
                   '{"path": "missing.ppm"}\n{"id": "no path"}\n{broken\n')
    with open("names", "w") as file:
        file.write("# a comment\nf/a.ppm\r\nclip/0.ppm\n\nmissing.ppm\n")
    for arguments in (
            "synth --config tiny --seed 1 -q model",
            "preprocess f/a.ppm f/b.ppm --model model -q -o pixels.safetensors",
            f"encode f/a.ppm {RUN} -o encoded.safetensors",
            f"extract f/a.ppm f/b.ppm clip/0.ppm {RUN} --shard-bytes 4000 "
            "--shard 0/2 -o job-0",
            f"extract f/a.ppm f/b.ppm clip/0.ppm {RUN} --shard-bytes 4000 "
            "--shard 1/2 -o job-1",
            f"extract f {RUN} --shard-bytes 4000 -o done"):
        subprocess.run([tool, *arguments.split()], stderr=subprocess.DEVNULL)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def prepare(name):
    remove("out")
    if name == "extract again":
        shutil.copytree("done", "out")


def is_same(a, b):
    """Of files and of folders, by their bytes."""
    if not os.path.isdir(a) or not os.path.isdir(b):
        return os.path.lexists(a) == os.path.lexists(b) and (
            not os.path.lexists(a) or filecmp.cmp(a, b, shallow=False))
    names = sorted(os.listdir(a))
    return names == sorted(os.listdir(b)) and all(
        is_same(os.path.join(a, n), os.path.join(b, n)) for n in names)


def is_part(left, good):
    """Nothing, or a folder of some whole files that could be told from all."""
    if not os.path.isdir(left):
        return not os.path.lexists(left)
    if os.path.exists(os.path.join(left, "run.json")):
        with open(os.path.join(left, "run.json")) as file:
            return json.load(file)["state"] != "complete"
    return all(n in os.listdir(good) and is_same(os.path.join(left, n),
                                                 os.path.join(good, n))
               for n in os.listdir(left))


class Sweep:
    def __init__(self, tool, library):
        self.tool, self.preload = tool, library
        self.failures = 0

    def run(self, arguments, **environment):
        made = dict(os.environ, LC_ALL="C", **environment)
        if environment:
            made["LD_PRELOAD"] = self.preload
        return subprocess.run([self.tool, *arguments.split()], env=made,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              errors="replace")

    def complain(self, what, result):
        self.failures += 1
        print(f"FAIL: {what}: exit status {result.returncode}: "
              f"{result.stderr.strip()[-300:]}")

    def judge(self, scenario, what, good, result):
        """One of "the same", "refused", "others"; None after a complaint."""
        name, status, arguments, resumes = scenario
        if result.returncode == status and is_same("good", "out"):
            if name in VARYING or result.stdout == good.stdout:
                return "the same"
        text = result.stderr + result.stdout
        if any(o in text for o in OTHERS):
            return "others"
        if result.returncode != MEMORY or not (
                "memory" in text or "cannot start" in text):
            self.complain(what, result)
            return None
        if not resumes:
            if not is_part("out", "good"):
                self.complain(f"{what}: something is left", result)
            return "refused"
        more = "" if "--retry-failed" in arguments else " --resume"
        again = self.run(arguments + more)
        if again.returncode != status or not is_same("good", "out"):
            self.complain(f"{what}: gone on with", again)
        return "refused"

    def sweep(self, scenario):
        name, status, arguments, _ = scenario
        prepare(name)
        good = self.run(arguments, FAIL_SITES=os.path.abspath("sites"))
        if good.returncode != status:
            self.complain(f"{name}: does not work at all", good)
            return
        remove("good")
        if os.path.lexists("out"):
            os.rename("out", "good")
        with open("sites") as file:
            sites = sorted(int(line) for line in file)
        ends = {"the same": 0, "refused": 0, "others": 0, None: 0}
        for site in sites:
            prepare(name)
            result = self.run(arguments, FAIL_SITE=str(site))
            ends[self.judge(scenario, f"{name}, place {site:#x}", good,
                            result)] += 1
        print(f"{name}: {len(sites)} places, {ends['the same']} do not matter, "
              f"{ends['refused']} are refused, {ends['others']} ended by others")
        if not ends["refused"]:
            self.complain(f"{name}: nothing was refused", good)


def main():
    tool, library, *names = sys.argv[1:]
    with open(tool, "rb") as file:
        if b"__asan_init" in (data := file.read()) or b"__tsan_init" in data:
            print("skipped: nothing can be preloaded before a sanitizer")
            return 77
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        make_inputs(tool)
        sweep = Sweep(tool, library)
        for scenario in SCENARIOS:
            if not names or scenario[0] in names:
                sweep.sweep(scenario)
        os.chdir("/")
    return 1 if sweep.failures else 0


if __name__ == "__main__":
    sys.exit(main())
