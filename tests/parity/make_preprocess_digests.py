#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/pixels/preprocess.txt: digests of what HF processors return.

Needs transformers 5.23.0, torch 2.15.0, torchvision 0.29.2, Pillow 13.0.0.
One line a case, as tests/pixels/test_preprocess.c reads it: backend (0 the
torchvision, 1 the PIL one), number of frames (0: a still), kind and seed of the
picture (frame f has seed + f), height, width, min_pixels, max_pixels,
do_rescale, do_normalize, rescale_factor, one mean, one deviation (0 0: CLIP's
three), grid t h w, CRC-32 of pixel_values as fp32.
"""
import pathlib
import random
import zlib

import numpy as np
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import \
    Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import \
    Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import \
    Qwen2VLVideoProcessor

from test_images import make_image

HERE = pathlib.Path(__file__).resolve().parent
OFFICIAL = (3136, 12845056)
USUAL = (1, 1, 1 / 255, 0, 0)

# height, width, limits, (do_rescale, do_normalize, factor, mean, deviation)
STILLS = [
    (1, 1, OFFICIAL, USUAL), (14, 14, OFFICIAL, USUAL),
    (28, 28, OFFICIAL, USUAL), (42, 70, OFFICIAL, USUAL),
    (13, 100, OFFICIAL, USUAL), (100, 13, OFFICIAL, USUAL),
    (14, 600, OFFICIAL, USUAL), (10, 2000, OFFICIAL, USUAL),
    (2000, 10, OFFICIAL, USUAL), (1, 200, OFFICIAL, USUAL),
    (56, 56, OFFICIAL, USUAL), (448, 448, OFFICIAL, USUAL),
    (336, 336, OFFICIAL, USUAL), (476, 1036, OFFICIAL, USUAL),
    (480, 640, OFFICIAL, USUAL), (600, 800, OFFICIAL, USUAL),
    (640, 480, OFFICIAL, USUAL), (500, 333, OFFICIAL, USUAL),
    (720, 1280, OFFICIAL, USUAL), (1080, 1920, (3136, 1003520), USUAL),
    (1500, 2000, (3136, 200704), USUAL), (100, 5000, (3136, 50176), USUAL),
    (30, 40, (200704, 12845056), USUAL), (300, 420, (3136, 3136), USUAL),
    (301, 419, (401408, 401408), USUAL),
    (120, 90, OFFICIAL, (1, 0, 1 / 255, 0, 0)),
    (120, 90, OFFICIAL, (0, 1, 1 / 255, 0, 0)),
    (120, 90, OFFICIAL, (0, 0, 1 / 255, 0, 0)),
    (120, 90, OFFICIAL, (1, 1, 1 / 127.5, 0.5, 0.25)),
    (120, 90, OFFICIAL, (1, 1, 0.007, 0.123456789, 0.987654321)),
    (120, 90, OFFICIAL, (0, 1, 1 / 255, 127.5, 63.25)),
    (120, 90, OFFICIAL, (1, 0, 0.0117, 0, 0)),
]
VIDEOS = [
    (1, 56, 84, OFFICIAL), (2, 120, 90, OFFICIAL), (3, 120, 90, OFFICIAL),
    (4, 61, 200, OFFICIAL), (5, 200, 61, (3136, 12544)),
    (6, 28, 28, (12544, 50176)), (2, 112, 112, OFFICIAL),
]


def settings(limits, options):
    rescale, normalize, factor, mean, deviation = options
    result = dict(min_pixels=limits[0], max_pixels=limits[1],
                  do_rescale=bool(rescale), do_normalize=bool(normalize),
                  rescale_factor=factor)
    if deviation:
        result.update(image_mean=[mean] * 3, image_std=[deviation] * 3)
    return result


def write(out, backend, frames, case, limits, options, grid, values):
    values = np.ascontiguousarray(np.asarray(values).astype(np.float32))
    assert values.shape == (grid[0] * grid[1] * grid[2], 1176)
    rescale, normalize, *numbers = options
    print(backend, frames, *case, *limits, rescale, normalize,
          *map(repr, numbers), *grid, f"{zlib.crc32(values.tobytes()):08x}",
          file=out)


def write_still(out, backend, case, limits, options):
    maker = (Qwen2VLImageProcessor, Qwen2VLImageProcessorPil)[backend]
    processor = maker(**settings(limits, options))
    result = processor(images=[Image.fromarray(make_image(*case))],
                       return_tensors="np" if backend else "pt")
    grid = [int(n) for n in result["image_grid_thw"][0]]
    write(out, backend, 0, case, limits, options, grid,
          result["pixel_values"])


def write_video(out, frames, case, limits):
    kind, seed, height, width = case
    video = np.stack([make_image(kind, seed + f, height, width)
                      for f in range(frames)])
    processor = Qwen2VLVideoProcessor(**settings(limits, USUAL))
    result = processor(videos=[torch.from_numpy(video).permute(0, 3, 1, 2)],
                       return_tensors="pt", do_sample_frames=False)
    grid = [int(n) for n in result["video_grid_thw"][0]]
    write(out, 0, frames, case, limits, USUAL, grid,
          result["pixel_values_videos"])


def main():
    rng = random.Random(42)
    stills = STILLS + [(rng.randint(20, 500), rng.randint(20, 500), OFFICIAL,
                        USUAL) for _ in range(28)]
    with open(HERE.parent / "pixels" / "preprocess.txt", "w") as out:
        for seed, (height, width, limits, options) in enumerate(stills):
            for backend in (0, 1):
                write_still(out, backend, (seed % 3, seed, height, width),
                            limits, options)
        for seed, (frames, height, width, limits) in enumerate(VIDEOS):
            write_video(out, frames, (seed % 3, seed, height, width), limits)


if __name__ == "__main__":
    main()
