# SPDX-License-Identifier: Apache-2.0
"""png.py - a reader of the PNG files that the tool writes, in numpy"""
import struct
import zlib

import numpy as np


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def unfilter(kind, line, before):
    out = bytearray(line)
    for i, value in enumerate(out):
        left = out[i - 3] if i >= 3 else 0
        corner = before[i - 3] if i >= 3 else 0
        guess = (0, left, before[i], (left + before[i]) // 2)[kind] if kind < 4 else paeth(
            left, before[i], corner
        )
        out[i] = (value + guess) & 255
    return out


def read(path):
    """[height, width, 3] of a PNG of 8-bit RGB without interlacing."""
    data = open(path, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    at, body = 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + n]
        (crc,) = struct.unpack(">I", data[at + 8 + n : at + 12 + n])
        assert crc == zlib.crc32(kind + chunk), (path, kind)
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", chunk)
            assert form == [8, 2, 0, 0, 0], (path, form)
        elif kind == b"IDAT":
            body += chunk
        at += 12 + n
    raw = zlib.decompress(body)
    stride = 3 * width
    assert len(raw) == (stride + 1) * height, path
    rows, before = [], bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        before = unfilter(raw[start], raw[start + 1 : start + 1 + stride], before)
        rows.append(np.frombuffer(bytes(before), np.uint8))
    return np.stack(rows).reshape(height, width, 3).astype(np.int32)
