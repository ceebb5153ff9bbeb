#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One JSON file of what the steps of bench/on-gpu.sh left behind.

    report.py PARTS OUT

PARTS holds steps.tsv (name, exit status, seconds) and whatever JSON the steps
wrote; of a step that was cut, what it had finished is taken.  Shares are of
rates measured in the same run: a copy's, and a large matrix product's.  Run
again after each step, so that a run cut short has its report.  Needs Python 3.8
and nothing else.
"""
import json
import sys
from pathlib import Path


def load(path):
    """What a step wrote; of a step that was cut, the rows it finished."""
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    for end in ("", "]", "]}"):
        try:
            return json.loads(text + end)
        except ValueError:
            pass
    return {"unreadable": path.name}


def steps(parts):
    made = []
    path = parts / "steps.tsv"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, status, seconds = line.split("\t")
        outcome = {"0": "passed", "77": "skipped", "124": "cut",
                   "137": "cut"}.get(status, "failed")
        made.append({"step": name, "outcome": outcome,
                     "status": int(status), "seconds": int(seconds)})
    return made


CARD = ("name", "driver", "memory", "most_sm_clock", "most_memory_clock",
        "power_limit")
CLOCKS = ("sm_mhz", "memory_mhz", "watts", "celsius")


def about(parts):
    """The machine by field, and its clocks while the timings ran."""
    made = load(parts / "about.json") or {}
    fields = made.get("card", "").split(", ")
    if len(fields) == len(CARD):
        made["card"] = dict(zip(CARD, fields))
    path = parts / "clocks.csv"
    samples = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            samples.append([float(value) for value in line.split(",")])
        except ValueError:
            pass  # "[N/A]", or a line that is still being written
    samples = [s for s in samples if len(s) == len(CLOCKS)]
    if samples:
        made["clocks_while_timed"] = {
            name: {"least": values[0], "median": values[len(values) // 2],
                   "most": values[-1], "n": len(values)}
            for name, values in zip(CLOCKS, map(sorted, zip(*samples)))}
    return made


def rows_of(part, key):
    return part.get(key, []) if isinstance(part, dict) else []


def with_shares(ops, cublas):
    """Each op with its rates, their shares, and cuBLAS's time of its shape."""
    if not isinstance(ops, dict) or "ops" not in ops:
        return ops
    copy = ops.get("copy_bytes_per_s") or None
    matrix = cublas.get("matrix_flops_per_s") if isinstance(cublas, dict) \
        else None
    peers = {(p["size"], p["op"]): p for p in rows_of(cublas, "products")}
    for op in ops["ops"]:
        hot, cold = op["hot_s"]["median"], op["cold_s"]["median"]
        op["cold_bytes_per_s"] = op["bytes"] / cold
        op["hot_flops_per_s"] = op["flops"] / hot
        if copy:
            op["share_of_copy_rate_cold"] = op["bytes"] / cold / copy
        if matrix and op["flops"]:
            op["share_of_matrix_rate_hot"] = op["flops"] / hot / matrix
        peer = peers.get((op["size"], op["op"]))
        if peer:
            op["best_unconstrained_cublas"] = {
                "hot_s": peer["hot_s"], "cold_s": peer["cold_s"]}
            op["hot_over_cublas"] = hot / peer["hot_s"]["median"]
    return ops


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    parts = Path(sys.argv[1])
    cublas = load(parts / "cublas.json")
    report = {
        "about": about(parts),
        "steps": steps(parts),
        "instructions": load(parts / "instructions.json"),
        "approximations": load(parts / "sweep.json"),
        "golden": load(parts / "golden.json"),
        "parity": load(parts / "parity.json"),
        "kernels": with_shares(load(parts / "ops.json"), cublas),
        "matrix_flops_per_s": cublas.get("matrix_flops_per_s")
        if isinstance(cublas, dict) else None,
        "encode": load(parts / "encode.json"),
        "torch": load(parts / "towers.json"),
    }
    made = Path(sys.argv[2])
    half = made.with_suffix(".part")
    half.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    half.replace(made)


if __name__ == "__main__":
    main()
