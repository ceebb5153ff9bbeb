#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the checkpoint folders of README.md:  make_models.py BASE OUT

BASE is what `oriel synth --config tiny --seed 1 BASE` writes. Standard library only.
"""
import json
import os
import struct
import sys


def read_st(path):
    d = open(path, "rb").read()
    n = int.from_bytes(d[:8], "little")
    return {k: (t["dtype"], t["shape"], d[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
            for k, t in json.loads(d[8:8 + n]).items() if k != "__metadata__"}


def write_st(path, tensors):
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for k, (dtype, shape, b) in tensors.items():
        head[k] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(b)]}
        at += len(b)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(b for _, _, b in tensors.values()))


base, out = sys.argv[1:]
tensors = {}
for file in sorted(os.listdir(base)):
    if file.endswith(".safetensors"):
        tensors.update(read_st(os.path.join(base, file)))
config = json.load(open(os.path.join(base, "config.json")))
pre = json.load(open(os.path.join(base, "preprocessor_config.json")))


def put(name, t=tensors, c=config, p=pre, file="model.safetensors"):
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    if t is not None:
        write_st(os.path.join(folder, file), t)
    for n, obj in (("config.json", c), ("preprocessor_config.json", p)):
        if obj is not None:
            with open(os.path.join(folder, n), "w") as f:
                f.write(obj if isinstance(obj, str) else json.dumps(obj, indent=1))
    return folder


def text(key, value):
    return f'{json.dumps(config)[:-1]}, "{key}": {value}}}'


def vision(**kw):
    return dict(config, vision_config=dict(config["vision_config"], **kw))


def index(folder, where):
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": where}, f)


put("json_infinity", c=text("time_step_limit", "[0.0, Infinity]"))
put("json_duplicate_key", c=text("use_cache", "true"))
put("vision_type_empty", c=vision(model_type=""))
put("depth_below_stored", c=vision(depth=3))
put("depth_below_stored.truth", {k: v for k, v in tensors.items() if ".blocks.3." not in k}, vision(depth=3))
put("extra_state_in_tower", dict(tensors, **{"visual.blocks.0.attn.qkv._extra_state": ("U8", [0], b"")}))
put("limits_as_floats", p=dict(pre, min_pixels=256.0, max_pixels=20480.0))
put("single_file_without_config", c=None, p=None, file="qwen_2.5_vl_7b.safetensors")

shard = "model-00001-of-00001.safetensors"
index(put("index_dot_slash", file=shard), {k: "./" + shard for k in tensors})
index(put("index_old_names", {k.replace("visual.", "model.visual.", 1): v for k, v in tensors.items()}, file=shard),
      {k: shard for k in tensors})

folder = put("lfs_pointer", None)
with open(os.path.join(folder, "model.safetensors"), "w") as f:
    f.write("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4000000000\n")
