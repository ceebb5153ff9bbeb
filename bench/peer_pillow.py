#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time Pillow's and torchvision's own resize on the sizes of bench/pixels.c.

Needs Pillow, numpy, torch, torchvision.  One thread, random pixels, median.

    peer_pillow.py [REPEATS]
"""
import statistics
import sys
import time

if "--help" in sys.argv:  # before what may be absent
    sys.exit(print(__doc__))

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms.v2 import functional as tvf

# Source width and height, width and height; as in bench/pixels.c.
SHAPES = [
    (1280, 960, 1288, 952), (960, 1280, 952, 1288), (1920, 1080, 1932, 1092),
    (4000, 3000, 4004, 2996), (4000, 3000, 1148, 840), (4000, 3000, 224, 168),
]


def median_ms(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    names = {"pillow": f"Pillow {PIL.__version__}",
             "torchvision": f"torchvision {torchvision.__version__}, "
                            f"{torch.backends.cpu.get_cpu_capability()}"}
    print("; ".join(names.values()))
    for source_width, source_height, width, height in SHAPES:
        array = rng.integers(0, 256, (source_height, source_width, 3),
                             dtype=np.uint8)
        image = Image.fromarray(array)
        # A processor's tensor is planar; it is made from the picture outside
        # of the time taken.
        tensor = torch.from_numpy(array).permute(2, 0, 1).contiguous()
        calls = {
            "torchvision": lambda: tvf.resize(
                tensor, [height, width], antialias=True,
                interpolation=tvf.InterpolationMode.BICUBIC),
            "pillow": lambda: image.resize((width, height), Image.BICUBIC),
        }
        for name, call in calls.items():
            ms = median_ms(call, repeats)
            rate = source_width * source_height / ms * 1e-3
            print(f"{source_width:4}x{source_height:<4} -> {width:4}x"
                  f"{height:<4}  {name:11} {ms:8.3f} ms {rate:8.0f} MP/s")


if __name__ == "__main__":
    main()
