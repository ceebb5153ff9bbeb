# SPDX-License-Identifier: Apache-2.0
"""JPEG files for make_corpus.py: Pillow's, make_jpeg.c's, and damaged ones."""
import io
import os
import struct
import subprocess
import tempfile

import numpy as np
from PIL import Image

from corpus_png import tiff, xmp

HERE = os.path.dirname(os.path.abspath(__file__))


def picture(rng, width, height, bands):
    noise = np.random.RandomState(rng.randrange(2**31))
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + b) + y * (7 - b) + 40 * b +
               noise.randint(0, 30, x.shape)) % 256 for b in range(bands)]
    pixels = np.stack(planes, -1).astype(np.uint8)
    if bands == 1:
        return Image.fromarray(pixels[:, :, 0])
    return Image.fromarray(pixels, {3: "RGB", 4: "CMYK"}[bands])


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def segment(marker, data):
    return struct.pack(">HH", 0xff00 | marker, len(data) + 2) + data


def put(data, extra):
    """Segments right after the start of the image."""
    return data[:2] + extra + data[2:]


def written(rng):
    for width, height in ((1, 1), (8, 8), (17, 23), (40, 33), (129, 5)):
        for bands in (1, 3, 4):
            image = picture(rng, width, height, bands)
            for progressive in (False, True):
                for subsampling in (0, 1, 2) if bands == 3 else (0,):
                    yield ("%d bands, %dx%d, progressive %d, subsampling %d" %
                           (bands, width, height, progressive, subsampling),
                           saved(image, progressive=progressive, quality=80,
                                 subsampling=subsampling))
    for width, height in ((9000, 3), (5, 4000)):
        y, x = np.mgrid[0:height, 0:width]
        steps = np.uint8(x // 64 * 5 % 256 + y // 64 * 9 % 256)
        image = Image.fromarray(np.stack([steps, ~steps, steps // 2], -1))
        for value in (1, 5, 8):
            yield ("wide: %dx%d, turned %d" % (width, height, value), put(
                saved(image, quality=30), segment(0xe1, b"Exif\0\0" +
                                                  tiff(value))))
    image = picture(rng, 50, 40, 3)
    yield ("restart markers", saved(image, restart_marker_blocks=2))
    yield ("restart rows", saved(image, restart_marker_rows=1))
    yield ("kept as RGB", saved(image, keep_rgb=True))
    yield ("quality 1", saved(image, quality=1))
    yield ("optimised", saved(image, optimize=True))
    yield ("more than a portion", saved(
        Image.fromarray(np.random.RandomState(5).randint(
            0, 256, (160, 160, 3), np.uint8)), quality=97, subsampling=0))


def made(rng):
    del rng
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "make_jpeg")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-o", program,
                        os.path.join(HERE, "make_jpeg.c"), "-ljpeg"],
                       check=True)
        for arguments in (
                "33 21 ycc 1x1 1 0 0", "33 21 ycc 2x2 1 0 0",
                "33 21 ycc 2x2 1 1 0", "33 21 grey 1x1 1 0 3",
                "33 21 ycck 1x1 0 0 0", "33 21 ycck 2x2 0 1 0",
                "33 21 ycck 2x1 1 0 0", "33 21 cmyk 1x1 1 0 0",
                "33 21 ycc 1x2 0 0 0", "33 21 ycc 1x2 0 1 0",
                "33 21 ycc 4x1 0 0 0", "33 21 ycc 1x4 0 0 0",
                "33 21 ycc 4x2 0 0 5", "33 21 ycc 2x4 0 0 0",
                "33 21 ycc 3x1 0 0 0", "33 21 rgb 1x1 0 0 0",
                "33 21 rgb 2x2 0 0 0", "33 21 cmyk 2x2 0 0 1"):
            yield (arguments, subprocess.run(
                [program] + arguments.split(), check=True,
                capture_output=True).stdout)
        # Arithmetic coding cannot wait for data: it is refused where the scan
        # lies across the end of a portion.
        small = subprocess.run([program] + "33 21 ycc 1x1 1 0 0".split(),
                               check=True, capture_output=True).stdout
        for n in (64000, 64700, 65000):
            yield ("arithmetic after %d bytes" % n,
                   put(small, segment(0xfe, bytes(n))))


def metadata(rng):
    base = saved(picture(rng, 37, 33, 3))
    grey = saved(picture(rng, 37, 33, 1))
    cmyk = saved(picture(rng, 37, 33, 4))
    app1 = b"http://ns.adobe.com/xap/1.0/\0"
    for value in range(10):
        exif = segment(0xe1, b"Exif\0\0" + tiff(value))
        yield ("EXIF %d" % value, put(base, exif))
        yield ("EXIF %d, little-endian, grey" % value,
               put(grey, segment(0xe1, b"Exif\0\0" + tiff(value, "<"))))
        yield ("EXIF %d, CMYK" % value, put(cmyk, exif))
        yield ("XMP %d" % value, put(base, segment(0xe1, app1 + xmp(value))))
        yield ("XMP element %d" % value,
               put(base, segment(0xe1, app1 + xmp(value, True))))
    exif = b"Exif\0\0" + tiff(6)
    for cut in (6, 7, 13, 14, 15, 20, 27):
        yield ("EXIF in two at %d" % cut, put(
            base, segment(0xe1, exif[:cut]) +
            segment(0xe1, b"Exif\0\0" + exif[cut:])))
    yield ("EXIF in three", put(base, segment(0xe1, exif[:16]) + segment(
        0xe1, b"Exif\0\0" + exif[16:18]) +
        segment(0xe1, b"Exif\0\0" + exif[18:])))
    yield ("EXIF 1 and XMP 6", put(base, segment(
        0xe1, b"Exif\0\0" + tiff(1)) + segment(0xe1, app1 + xmp(6))))
    yield ("EXIF of another tag and XMP 6", put(base, segment(
        0xe1, b"Exif\0\0" + tiff(1, tag=40000)) +
        segment(0xe1, app1 + xmp(6))))
    yield ("XMP twice", put(base, segment(0xe1, app1 + xmp(6)) +
                            segment(0xe1, app1 + xmp(3))))
    yield ("EXIF after the pixels", base[:-2] + segment(0xe1, exif) +
           base[-2:])
    yield ("EXIF header alone", put(base, segment(0xe1, b"Exif\0\0")))
    mpf = b"MPF\0" + b"II*\0\x08\0\0\0\2\0" + struct.pack(
        "<HHIIHHII", 0xb001, 4, 1, 2, 0xb002, 7, 32, 50) + bytes(4 + 8) + \
        struct.pack("<IIIHHIIIHH", 0x030000, len(base), 0, 0, 0, 0, 100, 200,
                    0, 0)
    yield ("MPO", put(base, segment(0xe2, mpf)) + grey)
    yield ("MPO with EXIF", put(base, segment(0xe2, mpf) +
                                segment(0xe1, exif)) + grey)
    yield ("broken MPO", put(base, segment(0xe2, mpf[:40])))


def broken_exif(rng):
    base = saved(picture(rng, 9, 8, 3))
    inches = saved(picture(rng, 9, 8, 3), dpi=(72, 72))
    for name, data in (("", base), (" with a resolution", inches)):
        for what, exif in (("garbage", b"garbage garbage"),
                           ("short", b"MM\0*"), ("a letter", b"M")):
            yield ("broken EXIF: " + what + name,
                   put(data, segment(0xe1, b"Exif\0\0" + exif)))


def damage(rng):
    base = saved(picture(rng, 40, 30, 3), subsampling=2)
    progressive = saved(picture(rng, 40, 30, 3), progressive=True)
    restarts = saved(picture(rng, 40, 30, 3), restart_marker_blocks=1)
    grey = saved(picture(rng, 40, 30, 1))
    for name, data in (("baseline", base), ("progressive", progressive),
                       ("restarts", restarts), ("grey", grey)):
        for cut in (2, 3, 4, 10, 20, 40, 160, 400, 560, 590, 605, 620, 640,
                    700, 800, len(data) - 20, len(data) - 3, len(data) - 2,
                    len(data) - 1):
            yield ("%s cut at %d" % (name, cut), data[:cut])
        scan = data.index(b"\xff\xda")
        for at in range(scan + 14, len(data) - 2, max(1, len(data) // 9)):
            for value in (b"\0", b"\xff", b"\x80", b"\xff\xd9", b"\xff\xd0",
                          b"\xff\xd3", b"\xff\xc0"):
                # How scans that never come are smoothed over depends on
                # libjpeg's version.
                if name == "progressive" and value == b"\xff\xd9":
                    continue
                yield ("%s: %s at %d" % (name, value.hex(), at),
                       data[:at] + value + data[at + len(value):])
        end = data[:-2]
        for what, tail in (("garbage after", data + b"garbage"),
                           ("no end, garbage", end + b"garbage"),
                           ("twice", data + data),
                           ("a marker at the end", end + b"\xff\xc0\xff\xd9"),
                           ("two ends", data + b"\xff\xd9")):
            yield ("%s: %s" % (name, what), tail)
    sof = base.index(b"\xff\xc0")
    dqt = base.index(b"\xff\xdb")
    for name, at, value in (
            ("12 bits", sof + 4, b"\x0c"), ("no height", sof + 5, b"\0\0"),
            ("no width", sof + 7, b"\0\0"), ("higher", sof + 5, b"\0\x50"),
            ("less high", sof + 5, b"\0\x10"), ("wider", sof + 7, b"\0\x50"),
            ("2 components", sof + 9, b"\2"), ("5 components", sof + 9, b"\5"),
            ("65501 wide", sof + 7, struct.pack(">H", 65501)),
            ("65535 squared", sof + 5, b"\xff\xff\xff\xff"),
            ("sampling 0", sof + 11, b"\0"), ("sampling 5", sof + 11, b"\x51"),
            ("extended", sof + 1, b"\xc1"), ("progressive", sof + 1, b"\xc2"),
            ("arithmetic", sof + 1, b"\xc9"),
            ("differential", sof + 1, b"\xc5"), ("DHP", sof + 1, b"\xde"),
            ("EXP", sof + 1, b"\xdf"), ("JPG", sof + 1, b"\xc8"),
            ("another table", sof + 12, b"\1"), ("no table", sof + 12, b"\3"),
            ("16-bit table", dqt + 4, b"\x10"), ("table 5", dqt + 4, b"\5"),
            ("length 0", dqt + 2, b"\0\0"), ("length 1", dqt + 2, b"\0\1"),
            ("length 2", dqt + 2, b"\0\2"), ("length 3", dqt + 2, b"\0\3"),
            ("length 65535", dqt + 2, b"\xff\xff"),
            ("not a marker", dqt, b"\xff\x01"),
            ("no marker", dqt, b"\x12\x34"), ("fill", dqt, b"\xff\xff")):
        yield ("header: " + name, base[:at] + value + base[at + len(value):])
    for name, extra in (
            ("garbage", b"garbage"), ("fill bytes", b"\xff\xff\xff\xff"),
            ("an escaped FF", b"\xff\0\xff\0"), ("TEM", b"\xff\1"),
            ("reserved 02", b"\xff\2"), ("RST", b"\xff\xd0"),
            ("SOI", b"\xff\xd8"), ("EOI", b"\xff\xd9"),
            ("EOI and SOI", b"\xff\xd9\xff\xd8"), ("JPG0", b"\xff\xf0"),
            ("JPG13", b"\xff\xfd"), ("comment", segment(0xfe, b"hello")),
            ("empty comment", segment(0xfe, b"")),
            ("comment of length 1", b"\xff\xfe\0\1"),
            ("DNL", segment(0xdc, b"\0\x1e")), ("DRI", segment(0xdd, b"\0\1")),
            ("short DRI", segment(0xdd, b"\0")),
            ("DAC", segment(0xcc, b"\0\1")), ("DHT", segment(0xc4, b"\0\1")),
            ("EXP", segment(0xdf, b"\0")), ("short JFIF", segment(
                0xe0, b"JFIF\0\1")), ("JFIF of 7", segment(
                    0xe0, b"JFIF\0\1\1")), ("short Adobe", segment(
                        0xee, b"Adobe\0")), ("Adobe of 7", segment(
                            0xee, b"Adobe\0d")),
            ("Adobe transform 0", segment(0xee, b"Adobe\0d\0\0\0\0\0")),
            ("Adobe transform 1", segment(0xee, b"Adobe\0d\0\0\0\0\1")),
            ("Adobe transform 2", segment(0xee, b"Adobe\0d\0\0\0\0\2")),
            ("short ICC", segment(0xe2, b"ICC_PROFILE\0\1")),
            ("ICC", segment(0xe2, b"ICC_PROFILE\0\1\1abc")),
            ("ICC, a part short", segment(0xe2, b"ICC_PROFILE\0\1\2abc") +
             segment(0xe2, b"ICC_PROFILE\0\2")),
            ("ICC, the first part short", segment(
                0xe2, b"ICC_PROFILE\0\2\2abc") +
             segment(0xe2, b"ICC_PROFILE\0\1")),
            ("Photoshop", segment(0xed, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" +
                                  b"\0\0\0\3abc\0")),
            ("Photoshop, cut name", segment(0xed, b"Photoshop 3.0\x008BIM\4\4")
             ), ("Photoshop, cut code", segment(
                 0xed, b"Photoshop 3.0\x008BIM\4")),
            ("Photoshop, long name", segment(
                0xed, b"Photoshop 3.0\x008BIM\4\4\x50abc")),
            ("Photoshop, cut resolution, then a cut name", segment(
                0xed, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\2ab8BIM\4\4")),
            ("Photoshop, a resource, then a cut name", segment(
                0xed, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\2ab8BIM\4\4"))):
        yield ("before: " + name, put(base, extra))
        yield ("before the frame: " + name, base[:sof] + extra + base[sof:])
        scan = base.index(b"\xff\xda")
        yield ("before the scan: " + name, base[:scan] + extra + base[scan:])
    yield ("frame twice", base[:sof] + base[sof:sof + 19] + base[sof:])
    yield ("another frame before", base[:sof] + base[sof:sof + 5] + b"\0\2" +
           base[sof + 7:sof + 19] + base[sof:])
    yield ("no tables", base[:2] + base[sof:])
    yield ("tables apart", base[:sof] + b"\xff\xd9\xff\xd8" + base[sof:])
    yield ("empty", b"\xff\xd8\xff\xd9")
    yield ("three bytes", b"\xff\xd8\xff")


def files(rng):
    for source in (written, made, metadata, damage):
        for name, data in source(rng):
            yield ("JPEG, " + name, data, None)
    for name, data in broken_exif(rng):
        yield ("JPEG, " + name, data, "unturned")


def rare_files(rng):
    """What no file above has: short segments, repeated and foreign ones."""
    base = saved(picture(rng, 17, 23, 3))
    sof, sos = base.index(b"\xff\xc0"), base.index(b"\xff\xda")
    icc = b"ICC_PROFILE\0\1\1abc"
    for name, extra in [
            ("segment %02x of three bytes" % marker, segment(marker, b"abc"))
            for marker in (0xe0, 0xe1, 0xe2, 0xed, 0xee)] + [
            ("another APP1", segment(0xe1, b"http://example.com/\0" + b"x" * 60)),
            ("another APP2", segment(0xe2, b"ICC_PROFILES\0\1\1abc")),
            ("JFIF in APP1", segment(0xe1, b"JFIF\0")),
            ("Adobe in APP0", segment(0xe0, b"Adobe")),
            ("ICC twice", 2 * segment(0xe2, icc)),
            ("ICC, then its head", segment(0xe2, icc) + segment(0xe2, icc[:14])),
            ("ICC, then cut", segment(0xe2, icc) + segment(0xe2, icc[:13])),
            ("Photoshop, no 8BIM", segment(
                0xed, b"Photoshop 3.0\0MeSa\4\4\0\0\0\0\0\0")),
            ("Photoshop, cut size", segment(
                0xed, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0")),
            ("Photoshop, whole resolution", segment(
                0xed, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\x10" +
                b"\0" * 16)),
            ("three long comments", 3 * segment(0xfe, bytes(65000)))]:
        yield ("rare: " + name, put(base, extra))
    for n in (0, 3, 5, 7):
        yield ("rare: frame header of %d bytes" % n, base[:sof] + segment(
            0xc0, base[sof + 4:sof + 4 + n]) + base[sof + 19:])
    yield ("rare: 3 components, room for one", base[:sof] + segment(
        0xc0, base[sof + 4:sof + 13]) + base[sof + 19:])
    yield ("rare: 65535 wide", base[:sof + 7] + b"\xff\xff" + base[sof + 9:])
    yield ("rare: 65535 high", base[:sof + 5] + b"\xff\xff" + base[sof + 7:])
    yield ("rare: scan header of no bytes",
           base[:sos] + b"\xff\xda\0\2" + base[sos + 14:])
    for marker in (0xc3, 0xc4, 0xc8, 0xc9, 0xca, 0xcb):
        yield ("rare: after the pixels %02x, cut" % marker,
               base[:-2] + bytes([0xff, marker, 0]))
    yield ("rare: cut in a long comment",
           put(base, 2 * segment(0xfe, bytes(65000)))[:100000])


def rare(rng):
    for name, data in rare_files(rng):
        yield ("JPEG, " + name, data, None)
