# SPDX-License-Identifier: Apache-2.0
"""Checks on what the tool writes, with nothing but Python's own library.

packed.py sources FILE NAME...     the metadata's sources are exactly these
packed.py failed FILE NAME...      likewise those that failed
packed.py shape FILE TENSOR DTYPE N...
packed.py table FILE               offsets and grids agree with the rows
packed.py same FILE FILE           equal tensors and metadata
packed.py items FILE FILE...       the first is all others one after the other
packed.py digests FILE STACK TABLE  grids and pixel_values of each source are
                                   those of the table's lines of STACK
packed.py metadata FILE KEY VALUE...  of each KEY; "-": there is none
packed.py json FILE                valid JSON;  lines: one document a line
packed.py values FILE PATH VALUE...   items.0.tokens is VALUE, and so on

Names are given as they are in the file system, byte for byte.
"""
import hashlib
import json
import os
import re
import struct
import sys


def load(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__")
    end = 0
    for entry in header.values():
        begin, stop = entry["data_offsets"]
        assert begin == end, "a hole or an overlap"
        end = stop
    assert end == len(data), "data ends elsewhere"
    assert (8 + length) % 8 == 0, "data is not aligned"
    return header, metadata, data


def tensor(loaded, name):
    begin, end = loaded[0][name]["data_offsets"]
    return loaded[2][begin:end]


def unescape(name):
    """The reverse of what the tool does to names that are not UTF-8."""
    return re.sub(
        rb"\\(\\|x[0-9a-f]{2})",
        lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1][1:], 16)]),
        name.encode(),
    )


def names(loaded, key):
    entries = json.loads(loaded[1][key])
    if key == "failed":
        assert all(entry["error"] for entry in entries)
        entries = [entry["source"] for entry in entries]
    return [unescape(entry) for entry in entries]


def integers(loaded, name):
    data = tensor(loaded, name)
    return struct.unpack(f"<{len(data) // 8}q", data)


def check_table(loaded):
    header = loaded[0]
    grids = integers(loaded, "image_grid_thw")
    patches = [t * h * w for t, h, w in zip(*[iter(grids)] * 3)]
    if "pixel_values" in header:
        assert header["pixel_values"]["shape"][0] == sum(patches)
        return
    offsets = integers(loaded, "offsets")
    tokens = [b - a for a, b in zip(offsets, offsets[1:])]
    assert offsets[0] == 0 and tokens == [n // 4 for n in patches]
    assert header["embeddings"]["shape"][0] == offsets[-1]
    assert len(json.loads(loaded[1]["sources"])) == len(tokens)


def check_digests(loaded, stack, table):
    expected = {}
    with open(table) as file:
        for line in file:
            of, name, grid, digest = line.split()
            if of == stack:
                expected[name] = (grid, digest)
    grids = list(zip(*[iter(integers(loaded, "image_grid_thw"))] * 3))
    values = tensor(loaded, "pixel_values")
    row = 4 * loaded[0]["pixel_values"]["shape"][1]
    at, wrong = 0, []
    for source, grid in zip(names(loaded, "sources"), grids, strict=True):
        name = os.path.basename(os.fsdecode(source))
        end = at + row * grid[0] * grid[1] * grid[2]
        found = (",".join(map(str, grid)),
                 hashlib.sha256(values[at:end]).hexdigest()[:32])
        if found != expected.pop(name):
            wrong.append(name)
        at = end
    assert not wrong and not expected, (stack, wrong, expected)


def main(what, path, *rest):
    if what == "json":
        with open(path) as file:
            return json.load(file)
    if what == "lines":
        with open(path) as file:
            return [json.loads(line)["event"] for line in file]
    if what == "values":
        with open(path) as file:
            document = json.load(file)
        for keys, expected in zip(rest[::2], rest[1::2], strict=True):
            value = document
            for key in keys.split("."):
                value = value[int(key) if isinstance(value, list) else key]
            assert json.dumps(value) == expected, (keys, value)
        return
    loaded = load(path)
    if what in ("sources", "failed"):
        found = names(loaded, what)
        assert found == [os.fsencode(name) for name in rest], found
    elif what == "shape":
        entry = loaded[0][rest[0]]
        found = [entry["dtype"], *map(str, entry["shape"])]
        assert found == list(rest[1:]), found
    elif what == "table":
        check_table(loaded)
    elif what == "digests":
        check_digests(loaded, *rest)
    elif what == "metadata":
        for key, value in zip(rest[::2], rest[1::2], strict=True):
            found = loaded[1].get(key, "-")
            assert found == value, (key, found)
    elif what == "same":
        other = load(rest[0])
        assert loaded[0] == other[0], (loaded[0], other[0])
        assert loaded[1] == other[1], (loaded[1], other[1])
        assert loaded[2] == other[2], "the bytes differ"
    elif what == "items":
        name = next(iter(loaded[0]))
        parts = [tensor(load(part), name) for part in rest]
        assert tensor(loaded, name) == b"".join(parts), "the bytes differ"
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
