# SPDX-License-Identifier: Apache-2.0
"""BMP files of every header, depth and compression, written by hand."""
import io
import struct

import pictures


def header(size, width, height, bits, compression=0, colors=0, masks=()):
    if size == 12:
        return struct.pack("<IHHHH", 12, width, height, 1, bits)
    out = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits,
                      compression, 0, 2835, 2835, colors, 0)
    if size >= 52:
        out += b"".join(struct.pack("<I", m) for m in masks)
    out = out.ljust(size, b"\0")[:size]
    if size < 52:
        out += b"".join(struct.pack("<I", m) for m in masks[:3])
    return out


def bmp(head, palette, pixels, offset=None):
    start = 14 + len(head) + len(palette)
    if offset is None:
        offset = start
    return (b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, offset)
            + head + palette + pixels)


def rows(width, height, bits, rng):
    stride = (width * bits + 31) // 32 * 4
    return rng.randbytes(stride * height)


def palette_of(n, size, grey=False):
    step = 1 if grey else 37
    out = b""
    for i in range(n):
        color = [(step * i + (0 if grey else 70 * c)) % 256 for c in range(3)]
        out += bytes(color) + (b"" if size == 12 else b"\0")
    return out


MASKS = [
    (32, (0xff0000, 0xff00, 0xff, 0)),
    (32, (0xff000000, 0xff0000, 0xff00, 0)),
    (32, (0xff000000, 0xff00, 0xff, 0)),
    (32, (0xff000000, 0xff0000, 0xff00, 0xff)),
    (32, (0xff, 0xff00, 0xff0000, 0xff000000)),
    (32, (0xff0000, 0xff00, 0xff, 0xff000000)),
    (32, (0xff000000, 0xff00, 0xff, 0xff0000)),
    (32, (0, 0, 0, 0)),
    (24, (0xff0000, 0xff00, 0xff, 0)),
    (16, (0xf800, 0x7e0, 0x1f, 0)),
    (16, (0x7c00, 0x3e0, 0x1f, 0)),
    (16, (0xf00, 0xf0, 0xf, 0xf000)),
    (32, (0x3ff00000, 0xffc00, 0x3ff, 0)),
]


def rle8(width, height, rng):
    out = b""
    for _ in range(height):
        left = width
        while left > 0:
            n = min(left, rng.randrange(1, 9))
            if rng.random() < 0.5 or n < 3:
                out += bytes([n, rng.randrange(16)])
            else:
                data = bytes(rng.randrange(16) for _ in range(n))
                out += bytes([0, n]) + data + b"\0" * (n % 2)
            left -= n
        out += b"\0\0"
    return out + b"\0\1"


