# SPDX-License-Identifier: Apache-2.0
"""WebP files for make_corpus.py."""
import io
import struct

import numpy as np
from PIL import Image

from corpus_png import tiff, xmp


def picture(rng, width, height, bands):
    noise = np.random.RandomState(rng.randrange(2**31))
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + b) + y * (7 - b) + 40 * b +
               noise.randint(0, 30, x.shape)) % 256 for b in range(bands)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def files(rng):
    for name, data in all_files(rng):
        yield ("WebP, " + name, data, None)
    exif = saved(picture(rng, 9, 8, 3), exif=b"garbage garbage")
    yield ("WebP, broken EXIF", exif, "unturned")


def all_files(rng):
    for width, height in ((1, 1), (17, 23), (40, 33)):
        for bands in (3, 4):
            image = picture(rng, width, height, bands)
            for lossless in (False, True):
                yield ("%d bands, %dx%d, lossless %d" %
                       (bands, width, height, lossless),
                       saved(image, lossless=lossless, quality=70))
            yield ("%d bands, %dx%d, exact" % (bands, width, height),
                   saved(image, lossless=True, exact=True))
    image = picture(rng, 37, 33, 3)
    alpha = picture(rng, 37, 33, 4)
    for value in range(10):
        yield ("EXIF %d" % value, saved(image, exif=tiff(value)))
        yield ("EXIF %d, alpha" % value,
               saved(alpha, exif=b"Exif\0\0" + tiff(value, "<")))
        yield ("XMP %d" % value, saved(image, xmp=xmp(value)))
    yield ("EXIF 1 and XMP 6", saved(image, exif=tiff(1), xmp=xmp(6)))
    yield ("EXIF of another tag and XMP 6",
           saved(image, exif=tiff(1, tag=275), xmp=xmp(6)))
    frames = [picture(rng, 30, 20, 4) for _ in range(3)]
    for name, options in (("", {}), (", lossless", {"lossless": True}),
                          (", background", {"background": (9, 8, 7, 200)}),
                          (", turned", {"exif": tiff(6)})):
        yield ("animation" + name, saved(
            frames[0], save_all=True, append_images=frames[1:], **options))
    moved = saved(frames[0], save_all=True, append_images=frames[1:])
    at = moved.index(b"ANMF")
    # The first frame smaller than its canvas: what it leaves is transparent.
    larger = bytearray(moved)
    vp8x = moved.index(b"VP8X")
    larger[vp8x + 12:vp8x + 18] = struct.pack("<I", 49)[:3] + \
        struct.pack("<I", 39)[:3]
    yield ("animation on a larger canvas", bytes(larger))
    larger[at + 8] = 3
    larger[at + 11] = 2
    yield ("animation off the corner", bytes(larger))
    still = saved(image)
    clear = saved(alpha, lossless=True)
    for name, data in (("lossy", still), ("lossless", clear),
                       ("animation", moved), ("alpha", saved(alpha))):
        for cut in (4, 8, 11, 12, 15, 16, 20, 25, 30, 50, 100, len(data) // 2,
                    len(data) - 9, len(data) - 2, len(data) - 1):
            yield ("%s cut at %d" % (name, cut), data[:cut])
        yield ("%s and garbage" % name, data + b"garbage")
        for at in (4, 12, 15, 16, 20, 21, 24, 25, 26, 27, 28, 29, 40):
            # No canvas of millions of pixels.
            large = data[12:16] == b"VP8X" and at in (25, 26, 28, 29)
            for value in (0,) if large else (0, 0x2f, 0xff):
                yield ("%s: %02x at %d" % (name, value, at),
                       data[:at] + bytes([value]) + data[at + 1:])


def rare_files(rng):
    """What no file above has: EXIF and XMP of no bytes."""
    whole = saved(picture(rng, 9, 8, 3), exif=tiff(6))
    at = whole.index(b"EXIF")
    body = whole[8:at] + b"EXIF\0\0\0\0"
    yield ("rare: EXIF of no bytes",
           b"RIFF" + struct.pack("<I", len(body)) + body)
    small = saved(picture(rng, 9, 8, 4), save_all=True, append_images=[
        picture(rng, 9, 8, 4)])
    at = small.index(b"ANMF")
    yield ("rare: animation whose frame is cut", small[:at + 30])
    for name, more in (("", {}), (", turned", {"exif": tiff(6)})):
        wide = bytearray(saved(picture(rng, 9, 8, 3), save_all=True,
                               append_images=[picture(rng, 9, 8, 3)], **more))
        wide[24] += 4  # of the canvas
        wide[27] += 2
        yield ("rare: opaque animation on a larger canvas" + name, bytes(wide))


def rare(rng):
    for name, data in rare_files(rng):
        yield ("WebP, " + name, data, None)
