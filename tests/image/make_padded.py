#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write padded.bin, here and in ../formats: damaged files and what Pillow makes
of each with ImageFile.LOAD_TRUNCATED_IMAGES = True.

    python make_padded.py PYTHON2

Needs what make_corpus.py of both folders needs.  PYTHON2 is a Python whose
Pillow comes with libjpeg-turbo 2.1, such as Debian 12's python3-pil: it says
what that library makes of progressive JPEGs that are cut.  These are called
"turbo 2: ..." or "turbo 3: ...".  The format is that of corpus.bin.
"""
import io
import os
import random
import re
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
FORMATS = os.path.join(HERE, "../formats")
sys.path.append(FORMATS)

from PIL import Image  # noqa: E402

import corpus_bmp  # noqa: E402
import corpus_gif  # noqa: E402
import corpus_heif  # noqa: E402
import corpus_jpeg  # noqa: E402
import corpus_png  # noqa: E402
import corpus_pnm  # noqa: E402
import corpus_tiff  # noqa: E402
import corpus_webp  # noqa: E402
from mutate import mutate  # noqa: E402
import reference  # noqa: E402

reference.FORMATS.update(GIF=5, BMP=6, TIFF=7, AVIF=8)

# What docs/inputs.md lists as refused here and padded by the reference, or
# otherwise treated; and faults in EXIF, which refuse nothing here.
APART = ("EXIF", "DDAT", "fdAT", "part", "header: twice", "second of no mode",
         "IHDR", "differential", "wide", "compression method",
         "interlace", "MiB of texts", "progressive", "a long line",
         "greys in order", "8+ bits", "one frame and more", "APNG")

SECOND = """
import io, struct, sys, zlib
from PIL import Image, ImageFile, features
assert features.version("libjpeg_turbo").startswith("2.1")
ImageFile.LOAD_TRUNCATED_IMAGES = True
data = sys.stdin.buffer.read()
try:
    rgb = Image.open(io.BytesIO(data)).convert("RGB")
    print(rgb.width, rgb.height, zlib.crc32(rgb.tobytes()))
except (OSError, SyntaxError):
    print(0, 0, 0)
