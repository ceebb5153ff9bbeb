#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the reference makes of unusual configurations and folders.

    make_kinds.py [FILE]        (default: kinds.json beside this script)

Needs transformers 5.23.0, torch 2.15.0, torchvision 0.29.2, safetensors.
Writes the texts of configurations and what the reference reads in them; then
loads folders of the kinds that test_kinds.c builds, and stops unless the
reference's tower gives the very values of the plain folder.
"""
import json
import os
import pathlib
import sys
import tempfile

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLVideoProcessor,
)

VISION = dict(depth=4, hidden_act="silu", hidden_size=32, in_chans=3,
              intermediate_size=20, num_heads=2, out_hidden_size=24,
              patch_size=4, spatial_merge_size=2, temporal_patch_size=2,
              window_size=32, fullatt_block_indexes=[1, 3],
              model_type="qwen2_5_vl")
TEXT = dict(hidden_size=24, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, vocab_size=24,
            max_position_embeddings=32, max_window_layers=1,
            rope_scaling={"type": "mrope", "mrope_section": [1, 1, 4]},
            bos_token_id=1, eos_token_id=2, pad_token_id=0)
ROOT = dict(model_type="qwen2_5_vl", vision_config=VISION, image_token_id=3,
            video_token_id=4, vision_start_token_id=5, vision_end_token_id=6,
            **TEXT)
J = json.dumps(ROOT)

# Beside everything else: a value in a field that the tower does not use.
ROOT_VALUES = ["NaN", "Infinity", "-Infinity", "[0.0, Infinity]", "1e999",
               "-1E+400", "9" * 30, "-" + "9" * 400, "0.1e400", '"\\u0000"',
               '"a\\u0000b"', '"\\ud800"', '"\\udc00x\\uD9ff"',
               '"\\ud83d\\ude00"', '{"__float__": "Infinity"}', '"NaN"']
ROOT_TEXTS = {
    "a key twice": J[:-1] + ', "use_cache": true, "use_cache": false}',
    "vision_config twice, the last one good":
        '{"vision_config": {"depth": 9}, ' + J[1:],
    "depth twice": J.replace('"depth": 4', '"depth": 9, "depth": 4'),
    "a NUL in a name": J[:-1] + ', "a\\u0000b": 1}',
    "half a pair in a name": J[:-1] + ', "\\udc00": 1}',
    "escapes in a name": J.replace('"depth"', '"d\\u0065pth"'),
}
VISION_VALUES = [
    ("model_type", '""'), ("model_type", "null"), ("model_type", "5"),
    ("model_type", '"qwen2_5_omni_vision_encoder"'),
    ("model_type", '"qwen2_5_vl_vision"'), ("model_type", '"qwen2_5_vl_text"'),
    ("model_type", '"exaone4_5_vision"'), ("model_type", '"qwen2_vl"'),
    ("hidden_act", '"swish"'), ("depth", "3"), ("depth", "1"),
    ("num_hidden_layers", "3"), ("num_attention_heads", "4"),
    ("fullatt_block_indexes", "[1, 3, -1]"),
    ("fullatt_block_indexes", "[1, 3, 99]"),
    ("fullatt_block_indexes", "[3, 1, 1]"), ("fullatt_block_indexes", "[]"),
    ("fullatt_block_indexes", "[1, " + "9" * 30 + ", -" + "9" * 30 + "]"),
    ("window_size", "36"), ("window_size", "39"), ("window_size", "40"),
    ("rope_parameters", "{}"), ("rope_parameters", '{"rope_type": "axial"}'),
    ("rope_parameters", '{"rope_theta": 500, "rope_type": "default"}'),
    ("rope_scaling", '{"rope_theta": 500.0, "type": "default"}'),
    ("rope_theta", "500.0"), ("in_chans", "1"), ("foo", "NaN")]

SIZES = [(100, 75), (1000, 7), (333, 777), (57, 57), (8, 200)]
P = dict(image_processor_type="Qwen2VLImageProcessor", patch_size=4,
         temporal_patch_size=2, merge_size=2)
PROCESSOR_VALUES = [
    ("max_pixels", "20480.0"), ("max_pixels", "20480.5"),
    ("max_pixels", "20479.999"), ("max_pixels", "2.048e4"),
    ("max_pixels", "0.5"), ("max_pixels", "1e999"), ("max_pixels", "Infinity"),
    ("max_pixels", "NaN"), ("max_pixels", "9" * 30),
    ("min_pixels", "20480.5"), ("min_pixels", "-1"), ("min_pixels", "0.5"),
    ("min_pixels", "-Infinity"), ("min_pixels", "NaN"),
    ("min_pixels", "200000"), ("min_pixels", "1003521"),
    ("size", '{"shortest_edge": 30000, "longest_edge": 20000}'),
    ("size", '{"shortest_edge": 100.5, "longest_edge": 20000.25}'),
    ("size", "null"), ("do_convert_rgb", "false"), ("do_convert_rgb", "null"),
    ("do_pad", "true"), ("do_pad", "1"), ("do_sample_frames", "true"),
    ("resample", '"bicubic"'), ("image_mean", "[0.5]"), ("foo", "NaN"),
    ("foo", "-1e999"), ("foo", '"\\ud800"'), ("foo\\u0000", "1")]
PROCESSOR_TEXTS = {
    "limits twice": '{"max_pixels": 400, "min_pixels": 1, "max_pixels": 20480,'
                    + json.dumps(P)[1:],
    "both limits, crossed": json.dumps(dict(P, min_pixels=9000,
                                            max_pixels=8000)),
    "null and size": json.dumps(dict(P, max_pixels=None, min_pixels=500, size={
        "shortest_edge": 1, "longest_edge": 20000})),
}

FRAMES = 4
V = dict(P, video_processor_type="Qwen2VLVideoProcessor")
del V["image_processor_type"]
CAPPED = dict(V, cap_pixels_per_frame=True, max_video_tokens=300)
# Beside the limits of PROCESSOR_VALUES: all frames share 270 tokens.
CAPPED_VALUES = [
    ("max_pixels", "20000"), ("max_pixels", "4000.5"), ("max_pixels", "NaN"),
    ("max_pixels", "Infinity"), ("max_pixels", "0.5"),
    ("min_pixels", "100.75"), ("min_pixels", "9000.5"), ("min_pixels", "-1"),
    ("size", '{"shortest_edge": 30000, "longest_edge": 20000}'),
    ("size", '{"shortest_edge": 100, "longest_edge": NaN}'),
    ("foo", '"\\ud800"')]


def config_case(name, text, folder):
    (folder / "config.json").write_text(text)
    config = AutoConfig.from_pretrained(folder)
    v = config.vision_config
    # That it also runs.
    tower = Qwen2_5_VLForConditionalGeneration._from_config(config).model.visual
    assert len(tower.blocks) == v.depth
    with torch.no_grad():
        tower(torch.zeros(64, 96), grid_thw=torch.tensor([[1, 8, 8]]))
    return dict(name=name, text=text, depth=v.depth, num_heads=v.num_heads,
                window_tokens=v.window_size // v.spatial_merge_size
                // v.patch_size,
                full=[i for i in range(v.depth) if i in
                      v.fullatt_block_indexes],
                theta=float(v.rope_parameters["rope_theta"]))


def processor_case(name, text, folder):
    (folder / "preprocessor_config.json").write_text(text)
    processor = AutoImageProcessor.from_pretrained(folder)
    grids, sums = [], []
    for width, height in SIZES:
        image = Image.fromarray(np.full((height, width, 3), 51, np.uint8))
        r = processor(images=image, return_tensors="pt")
        grids.append(r["image_grid_thw"][0, 1:].tolist())
        # The red of a patch: one mean and std for all.
        sums.append(r["pixel_values"][0, 0].item())
    assert len(set(sums)) == 1
    return dict(name=name, text=text, grids=grids, red=sums[0])


def video_case(name, text, folder):
    (folder / "video_preprocessor_config.json").write_text(text)
    processor = Qwen2VLVideoProcessor.from_pretrained(folder)
    grids = []
    for width, height in SIZES:
        video = np.full((FRAMES, height, width, 3), 51, np.uint8)
        r = processor(videos=[video], return_tensors="pt")
        grids.append(r["video_grid_thw"][0, 1:].tolist())
    return dict(name=name, text=text, grids=grids)


def values(base, pairs):
    for key, value in pairs:
        plain = json.dumps({k: v for k, v in base.items() if k != key})
        yield f"{key} {value[:40]}", plain[:-1] + f', "{key}": {value}}}'


def texts(folder):
    configs = [("plain", J)]
    configs += [(f"a value {v[:40]}", J[:-1] + f', "x": {v}}}')
                for v in ROOT_VALUES]
    configs += list(ROOT_TEXTS.items())
    outer = {k: v for k, v in ROOT.items() if k != "vision_config"}
    configs += [(n, json.dumps(outer)[:-1] + f', "vision_config": {t}}}')
                for n, t in values(VISION, VISION_VALUES)]
    configs = [config_case(n, t, folder) for n, t in configs]
    (folder / "config.json").write_text(J)
    processors = [("plain", json.dumps(P))]
    processors += list(values(P, PROCESSOR_VALUES))
    processors += list(PROCESSOR_TEXTS.items())
    processors = [processor_case(n, t, folder) for n, t in processors]
    videos = [("plain", json.dumps(V)), ("capped", json.dumps(CAPPED))]
    videos += list(values(V, [p for p in PROCESSOR_VALUES if p[0] in
                              ("min_pixels", "max_pixels", "size", "foo")]))
    videos += [("capped, " + n, t) for n, t in values(CAPPED, CAPPED_VALUES)]
    videos = [video_case(n, t, folder) for n, t in videos]
    return dict(sizes=SIZES, configs=configs, processors=processors,
                frames=FRAMES, videos=videos)


# ---- Folders ----------------------------------------------------------------

def tower_of(folder):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32)
    x = torch.arange(320 * 96).reshape(320, 96).sin()
    with torch.no_grad():
        return model.model.visual(x, grid_thw=torch.tensor(
            [[1, 8, 8], [1, 16, 16]])).pooler_output


def folders(top):
    torch.manual_seed(1)
    base = top / "base"
    model = Qwen2_5_VLForConditionalGeneration._from_config(
        AutoConfig.from_pretrained(top))
    for p in model.parameters():
        p.data.normal_(0, 0.5)
    model.to(torch.bfloat16).save_pretrained(base)
    (base / "config.json").write_text(J)
    tensors = load_file(base / "model.safetensors")
    truth = tower_of(base)
    new = {("model." + k if k.startswith("visual.") else k): v
           for k, v in tensors.items()}
    bad = {k: v + 1 for k, v in tensors.items() if k.startswith("visual.")}
    names = list(tensors)
    halves = [{k: tensors[k] for k in names[i::2]} for i in (0, 1)]

    def shards(a, b):
        return dict({k: a for k in halves[0]}, **{k: b for k in halves[1]})

    def case(name, files, where=None):
        folder = top / name.replace(" ", "_")
        folder.mkdir()
        (folder / "config.json").write_text(J)
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            save_file(content, folder / file, metadata={"format": "pt"})
        if where:
            (folder / "model.safetensors.index.json").write_text(json.dumps(
                {"metadata": {"total_size": 1}, "weight_map": where}))
        assert torch.equal(tower_of(folder), truth), name
        print("as the plain folder:", name)

    def one(name, content):
        case(name, {"model.safetensors": content})

    one("two towers, model.visual good",
        dict(bad, **{"model." + k: v for k, v in tensors.items()
                     if k.startswith("visual.")},
             **{k: v for k, v in tensors.items() if k not in bad}))
    one("two towers, teacher before",
        dict({"teacher." + k: v for k, v in bad.items()}, **tensors))
    one("two towers, thinker beside",
        dict({"thinker." + k: v for k, v in bad.items()}, **tensors))
    one("two towers, model.model beside",
        dict({"model.model." + k: v for k, v in bad.items()}, **new))
    one("half of the names new",
        {("model." + k if k in halves[1] and k in bad else k): v
         for k, v in tensors.items()})
    one("foreign tensors", dict(tensors, **{
        "visual.blocks.0.attn.qkv._extra_state": torch.zeros(0, dtype=torch.uint8),
        "visual.blocks.1.attn.k_scale": torch.ones(1),
        "visual.blocks.1.attn.v_scale": torch.ones(1).to(torch.float8_e4m3fn),
        "visual.merger.head.weight": torch.zeros(2, dtype=torch.int64),
        "visual.blocks.0.norm1.bias": torch.ones(32),
        "visual.blocks.9.norm1.weight": torch.ones(32),
        "visual.blocks.0.attn.qkv.lora_A.weight": torch.ones(4, 32),
        "visual.foo": torch.zeros(3, dtype=torch.bool)}))
    a, b = "a.safetensors", "b.safetensors"
    two = {a: halves[0], b: halves[1]}
    case("dots", two, shards("./" + a, "././" + b))
    case("subfolders", {"s/" + a: halves[0], "s/t/" + b: halves[1]},
         shards("s/" + a, "s//t/./" + b))
    case("up and down", {"s/" + a: halves[0], b: halves[1]},
         shards("s/" + a, "s/../" + b))
    case("wrong shards", two, shards(b, a))
    case("no vision tensor in the index", two,
         {"lm_head.weight": a, "model.norm.weight": b})
    case("one tensor not in the index", two,
         {k: v for k, v in shards(a, b).items() if k != names[1]})
    case("one that no shard holds", two,
         dict(shards(a, b), **{"visual.ghost": a}))
    case("old names", {a: {k: v for k, v in new.items()}},
         {k: a for k in names})
    case("new names", {a: tensors}, {k: a for k in new})


def main():
    here = pathlib.Path(__file__).parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "kinds.json"
    with tempfile.TemporaryDirectory() as name:
        top = pathlib.Path(name)
        out.write_text(json.dumps(texts(top), indent=1) + "\n")
        folders(top)


if __name__ == "__main__":
    main()
