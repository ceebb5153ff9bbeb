#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch on the same device, beside Oriel.

    peer_torch.py ops RUN OUT [--repeats N]    each op of a run that torch has
    peer_torch.py towers CHECKPOINT OUT        the whole tower, on a GPU

ops: RUN is the JSON of "oriel bench"; for each product that Oriel timed
torch.nn.functional.linear with bias, on the shapes and in the precision of the
run; for attention scaled_dot_product_attention segment by segment, as
transformers' sdpa does, the same eager, and where they are FlashAttention's
varlen and torch's own way to cuDNN. OUT gets rows of the same form, and a line for each peer that
is absent. Attention of torch is without the rotary embedding.

towers: transformers' vision tower in bf16, at 448x448, 1036x1036 and 64 times
448x448: with eager attention, with sdpa, and that under torch.compile.  OUT is
written anew after each, so that a run cut short leaves what it had.

Times by CUDA events, on the CPU by its clock; random operands, never zeros.
Without torch it says so in OUT and succeeds. towers needs transformers,
safetensors and numpy; which versions is written to OUT.
"""
import json
import statistics
import sys
import time
from pathlib import Path

try:
    import torch
except ImportError:
    torch = None

BUDGET = {"op": 0.15, "tower": 2.0}  # seconds a measurement


def summary(seconds):
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {"median": statistics.median(ordered), "p10": ordered[last // 10],
            "p90": ordered[last - last // 10], "n": len(ordered)}


class Clock:
    """Seconds of one run, on the device that torch has."""

    def __init__(self, device, repeats=None):
        self.device, self.repeats = device, repeats
        if device == "cuda":
            l2 = torch.cuda.get_device_properties(0).L2_cache_size
            self.start = torch.cuda.Event(enable_timing=True)
            self.stop = torch.cuda.Event(enable_timing=True)
        else:
            l2 = 32 << 20
        self.sweep = torch.empty(2 * l2, dtype=torch.uint8, device=device)

    def sample(self, run, inner, cold):
        if cold:
            self.sweep.fill_(0x5a)
        if self.device == "cpu":
            begun = time.perf_counter()
            for _ in range(inner):
                run()
            return (time.perf_counter() - begun) / inner
        self.start.record()
        for _ in range(inner):
            run()
        self.stop.record()
        self.stop.synchronize()
        return self.start.elapsed_time(self.stop) * 1e-3 / inner

    def measure(self, run, budget, cold=False, most=200):
        """Of several in a row, or after the caches were swept."""
        warm = 1 if self.repeats else 3
        one = [self.sample(run, 1, cold) for _ in range(warm)][-1]
        inner = 1
        while (self.device == "cuda" and not cold and inner < 64
               and one * inner < 2e-4):
            inner *= 2
        seconds = []
        end = time.monotonic() + budget
        while (len(seconds) < self.repeats if self.repeats else
               len(seconds) < most
               and (len(seconds) < 5 or time.monotonic() < end)):
            seconds.append(self.sample(run, inner, cold))
        return summary(seconds)


def noise(device, dtype, *shape, scale=1.0):
    values = torch.rand(*shape, device=device) * 2 - 1
    return (values * scale).to(dtype)


def versions():
    made = {"torch": torch.__version__}
    if torch.cuda.is_available():
        made["cuda"] = torch.version.cuda
        made["device"] = torch.cuda.get_device_name(0)
    for name in ("transformers", "flash_attn"):
        if name in sys.modules:
            made[name] = sys.modules[name].__version__
    return made


# ---- Single ops ---------------------------------------------------------------


def merger(row, device, dtype, out_hidden):
    """The two products of the CPU's MERGE, which is one step."""
    linear = torch.nn.functional.linear
    fc1 = product(row, device, dtype)["torch"]
    w = noise(device, dtype, out_hidden, row["columns"], scale=0.05)
    b = noise(device, dtype, out_hidden)
    return {"torch": lambda: linear(fc1(), w, b)}


def product(row, device, dtype):
    """{who: function} for a matrix product with bias."""
    x = noise(device, dtype, row["rows"], row["depth"], scale=2)
    w = noise(device, dtype, row["columns"], row["depth"], scale=0.05)
    b = noise(device, dtype, row["columns"])
    linear = torch.nn.functional.linear
    return {"torch": lambda: linear(x, w, b)}


def lengths_of(row):
    return [length for length, count in row["segments"] for _ in range(count)]


def eager(q, k, v):
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    return torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype) @ v


def flash_varlen(row, q, k, v):
    """FlashAttention's over all segments at once; None without it."""
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    lengths = lengths_of(row)
    cu = torch.tensor([0] + lengths, device=q.device).cumsum(0).int()
    longest = max(lengths)
    return lambda: flash_attn_varlen_func(q, k, v, cu, cu, longest, longest)


