#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for fuzz_abi, fuzz_preprocess, fuzz_writer, fuzz_list and
fuzz_metadata, whose inputs are not files of a format.  Standard library only;
the same bytes every time."""
import pathlib
import struct

SEEDS = pathlib.Path(__file__).parent / "seeds"
# The table of calls in fuzz_abi.c, by number.
OPEN, MODEL, PLAN, GRIDS, ASK, SPLIT, ENCODE, PREPROCESS, ENCODER, DEVICE, \
    DESTROY, HOOKS = range(12)


def write(name, *parts):
    path = SEEDS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(bytes(part) for part in parts))


def plan(at, sizes):
    """Default options; 'sizes' of [width - 1, height - 1, frames]."""
    flat = [n for size in sizes for n in size]
    return [PLAN, 0, at, 0, len(sizes), *flat]


def encode(kind, index):
    return [ENCODE, 0, 0, 1, kind, index, 0, 0, 1]


def abi():
    opened = [OPEN, 0, 0]  # the model that stays open
    write("abi/open", [OPEN, 0, 0xc0], plan(0, [(9, 9, 1)]), [OPEN, 1, 0xce],
          [HOOKS, 5, 0], [OPEN, 0, 0xc0], [OPEN, 2, 0xdf])
    made = plan(0, [(15, 15, 1), (40, 20, 0)])
    write("abi/plan", opened, made, [ASK, 0, 0], [0] * 8, [MODEL, 0])
    write("abi/grids", opened, [GRIDS, 0, 0, 0, 1, 1, 4, 4], [ASK, 0, 0])
    write("abi/split", opened, [SPLIT, 0, 0, 3], [15, 15, 1] * 3)
    write("abi/encode", opened, made, [ENCODER, 0, 0, 0, 0], [0] * 48,
          encode(1, 0), encode(2, 2))
    write("abi/preprocess", opened, made, [PREPROCESS, 0, 1, 0],
          plan(1, [(20, 20, 3)]), [PREPROCESS, 1, 1, 0])
    write("abi/order", opened, made, [ENCODER, 0, 0, 0, 0], [0] * 48,
          [DESTROY, 0, 0], encode(1, 0), [DESTROY, 0, 1], [DESTROY, 0, 2])
    write("abi/memory", opened, [HOOKS, 3, 0], made, [HOOKS, 9, 0],
          [ENCODER, 0, 0, 0, 0], [0] * 48)
    write("abi/cancel", opened, made, [ENCODER, 0, 0, 0, 0], [0] * 48,
          [HOOKS, 0, 2], encode(1, 0))
    write("abi/device", opened, [DEVICE, 0, 0])


def preprocess():
    for flavour in range(4):
        write(f"preprocess/still_{flavour}", [flavour, 0, 0, 40, 30],
              [5, 0, 0, 0], range(0, 250, 7))
    write("preprocess/video", [1, 1, 2 | 32, 20, 33], [1, 2, 3, 0],
          range(0, 250, 3))
    write("preprocess/resized", [0, 0, 16, 50, 50, 2, 5], [9, 0, 0, 0],
          range(0, 250, 11))


def writer():
    write("writer/two", [11, 8, 2 | 16], [0 + 7 * 2], b"embeddings\0", [2, 3],
          [3 + 7], b"offsets\0", [2], b"format\0", b"1\0")
    write("writer/scalar", [0, 8, 1], [1], b"s\0")
    write("writer/empty", [3, 9, 1], [2 + 7 * 3], b"\xc3\xa9\0", [2, 0, 5])


def lists():
    write("list/plain", b"a.png\nb c.jpg\n\n# no name\nlast")
    write("list/windows", b"\xef\xbb\xbfa.png\r\nb.png\r\n")
    write("list/little", b"\xff\xfe", "a.png\n\u00e9\U0001f600\n".encode(
        "utf-16-le"))
    write("list/big", b"\xfe\xff", "a.png\nb\n".encode("utf-16-be"))
    write("list/null", b"a\0b\nc\0")


def tiff(order, kind, value):
    """A directory with one entry, tag 274."""
    numbers = {3: "HH", 4: "I"}[kind]
    data = struct.pack(order + numbers, *([value, 0][:len(numbers)]))
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        order + "IHHHI", 8, 1, 274, kind, 1) + data


def metadata():
    write("metadata/exif", [0], tiff("<", 3, 6))
    write("metadata/long", [0], b"Exif\0\0", tiff(">", 4, 8))
    write("metadata/profile", [1], b"\nexif\n      26\n",
          tiff(">", 3, 3).hex().encode())
    write("metadata/attribute", [2], b'<x tiff:Orientation="5"/>')
    write("metadata/element", [2], b"<tiff:Orientation>7</tiff:Orientation>")


if __name__ == "__main__":
    abi()
    preprocess()
    writer()
    lists()
    metadata()
