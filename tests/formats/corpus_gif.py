# SPDX-License-Identifier: Apache-2.0
"""GIF files: Pillow's own, and blocks put together by hand."""
import io
import struct

import pictures


def save(image, **options):
    out = io.BytesIO()
    image.save(out, "GIF", **options)
    return out.getvalue()


def lzw(indexes, bits):
    """Codes without compression: a clear code before the table can grow."""
    clear, end = 1 << bits, (1 << bits) + 1
    codes = []
    for i, index in enumerate(indexes):
        if i % ((1 << bits) - 2 or 1) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(end)
    value = 0
    for i, code in enumerate(codes):
        value |= code << i * (bits + 1)
    data = value.to_bytes((len(codes) * (bits + 1) + 7) // 8, "little")
    blocks = [data[i:i + 255] for i in range(0, len(data), 255)]
    return (bytes([bits]) + b"".join(bytes([len(b)]) + b for b in blocks)
            + b"\0")


def palette(n, step):
    return bytes((step * i + 60 * c) % 256 for i in range(n) for c in range(3))


def gif(screen, frames, colors=b"", between=b"", version=b"89a"):
    flags = 0x80 | (len(colors) // 3).bit_length() - 2 if colors else 0
    out = b"GIF" + version + struct.pack("<HHBBB", *screen, flags, 0, 0)
    return out + colors + between + b"".join(frames) + b";"


def frame(left, top, width, height, data, flags=0, colors=b""):
    if colors:
        flags |= 0x80 | (len(colors) // 3).bit_length() - 2
    return (b"," + struct.pack("<HHHHB", left, top, width, height, flags)
            + colors + data)


def control(transparent=None, disposal=0):
    flags = (transparent is not None) | disposal << 2
    return b"!\xf9\4" + bytes([flags, 0, 0, transparent or 0]) + b"\0"


def files(rng):
    square = lzw([(x * 3 + y) % 16 for y in range(6) for x in range(5)], 4)
    wide = lzw([i % 256 for i in range(300)], 8)
    colors = palette(16, 13)
    for mode in ("1", "L", "P"):
        for size in ((1, 1), (17, 23), (40, 30)):
            for interlace in (0, 1):
                yield ("GIF, mode %s, %dx%d, interlace %d" %
                       (mode, *size, interlace),
                       save(pictures.image(mode, *size), interlace=interlace))
    for height in range(1, 18):
        yield ("GIF, interlaced rows %d" % height,
               gif((4, height), [frame(0, 0, 4, height, lzw(
                   [i % 16 for i in range(4 * height)], 4), 0x40)], colors))
    yield "GIF, transparency", save(pictures.image("P", 20, 20),
                                    transparency=5)
    yield "GIF, transparency in grey", save(pictures.image("L", 20, 20),
                                            transparency=77)
    yield "GIF, animation", save(
        pictures.image("P", 20, 20), save_all=True, loop=0, duration=50,
        append_images=[pictures.image("P", 20, 20, 2)])
    yield "GIF, 87a", gif((5, 6), [frame(0, 0, 5, 6, square)], colors,
                          version=b"87a")
    yield "GIF, a frame inside", gif((9, 11), [frame(2, 3, 5, 6, square)],
                                     colors)
    yield ("GIF, a frame inside, transparent",
           gif((9, 11), [control(3), frame(2, 3, 5, 6, square)], colors))
    yield "GIF, a frame beyond", gif((4, 4), [frame(2, 3, 5, 6, square)],
                                     colors)
    yield "GIF, a local palette", gif(
        (5, 6), [frame(0, 0, 5, 6, square, colors=palette(16, 29))], colors)
    yield "GIF, no palette", gif((5, 6), [frame(0, 0, 5, 6, square)])
    yield ("GIF, a palette of greys in order",
           gif((5, 6), [frame(0, 0, 5, 6, square)],
               bytes(i for i in range(16) for _ in range(3))))
    yield "GIF, indexes beyond the palette", gif(
        (5, 6), [frame(0, 0, 5, 6, square)], palette(4, 90))
    yield "GIF, 8 bits", gif((20, 15), [frame(0, 0, 20, 15, wide)],
                             palette(256, 7))
    yield ("GIF, comments and an application",
           gif((5, 6), [b"!\xfe\5hello\3you\0", frame(0, 0, 5, 6, square)],
               colors, b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"))
    yield "GIF, junk between blocks", gif(
        (5, 6), [b"\0\0\x55", frame(0, 0, 5, 6, square)], colors)
    whole = gif((5, 6), [frame(0, 0, 5, 6, square)], colors)
    yield "GIF, no end", whole[:-1]
    yield "GIF, no terminator", whole[:-2]
    yield "GIF, no frame", gif((5, 6), [], colors)
    yield "GIF, a frame of no width", gif((5, 6), [frame(0, 0, 0, 6, square)],
                                          colors)
    yield "GIF, too few pixels", gif((5, 8), [frame(0, 0, 5, 8, square)],
                                     colors)
    yield "GIF, more pixels than the frame", gif(
        (5, 4), [frame(0, 0, 5, 4, square)], colors)
    yield "GIF, the header alone", whole[:13]
    yield "GIF, signature alone", whole[:6]
    for i in range(0, len(whole), 9):
        yield "GIF, cut after %d" % i, whole[:max(i, 6)]
    photo = save(pictures.image("L", 40, 30))
    for cut in (500, 900, len(photo) - 40):
        yield "GIF, a photograph cut after %d" % cut, photo[:cut]
    bomb = bytearray(whole)
    bomb[6:10] = b"\xff\xff\xff\xff"
    yield "GIF, 65535x65535", bytes(bomb)
