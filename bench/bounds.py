#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The bounds of SECURITY.md on files made to cost much: processor time of a
decode, peak memory of preprocess, and the processor time that passes from
SIGTERM to its end.

    bench/bounds.py BUILD [--side N] [--allow FACTOR]

Prints a line of Markdown for each file, with what was measured over what is
allowed.  --side makes the pictures smaller.  The exit status is 1 when a ratio
is over FACTOR (default 1): processor time does not grow on a busy machine, but
caches are shared, so a test allows more.  The bound of a decode is that of a
processor that inflates GB_A_SECOND; what this one needs is measured beside it,
and on a slower one the bound is as much longer.  Standard library only."""
import argparse
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

GIB = 1 << 30
GB_A_SECOND = 1.0


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def zeros(n):
    """n zero bytes, deflated without being held."""
    z = zlib.compressobj(9)
    parts = [z.compress(bytes(min(1 << 24, n - at)))
             for at in range(0, n, 1 << 24)]
    return b"".join(parts) + z.flush()


def png(width, height, depth, colour, interlace=0, before=b"", rows=None):
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if rows is None:
        rows = height * (1 + (width * bits + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0,
                         interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
            + chunk(b"IDAT", zeros(rows)) + chunk(b"IEND", b""))


def png_texts(kind, n):
    """n chunks of 1 KB that inflate to a MiB each."""
    z = zlib.compressobj(9)
    body = z.compress(bytes((1 << 20) - 1000)) + z.flush(zlib.Z_SYNC_FLUSH)
    one = {"profiles": chunk(b"iCCP", b"a\0\0" + body),
           "nameless": chunk(b"zTXt", b"\0\0" + body),
           "broken": chunk(b"zTXt", b"Comment\0\0" + body + b"\x07")}[kind]
    return png(1, 1, 8, 2, before=one * n)


def png_interlaced(side):
    """Adam7 of 16 bits with alpha: seven passes over the rows."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = 0
    for x, y, dx, dy in passes:
        width, height = -(-(side - x) // dx), -(-(side - y) // dy)
        rows += height * (1 + 8 * width)
    return png(side, side, 16, 6, 1, rows=rows)


def jpeg(side, scans):
    """Grey and progressive: scans of end-of-band runs, which cost a pass over
    all blocks each."""
    def segment(marker, data):
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
    blocks = ((side + 7) // 8) ** 2
    bits = ("0" + "1" * 14) * (blocks // 32767 + 1)
    bits += "1" * (-len(bits) % 8)
    runs = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    out = (b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
           + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
           + segment(0xC4, b"\0\1" + bytes(15) + b"\0")
           + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
           + segment(0xDA, b"\1\1\0\0\0\0") + bytes((blocks + 7) // 8))
    for i in range(scans - 1):
        out += segment(0xDA, b"\1\1\0" + bytes([1, 63, 0x10 if i else 1]))
        out += runs.replace(b"\xff", b"\xff\0")
    return out + b"\xff\xd9"


def webp(side):
    """Lossless and of one colour: five codes of one symbol, and no bit a
    pixel."""
    fields = [(0x2F, 8), (side - 1, 14), (side - 1, 14), (0, 1), (0, 3), (0, 1),
              (0, 1), (0, 1)] + [(1, 1), (0, 1), (0, 1), (0, 1)] * 5
    value = at = 0
    for number, bits in fields:
        value |= number << at
        at += bits
    data = value.to_bytes(at // 8 + 9, "little")
    data += bytes(len(data) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(side):
    """RLE8 that skips to the end at once."""
    palette = bytes(1024)
    data = b"\0\1"
    return (struct.pack("<2sIHHI", b"BM", 54 + 1024 + len(data), 0, 0, 1078)
            + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0,
                          0, 256, 0) + palette + data)


def files(side):
    third = side // 3
    yield "PNG, 900 profiles", png_texts("profiles", 900)
    yield "PNG, 900 texts without a name", png_texts("nameless", 900)
    yield "PNG, 900 broken texts", png_texts("broken", 900)
    yield "PNG, 50 profiles", png_texts("profiles", 50)
    yield "PNG, 1 bit", png(side, side, 1, 0)
    yield "PNG, 8 bits", png(third, third, 8, 2)
    yield "PNG, 16 bits, alpha, interlaced", png_interlaced(third)
    yield "JPEG, 5 scans", jpeg(side, 5)
    yield "JPEG, 490 scans", jpeg(side, 490)
    yield "WebP, one colour", webp(min(side, 13000))
    yield "PNM, plain", (b"P1 %d %d\n" % (third, third)
                         + b"0 1\n" * (third * third // 2 + 1))
    yield "PNM, 16 bits", (b"P6 %d %d 1000\n" % (third, third)
                           + bytes(6 * third * third))
    yield "BMP, RLE that skips", bmp(side)


def slowness():
    """How much longer this processor takes to inflate than the bound's; at least
    1."""
    data, turns = zeros(1 << 20), 50
    began = time.process_time()
    for _ in range(turns):
        zlib.decompress(data)
    seconds = time.process_time() - began
    return max(1.0, seconds * GB_A_SECOND * 1e9 / (turns << 20))


def peak_of(command):
    """Exit status, and peak bytes."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def processor_seconds(pid):
    """So far; 0 for a process that has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return 0.0
    ticks = fields[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def seconds_to_stop(command, wait):
    """Processor time from SIGTERM, 'wait' seconds after the start, to the end:
    on a machine with nothing else to do no less than the time that passes."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(wait)
    before = processor_seconds(child.pid)
    os.kill(child.pid, signal.SIGTERM)
    _, _, usage = os.wait4(child.pid, 0)
    return usage.ru_utime + usage.ru_stime - before


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--side", type=int, default=13000)
    parser.add_argument("--allow", type=float, default=1.0)
    options = parser.parse_args()
    tools = options.build.resolve() / "bin"
    worst, slow = 0.0, slowness()
    print(f"Time to inflate, of the bound's processor: {slow:.1f}\n")
    print("| file | bytes | status | decode, of its bound | peak, of its bound "
          "| SIGTERM to end, of 1 s |\n| --- | ---: | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        command = [tools / "oriel", "preprocess", path, "-q", "-f", "-o",
                   os.path.join(folder, "o"), "--threads", "1"]
        for name, data in files(options.side):
            pathlib.Path(path).write_bytes(data)
            decode = json.loads(subprocess.run(
                [tools / "oriel_bench_bounds", path], check=True,
                stdout=subprocess.PIPE).stdout)
            _, peak = peak_of(command)
            memory = peak / (GIB + 11 * decode["width"] * decode["height"])
            stop = max(seconds_to_stop(command, wait)
                       for wait in (0.05, 0.2, 0.5))
            print(f"| {name} | {len(data)} | {decode['status']} | "
                  f"{decode['ratio'] / slow:.3f} | {memory:.3f} | {stop:.3f} |",
                  flush=True)
            worst = max(worst, decode["ratio"] / slow, memory, stop)
    return worst > options.allow


if __name__ == "__main__":
    sys.exit(main())
