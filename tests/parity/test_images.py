# SPDX-License-Identifier: Apache-2.0
"""The pictures that tests/pixels/made_image.c makes, made again with numpy."""
import numpy as np

NOISE, EXTREMES, SMOOTH = 0, 1, 2


def splitmix64(seed, count):
    """The first 'count' numbers of the stream that starts at 'seed'."""
    step = np.uint64(0x9E3779B97F4A7C15)
    x = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * step
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def make_image(kind, seed, height, width):
    """RGB8 [height, width, 3]."""
    if kind == SMOOTH:
        y, x = np.mgrid[0:height, 0:width].astype(np.int64)
        x += seed
        planes = (x * x // 7 + 3 * y, 5 * x + y * y // 11, x ^ y)
        return np.stack(planes, axis=2).astype(np.uint8)
    size = height * width * 3
    noise = splitmix64(seed, (size + 7) // 8).view(np.uint8)[:size]
    if kind == EXTREMES:
        noise = (noise >> np.uint8(7)) * np.uint8(255)
    return np.ascontiguousarray(noise.reshape(height, width, 3))