"""


def without_head(data):
    """A PNG without the last 4 to 7 bytes, if they are the head of a chunk that
    is cut: Pillow refuses such a file with LOAD_TRUNCATED_IMAGES, and accepts
    it without, if no pixels are missing."""
    at = 8
    while data.startswith(b"\x89PNG") and at + 4 <= len(data):
        if len(data) < at + 8:
            return data[:at]
        at += 12 + struct.unpack_from(">I", data, at)[0]
    return data


def results_of(data):
    data = without_head(data)
    for white in (False, True):
        for orient in (False, True):
            rgb = reference.decode(data, white, orient, pad=True)
            yield ((0, 0, 0) if isinstance(rgb, Exception) else
                   (rgb.shape[1], rgb.shape[0], zlib.crc32(rgb.tobytes())))


def write(out, name, data, results):
    name = name.encode()
    out.write(struct.pack("<H", len(name)) + name)
    out.write(struct.pack("<I", len(data)) + data)
    for result in results:
        out.write(struct.pack("<III", *result))


def is_apart(name):
    """Also what stands after the place where it belongs; but corpus_gif's cuts,
    whose names end with "after N", are no such files."""
    return (any(text in name for text in APART)
            or re.search(r"after(?! \d+$)", name))


def plain(module, rng):
    """Files that the reference accepts whole."""
    for name, data, *_ in module.files(rng):
        if (len(data) < 4000 and not is_apart(name)
                and not isinstance(reference.decode(data), Exception)):
            yield name, data


def cuts(name, data, first, rng, count):
    for _ in range(count):
        end = rng.randrange(first, len(data))
        yield "%s, cut after %d" % (name, end), data[:end]


def sample(files, rng, count):
    files = list(files)
    return rng.sample(files, min(count, len(files)))


def chunk_starts(data):
    at = 8
    while at + 8 <= len(data):
        yield data[at + 4:at + 8], at
        at += 12 + struct.unpack_from(">I", data, at)[0]


def png_chunks(name, data):
    """Cut between chunks and within each; a CRC wrong, of each chunk."""
    for kind, at in chunk_starts(data):
        label = "%s, %s at %d" % (name, kind.decode("latin-1"), at)
        for more in (0, 4, 8):
            yield "%s, cut %d on" % (label, more), data[:at + more]
        n, = struct.unpack_from(">I", data, at)
        end = at + 8 + n
        if end < len(data):
            wrong = bytes([data[end] ^ 1])
            yield label + ", wrong CRC", data[:end] + wrong + data[end + 1:]


def first_pixel(data):
    """Of a TIFF: where its first strip begins, unless a directory follows."""
    image = Image.open(io.BytesIO(data))
    offsets = image.tag_v2.get(273) or image.tag_v2.get(324)
    first = min(offsets)
    order = "<" if data[:2] == b"II" else ">"
    big = data[2 if order == "<" else 3] == 43
    directory, = struct.unpack_from(order + ("Q" if big else "I"), data,
                                    8 if big else 4)
    return first if directory < first else None


def tiff_files(rng):
    for name, data in plain(corpus_tiff, random.Random(1)):
        image = Image.open(io.BytesIO(data))
        first = first_pixel(data)
        if first is not None and first < len(data):
            yield (name, data, first,
                   2 if image.info["compression"] == "raw" else 0)


def progressive():
    rng = random.Random(9)
    for width, height, bands in ((40, 33, 3), (64, 48, 3), (50, 37, 1),
                                 (33, 21, 4)):
        data = corpus_jpeg.saved(corpus_jpeg.picture(rng, width, height, bands),
                                 progressive=True, quality=75)
        scans = [i for i in range(len(data) - 1)
                 if data[i:i + 2] == b"\xff\xda"]
        for scan in scans:
            for on in (0, 14, 40):
                end = min(scan + on, len(data) - 2)
                yield ("JPEG, progressive, %d bands, %dx%d, cut after %d" %
                       (bands, width, height, end), data[:end])


def fdat_without_number():
    """The file ends where the number of an fdAT would stand."""
    frame = struct.pack(">IIIIIHHBB", 0, 9, 8, 0, 0, 1, 10, 0, 0)
    rows = b"".join(bytes(1) + bytes(range(9 * y, 9 * y + 9)) for y in range(8))
    before = (corpus_png.chunk(b"acTL", struct.pack(">II", 1, 0)) +
              corpus_png.chunk(b"fcTL", frame))
    return corpus_png.png(9, 8, 8, 0, rows, before, bytes(4) + b"fdAT", end=b"")


def image_files(rng):
    yield "PNG, animation, fdAT without a number", fdat_without_number()
    jpeg = sample(plain(corpus_jpeg, random.Random(1)), rng, 40)
    png = sample(plain(corpus_png, random.Random(1)), rng, 70)
    for name, data in jpeg + png:
        yield from cuts(name, data, len(data) // 3, rng, 4)
    for name, data in sample(png, rng, 12):
        yield from png_chunks(name, data)
    for name, data in sample(plain(corpus_pnm, random.Random(1)), rng, 40):
        yield from cuts(name, data, 3, rng, 3)
    for name, data in sample(plain(corpus_webp, random.Random(1)), rng, 12):
        yield from cuts(name, data, 16, rng, 2)
    for i in range(150):
        name, data = rng.choice(jpeg + png)
        yield "mutation %d of %s" % (i, name), mutate(rng, data)


def format_files(rng):
    own = []
    for module in (corpus_gif, corpus_bmp):
        own += sample(plain(module, random.Random(1)), rng, 50)
    for name, data in own:
        yield from cuts(name, data, 20, rng, 3)
    for i in range(150):
        name, data = rng.choice(own)
        yield "mutation %d of %s" % (i, name), mutate(rng, data)
    for name, data, first, count in tiff_files(rng):
        yield from cuts(name, data, first, rng, count)
    packed = [f for f in tiff_files(rng) if f[3] == 0]
    for name, data, first, _ in sample(packed, rng, 15):
        yield from cuts(name, data, first, rng, 1)
    avif = [f for f in corpus_heif.avif_files() if len(f[1]) < 4000]
    for name, data in sample(avif, rng, 10):
        yield from cuts(name, data, len(data) // 2, rng, 1)


def write_corpus(path, files, more=()):
    out = io.BytesIO()
    accepted = n = 0
    for name, data in files:
        results = list(results_of(data))
        write(out, name, data, results)
        accepted += results[3][0] > 0
        n += 1
    for name, data, results in more:
        write(out, name, data, results)
    with open(path, "wb") as file:
        file.write(zlib.compress(out.getvalue(), 9))
    print("%s: %d files, %d of them accepted, and %d by version, %d bytes" %
          (path, n, accepted, len(more), os.path.getsize(path)))


def by_version(python):
    for name, data in progressive():
        yield "turbo 3: " + name, data, list(results_of(data))
        said = subprocess.run([python, "-c", SECOND], input=data, check=True,
                              capture_output=True).stdout.split()
        yield "turbo 2: " + name, data, [tuple(map(int, said))] * 4


def main():
    write_corpus(os.path.join(HERE, "padded.bin"),
                 image_files(random.Random(20261129)),
                 list(by_version(sys.argv[1])))
    write_corpus(os.path.join(FORMATS, "padded.bin"),
                 format_files(random.Random(20261130)))


if __name__ == "__main__":
    main()
