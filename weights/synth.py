#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a synthetic checkpoint: the Python twin of `oriel synth`.

Needs numpy only.  Makes, file for file, the bytes that weights/synth.c makes;
weights/README.md says how a value comes about and why the scales are what
they are.  As a module it also gives single tensors: see tensors() below.
"""
import argparse
import json
import math
import os
import sys

import numpy as np

MASK = (1 << 64) - 1
SHARD_BYTES = 512 << 20
CHUNK = 1 << 22  # elements made at a time, to bound memory

# depth, hidden, intermediate, heads, out_hidden, patch, window; then what the
# text part of config.json says: intermediate, heads, layers, key-value heads,
# vocabulary.
CONFIGS = {
    "3b": (32, 1280, 3420, 16, 2048, 14, 112, 11008, 16, 36, 2, 151936),
    "7b": (32, 1280, 3420, 16, 3584, 14, 112, 18944, 28, 28, 4, 152064),
    "32b": (32, 1280, 3456, 16, 5120, 14, 112, 27648, 40, 64, 8, 152064),
    "72b": (32, 1280, 3456, 16, 8192, 14, 112, 29568, 64, 80, 8, 152064),
    "tiny": (4, 32, 20, 2, 24, 4, 32, 48, 2, 2, 1, 151936),
}
FACTORS = (2.5, -1.5, 1.0, -0.5)  # of the outlier channels, in turn


class Shape:
    """The sizes of one tower."""

    def __init__(self, name, depth=0, full_blocks=None):
        (published, self.hidden, self.intermediate, self.heads,
         self.out_hidden, self.patch, self.window, *self.text) = CONFIGS[name]
        self.name, self.depth = name, depth or published
        every = 2 if name == "tiny" else 8
        if full_blocks is None:
            full_blocks = [b for b in range(self.depth)
                           if b % every == every - 1] or [self.depth - 1]
        self.full_blocks = list(full_blocks)
        self.columns = 3 * 2 * self.patch * self.patch
        self.merged = 4 * self.hidden
        self.outliers = [(2 * k + 1) * self.hidden // (2 * n) + k
                         for n in [max(1, self.hidden // 320)]
                         for k in range(n)]


# ---- How large values are ---------------------------------------------------

class Schedule:
    """What the residual stream is expected to be when a block begins."""

    def __init__(self, shape, block):
        self.calm, self.outlier, self.step = 1.0, 0.0, 0.0
        self.energy = 0.0
        for k in range(len(shape.outliers)):
            self.energy += FACTORS[k % 4] * FACTORS[k % 4]
        self.energy /= shape.hidden
        for b in range(block + 1):
            self._advance(b, b == block)

    def _advance(self, b, last):
        gain = 1.5 if b == 0 else 0.75 if b == 1 else None
        attention = gain or 0.1875
        mlp = gain or 0.21875
        self.attention_rms = attention * self.calm
        self.before_attention = self.calm
        middle = math.sqrt(self.calm * self.calm
                           + self.attention_rms * self.attention_rms)
        self.before_mlp = middle
        self.mlp_rms = mlp * middle
        after = math.sqrt(middle * middle + self.mlp_rms * self.mlp_rms)
        grown = 0.0 if b == 0 else 1.5 * after / math.sqrt(self.energy)
        self.step = grown - self.outlier
        if not last:
            self.calm, self.outlier = after, grown

    def norm(self, calm):
        return math.sqrt(calm * calm
                         + self.energy * self.outlier * self.outlier) / calm


def _norm_rows(shape, schedule, calm):
    """The norm gives calm channels back what outliers take from them."""
    gain = schedule.norm(calm)
    scale = np.full(shape.hidden, 0.4 * gain)
    offset = np.full(shape.hidden, gain)
    if schedule.outlier > 0:
        scale[shape.outliers], offset[shape.outliers] = 0.02, 0.05
    return scale, offset


def rows(shape, name, block):
    """Scale and offset of each row of a tensor, fp32 [rows]."""
    d, i, m = shape.hidden, shape.intermediate, shape.merged
    s = Schedule(shape, block)
    unit, zero = math.sqrt(3.0 / d), 0.0
    heavy = np.where(np.arange(i) % 512 == 500, 3.0, 1.0)
    scale = offset = None
    if name == "norm1.weight":
        scale, offset = _norm_rows(shape, s, s.before_attention)
    elif name == "norm2.weight":
        scale, offset = _norm_rows(shape, s, s.before_mlp)
    elif name == "merger.ln_q.weight":
        scale, offset = _norm_rows(shape, s, s.before_attention)
    elif name == "attn.qkv.weight":
        row = np.arange(3 * d)
        sharp = np.where(row % d // (d // shape.heads) % 8 == 3, 1.5, 1.0)
        scale = np.where(row < 2 * d, unit * 1.125 * sharp, unit)
    elif name == "attn.proj.weight":
        scale = unit * s.attention_rms / 0.375
    elif name == "attn.proj.bias":
        scale = 0.125 * s.before_attention
    elif name == "mlp.gate_proj.weight":
        scale = unit * 1.5 * heavy
    elif name == "mlp.up_proj.weight":
        scale = unit * heavy
    elif name == "mlp.down_proj.weight":
        scale = np.full(d, math.sqrt(3.0 / i) * s.mlp_rms / 1.25)
        scale[shape.outliers] *= 8.0
    elif name == "mlp.down_proj.bias":
        scale, offset = 0.125 * s.before_mlp, np.zeros(d)
        for k, channel in enumerate(shape.outliers):
            offset[channel] = FACTORS[k % 4] * s.step
    else:
        scale = {
            "patch_embed.proj.weight": math.sqrt(3.0 / shape.columns) * 0.875,
            "attn.qkv.bias": 0.5,
            "mlp.gate_proj.bias": 0.25,
            "mlp.up_proj.bias": 0.25,
            "merger.mlp.0.weight": math.sqrt(3.0 / m),
            "merger.mlp.0.bias": 0.25,
            "merger.mlp.2.weight": math.sqrt(3.0 / m) * 1.5,
            "merger.mlp.2.bias": 0.125,
        }[name]
    n = dimensions(shape, name)[0]
    both = [np.broadcast_to(np.asarray(v, np.float64), n).astype(np.float32)
            for v in (scale, zero if offset is None else offset)]
    return both[0], both[1]


# ---- Tensors ----------------------------------------------------------------

IN_BLOCK = ("norm1.weight", "norm2.weight", "attn.qkv.weight",
            "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias",
            "mlp.gate_proj.weight", "mlp.gate_proj.bias",
            "mlp.up_proj.weight", "mlp.up_proj.bias",
            "mlp.down_proj.weight", "mlp.down_proj.bias")
AFTER = ("merger.ln_q.weight", "merger.mlp.0.weight", "merger.mlp.0.bias",
         "merger.mlp.2.weight", "merger.mlp.2.bias")


def dimensions(shape, name):
    d, i, m = shape.hidden, shape.intermediate, shape.merged
    o, p = shape.out_hidden, shape.patch
    return {
        "patch_embed.proj.weight": (d, 3, 2, p, p),
        "attn.qkv.weight": (3 * d, d), "attn.qkv.bias": (3 * d,),
        "attn.proj.weight": (d, d),
        "mlp.gate_proj.weight": (i, d), "mlp.gate_proj.bias": (i,),
        "mlp.up_proj.weight": (i, d), "mlp.up_proj.bias": (i,),
        "mlp.down_proj.weight": (d, i),
        "merger.mlp.0.weight": (m, m), "merger.mlp.0.bias": (m,),
        "merger.mlp.2.weight": (o, m), "merger.mlp.2.bias": (o,),
    }.get(name, (d,))


def names(shape):
    """(full name, name, block) in the order of the files."""
    yield "patch_embed.proj.weight", "patch_embed.proj.weight", 0
    for block in range(shape.depth):
        for name in IN_BLOCK:
            yield f"blocks.{block}.{name}", name, block
    for name in AFTER:
        yield name, name, shape.depth


def mix(x):
    """splitmix64's output function on a Python integer."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def tensor_key(seed, full_name):
    """Where a tensor's counter starts."""
    digest = 0xCBF29CE484222325  # FNV-1a
    for byte in full_name.encode():
        digest = ((digest ^ byte) * 0x100000001B3) & MASK
    return mix((mix(seed) + digest) & MASK)