def rle4(width, height, rng):
    out = b""
    for _ in range(height):
        left = width
        while left > 0:
            n = min(left, rng.randrange(1, 9))
            if rng.random() < 0.5 or n < 3:
                out += bytes([n, rng.randrange(256)])
            else:
                data = rng.randbytes((n + 1) // 2)
                out += bytes([0, n]) + data + b"\0" * (len(data) % 2)
            left -= n
        out += b"\0\0"
    return out + b"\0\1"


def plain_files(rng):
    for size in (12, 40, 52, 56, 64, 108, 124):
        for bits in (1, 4, 8, 16, 24, 32, 2):
            n = 1 << bits if bits <= 8 else 0
            yield ("BMP, header %d, %d bits" % (size, bits),
                   bmp(header(size, 13, 7, bits), palette_of(n, size),
                       rows(13, 7, bits, rng)))
    for bits in (1, 4, 8, 16, 24, 32):
        n = 1 << bits if bits <= 8 else 0
        yield ("BMP, top down, %d bits" % bits,
               bmp(header(40, 11, -5, bits), palette_of(n, 40),
                   rows(11, 5, bits, rng)))
    for bits in (1, 4, 8):
        n = 1 << bits
        pixels = rows(13, 7, bits, rng)
        yield ("BMP, greys in order, %d bits" % bits,
               bmp(header(40, 13, 7, bits), palette_of(n, 40, True), pixels))
        yield ("BMP, black and white, %d bits" % bits,
               bmp(header(40, 13, 7, bits, colors=2),
                   b"\0\0\0\0\xff\xff\xff\0", pixels))
        yield ("BMP, white and black, %d bits" % bits,
               bmp(header(40, 13, 7, bits, colors=2),
                   b"\xff\xff\xff\0\0\0\0\0", pixels))
        yield ("BMP, three colours, %d bits" % bits,
               bmp(header(40, 13, 7, bits, colors=3), palette_of(3, 40),
                   pixels))
        yield ("BMP, one black, %d bits" % bits,
               bmp(header(40, 13, 7, bits, colors=1), b"\0\0\0\0", pixels))
    yield ("BMP, 300 colours", bmp(header(40, 5, 5, 8, colors=300),
                                   palette_of(300, 40), rows(5, 5, 8, rng)))
    yield ("BMP, 70000 colours", bmp(header(40, 5, 5, 8, colors=70000),
                                     b"", rows(5, 5, 8, rng)))


def mask_files(rng):
    for size in (40, 52, 56, 108, 124):
        for bits, masks in MASKS:
            yield ("BMP, header %d, masks %s of %d bits" %
                   (size, ",".join("%x" % m for m in masks), bits),
                   bmp(header(size, 9, 6, bits, 3, masks=masks), b"",
                       rows(9, 6, bits, rng)))
    yield ("BMP, masks of 8 bits",
           bmp(header(40, 9, 6, 8, 3, masks=MASKS[0][1]), palette_of(256, 40),
               rows(9, 6, 8, rng)))


def rle_files(rng):
    for size in ((1, 1), (13, 7), (40, 9)):
        for height in (size[1], -size[1]):
            yield ("BMP, RLE8, %dx%d" % (size[0], height),
                   bmp(header(40, size[0], height, 8, 1), palette_of(256, 40),
                       rle8(*size, rng)))
            yield ("BMP, RLE4, %dx%d" % (size[0], height),
                   bmp(header(40, size[0], height, 4, 2), palette_of(16, 40),
                       rle4(*size, rng)))
    head, colors = header(40, 6, 4, 8, 1), palette_of(256, 40)
    for name, data in (
            ("a delta", b"\2\7\0\2\1\1\3\x09\0\0\6\1\0\0\6\2\0\1"),
            ("a run over the row", b"\x09\7\0\0\6\1\6\2\6\3\0\1"),
            ("literals over the row", b"\0\x0a0123456789\6\1\6\2\6\3\6\3"),
            ("an early end", b"\6\1\6\2\0\1"),
            ("no end", b"\6\1\6\2\6\3\6\4"),
            ("cut", b"\6\1\6\2\6"),
            ("cut literals", b"\6\1\6\2\0\x0a01"),
            ("short rows", b"\3\1\0\0\2\2\0\0\1\3\0\0\4\4\0\0\0\1"),
            ("a far delta", b"\0\2\xff\xff"),
            ("runs of none", b"\0\0\0\0\6\1\6\2\6\3\6\4"),
            ("a run of a full row twice", b"\6\1\3\1\6\2\0\0\6\3\6\4")):
        yield "BMP, RLE8: %s" % name, bmp(head, colors, data)
    yield ("BMP, RLE8 of greys",
           bmp(header(40, 13, 7, 8, 1), palette_of(256, 40, True),
               rle8(13, 7, rng)))
    yield ("BMP, RLE8 of 4 bits", bmp(header(40, 13, 7, 4, 1),
                                      palette_of(16, 40), rle8(13, 7, rng)))
    yield ("BMP, RLE4 of 8 bits", bmp(header(40, 13, 7, 8, 2),
                                      palette_of(256, 40), rle4(13, 7, rng)))
    yield ("BMP, RLE8 of 24 bits", bmp(header(40, 13, 7, 24, 1), b"",
                                       rle8(13, 7, rng)))
    yield ("BMP, RLE8, black and white",
           bmp(header(40, 13, 7, 8, 1, colors=2), b"\0\0\0\0\xff\xff\xff\0",
               rle8(13, 7, rng)))


def odd_files(rng):
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        out = io.BytesIO()
        pictures.image(mode, 17, 9).save(out, "BMP")
        yield "BMP, Pillow's mode %s" % mode, out.getvalue()
    whole = bmp(header(40, 7, 5, 24), b"", rows(7, 5, 24, rng))
    yield "BMP, offset 0", bmp(header(40, 7, 5, 24), b"",
                               rows(7, 5, 24, rng), 0)
    yield ("BMP, offset that forgets the palette",
           bmp(header(40, 7, 5, 8), palette_of(256, 40), rows(7, 5, 8, rng),
               54))
    yield ("BMP, offset 0 with a palette",
           bmp(header(40, 7, 5, 8), palette_of(256, 40), rows(7, 5, 8, rng),
               0))
    yield "BMP, a gap before the pixels", bmp(
        header(40, 7, 5, 24), b"", b"gap!" + rows(7, 5, 24, rng), 58)
    yield "BMP, without the last padding", whole[:-3]
    yield "BMP, without the last pixel", whole[:-4]
    for i in range(2, 60, 6):
        yield "BMP, cut after %d" % i, whole[:i]
    for name, change in (("compression 4", header(40, 7, 5, 24, 4)),
                         ("compression 5", header(40, 7, 5, 24, 5)),
                         ("compression 6", header(40, 7, 5, 24, 6)),
                         ("no width", header(40, 0, 5, 24)),
                         ("no height", header(40, 7, 0, 24)),
                         ("a negative width", header(40, -7, 5, 24)),
                         ("a bomb", header(40, 60000, 60000, 24)),
                         ("a header of 16", header(40, 7, 5, 24)[:0] +
                          struct.pack("<I", 16) + header(40, 7, 5, 24)[4:])):
        yield "BMP, %s" % name, bmp(change, b"", rows(7, 5, 24, rng))


def files(rng):
    yield from plain_files(rng)
    yield from mask_files(rng)
    yield from rle_files(rng)
    yield from odd_files(rng)
