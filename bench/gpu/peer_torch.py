#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch on the same GPU, beside Oriel.

    peer_torch.py matmul OPS_JSON OUT      cuBLAS, for each product Oriel ran
    peer_torch.py towers CHECKPOINT OUT

matmul: torch.nn.functional.linear with bias, in bf16, on the shapes that
oriel_gpu_ops wrote, hot and cold: the best that a library unconstrained in its
choice of algorithm gives.  And the card's own rate: a product of 8192 x 8192.

towers: transformers' vision tower in bf16, at 448x448, 1036x1036 and 64 times
448x448: with eager attention, with sdpa, and that under torch.compile.  OUT is
written anew after each, so that a run cut short leaves what it had.

Times by CUDA events; random operands, never zeros.  Needs torch, transformers,
safetensors and numpy; which versions is written to OUT.
"""
import json
import statistics
import sys
import time
from pathlib import Path

import torch

from report import load

BUDGET = {"matmul": 0.1, "tower": 2.0}  # seconds a measurement


def summary(seconds):
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {"median": statistics.median(ordered), "p10": ordered[last // 10],
            "p90": ordered[last - last // 10], "n": len(ordered)}


def measure(run, budget, cold=False, most=200):
    """Seconds of one run: of several in a row, or after the L2 was swept."""
    start = torch.cuda.Event(enable_timing=True)
    stop = torch.cuda.Event(enable_timing=True)
    l2 = torch.cuda.get_device_properties(0).L2_cache_size
    sweep = torch.empty(2 * l2, dtype=torch.uint8, device="cuda")

    def sample(inner):
        if cold:
            sweep.fill_(0x5a)
        start.record()
        for _ in range(inner):
            run()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) * 1e-3 / inner

    one = [sample(1) for _ in range(3)][-1]  # warmed up
    inner = 1
    while not cold and inner < 64 and one * inner < 2e-4:
        inner *= 2
    seconds = []
    end = time.monotonic() + budget
    while len(seconds) < most and (len(seconds) < 3 or time.monotonic() < end):
        seconds.append(sample(inner))
    return summary(seconds)


def noise(*shape, scale=1.0):
    values = torch.rand(*shape, device="cuda") * 2 - 1
    return (values * scale).to(torch.bfloat16)


def versions():
    made = {"torch": torch.__version__, "cuda": torch.version.cuda,
            "device": torch.cuda.get_device_name(0)}
    if "transformers" in sys.modules:
        made["transformers"] = sys.modules["transformers"].__version__
    return made


def matmul(ops_path, out_path):
    ops = load(Path(ops_path))["ops"]
    x, w = noise(8192, 8192), noise(8192, 8192)
    peak = measure(lambda: torch.matmul(x, w), 1.0)
    result = {"versions": versions(),
              "matrix_flops_per_s": 2 * 8192 ** 3 / peak["median"],
              "products": []}
    del x, w
    for op in ops:
        if not op["product"]:
            continue
        rows, columns, depth = op["rows"], op["columns"], op["depth"]
        x = noise(rows, depth, scale=2)
        w = noise(columns, depth, scale=0.05)
        b = noise(columns)

        def run(x=x, w=w, b=b):
            torch.nn.functional.linear(x, w, b)

        result["products"].append({
            "size": op["size"], "op": op["op"],
            "hot_s": measure(run, BUDGET["matmul"]),
            "cold_s": measure(run, BUDGET["matmul"], cold=True)})
        Path(out_path).write_text(json.dumps(result), encoding="utf-8")
        row = result["products"][-1]
        print(f"{op['size']:14} {op['op']:24} {row['hot_s']['median']*1e6:9.1f}"
              " us by cuBLAS", flush=True)


SIZES = ((1, 448, 448), (1, 1036, 1036), (64, 448, 448))
HOWS = ("sdpa", "eager", "compile")


def one_tower(network, how, images, width, height):
    grid = torch.tensor([[1, height // 14, width // 14]] * images,
                        device="cuda")
    config = network.config
    columns = (config.in_channels * config.temporal_patch_size
               * config.patch_size ** 2)
    pixels = noise(int(grid.prod(1).sum()), columns, scale=2)
    torch.compiler.reset()
    call = torch.compile(network) if how == "compile" else network
    begun = time.monotonic()
    call(pixels, grid_thw=grid)
    torch.cuda.synchronize()
    return {"first_call_s": time.monotonic() - begun,
            "seconds": measure(lambda: call(pixels, grid_thw=grid),
                               BUDGET["tower"], most=30)}


@torch.inference_mode()
def towers(checkpoint, out_path):
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import peer_transformers
    rows = []
    for how in HOWS:
        network = peer_transformers.load_tower(
            Path(checkpoint), torch.bfloat16,
            "eager" if how == "eager" else "sdpa").cuda()
        for images, width, height in SIZES:
            row = {"how": how, "images": images, "size": f"{width}x{height}"}
            try:
                row.update(one_tower(network, how, images, width, height))
                said = f"{row['seconds']['median'] * 1e3:9.3f} ms"
            except RuntimeError as error:  # of memory, or of the compiler
                row["failed"] = said = str(error).splitlines()[0][:200]
            rows.append(row)
            Path(out_path).write_text(
                json.dumps({"versions": versions(), "rows": rows}),
                encoding="utf-8")
            print(f"{images:3} x {row['size']:10} {how:8} {said}", flush=True)


def main():
    if not torch.cuda.is_available():
        sys.exit("peer_torch: no hardware, nothing is timed")
    if len(sys.argv) == 4 and sys.argv[1] == "matmul":
        return matmul(*sys.argv[2:])
    if len(sys.argv) == 4 and sys.argv[1] == "towers":
        return towers(*sys.argv[2:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