def attention(row, device, dtype, absent):
    """{who: function} for attention within segments, [rows, heads, head_dim]."""
    q, k, v = (noise(device, dtype, row["rows"], row["heads"],
                     row["head_dim"], scale=2) for _ in range(3))
    lengths = lengths_of(row)

    def segments(call):
        def run():
            parts = (torch.split(t.transpose(0, 1).unsqueeze(0), lengths, 2)
                     for t in (q, k, v))
            return torch.cat([call(*part) for part in zip(*parts)], 2)
        return run

    sdpa = torch.nn.functional.scaled_dot_product_attention
    made = {"torch sdpa": segments(sdpa), "torch eager": segments(eager)}
    if device == "cpu":
        return made
    made["torch compile"] = torch.compile(segments(sdpa))
    made["flash-attn"] = flash_varlen(row, q, k, v)
    if made["flash-attn"] is None:
        del made["flash-attn"]
        absent["flash-attn"] = "flash-attn: absent, as this python has none"
    backend = torch.nn.attention.SDPBackend.CUDNN_ATTENTION

    def cudnn(*part):
        with torch.nn.attention.sdpa_kernel(backend):
            return sdpa(*part)

    made["torch cudnn"] = segments(cudnn)
    return made


def peers_of(row, device, dtype, absent, out_hidden):
    if row["op"] == "merge":
        return merger(row, device, dtype, out_hidden)
    if "segments" in row:
        return attention(row, device, dtype, absent)
    return product(row, device, dtype) if row["depth"] else {}


def time_row(row, device, dtype, clock, absent, out_hidden):
    """A row for each peer that runs; a line for each that does not."""
    made = []
    for who, run in peers_of(row, device, dtype, absent,
                             out_hidden).items():
        try:
            with torch.inference_mode():
                seconds = clock.measure(run, BUDGET["op"],
                                        row["cache"] == "cold")
        except RuntimeError as error:  # of memory, or of what it has not
            absent[who] = f"{who}: absent, {str(error).splitlines()[0][:120]}"
            continue
        kept = ("size", "step", "op", "a_call", "rows", "columns", "depth",
                "bytes", "flops", "cache")
        made.append({**{key: row[key] for key in kept}, "by": who,
                     "seconds": seconds})
        print(f"{row['size']:12} {row['step']:9} {row['op']:22} {who:14} "
              f"{seconds['median'] * 1e6:10.1f} us", flush=True)
    return made


def ops(run_path, out_path, repeats=None):
    run = json.loads(Path(run_path).read_text(encoding="utf-8"))
    device = run["device"]["kind"]
    why = ("this python has no torch" if torch is None else
           "its torch has no GPU" if device == "cuda"
           and not torch.cuda.is_available() else
           "nothing is timed on a simulated GPU" if device == "simulated"
           else None)
    if why:
        made = {"rows": [], "absent": [f"torch: absent, as {why}"]}
    else:
        if device == "cpu":
            torch.set_num_threads(run["device"]["threads"])
        dtype = {"bf16": torch.bfloat16,
                 "fp32": torch.float32}[run["device"]["precision"]]
        clock, absent, rows = Clock(device, repeats), {}, []
        for row in run["rows"]:
            if row["by"] == "oriel" and "cache" in row:
                rows += time_row(row, device, dtype, clock, absent,
                                 run["model"]["out_hidden"])
        made = {"rows": rows, "absent": list(absent.values()),
                "versions": versions()}
    Path(out_path).write_text(json.dumps(made), encoding="utf-8")


# ---- The tower ----------------------------------------------------------------

SIZES = ((1, 448, 448), (1, 1036, 1036), (64, 448, 448))
HOWS = ("sdpa", "eager", "compile")


def one_tower(network, how, images, width, height):
    grid = torch.tensor([[1, height // 14, width // 14]] * images,
                        device="cuda")
    config = network.config
    columns = (config.in_channels * config.temporal_patch_size
               * config.patch_size ** 2)
    pixels = noise("cuda", torch.bfloat16, int(grid.prod(1).sum()), columns,
                   scale=2)
    torch.compiler.reset()
    call = torch.compile(network) if how == "compile" else network
    begun = time.monotonic()
    call(pixels, grid_thw=grid)
    torch.cuda.synchronize()
    return {"first_call_s": time.monotonic() - begun,
            "seconds": Clock("cuda").measure(
                lambda: call(pixels, grid_thw=grid), BUDGET["tower"],
                most=30)}


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
                with torch.inference_mode():
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
    words = sys.argv[1:]
    if len(words) in (3, 5) and words[0] == "ops":
        if len(words) == 5 and words[3] != "--repeats":
            sys.exit(__doc__)
        return ops(words[1], words[2], int(words[4]) if words[4:] else None)
    if len(words) == 3 and words[0] == "towers":
        if torch is None or not torch.cuda.is_available():
            sys.exit("peer_torch: no hardware, nothing is timed")
        return towers(*words[1:])
    print(__doc__)
    return 0 if words[:1] in (["--help"], ["-h"]) else 2


if __name__ == "__main__":
    sys.exit(main())
