# SPDX-License-Identifier: Apache-2.0
"""Small pictures of every mode, the same on every run."""
import numpy as np
from PIL import Image


def noise(width, height, channels, seed=1):
    """Smooth ramps with noise on them, [height, width, channels]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (5 + 3 * c) + y * (11 - 2 * c) + 40 * c) % 256
              for c in range(channels)]
    picture = np.stack(planes, -1) + rng.integers(-9, 10,
                                                  (height, width, channels))
    return np.clip(picture, 0, 255).astype(np.uint8)


def smooth(width, height, channels):
    """Without noise: what lossy compression keeps well."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127.5 + 127 * np.sin(x / (7 + 2 * c) + y / (9 - c) + c)
              for c in range(channels)]
    return np.stack(planes, -1).astype(np.uint8)


def image(mode, width, height, seed=1):
    channels = {"L": 1, "P": 1, "1": 1, "LA": 2, "RGB": 3, "RGBA": 4,
                "CMYK": 4, "YCbCr": 3}[mode]
    pixels = noise(width, height, channels, seed)
    if channels == 1:
        pixels = pixels[:, :, 0]
    if mode == "1":
        return Image.fromarray(pixels).convert("1")
    if mode == "P":
        made = Image.fromarray(pixels // 16, "P")
        made.putpalette([(37 * i + 101 * c) % 256
                         for i in range(16) for c in range(3)])
        return made
    return Image.fromarray(pixels, mode)
