# SPDX-License-Identifier: Apache-2.0
"""Usage: bench_processor.py VERSION TESTS - one row of a table for
scripts/test_torch.sh: how long transformers' image processor takes and how long
Oriel's, in turns, on the threads that torch has by itself."""
import statistics
import sys
import time

import numpy as np
import torch
from PIL import Image

import support
import tiny_vlm
from oriel.transformers import OrielImageProcessor

IMAGES, TURNS = 8, 7


def milliseconds(processor, images):
    begin = time.perf_counter()
    processor(images, return_tensors="pt")
    return (time.perf_counter() - begin) * 1000 / len(images)


photo = Image.open(support.PHOTOS / "coffee.webp").convert("RGB")
images = [photo.resize((1024, 768)).rotate(i) for i in range(IMAGES)]
processors = [tiny_vlm.ImageProcessor(), OrielImageProcessor()]
results = [p(images, return_tensors="pt")["pixel_values"] for p in processors]
assert torch.equal(*results)
times = np.array([[milliseconds(p, images) for p in processors]
                  for _ in range(TURNS)])
theirs, ours = (statistics.median(column) for column in times.T)
print(f"| {sys.argv[1]} | {torch.__version__} | {sys.argv[2]} | {theirs:.1f} | "
      f"{ours:.1f} | {theirs / ours:.1f}x |")
