#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write exact.bin and close.bin: small files and what Pillow makes of each.

    python make_corpus.py

Needs Pillow 13.0.0, pillow-heif 1.8.1 and numpy.  Each result is one zlib
stream of, for each file, little-endian: u16 length and the name; u32 length
and the bytes; then

  exact.bin  (GIF, BMP, TIFF, AVIF) for (drop, unturned), (drop, turned),
             (white, unturned), (white, turned): u32 width, height and CRC-32
             of the RGB8 pixels, as tests/image/corpus.bin
  close.bin  (HEIC) for drop and white, turned: u32 width, height, and the RGB8
             pixels, [height, width, 3]

All 0, and no pixels, where the file is refused.  GIF and BMP come with damaged
copies; how TIFF, AVIF and HEIC are damaged is up to their libraries.
"""
import io
import os
import random
import struct
import sys
import zlib

import pillow_heif

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "../image"))

import corpus_bmp  # noqa: E402
import corpus_gif  # noqa: E402
import corpus_heif  # noqa: E402
import corpus_tiff  # noqa: E402
from mutate import mutate  # noqa: E402
import reference  # noqa: E402

pillow_heif.register_heif_opener()
reference.FORMATS.update(GIF=5, BMP=6, TIFF=7, AVIF=8, HEIF=9)

# Pillow leaves the missing rows black, for files without compression alone.
REFUSED = {"TIFF, the last strip missing"}


def mutations(files, rng, count):
    small = [f for f in files if len(f[1]) < 1200]
    for i in range(count):
        name, data = rng.choice(small)
        yield "mutation %d of %s" % (i, name), mutate(rng, data)


def write_file(out, name, data):
    name = name.encode()
    out.write(struct.pack("<H", len(name)) + name)
    out.write(struct.pack("<I", len(data)) + data)


def exact(files):
    out = io.BytesIO()
    for name, data in files:
        write_file(out, name, data)
        for white in (False, True):
            for orient in (False, True):
                rgb = reference.decode(data, white, orient)
                if isinstance(rgb, Exception) or name in REFUSED:
                    out.write(bytes(12))
                else:
                    out.write(struct.pack("<III", rgb.shape[1], rgb.shape[0],
                                          zlib.crc32(rgb.tobytes())))
    return out.getvalue()


def close(files):
    out = io.BytesIO()
    for name, data in files:
        write_file(out, name, data)
        for white in (False, True):
            rgb = reference.decode(data, white, True)
            if isinstance(rgb, Exception):
                out.write(bytes(8))
            else:
                out.write(struct.pack("<II", rgb.shape[1], rgb.shape[0]))
                out.write(rgb.tobytes())
    return out.getvalue()


def main():
    files = []
    for module in (corpus_gif, corpus_bmp):
        own = list(module.files(random.Random(1)))
        files += own + list(mutations(own, random.Random(2), 200))
    files += corpus_tiff.files(random.Random(1))
    files += corpus_heif.avif_files()
    heic = list(corpus_heif.heic_files())
    for name, corpus in (("exact.bin", exact(files)),
                         ("close.bin", close(heic))):
        with open(os.path.join(HERE, name), "wb") as out:
            out.write(zlib.compress(corpus, 9))
        print(name, os.path.getsize(os.path.join(HERE, name)), "bytes")
    print(len(files), "and", len(heic), "files")


if __name__ == "__main__":
    main()
