#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernels' counts of instructions allow, in milliseconds.

    model.py [--card H200] [--model 7b] [--kernels own|hopper] [--resources FILE]
             [--results FOLDER]
    model.py RUN OUT

The first form prints, for one encode at 448x448, 1036x1036 and 64 times 448x448,
the least that each op can take on a card, and the sum; beside it what was
measured, where FOLDER (default bench/results) has a report of bench/on-gpu.sh
from such a card. The second adds to the JSON of "oriel bench": OUT gets a list
"predicted_s", one number a row, null where there is no prediction.

An op takes at least as long as
  - its tiles on the multiprocessor that has most of them, each tile as many steps
    as its depth has, each step the clocks of tensor cores or of shared memory in
    kernels/resources.txt, whichever are more (those of issue count paths that a
    step does not take, so they are left out);
  - and its bytes, once, at the card's rate of memory.
With --kernels hopper the ops that have a kernel of sm_90a alone are held by it.
Kernels without a product, and window_attention, are held against memory alone.
Nothing is added for launches, prologues and epilogues, bank conflicts, latency:
it is a limit, and what is beyond it can be worked on.

Needs Python 3.8 and nothing else.
"""
import argparse
import collections
import json
import math
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNELS = HERE if (HERE / "budgets.py").exists() else HERE.parent / "kernels"
sys.path.insert(0, str(KERNELS))
import budgets  # noqa: E402

# Multiprocessors; the clock at which the vendor's dense bf16 rate holds; the
# vendor's rate of memory.
Card = collections.namedtuple("Card", "arch multiprocessors hz bytes_per_s")
CARDS = {"H200": Card("90a", 132, 1.83e9, 4.8e12),
         "H100": Card("90a", 132, 1.83e9, 3.35e12),
         "A100": Card("80", 108, 1.41e9, 2.04e12)}

TILE = 128  # rows and columns of a product's tile: kernels/gemm.cuh
# Of kernels/hopper_gemm.cuh: depth of a step, rows of a warp.
STEP_DEPTH, WARP_ROWS = 64, 16
HOPPER_KEYS = 128
QUERIES, KEYS = 128, 64  # of full_attention's tile and step
HEAD_DIMS = (16, 32, 64, 80, 128)  # one instance each


def up(n, unit):
    return -(-n // unit)


# ---- One op -------------------------------------------------------------------

# Of the kernels that have a wide residual too, the one without.
PLAIN = {"patch_embed": "patch_embed<Pixels,false>",
         "linear_residual": "linear_residual<false>"}
HOPPER = ("linear", "linear_residual", "linear_swiglu", "linear_gelu",
          "linear_rows", "full_attention")


class Model:
    """By our portable kernels, or by those of sm_90a where there are any."""

    def __init__(self, card, table, hopper=False):
        self.card = card
        self.kernels = budgets.read(table, card.arch)
        self.hopper = hopper

    def clocks(self, tiles, steps, kernel):
        """Of the multiprocessor that has most tiles."""
        budget = self.kernels[kernel]
        return up(tiles, self.card.multiprocessors) * steps * max(
            budget.tensor, budget.shared)

    def product(self, kernel, rows, columns, depth):
        budget = self.kernels[kernel]
        step = budget.mma * budget.warps * budgets.MMA_FLOPS / (2 * TILE * TILE)
        return self.clocks(up(rows, TILE) * up(columns, TILE),
                           math.ceil(depth / step), kernel)

    def hopper_product(self, op, rows, columns, depth):
        """By the tiles that take less, as the backend chooses."""
        made = []
        for kernel in (f"hopper_{op}<small>", f"hopper_{op}<large>",
                       f"hopper_{op}<small,floats>",
                       f"hopper_{op}<large,floats>", f"hopper_{op}"):
            if kernel not in self.kernels:
                continue
            budget = self.kernels[kernel]
            # A warp's mma of a step: 4 along the depth, one for 8 columns.
            tile_columns = budget.mma // (STEP_DEPTH // 16) * 8
            made.append(self.clocks(up(rows, budget.warps * WARP_ROWS) *
                                    up(columns, tile_columns),
                                    up(depth, STEP_DEPTH), kernel))
        return min(made)

    def attention(self, op, heads, head_dim, segments):
        """'segments': [length, count] pairs."""
        kernel = f"{op}<{min(d for d in HEAD_DIMS if d >= head_dim)}>"
        keys = KEYS
        if self.hopper and head_dim == 80:
            kernel, keys = f"hopper_{op}", HOPPER_KEYS
        steps = sum(up(n, QUERIES) * heads * count * up(n, keys)
                    for n, count in segments)
        longest = max(up(n, keys) for n, _ in segments)
        return max(self.clocks(1, longest, kernel),
                   self.clocks(steps, 1, kernel))

    def seconds(self, row):
        """Of a row of "oriel bench"."""
        op = row["op"].split()[0]
        clocks = 0
        if op == "full_attention":
            clocks = self.attention(op, row["heads"], row["head_dim"],
                                    row["segments"])
        elif row["depth"] and self.hopper and op in HOPPER:
            clocks = self.hopper_product(op, row["rows"], row["columns"],
                                         row["depth"])
        elif row["depth"]:
            kernel = PLAIN.get(op, op)
            clocks = self.product(kernel, row["rows"], row["columns"],
                                  row["depth"])
        return max(clocks / self.card.hz,
                   row["bytes"] / self.card.bytes_per_s)


# ---- One encode ---------------------------------------------------------------

DEPTH, FULL, HIDDEN, HEADS, HEAD_DIM, OUT_OF = 32, 4, 1280, 16, 80, 4
PATCH_DEPTH = 14 * 2 * 48  # of a published patch, lines padded
SIZES = (("448x448", 1, 32, 32), ("1036x1036", 1, 74, 74),
         ("64x448x448", 64, 32, 32))


def published():
    """{name: (intermediate, out_hidden)}, padded as the backend pads."""
    root = HERE.parent / "host"
    rows = re.findall(r'X\("qwen2.5-vl-(\w+)", (\d+), (\d+)\)',
                      (root / "model/published.h").read_text())
    unit = int(re.search(r"INTERMEDIATE_UNIT = (\d+)",
                         (root / "cuda/shapes.c").read_text())[1])
    return {name: (up(int(inner), unit) * unit, int(out))
            for name, inner, out in rows}


def windows(height, width, side=8):
    """[length, count] pairs of a frame of patches."""
    return [list(pair) for pair in collections.Counter(
        min(side, height - y) * min(side, width - x)
        for y in range(0, height, side)
        for x in range(0, width, side)).items()]


def encode(model, images, height, width):
    """Rows as "oriel bench" has them, each with how often it runs."""
    inner, out = published()[model]
    rows = images * height * width
    tokens = rows // OUT_OF
    wide = HIDDEN * OUT_OF
    made = []

    def op(step, name, a_call, rows, columns, depth, values, **more):
        weight = columns * (depth + 1) * 2
        made.append({"step": step, "op": name, "a_call": a_call, "rows": rows,
                     "columns": columns, "depth": depth,
                     "bytes": 2 * values + (weight if depth else 0), **more})

    heads = {"heads": HEADS, "head_dim": HEAD_DIM}
    op("EMBED", "patch_embed", 1, rows, HIDDEN, PATCH_DEPTH,
       rows * (HIDDEN + PATCH_DEPTH / 2 / 2))
    op("ATTN_IN", "rms_norm", 2 * DEPTH + 1, rows, HIDDEN, 0, 2 * rows * HIDDEN)
    op("ATTN_IN", "linear qkv", DEPTH, rows, 3 * HIDDEN, HIDDEN,
       4 * rows * HIDDEN)
    op("ATTN_IN", "rope", FULL, rows, 0, 0, 4 * rows * HIDDEN)
    op("ATTEND", "window_attention", DEPTH - FULL, rows, HIDDEN, 0,
       4 * rows * HIDDEN, **heads, segments=[
           [n, count * images] for n, count in windows(height, width)])
    op("ATTEND", "full_attention", FULL, rows, HIDDEN, 0, 4 * rows * HIDDEN,
       **heads, segments=[[height * width, images]])
    op("ATTN_OUT", "linear_residual proj", DEPTH, rows, HIDDEN, HIDDEN,
       3 * rows * HIDDEN)
    op("MLP_IN", "linear_swiglu gate_up", DEPTH, rows, 2 * inner, HIDDEN,
       rows * (HIDDEN + inner))
    op("MLP_OUT", "linear_residual down", DEPTH, rows, HIDDEN, inner,
       rows * (inner + 2 * HIDDEN))
    op("MERGE", "linear_gelu fc1", 1, tokens, wide, wide, 2 * tokens * wide)
    op("MERGE", "linear_rows fc2", 1, tokens, out, wide,
       tokens * (wide + 2 * out))
    return made


def measured(folder, card, by):
    """{(size, op): seconds} of the newest report of such a card."""
    for path in sorted(Path(folder).glob("*.json"), reverse=True):
        report = json.loads(path.read_text(encoding="utf-8"))
        run = report.get("kernels") if isinstance(report, dict) else None
        if not run or card not in run.get("device", {}).get("name", ""):
            continue
        return {(row["size"], row["op"]): row["seconds"]["median"]
                for row in run["rows"]
                if row["by"] == by and row.get("cache") == "hot"}
    return {}


# What rows of "oriel bench" call them.
BY = {"own": "oriel", "hopper": "hopper"}


def print_encode(model, name, known):
    print(f"\n{name}, kernels {'hopper' if model.hopper else 'own'}, ms of one "
          "encode at the least" +
          (", and measured" if known else ""))
    columns = [encode(name, *size[1:]) for size in SIZES]
    print(f"{'step':9} {'op':24} {'times':>5}" +
          "".join(f"{size[0]:>20}" for size in SIZES))
    totals = [0.0] * len(SIZES)
    for rows in zip(*columns):
        cells = ""
        for i, row in enumerate(rows):
            seconds = row["a_call"] * model.seconds(row)
            totals[i] += seconds
            real = known.get((SIZES[i][0], row["op"]))
            real = f"{real * row['a_call'] * 1e3:.3f}" if real else ""
            cells += f"{seconds * 1e3:>11.3f}{real:>9}"
        print(f"{rows[0]['step']:9} {rows[0]['op']:24} "
              f"{rows[0]['a_call']:>5}{cells}")
    print(f"{'':9} {'sum':24} {'':5}" +
          "".join(f"{total * 1e3:>11.3f}{'':9}" for total in totals))


# ---- A run --------------------------------------------------------------------


def annotate(run_path, out_path, table):
    run = json.loads(Path(run_path).read_text(encoding="utf-8"))
    device, roofline = run["device"], run["roofline"]
    arch = {"8.0": "80", "9.0": "90a"}.get(device.get("capability"))
    made = []
    for row in run["rows"]:
        hz = row.get("sm_mhz", device.get("most_sm_mhz", 0)) * 1e6
        if not arch or not hz or row["by"] not in BY.values() or \
                "cache" not in row:
            made.append(None)
            continue
        card = Card(arch, device["multiprocessors"], hz,
                    roofline["bytes_per_s"] if row["cache"] == "cold"
                    else math.inf)  # hot operands may come from the cache
        made.append(Model(card, table,
                          row["by"] == BY["hopper"]).seconds(row))
    Path(out_path).write_text(json.dumps({"predicted_s": made}),
                              encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", nargs="?", help="the JSON of oriel bench")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--card", choices=CARDS, default="H200")
    parser.add_argument("--model", default="7b,72b")
    parser.add_argument("--kernels", choices=BY, default="own")
    parser.add_argument("--resources", default=str(KERNELS / "resources.txt"))
    parser.add_argument("--results", default=str(HERE / "results"))
    options = parser.parse_args()
    table = Path(options.resources).read_text(encoding="utf-8")
    if options.run:
        if not options.out:
            parser.error("expected RUN and OUT")
        return annotate(options.run, options.out, table)
    if not (HERE.parent / "host/model/published.h").exists():
        parser.error("outside of the source tree only RUN and OUT are taken")
    card = CARDS[options.card]
    if options.kernels == "hopper" and card.arch != "90a":
        parser.error(f"--kernels hopper: expected a card of sm_90a, not "
                     f"{options.card}")
    print(f"{options.card}: {card.multiprocessors} multiprocessors, "
          f"{card.hz * 1e-9:.2f} GHz, {card.bytes_per_s * 1e-12:.2f} TB/s")
    for name in options.model.split(","):
        if name not in published():
            parser.error(f"--model {name}: expected {', '.join(published())}")
        print_encode(Model(card, table, options.kernels == "hopper"), name,
                     measured(options.results, options.card,
                              BY[options.kernels]))


if __name__ == "__main__":
    main()
