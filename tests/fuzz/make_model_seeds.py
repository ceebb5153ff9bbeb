#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for fuzz_safetensors, fuzz_config, fuzz_checkpoint, fuzz_shards and
fuzz_pixel_values: the smallest well-formed files.  Standard library only; the same bytes every time."""
import json
import pathlib
import struct

SEEDS = pathlib.Path(__file__).parent / "seeds"
CONFIG = {"vision_config": {
    "depth": 1, "hidden_size": 4, "intermediate_size": 1, "num_heads": 1,
    "out_hidden_size": 1, "patch_size": 1, "temporal_patch_size": 1,
    "spatial_merge_size": 1, "window_size": 1, "fullatt_block_indexes": [0]}}
PREPROCESSOR = {"size": {"shortest_edge": 3136, "longest_edge": 12845056},
                "image_mean": [0.5, 0.5, 0.5], "image_std": 0.25,
                "resample": 3, "do_resize": True, "rescale_factor": 0.0039,
                "min_pixels": 784, "patch_size": 14, "merge_size": 2}
SIZES = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "U8": 1}


def tensors(prefix, dtype, split=False, channels_last=False):
    b = prefix + "blocks.0."
    conv = [4, 1, 1, 1, 3] if channels_last else [4, 3, 1, 1, 1]
    shapes = {prefix + "patch_embed.proj.weight": conv,
              b + "norm1.weight": [4], b + "norm2.weight": [4]}
    for part in "qkv" if split else ["qkv"]:
        shapes[f"{b}attn.{part}.weight"] = [4 if split else 12, 4]
        shapes[f"{b}attn.{part}.bias"] = [4 if split else 12]
    shapes |= {b + "attn.proj.weight": [4, 4], b + "attn.proj.bias": [4],
               b + "mlp.gate_proj.weight": [1, 4],
               b + "mlp.gate_proj.bias": [1],
               b + "mlp.up_proj.weight": [1, 4], b + "mlp.up_proj.bias": [1],
               b + "mlp.down_proj.weight": [4, 1],
               b + "mlp.down_proj.bias": [4], prefix + "merger.ln_q.weight": [4],
               prefix + "merger.mlp.0.weight": [4, 4],
               prefix + "merger.mlp.0.bias": [4],
               prefix + "merger.mlp.2.weight": [1, 4],
               prefix + "merger.mlp.2.bias": [1]}
    return {name: (dtype, shape) for name, shape in shapes.items()}


def safetensors(entries, metadata=None, first=b""):
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape) in entries.items():
        size = SIZES[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    data = first + bytes(i % 251 for i in range(len(first), at))
    return struct.pack("<Q", len(text)) + text + data


def grids(dtype):
    """Two items, of 4 and 12 patches."""
    return struct.pack("<6" + {"I64": "q", "I32": "i"}[dtype],
                       1, 2, 2, 1, 2, 6)


def sharded(config, entries, where=""):
    """As fuzz_shards takes it: every other tensor in the second shard."""
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    parts = [{}, {}]
    index = {"weight_map": {}}
    for i, (name, entry) in enumerate(entries.items()):
        parts[i % 2][name] = entry
        index["weight_map"][name] = where + names[i % 2]
    first, second = map(safetensors, parts)
    return (config + b"\0" + json.dumps(index).encode() + b"\0"
            + struct.pack("<H", len(first)) + first + second)


def write(name, data):
    path = SEEDS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main():
    config = json.dumps(CONFIG).encode()
    write("config/config", config)
    write("config/omni", json.dumps({"thinker_config": CONFIG}).encode())
    write("config/preprocessor", json.dumps(PREPROCESSOR).encode())
    write("config/processor",
          json.dumps({"image_processor": PREPROCESSOR}).encode())
    # What Python's json reads, and jansson does not.
    write("config/python", b"\xef\xbb\xbf" + json.dumps(dict(
        CONFIG, x=[float("nan"), float("inf"), -float("inf"), 10 ** 30,
                   -10 ** 19, "\0\ud800\udc00\udfff"])).encode()[:-1]
          + b', "x": [1e999, -1e400, 0e999, 1e-999]}')
    write("config/limits", b'{"size": null, "max_pixels": 20480.5, '
          b'"min_pixels": Infinity, "do_pad": 1, "patch_size": 14}')
    write("safetensors/mixed", safetensors(
        {"a": ("F32", [2, 1]), "b": ("U8", [3]), "c\n\u00e9": ("BF16", []),
         "d": ("I64", [0])}, {"format": "pt"}))
    for name, entries in [
            ("plain", tensors("visual.", "BF16")),
            ("split", tensors("thinker.visual.", "F32", split=True)),
            ("last", tensors("vision_tower.", "F16", channels_last=True))]:
        write("safetensors/" + name, safetensors(entries))
        write("checkpoint/" + name, config + b"\0" + safetensors(entries))
    both = tensors("visual.", "BF16")
    both |= tensors("model.visual.", "F32")
    both |= {"visual.blocks.0.attn.k_scale": ("U8", [1]),
             "visual.blocks.1.norm1.weight": ("I64", [1])}
    write("checkpoint/two", config + b"\0" + safetensors(both))
    write("shards/plain", sharded(config, tensors("visual.", "BF16")))
    write("shards/split", sharded(config, tensors("model.visual.", "F16",
                                                  split=True)))
    write("shards/dots", sharded(config, tensors("visual.", "F32"), "./x/../"))
    for dtype, index in [("F32", "I64"), ("F16", "I32"), ("BF16", "I64")]:
        write("pixel_values/" + dtype.lower(), safetensors(
            {"image_grid_thw": (index, [2, 3]),
             "pixel_values": (dtype, [16, 96])},
            {"sources": '["a", "b"]', "preprocessing": "{}"}, grids(index)))


if __name__ == "__main__":
    main()
