#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tiny checkpoints as Hugging Face's own code saves them, and their digests.

    make_resaved.py [FOLDER]        (default: resaved/ beside this script)

Needs transformers 5.23.0, torch 2.15.0, torchvision 0.29.2, safetensors, and
libxxhash.so.0.  Each folder holds what save_pretrained() wrote: configuration,
weights, the image processor's configuration; and expected.txt, the digest by
the definition at the head of host/model/digest.c, computed here from the
parameters in memory.
"""
import ctypes
import pathlib
import sys

import torch
from tokenizers import Tokenizer, models
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

VISION = dict(depth=3, hidden_size=16, intermediate_size=12, num_heads=2,
              in_channels=3, out_hidden_size=16, patch_size=2,
              temporal_patch_size=2, spatial_merge_size=2, window_size=8,
              fullatt_block_indexes=[1])
TEXT = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, vocab_size=24,
            max_position_embeddings=32, max_window_layers=1,
            rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]},
            bos_token_id=1, eos_token_id=2, pad_token_id=0)
BLOCK = ["norm1.weight", "norm2.weight", "attn.qkv.weight", "attn.qkv.bias",
         "attn.proj.weight", "attn.proj.bias", "mlp.gate_proj.weight",
         "mlp.gate_proj.bias", "mlp.up_proj.weight", "mlp.up_proj.bias",
         "mlp.down_proj.weight", "mlp.down_proj.bias"]
MERGER = ["merger.ln_q.weight", "merger.mlp.0.weight", "merger.mlp.0.bias",
          "merger.mlp.2.weight", "merger.mlp.2.bias"]


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def digest(tower):
    lib = ctypes.CDLL("libxxhash.so.0")
    lib.XXH3_128bits.restype = Hash128
    lib.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    state = tower.state_dict()

    def values(name):
        if name not in state:
            kind = name.rsplit(".", 1)[1]
            stem = name[:-len("qkv." + kind)]
            parts = [state[f"{stem}{x}.{kind}"] for x in "qkv"]
            return torch.cat(parts).float().numpy().tobytes()
        return state[name].float().contiguous().numpy().tobytes()

    text = ("oriel-vision-2 tower=1 depth={depth} hidden={hidden_size} "
            "intermediate={intermediate_size} heads={num_heads} "
            "out={out_hidden_size} channels={in_channels} patch={patch_size} "
            "temporal={temporal_patch_size} merge={spatial_merge_size} "
            "window={window_size} theta=10000 full=1\n").format(**VISION)
    data = text.encode() + values("patch_embed.proj.weight")
    for i in range(VISION["depth"]):
        data += b"".join(values(f"blocks.{i}.{name}") for name in BLOCK)
    data += b"".join(values(name) for name in MERGER)
    h = lib.XXH3_128bits(data, len(data))
    return f"{h.high:016x}{h.low:016x}"


def save(model, tower, folder):
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "expected.txt").write_text(digest(tower) + "\n")


def image_processor():
    return Qwen2VLImageProcessor(patch_size=2, temporal_patch_size=2,
                                 merge_size=2, min_pixels=64, max_pixels=4096)


def main():
    here = pathlib.Path(__file__).parent / "resaved"
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    torch.manual_seed(1)

    config = Qwen2_5_VLConfig(vision_config=VISION, text_config=TEXT,
                              image_token_id=3, video_token_id=4,
                              vision_start_token_id=5, vision_end_token_id=6)
    model = Qwen2_5_VLForConditionalGeneration(config).to(torch.bfloat16)
    for p in model.parameters():
        p.data.normal_(0, 0.5)
    save(model, model.model.visual, out / "vl")
    image_processor().save_pretrained(out / "vl")

    # Sharded, and with the nested configuration of a whole processor.
    model.save_pretrained(out / "vl_sharded", max_shard_size="6KB")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(
            {"<pad>": 0, "<s>": 1, "</s>": 2, "<|image_pad|>": 3,
             "<|video_pad|>": 4, "<unk>": 7}, unk_token="<unk>")))
    processor = Qwen2_5_VLProcessor(
        image_processor(), tokenizer,
        Qwen2VLVideoProcessor(patch_size=2, temporal_patch_size=2,
                              merge_size=2))
    processor.save_pretrained(out / "vl_sharded")
    for path in (out / "vl_sharded").iterdir():
        if path.name.startswith(("tokenizer", "special", "generation")):
            path.unlink()
    (out / "vl_sharded" / "expected.txt").write_text(
        digest(model.model.visual) + "\n")

    omni = Qwen2_5OmniThinkerConfig(
        vision_config=VISION, text_config=TEXT,
        audio_config=dict(d_model=8, encoder_layers=1,
                          encoder_attention_heads=1, encoder_ffn_dim=8,
                          num_mel_bins=4, n_window=2, output_dim=16,
                          max_source_positions=8))
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(omni)
    thinker = thinker.to(torch.float16)
    for p in thinker.parameters():
        p.data.normal_(0, 0.5)
    save(thinker, thinker.model.visual, out / "omni_thinker")


if __name__ == "__main__":
    main()
