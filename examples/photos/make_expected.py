#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make expected_rows.safetensors: transformers' own result for the photographs.

Usage: make_expected.py CHECKPOINT

CHECKPOINT is what `oriel synth --config 7b --seed 1 CHECKPOINT` writes.  The
rows were made with transformers 5.23.0, torch 2.15.0, torchvision 0.29.2,
Pillow 13.0.0, safetensors and numpy, on a CPU.  Nothing of Oriel's runs here:
the images are opened with Pillow and go through transformers' image processor
and vision tower in fp32; the same in bf16 measures the error that bf16 costs
transformers itself.  Takes about five minutes on two cores and 8 GB.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image, ImageOps
from safetensors.numpy import save_file
from transformers import Qwen2VLImageProcessor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
from peer_transformers import load_tower  # noqa: E402

PHOTOS = ("astronaut.jpg", "cat.png", "coffee.webp", "rocket.jpg")
CHECKPOINT = "oriel synth --config 7b --seed 1"
ROWS_OF_A_PHOTO = 3


@torch.inference_mode()
def encode(tower, pixels: torch.Tensor, grid: torch.Tensor):
    result = tower(pixels.to(tower.dtype), grid_thw=grid)
    return result.pooler_output.float().numpy()


def relative_l2(got: np.ndarray, reference: np.ndarray) -> float:
    difference = np.linalg.norm(got.astype(np.float64) - reference)
    return float(difference / np.linalg.norm(reference.astype(np.float64)))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    here, folder = Path(__file__).resolve().parent, Path(sys.argv[1])
    processor = Qwen2VLImageProcessor.from_pretrained(folder)
    inputs = []
    for name in PHOTOS:
        with Image.open(here / name) as image:
            upright = ImageOps.exif_transpose(image)
            inputs.append(processor(images=[upright], return_tensors="pt"))

    results = {}
    for dtype in (torch.float32, torch.bfloat16):
        tower = load_tower(folder, dtype)
        results[dtype] = [encode(tower, i["pixel_values"], i["image_grid_thw"])
                          for i in inputs]
        del tower

    rows, places = [], []
    for photo, result in enumerate(results[torch.float32]):
        # The first token, the last, and one inside, away from both.
        for token in (0, len(result) * 3 // 7, len(result) - 1):
            rows.append(result[token])
            places.append((photo, token))
    assert len(rows) == ROWS_OF_A_PHOTO * len(PHOTOS)
    bf16 = [relative_l2(results[torch.bfloat16][p][t], results[torch.float32][p][t])
            for p, t in places]
    for (photo, token), error in zip(places, bf16):
        print(f"{PHOTOS[photo]:14} token {token:4}  transformers' bf16 "
              f"against its fp32: {error:.3e}")
    save_file(
        {"rows": np.stack(rows),
         "places": np.array(places, np.int64),
         "image_grid_thw": np.concatenate(
             [i["image_grid_thw"].numpy() for i in inputs]).astype(np.int64),
         "bf16_relative_l2": np.array(bf16, np.float32)},
        here / "expected_rows.safetensors",
        {"photos": json.dumps(PHOTOS),
         "photo_sha256": json.dumps([
             hashlib.sha256((here / name).read_bytes()).hexdigest()
             for name in PHOTOS]),
         "checkpoint": CHECKPOINT,
         "made_with": f"transformers {transformers.__version__}, "
                      f"torch {torch.__version__.split('+')[0]}, torchvision "
                      f"{torchvision.__version__.split('+')[0]}, Pillow "
                      f"{PIL.__version__}, fp32"})


if __name__ == "__main__":
    main()
