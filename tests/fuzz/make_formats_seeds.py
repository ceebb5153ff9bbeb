#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write seeds/formats: good files of every kind, out of the corpora of
tests/formats.

    python3 make_formats_seeds.py
"""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = [
    "GIF, mode P, 17x23, interlace 1",
    "GIF, transparency",
    "GIF, a frame inside, transparent",
    "GIF, comments and an application",
    "BMP, header 12, 4 bits",
    "BMP, header 40, masks f800,7e0,1f,0 of 16 bits",
    "BMP, header 124, 32 bits",
    "BMP, RLE8, 13x7",
    "BMP, RLE4, 13x-7",
    "TIFF, tiff_lzw, predictor 2, mode RGB",
    "TIFF, tiff_adobe_deflate, mode RGBA",
    "TIFF, packbits, mode P",
    "TIFF, group4",
    "TIFF, jpeg, mode YCbCr",
    "TIFF, tiles, turned, 3x8 bits, photometric 2, 16x16",
    "TIFF, planes, 4x8 bits, photometric 5 {}",
    "TIFF, big",
    "AVIF, mode RGBA, 16x16",
    "HEIC, mode RGB, 16x16",
]


def read_exact(corpus):
    at = 0
    while at < len(corpus):
        n, = struct.unpack_from("<H", corpus, at)
        name = corpus[at + 2:at + 2 + n].decode()
        at += 2 + n
        n, = struct.unpack_from("<I", corpus, at)
        yield name, corpus[at + 4:at + 4 + n]
        at += 4 + n + 48


def read_close(corpus):
    at = 0
    while at < len(corpus):
        n, = struct.unpack_from("<H", corpus, at)
        name = corpus[at + 2:at + 2 + n].decode()
        at += 2 + n
        n, = struct.unpack_from("<I", corpus, at)
        yield name, corpus[at + 4:at + 4 + n]
        at += 4 + n
        for _ in range(2):
            width, height = struct.unpack_from("<II", corpus, at)
            at += 8 + 3 * width * height


def main():
    folder = os.path.join(HERE, "seeds", "formats")
    os.makedirs(folder, exist_ok=True)
    wanted = set(NAMES)
    for path, reader in (("exact.bin", read_exact), ("close.bin", read_close)):
        with open(os.path.join(HERE, "../formats", path), "rb") as file:
            corpus = zlib.decompress(file.read())
        for name, data in reader(corpus):
            if name not in wanted:
                continue
            wanted.remove(name)
            path = "".join(c if c.isalnum() or c == "-" else "_"
                           for c in name.lower().replace(", ", "-"))
            with open(os.path.join(folder, path), "wb") as out:
                out.write(data)
    assert not wanted, wanted


if __name__ == "__main__":
    main()