def uniform(key, first, count):
    """fp32 in [-1, 1): values first .. first + count - 1 of a counter."""
    x = np.arange(first, first + count, dtype=np.uint64)
    x += np.uint64((key + 0x9E3779B97F4A7C15) & MASK)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    x >>= np.uint64(40)
    return x.astype(np.float32) * np.float32(2.0 ** -23) - np.float32(1)


def to_bf16(value):
    """fp32 to the bits of bf16, nearest even."""
    bits = value.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16))
            & np.uint32(1))) >> np.uint32(16)).astype("<u2")


def chunks(shape, seed, full_name, name, block):
    """The bits of a tensor in order, some whole rows at a time."""
    scale, offset = rows(shape, name, block)
    columns = math.prod(dimensions(shape, name)[1:])
    key, step = tensor_key(seed, full_name), max(1, CHUNK // columns)
    for row in range(0, len(scale), step):
        end = min(len(scale), row + step)
        value = uniform(key, row * columns, (end - row) * columns)
        value = value.reshape(end - row, columns)
        value *= scale[row:end, None]
        value += offset[row:end, None]
        yield to_bf16(value)


def tensors(shape, seed):
    """Yield (full name, dimensions, bf16 bits as uint16)."""
    for full, name, block in names(shape):
        bits = np.concatenate(list(chunks(shape, seed, full, name, block)))
        yield full, dimensions(shape, name), bits.reshape(
            dimensions(shape, name))


# ---- Files ------------------------------------------------------------------

def config_json(shape):
    intermediate, heads, layers, kv_heads, vocabulary = shape.text
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "vision_token_id": 151654,
        "image_token_id": 151655,
        "video_token_id": 151656,
        "hidden_act": "silu",
        "hidden_size": shape.out_hidden,
        "initializer_range": 0.02,
        "intermediate_size": intermediate,
        "max_position_embeddings": 128000,
        "max_window_layers": layers,
        "model_type": "qwen2_5_vl",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": shape.depth,
            "hidden_act": "silu",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.intermediate,
            "num_heads": shape.heads,
            "in_chans": 3,
            "in_channels": 3,
            "out_hidden_size": shape.out_hidden,
            "patch_size": shape.patch,
            "spatial_merge_size": 2,
            "spatial_patch_size": shape.patch,
            "window_size": shape.window,
            "fullatt_block_indexes": shape.full_blocks,
            "tokens_per_second": 2,
            "temporal_patch_size": 2,
            "model_type": "qwen2_5_vl",
        },
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "vocab_size": vocabulary,
    }


