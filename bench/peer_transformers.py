#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""transformers' own vision tower on the CPU, one encode a line.

Usage: peer_transformers.py CHECKPOINT bf16|fp32 THREADS WIDTHxHEIGHT RESULT

The other half of compare_transformers.py; speaks what oriel_bench_encode_turns
speaks: encodes made-up pixel_values once, leaves the result as raw fp32 in
RESULT, says "ready TOKENS", then prints the seconds of one encode for each line
of standard input.  Needs torch, transformers, safetensors and numpy; measured
with torch 2.15.0 and transformers 5.23.0.
"""
import json
import sys
import time
from pathlib import Path

if "--help" in sys.argv:  # before what may be absent
    sys.exit(print(__doc__))

import numpy as np
import torch
from safetensors import safe_open
from transformers import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import \
    Qwen2_5_VisionTransformerPretrainedModel as Tower

SEED, SCALE = 1000, 2.0  # as in encode_case.h
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def made_up(rows: int, columns: int) -> torch.Tensor:
    """The numbers that encode_case.c makes."""
    with np.errstate(over="ignore"):
        x = np.uint64(SEED << 32) + np.arange(rows * columns, dtype=np.uint64)
        x += np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    unit = (x >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0
    return torch.from_numpy((unit * SCALE).astype(np.float32)
                            .reshape(rows, columns))


def load_tower(folder: Path, dtype: torch.dtype,
               attention: str = "sdpa") -> Tower:
    """The tower as from_pretrained gives it: rope frequencies stay fp32."""
    config = Qwen2_5_VLConfig.from_pretrained(folder).vision_config
    config._attn_implementation = attention
    tensors = {}
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    for shard in sorted(set(index["weight_map"].values())):
        with safe_open(folder / shard, framework="pt") as file:
            for name in file.keys():
                tensors[name.removeprefix("visual.")] = file.get_tensor(name)
    tower = Tower(config).eval()
    frequencies = tower.rotary_pos_emb.inv_freq.clone()
    tower.to(dtype).load_state_dict(tensors, strict=True)
    tower.rotary_pos_emb.inv_freq = frequencies
    return tower


@torch.inference_mode()
def main() -> None:
    if len(sys.argv) != 6 or sys.argv[2] not in DTYPES:
        sys.exit(__doc__)
    folder, dtype = Path(sys.argv[1]), DTYPES[sys.argv[2]]
    torch.set_num_threads(int(sys.argv[3]))
    width, height = map(int, sys.argv[4].split("x"))
    if width % 28 or height % 28:
        sys.exit("peer_transformers: sides must be multiples of 28")
    grid = torch.tensor([[1, height // 14, width // 14]])
    pixels = made_up(int(grid.prod()), 1176).to(dtype)
    tower = load_tower(folder, dtype)

    result = tower(pixels, grid_thw=grid).pooler_output
    result.float().numpy().tofile(sys.argv[5])
    print("ready", len(result), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        tower(pixels, grid_thw=grid)
        print(f"{time.perf_counter() - start:.6f}", flush=True)


if __name__ == "__main__":
    main()
