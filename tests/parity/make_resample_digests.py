#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/pixels/resample_*.txt: digests of what the reference resizes to.

One line a case: kind and seed of the picture, its height and width, the height
and width it is resized to, CRC-32 of the resulting RGB bytes.

    make_resample_digests.py torchvision    torch 2.15.0, torchvision 0.29.2
    make_resample_digests.py float          the same
    make_resample_digests.py pillow         Pillow 13.0.0
    make_resample_digests.py pillow12       Pillow 12.1.1
"""
import pathlib
import random
import sys
import zlib

import numpy as np

from test_images import make_image

HERE = pathlib.Path(__file__).resolve().parent
CASES = 400

# Height and width, before and after: what random sizes would not meet.
CORNERS = [
    (1, 1, 56, 56), (1, 1, 1, 2), (1, 200, 28, 392), (200, 1, 392, 28),
    (2, 3, 28, 56), (3, 2, 84, 28), (13, 100, 28, 168), (14, 600, 28, 392),
    (10, 2000, 28, 812), (100, 2000, 112, 1988), (100, 20000, 112, 19992),
    (20000, 100, 19992, 112), (8, 30000, 28, 28), (30000, 8, 28, 28),
    (2000, 3000, 28, 56), (3000, 2000, 84, 56), (3000, 1000, 1, 2),
    (480, 640, 476, 644), (640, 480, 644, 476), (600, 800, 588, 812),
    (768, 1024, 756, 1036), (720, 1280, 728, 1288), (1080, 1920, 1092, 1932),
    (300, 420, 280, 448), (300, 420, 224, 392), (300, 420, 244, 392),
    (300, 420, 243, 392), (300, 420, 308, 420), (300, 420, 300, 448),
    (300, 420, 300, 28), (300, 420, 28, 420), (300, 420, 300, 420),
    (10, 1001, 7, 1001), (101, 1, 100, 28), (100, 1, 99, 28), (1001, 10, 7, 28),
    (17, 23, 16, 22), (64, 64, 32, 32), (64, 64, 128, 128), (63, 65, 21, 13),
    (448, 448, 336, 336), (447, 449, 448, 448), (1000, 1000, 999, 1001),
    (999, 1001, 1000, 1000), (2000, 2000, 1996, 2004), (500, 500, 56, 980),
]


def random_sizes(rng, index):
    def side(low, high):
        return rng.randint(low, high)

    if index % 4 == 0:  # anything to anything
        return side(1, 250), side(1, 250), side(1, 250), side(2, 250)
    if index % 4 == 1:  # multiples of 28, far from the source's size
        return side(1, 700), side(1, 700), 28 * side(1, 12), 28 * side(1, 12)
    if index % 4 == 2:  # the nearest multiples of 28
        height, width = side(28, 600), side(28, 600)
        return height, width, 28 * max(1, round(height / 28)), \
            28 * max(1, round(width / 28))
    return side(200, 1400), side(200, 1400), side(1, 60), side(2, 60)


def cases():
    rng = random.Random(20250101)
    for index in range(CASES):
        sizes = CORNERS[index] if index < len(CORNERS) \
            else random_sizes(rng, index)
        kind = index % 3 if sizes[0] * sizes[1] < 10**6 else 2
        yield (kind, index, *sizes)


def torch_resize(image, height, width, as_float):
    import torch
    from torchvision.transforms.v2 import functional as tvf

    tensor = torch.from_numpy(image).permute(2, 0, 1).contiguous()
    out = tvf.resize(tensor.float() if as_float else tensor, [height, width],
                     interpolation=tvf.InterpolationMode.BICUBIC,
                     antialias=True)
    if as_float:
        out = out.clamp(0, 255).round().to(torch.uint8)
    return out.permute(1, 2, 0).contiguous().numpy()


def pillow_resize(image, height, width):
    from PIL import Image

    return np.array(Image.fromarray(image).resize((width, height),
                                                  Image.BICUBIC))


def main():
    flavour = sys.argv[1]
    if flavour.startswith("pillow"):
        import PIL
        wanted = "12.1." if flavour == "pillow12" else "13."
        assert PIL.__version__.startswith(wanted), PIL.__version__
    with open(HERE.parent / "pixels" / f"resample_{flavour}.txt", "w") as out:
        for case in cases():
            kind, seed, height, width, to_height, to_width = case
            image = make_image(kind, seed, height, width)
            if flavour.startswith("pillow"):
                result = pillow_resize(image, to_height, to_width)
            else:
                result = torch_resize(image, to_height, to_width,
                                      flavour == "float")
            assert result.shape == (to_height, to_width, 3)
            print(*case, f"{zlib.crc32(result.tobytes()):08x}", file=out)


if __name__ == "__main__":
    main()