def preprocessor_json(shape):
    return {
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": shape.patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }


def shards(shape, shard_bytes):
    """Tensors in order, cut between tensors: two shards at least."""
    sized = [(full, name, block, 2 * math.prod(dimensions(shape, name)))
             for full, name, block in names(shape)]
    limit = min(shard_bytes, (sum(t[3] for t in sized) + 1) // 2)
    result, used = [[]], 0
    for tensor in sized:
        if result[-1] and used + tensor[3] > limit:
            result.append([])
            used = 0
        result[-1].append(tensor)
        used += tensor[3]
    return result


def write_shard(path, shape, seed, members):
    header, end = {"__metadata__": {
        "format": "pt", "generator": f"oriel synth {shape.name}, seed {seed}",
    }}, 0
    for full, name, _, size in members:
        header["visual." + full] = {
            "dtype": "BF16", "shape": list(dimensions(shape, name)),
            "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for full, name, block, _ in members:
            for bits in chunks(shape, seed, full, name, block):
                bits.tofile(out)


def write(folder, shape, seed, shard_bytes=SHARD_BYTES):
    os.makedirs(folder, exist_ok=True)
    parts, place, total = shards(shape, shard_bytes), {}, 0
    for n, members in enumerate(parts):
        file = f"model-{n + 1:05d}-of-{len(parts):05d}.safetensors"
        write_shard(os.path.join(folder, file), shape, seed, members)
        for full, _, _, size in members:
            place["visual." + full] = file
            total += size
    index = {"metadata": {"total_size": total}, "weight_map": place}
    for file, value in (("model.safetensors.index.json", index),
                        ("preprocessor_config.json", preprocessor_json(shape)),
                        ("config.json", config_json(shape))):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
            out.write(json.dumps(value, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--config", choices=CONFIGS, default="7b")
    parser.add_argument("--depth", type=int, default=0, metavar="N",
                        help="blocks (default: as published)")
    parser.add_argument("--full-blocks", metavar="A,B,...",
                        help="blocks with full attention")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard-bytes", type=int, default=SHARD_BYTES)
    args = parser.parse_args()
    if not 0 <= args.seed <= MASK:
        parser.error("--seed: expected 0 to 2^64 - 1")
    full = args.full_blocks and [int(b) for b in args.full_blocks.split(",")]
    write(args.folder, Shape(args.config, args.depth, full), args.seed,
          args.shard_bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
