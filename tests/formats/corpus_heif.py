# SPDX-License-Identifier: Apache-2.0
"""AVIF files by Pillow and HEIC files by pillow-heif, and damage of both."""
import io
import struct

import pillow_heif
from PIL import Image

import pictures


def avif(mode, width, height, **options):
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = pictures.smooth(width, height, channels)
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, "AVIF", speed=8, max_threads=1,
                                       **options)
    return out.getvalue()


def heic(mode, width, height, **options):
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = pictures.smooth(width, height, channels)
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    image = pillow_heif.from_pillow(Image.fromarray(pixels, mode))
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def replaced(data, old, new):
    assert data.count(old) >= 1, old
    return data.replace(old, new, 1)


def damage(name, data):
    for cut in (12, 40, 200, len(data) // 2, len(data) - 20):
        yield "%s, cut after %d" % (name, cut), data[:cut]
    at = data.index(b"ispe") + 8
    huge = struct.pack(">II", 60000, 60000)
    yield "%s, a bomb" % name, data[:at] + huge + data[at + 8:]
    small = struct.pack(">II", 8, 8)
    yield "%s, a size that is not true" % name, data[:at] + small + data[at + 8:]
    yield "%s, no primary item" % name, replaced(data, b"pitm", b"xxxx")
    yield "%s, no properties" % name, replaced(data, b"ipco", b"xxxx")
    yield "%s, no locations" % name, replaced(data, b"iloc", b"xxxx")


def avif_files():
    for mode in ("L", "RGB", "RGBA"):
        for size in ((1, 1), (16, 16), (33, 21), (64, 48)):
            yield "AVIF, mode %s, %dx%d" % (mode, *size), avif(mode, *size)
    for sampling in ("4:2:0", "4:2:2", "4:4:4", "4:0:0"):
        for kind in ("full", "limited"):
            yield ("AVIF, %s, %s" % (sampling, kind),
                   avif("RGB", 33, 21, subsampling=sampling, range=kind,
                        quality=90))
            yield ("AVIF, alpha, %s, %s" % (sampling, kind),
                   avif("RGBA", 33, 21, subsampling=sampling, range=kind,
                        quality=90))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        yield ("AVIF, orientation %d" % orientation,
               avif("RGB", 40, 24, exif=exif.tobytes()))
    yield "AVIF, XMP", avif(
        "RGB", 40, 24,
        xmp=b'<rdf:Description tiff:Orientation="6"/>')
    yield "AVIF, lossless", avif("RGB", 40, 24, quality=100,
                                 subsampling="4:4:4")
    out = io.BytesIO()
    frames = [pictures.image("RGB", 32, 32, seed) for seed in (1, 2)]
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:],
                   speed=8, max_threads=1)
    yield "AVIF, animation", out.getvalue()
    yield from damage("AVIF", avif("RGB", 33, 21))


def heic_files():
    for mode in ("L", "RGB", "RGBA"):
        for size in ((16, 16), (33, 21)):
            yield "HEIC, mode %s, %dx%d" % (mode, *size), heic(mode, *size)
    for chroma in (420, 422, 444):
        yield ("HEIC, chroma %d" % chroma,
               heic("RGB", 33, 21, quality=90, chroma=chroma))
        yield ("HEIC, alpha, chroma %d" % chroma,
               heic("RGBA", 33, 21, quality=90, chroma=chroma))
    yield "HEIC, limited", heic("RGB", 33, 21, full_range_flag=0)
    yield "HEIC, BT.709", heic("RGB", 33, 21, matrix_coefficients=1)
    yield "HEIC, lossless", heic("RGB", 33, 21, quality=-1)
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        yield ("HEIC, orientation %d" % orientation,
               heic("RGB", 40, 24, exif=exif.tobytes()))
    data = heic("RGB", 33, 21)
    yield "HEIC, brand mif1", data[:8] + b"mif1" + data[12:]
    yield from damage("HEIC", data)


def files(rng):
    yield from avif_files()
    yield from heic_files()
