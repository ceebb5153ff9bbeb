#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write seeds/image, jpeg, png and webp: good files of every kind, out of
tests/image/corpus.bin.

    python3 make_image_seeds.py
"""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = {"JPEG": "jpeg", "PNG": "png", "WebP": "webp"}
NAMES = [
    "PNG, 8 bits, colour 6, interlace 0, 7x9",
    "PNG, 16 bits, colour 2, interlace 1, 7x9",
    "PNG, 2 bits, colour 3, interlace 1, 7x9",
    "PNG, palette: alphas: partial",
    "PNG, orientation: 6, raw profile in zTXt",
    "PNG, orientation: 7, XMP element, compressed, after",
    "PNG, animation: a default picture",
    "PNG, animation: one frame and more",
    "PNG, stream: surplus rows",
    "JPEG, 3 bands, 17x23, progressive 1, subsampling 2",
    "JPEG, 4 bands, 17x23, progressive 0, subsampling 0",
    "JPEG, 33 21 ycck 2x1 1 0 0",
    "JPEG, restart markers",
    "JPEG, EXIF in three",
    "JPEG, before: Photoshop",
    "WebP, 4 bands, 17x23, lossless 0",
    "WebP, EXIF 6, alpha",
    "WebP, animation, lossless",
    "PNM, P4 7 5",
    "PNM, P6 of 1000, 7 5",
    "PNM, P3 of 255, 7 5",
    "PNM, plain: comment at the end",
]


def main():
    with open(os.path.join(HERE, "../image/corpus.bin"), "rb") as file:
        corpus = zlib.decompress(file.read())
    wanted = set(NAMES)
    at = 0
    while at < len(corpus):
        n, = struct.unpack_from("<H", corpus, at)
        name = corpus[at + 2:at + 2 + n].decode()
        at += 2 + n
        n, = struct.unpack_from("<I", corpus, at)
        if name in wanted:
            wanted.remove(name)
            path = name.replace(", ", "-").replace(": ", "-").replace(" ", "_")
            kind = name.split(",")[0]
            for target in {"image", TARGETS.get(kind, "image")}:
                folder = os.path.join(HERE, "seeds", target)
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, path.lower()), "wb") as out:
                    out.write(corpus[at + 4:at + 4 + n])
        at += 4 + n + 48
    assert not wanted, wanted


if __name__ == "__main__":
    main()
