#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write corpus.bin: small image files and what Pillow makes of each.

    python make_corpus.py [corpus.bin]

Needs Pillow 13.0.0 (with libjpeg-turbo 3.2 and libwebp 1.6), numpy, and a C
compiler with libjpeg's header for make_jpeg.c.  The result is the same bytes
every time.

corpus.bin is one zlib stream of, for each file, little-endian: u16 length and
the name; u32 length and the bytes; then for (drop, unturned), (drop, turned),
(white, unturned), (white, turned) u32 width, height and CRC-32 of the RGB8
pixels, all 0 when the file is refused.
"""
import io
import os
import random
import struct
import sys
import zlib


import corpus_jpeg
import corpus_png
import corpus_pnm
import corpus_webp
import reference
from mutate import mutate

HERE = os.path.dirname(os.path.abspath(__file__))

# Where the specification decides against Pillow: broken EXIF refuses nothing,
# a compression method but 0 does.  'unturned': as if there were no EXIF.
UNTURNED = "unturned"
REFUSED = "refused"


def expectations(data, rule):
    for white in (False, True):
        for orient in (False, True):
            if rule == REFUSED:
                yield (0, 0, 0)
                continue
            rgb = reference.decode(data, white, orient and rule != UNTURNED)
            if isinstance(rgb, Exception):
                yield (0, 0, 0)
            else:
                yield (rgb.shape[1], rgb.shape[0], zlib.crc32(rgb.tobytes()))


def mutations(files, rng, count):
    """Files of every kind with a few bytes changed, cut out or put in."""
    for i in range(count):
        name, data, _ = rng.choice(files)
        yield "mutation %d of %s" % (i, name), mutate(rng, data), None


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE,
                                                              "corpus.bin")
    rng = random.Random(20261124)
    files = []
    for module in (corpus_png, corpus_jpeg, corpus_webp, corpus_pnm):
        files += [(name, data, rule) for name, data, rule in
                  module.files(random.Random(1))]
    plain = [f for f in files if f[2] is None and len(f[1]) < 3000
             and "progressive" not in f[0]]
    files += list(mutations(plain, rng, 400))
    # After the mutations, which depend on all that comes before them.
    for module in (corpus_png, corpus_jpeg, corpus_webp, corpus_pnm):
        files += module.rare(random.Random(2))
    accepted = 0
    corpus = io.BytesIO()
    for name, data, rule in files:
        name = name.encode()
        corpus.write(struct.pack("<H", len(name)) + name)
        corpus.write(struct.pack("<I", len(data)) + data)
        results = list(expectations(data, rule))
        accepted += results[3][0] > 0
        for result in results:
            corpus.write(struct.pack("<III", *result))
    with open(path, "wb") as out:
        out.write(zlib.compress(corpus.getvalue(), 9))
    print("%d files, %d of them accepted, %d bytes" %
          (len(files), accepted, os.path.getsize(path)))


if __name__ == "__main__":
    main()
