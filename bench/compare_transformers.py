#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Oriel against transformers on torch, on one CPU, in turns.

Both sides get the same checkpoint, the same pixel_values, the same precision,
the same cores.  Their results are compared before anything is timed; then they
encode in turns, A B A B, so that what disturbs one disturbs the other.  Prints
the ratio of medians for each size and precision; more than 1 is Oriel's favour.

Runs in a Python that has torch and transformers (peer_transformers.py names
the versions).
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

if "--help" in sys.argv:  # before what may be absent
    sys.exit(print(__doc__))

import numpy as np

SETTLE = 0.15  # seconds: threads that spin for work have gone to sleep
FP32_LIMIT = 1e-5  # relative L2 against transformers' fp32
BF16_MARGIN = 1.25  # of transformers' own bf16 error
LEAST_COSINE = 0.999


class Side:
    """A process that encodes once for every line it is sent."""

    def __init__(self, command, result):
        self.result = result
        self.process = subprocess.Popen(
            [*map(str, command), str(result)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if not ready or ready[0] != "ready":
            sys.exit(f"{command[0]}: did not get ready")
        self.tokens = int(ready[1])
        self.flops = int(ready[2]) if len(ready) > 2 else None

    def embeddings(self):
        return np.fromfile(self.result, np.float32).reshape(self.tokens, -1)

    def encode(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("a side stopped answering")
        time.sleep(SETTLE)
        return float(answer)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("a side failed")


def distance(got, reference):
    """Relative L2, and the least cosine of a row."""
    got, reference = got.astype(np.float64), reference.astype(np.float64)
    cosine = ((got * reference).sum(1) / np.linalg.norm(got, axis=1)
              / np.linalg.norm(reference, axis=1))
    return (float(np.linalg.norm(got - reference) / np.linalg.norm(reference)),
            float(cosine.min()))


def summary(seconds):
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {"median": statistics.median(ordered), "p10": ordered[last // 10],
            "p90": ordered[last - last // 10], "n": len(ordered)}


def check(precision, ours, theirs, truth):
    """Refuse to time a wrong encoder; the errors otherwise."""
    error, cosine = distance(ours.embeddings(), truth)
    their_error, _ = distance(theirs.embeddings(), truth)
    limit = FP32_LIMIT if precision == "fp32" else BF16_MARGIN * their_error
    if not (error <= limit and cosine >= LEAST_COSINE):
        sys.exit(f"{precision}: ours is {error:.2e} away from transformers' "
                 f"fp32 (allowed {limit:.2e}), least cosine {cosine:.6f}: "
                 "nothing is timed")
    return {"relative_l2": error, "least_cosine": cosine,
            "transformers_relative_l2": their_error}


def compare(args, size, precision, folder, truth):
    tail = (args.checkpoint, precision, args.threads, size)
    theirs = Side((sys.executable,
                   Path(__file__).with_name("peer_transformers.py"), *tail),
                  folder / "theirs")
    if truth is None:
        truth = theirs.embeddings()
    ours = Side((args.bench, *tail), folder / "ours")
    row = {"size": size, "precision": precision, "tokens": ours.tokens,
           "flops": ours.flops, "check": check(precision, ours, theirs, truth)}
    times = {"oriel": [], "transformers": []}
    for turn in range(-1, args.repeats):  # -1: to warm up
        pair = {"oriel": ours.encode(), "transformers": theirs.encode()}
        if turn >= 0:
            for name, seconds in pair.items():
                times[name].append(seconds)
    ours.close()
    theirs.close()
    for name, seconds in times.items():
        row[name] = summary(seconds)
    row["ratio"] = row["transformers"]["median"] / row["oriel"]["median"]
    return row, truth


def show(row):
    ours, theirs = row["oriel"], row["transformers"]
    print(f"{row['size']:>10} {row['precision']:>5} "
          f"{ours['median']:8.3f} {ours['p10']:8.3f} {ours['p90']:8.3f}   "
          f"{theirs['median']:8.3f} {theirs['p10']:8.3f} {theirs['p90']:8.3f}   "
          f"{row['ratio']:5.2f}x   {row['check']['relative_l2']:.1e}",
          flush=True)


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench", help="oriel_bench_encode_turns")
    parser.add_argument("checkpoint", help="oriel synth --config 7b --seed 1")
    parser.add_argument("--size", action="append", metavar="WxH",
                        help="default 448x448 and 1036x476")
    parser.add_argument("--precision", choices=("bf16", "fp32"),
                        help="default both")
    parser.add_argument("--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def main():
    args = parse()
    cores = sorted(os.sched_getaffinity(0))[:args.threads]
    os.sched_setaffinity(0, cores)  # for both sides
    rows = []
    print(f"{processor()}, {args.threads} threads; seconds: median, p10, p90")
    print(f"{'size':>10} {'':5} {'Oriel':^26}   {'transformers':^26}   ratio   "
          "error", flush=True)
    for size in args.size or ("448x448", "1036x476"):
        truth = None  # transformers' fp32 result comes first
        wanted = (args.precision,) if args.precision else ("fp32", "bf16")
        with tempfile.TemporaryDirectory() as folder:
            if "fp32" not in wanted:
                reference = Side(
                    (sys.executable,
                     Path(__file__).with_name("peer_transformers.py"),
                     args.checkpoint, "fp32", args.threads, size),
                    Path(folder) / "truth")
                truth = reference.embeddings()
                reference.close()
            for precision in wanted:
                row, truth = compare(args, size, precision, Path(folder), truth)
                rows.append(row)
                show(row)
    if args.json:
        report = {"benchmark": "encode against transformers",
                  "commit": args.commit, "processor": processor(),
                  "threads": args.threads,
                  "versions": {name: metadata.version(name)
                               for name in ("torch", "transformers")},
                  "attention": "sdpa", "results": rows}
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
