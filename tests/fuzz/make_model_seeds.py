#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for fuzz_safetensors, fuzz_config and fuzz_checkpoint: the smallest
well-formed files.  Standard library only; the same bytes every time."""
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
SIZES = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "U8": 1}


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


def safetensors(entries, metadata=None):
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
    return struct.pack("<Q", len(text)) + text + bytes(i % 251
                                                       for i in range(at))


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


if __name__ == "__main__":
    main()
