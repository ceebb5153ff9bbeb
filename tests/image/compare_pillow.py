#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decode files and random damage of them with liboriel-image and with Pillow.

    python compare_pillow.py liboriel-image.so [--mutations N] [--seed S] [--pad]
        FILE...

Prints each file that one takes and the other refuses, or whose pixels differ,
in any of the four combinations of alpha and orientation; with --pad as
damaged pictures are padded.  A FILE may be the corpus.bin of make_corpus.py.
Needs Pillow 13.0.0 and numpy.

Differences that are meant, counted apart:
  exif   the reference refuses for broken EXIF, which here refuses nothing
  scans  progressive JPEG in which scans are missing: how libjpeg smooths over
         them depends on its version
  other  PFM, Pillow's private PNM kinds, lossless JPEG (libjpeg-turbo 3),
         an unknown compression or interlace method of a PNG, two headers,
         APNG's chunks in places where they may not stand
"""
import argparse
import collections
import random
import struct
import sys
import zlib

import numpy as np

import oriel_image
import reference


def read_corpus(data):
    data = zlib.decompress(data)
    at = 0
    while at < len(data):
        n, = struct.unpack_from("<H", data, at)
        name = data[at + 2:at + 2 + n].decode()
        at += 2 + n
        n, = struct.unpack_from("<I", data, at)
        yield name, data[at + 4:at + 4 + n]
        at += 4 + n + 48


def read_files(paths):
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        if path.endswith("corpus.bin"):
            yield from read_corpus(data)
        else:
            yield path, data


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) or 1)
        data = data or bytearray(1)
        what = rng.randrange(10)
        if what == 0:
            del data[at:at + rng.randrange(1, 20)]
        elif what == 1:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif what == 2:
            del data[at:]
        elif what == 3:
            other = rng.randrange(len(data))
            data[at:at + 8] = data[other:other + 8]
        elif what < 6:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 6:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff))
        else:
            data[at] = rng.randrange(256)
    data = bytes(data)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = repair_crcs(data)
    return data


def repair_crcs(data):
    """Most damage to a PNG would end at its checksums."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        n, = struct.unpack_from(">I", data, at)
        body = data[at + 4:at + 8 + n]
        out += data[at:at + 4] + body
        if at + 12 + n <= len(data):
            out += struct.pack(">I", zlib.crc32(body))
        at += 12 + n
    return out + data[at:]


def is_meant(data, theirs, ours):
    if isinstance(ours, str) and any(text in ours for text in (
            "P1 to P6", "compression method", "interlace method",
            "IHDR: comes twice", "fdAT: expected fcTL and IDAT before",
            "Unsupported JPEG process", "sides of at most 65500")):
        return "other"
    if not isinstance(ours, str) and isinstance(theirs, Exception):
        return None
    if data.startswith(b"\xff\xd8") and (b"\xff\xc2" in data or
                                         b"\xff\xca" in data):
        if not isinstance(ours, str) and not isinstance(theirs, Exception):
            return "scans"
    return None


def compare(library, data, pad=False):
    """None, or what differs first and whether that is meant."""
    for white in (False, True):
        for orient in (False, True):
            theirs = reference.decode(data, white, orient, pad)
            ours = library.decode(data, white, orient, pad)
            refused = isinstance(theirs, Exception)
            if refused and isinstance(ours, str):
                continue
            if refused or isinstance(ours, str):
                kind = is_meant(data, theirs, ours)
                if refused and orient and not isinstance(
                        reference.decode(data, white, False, pad), Exception):
                    kind = "exif"
                return kind, "white %d, orient %d: Pillow %s, Oriel %s" % (
                    white, orient, repr(theirs) if refused else "accepts",
                    ours if isinstance(ours, str) else "accepts")
            if theirs.shape != ours.shape or not np.array_equal(theirs, ours):
                return is_meant(data, theirs, ours), (
                    "white %d, orient %d: pixels differ, %r and %r" %
                    (white, orient, theirs.shape, ours.shape))
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("liboriel_image", help="path of liboriel-image.so")
    parser.add_argument("--mutations", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pad", action="store_true")
    parser.add_argument("--keep", help="folder for files that differ")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    library = oriel_image.Library(args.liboriel_image)
    files = list(read_files(args.files))
    rng = random.Random(args.seed)
    counts = collections.Counter()

    def check(name, data):
        counts["files"] += 1
        result = compare(library, data, args.pad)
        if result:
            counts[result[0] or "DIFFER"] += 1
            if not result[0]:
                print("%s: %s" % (name, result[1]))
                if args.keep:
                    with open("%s/%d.bin" % (args.keep, counts["DIFFER"]),
                              "wb") as out:
                        out.write(data)
    if not args.mutations:
        for name, data in files:
            check(name, data)
    for i in range(args.mutations):
        name, data = rng.choice(files)
        check("mutation %d of %s" % (i, name), mutate(rng, data))
    print(", ".join("%d %s" % (n, what) for what, n in counts.items()))
    return 1 if counts["DIFFER"] else 0


if __name__ == "__main__":
    sys.exit(main())
