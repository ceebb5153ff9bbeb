#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kernel file has machine code for each GPU it should have.

    check_images.py LIBRARY FILES ARCHITECTURE... [and FILES ARCHITECTURE...]

LIBRARY holds one fat binary for each of FILES kernel files; each must have an
image for every ARCHITECTURE, written as CMake does: 80-real is machine code,
80-virtual is PTX.  After "and" come further files, whose images are those and no
others.  Reads the library itself, so no tool of CUDA is needed.
"""
import struct
import sys

MAGIC = 0xBA55ED50
PTX, MACHINE_CODE = 1, 2
SPECIFIC = 1 << 20  # the 'a' of sm_90a, among an image's flags


def section(library, wanted):
    """The bytes of a section of a 64-bit little-endian ELF file."""
    if library[:6] != b"\x7fELF\x02\x01":
        sys.exit("not a 64-bit ELF file")
    start, = struct.unpack_from("<Q", library, 0x28)
    size, count, names = struct.unpack_from("<HHH", library, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", library, start + i * size)
               for i in range(count)]
    for name, _, _, _, at, length in headers:
        text = headers[names][4] + name
        if library[text:library.index(b"\0", text)] == wanted:
            return library[at:at + length]
    sys.exit(f"no section {wanted.decode()}")


def images(fat_binary):
    """{'80-virtual', '90a-real', ...} of one fat binary, without its header."""
    found, at = set(), 0
    while at < len(fat_binary):
        kind, _, header, size = struct.unpack_from("<HHIQ", fat_binary, at)
        architecture, = struct.unpack_from("<I", fat_binary, at + 28)
        flags, = struct.unpack_from("<Q", fat_binary, at + 40)
        if kind not in (PTX, MACHINE_CODE) or header < 64:
            sys.exit(f"an image of kind {kind} with a header of {header} bytes")
        found.add(f"{architecture}{'a' if flags & SPECIFIC else ''}-"
                  f"{'real' if kind == MACHINE_CODE else 'virtual'}")
        at += header + size
    return found


def fat_binaries(data):
    at = 0
    while at + 16 <= len(data):
        magic, _, header, size = struct.unpack_from("<IHHQ", data, at)
        if magic == MAGIC:
            yield images(data[at + header:at + header + size])
            at += header + size
        else:
            at += 8  # padding


def main():
    if len(sys.argv) < 4:
        print(__doc__)
        return 2
    with open(sys.argv[1], "rb") as file:
        found = list(fat_binaries(section(file.read(), b".nv_fatbin")))
    files, *wanted_images = sys.argv[2:]
    wrong = 0
    if "and" in wanted_images:
        at = wanted_images.index("and")
        others, *alone = wanted_images[at + 1:]
        wanted_images = wanted_images[:at]
        has = found.count(set(alone))
        # Where those are all that is built, they are the others' too.
        if set(alone) == set(wanted_images):
            files = int(files) + int(others)
        elif has != int(others):
            print(f"{has} fat binaries with {', '.join(alone)} alone, expected "
                  f"{others}")
            wrong += 1
        else:
            found = [f for f in found if f != set(alone)]
    if len(found) != int(files):
        print(f"{len(found)} fat binaries, expected {files}")
        wrong += 1
    for wanted in wanted_images:
        without = sum(wanted not in has for has in found)
        if without:
            print(f"{wanted}: no image in {without} of {len(found)} fat "
                  "binaries")
            wrong += 1
    print(f"{len(found)} fat binaries with {', '.join(sorted(set().union(*found)))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
