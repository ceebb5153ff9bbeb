#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint folders of the same kinds as make_models.py makes.

    own_models.py BASE OUT

BASE is what `oriel synth --config tiny --seed 1 BASE` writes.  Standard library
only.
"""
import json
import os
import runpy
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
M = runpy.run_path(os.path.join(HERE, "make_models.py"))
put, text, vision, index = M["put"], M["text"], M["vision"], M["index"]
tensors, config, pre, out = M["tensors"], M["config"], M["pre"], M["out"]

# config.json, as Python's json reads it.
put("json_nan_and_big", c=text("a", "[NaN, -Infinity, 1e999, %s]" % ("7" * 40)))
put("json_surrogate", c=text("a\\u0000b", '"\\ud800 \\u0000"'))
put("json_depth_twice", c=json.dumps(config).replace(
    '"depth":', '"depth": 9, "depth":', 1))
put("other_names_of_fields", c=vision(num_hidden_layers=3))
put("blocks_never_met", c=vision(fullatt_block_indexes=[1, 3, 99, -1]))

# The processor's file.
put("limits_fraction_min_over_max", p=dict(pre, min_pixels=30000.5,
                                           max_pixels=20480.5))
put("no_convert_rgb", p=dict(pre, do_convert_rgb=False, do_pad=True))
put("size_alone", p={k: v for k, v in dict(
    pre, size={"shortest_edge": 256, "longest_edge": 9000}).items()
    if k not in ("min_pixels", "max_pixels")})

# Tensors and shards.
put("scales_in_tower", dict(tensors, **{
    "visual.blocks.0.attn.k_scale": ("F8_E4M3", [1], b"\x38"),
    "visual.blocks.1.attn.qkv._extra_state": ("I64", [2], bytes(16)),
    "visual.blocks.9.norm1.weight": ("BF16", [32], bytes(64))}))
other = {k: (t, s, bytes(len(b))) for k, (t, s, b) in tensors.items()
         if k.startswith("visual.")}
put("two_towers", dict(other, **{"model." + k: v for k, v in tensors.items()
                                 if k.startswith("visual.")},
                       **{k: v for k, v in tensors.items() if k not in other}))
shard = "model-00001-of-00001.safetensors"
folder = put("index_subfolder", None)
os.makedirs(os.path.join(folder, "weights"), exist_ok=True)
M["write_st"](os.path.join(folder, "weights", shard), tensors)
index(folder, {k: "weights/../weights/" + shard for k in tensors})

if __name__ == "__main__":
    sys.exit(0)
