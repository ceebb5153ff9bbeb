#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One JSON file of the files that the steps of bench/on-gpu.sh wrote.

    report.py PARTS OUT
    report.py products OPS_JSON     rows for the table of host/cuda/product_table.c
    report.py failed DOCTOR_JSON    the failed checks of "oriel doctor", a line each

PARTS holds steps.tsv (name, exit status, seconds) and whatever JSON the steps
wrote; of a step that was cut, what it had finished is taken.  Shares are of
rates measured in the same run (the roofline of "oriel bench").  Run again after
each step, so that a run cut short has its report.

products compares our own kernel of each of a block's products with cuBLASLt's
at the fixed algorithm of an encoder, over all sizes at once (never by size: an
image's bytes may not depend on its batch), and prints the row of the table in
host/cuda/product_table.c that follows.  Beside it, what the fixed algorithm costs
against the best that cuBLASLt has for each size, and how much faster the kernel of
sm_90a is than the portable one.

Needs Python 3.8 and nothing else.
"""
import json
import math
import sys
from pathlib import Path


def load(path):
    """What a step wrote; of a step that was cut, the rows it finished."""
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    for end in ("", "]", "]}", "}]}"):
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


def rows_of(part, key="rows"):
    return part.get(key, []) if isinstance(part, dict) else []


RUNS = ("products", "others", "frame")


def together(parts):
    """One run of the ops' runs, with peers; as "oriel bench --json" has it."""
    runs = [load(parts / f"{name}.json") for name in RUNS]
    runs = [run for run in runs if rows_of(run)]
    if not runs:
        return None
    made = dict(runs[0], rows=[row for run in runs for row in rows_of(run)],
                wrong=sum(run.get("wrong", 1) for run in runs))
    for name in RUNS:
        peers = load(parts / f"peers-{name}.json")
        made["rows"] += rows_of(peers)
        for line in rows_of(peers, "absent"):
            if line not in made.setdefault("absent", []):
                made["absent"].append(line)
    roofline = made["roofline"]
    for row in made["rows"]:
        if "seconds" not in row or not roofline["bytes_per_s"]:
            continue  # a rehearsal
        least = max(row["bytes"] / roofline["bytes_per_s"],
                    row["flops"] / roofline["flops_per_s"])
        row["of_roofline"] = least / row["seconds"]["median"]
    return made


def matrix_rate(run):
    return run["roofline"]["flops_per_s"] if rows_of(run) else None


def encoder_shares(encode, matrix):
    """Each encode's rate, its share of the card's own matrix rate, and its time
    over that of our own products launched kernel by kernel."""
    rows = [row for row in rows_of(encode) if "seconds" in row]
    own = {row["size"]: row["seconds"]["median"] for row in rows
           if (row["kernels"], row["how"]) == ("own", "direct")}
    for row in rows:
        seconds = row["seconds"]["median"]
        row["flops_per_s"] = row["flops"] / seconds
        row["images_per_s"] = row["images"] / seconds
        if row["size"] in own:
            row["over_own_direct"] = seconds / own[row["size"]]
        if matrix:
            row["share_of_matrix_rate"] = row["flops_per_s"] / matrix
    return encode


# cuBLASLt must be worth a library more: this much faster over all sizes.
WORTH = 1.03
PRODUCTS = 4  # of a block


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def hot_medians(run):
    """{(size, op): {who: seconds}}, in the order of the run."""
    made = {}
    for row in rows_of(run):
        if row.get("cache") == "hot":
            made.setdefault((row["size"], row["op"]), {})[row["by"]] = \
                row["seconds"]["median"]
    return made


def products(run):
    """Per product of a block: own over cuBLASLt's time and over that of the kernel
    of sm_90a, and the proposal between the first two."""
    made = {}
    for (size, op), by in hot_medians(run).items():
        if "cublaslt" not in by or "oriel" not in by:
            continue
        row = made.setdefault(op.split()[-1], {
            "sizes": [], "own_over_cublaslt": [], "price_of_invariance": [],
            "own_over_hopper": []})
        row["sizes"].append(size)
        row["own_over_cublaslt"].append(by["oriel"] / by["cublaslt"])
        if "hopper" in by:
            row["own_over_hopper"].append(by["oriel"] / by["hopper"])
        if "cublaslt best" in by:
            row["price_of_invariance"].append(
                by["cublaslt"] / by["cublaslt best"])
    for row in made.values():
        row["mean"] = mean(row["own_over_cublaslt"])
        row["proposal"] = "cublaslt" if row["mean"] > WORTH else "own"
    return made


def table_row(ops, made):
    major, minor = ops["device"]["capability"].split(".")
    chosen = [f"1 << ORIEL_PRODUCT_{name.upper()}"
              for name, row in made.items() if row["proposal"] == "cublaslt"]
    every = len(chosen) == len(made) == PRODUCTS
    wanted = "ORIEL_PRODUCTS_ALL" if every else " | ".join(chosen) or "OWN"
    return f'{{{major}{minor}, {wanted}, "measured FILE"}},'


def print_products(path):
    ops = load(Path(path))
    made = products(ops)
    if not made:
        sys.exit("no product was timed on cuBLASLt")
    for name, row in made.items():
        for i, size in enumerate(row["sizes"]):
            price = row["price_of_invariance"][i:i + 1]
            hopper = row["own_over_hopper"][i:i + 1]
            print(f"{name:8} {size:14} own / cublaslt "
                  f"{row['own_over_cublaslt'][i]:5.2f}   fixed / best "
                  + "".join(f"{p:5.2f}" for p in price)
                  + "".join(f"   own / hopper {p:5.2f}" for p in hopper))
        print(f"{name:8} {'all sizes':14} own / cublaslt {row['mean']:5.2f}"
              f"   {row['proposal']}")
    print("host/cuda/product_table.c, FILE being this run under bench/results:")
    print("    " + table_row(ops, made))


def failed(document):
    """What differs from the plan (occupancy), and what is wrong (--verify)."""
    document = document if isinstance(document, dict) else {}
    lists = [device.get("occupancy", [])
             for device in document.get("devices", [])]
    lists.append(document.get("verify", {}).get("checks", []))
    return [f"{check['kind']}: {check['name']}, {check['implementation']}: "
            f"{check['message']}"
            for checks in lists for check in checks
            if check["verdict"] == "failed"]


def main():
    if sys.argv[1:2] == ["--help"]:
        return print(__doc__)
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "products":
        return print_products(sys.argv[2])
    if sys.argv[1] == "failed":
        for line in failed(load(Path(sys.argv[2]))):
            print(line)
        return
    parts = Path(sys.argv[1])
    run = together(parts)
    report = {
        "about": about(parts),
        "steps": steps(parts),
        "doctor": load(parts / "doctor.json"),
        "verify": (load(parts / "verify.json") or {}).get("verify"),
        "instructions": load(parts / "instructions.json"),
        "instructions_hopper": load(parts / "instructions-hopper.json"),
        "approximations": load(parts / "sweep.json"),
        "golden": load(parts / "golden.json"),
        "parity": load(parts / "parity.json"),
        "kernels": run,
        "products": products(run),
        "matrix_flops_per_s": matrix_rate(run),
        "encode": encoder_shares(load(parts / "encode.json"),
                                 matrix_rate(run)),
        "torch": load(parts / "towers.json"),
    }
    made = Path(sys.argv[2])
    half = made.with_suffix(".part")
    half.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    half.replace(made)


if __name__ == "__main__":
    main()
