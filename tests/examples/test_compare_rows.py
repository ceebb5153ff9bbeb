#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare_rows accepts the rows it should, and nothing else.

Usage: test_compare_rows.py COMPARE_ROWS EXPECTED_ROWS

Makes outputs of `oriel encode` from the committed rows themselves, spoils them
in one way after another, and looks at the exit status and at the complaint.
"""
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM, EXPECTED = sys.argv[1], Path(sys.argv[2])
WIDTH = {"F32": 4, "I64": 8, "BF16": 2}


def read(path):
    data = path.read_bytes()
    n, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__")
    body = data[8 + n:]
    return metadata, {name: (t["dtype"], t["shape"],
                             body[slice(*t["data_offsets"])])
                      for name, t in header.items()}


def write(path, metadata, tensors):
    header, body = {"__metadata__": metadata}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def output_of(metadata, tensors, precision, scale=1.0):
    """What encode would have written, zeros where nothing is known."""
    _, (n, width), rows = tensors["rows"]
    places = struct.unpack(f"<{2 * n}q", tensors["places"][2])
    grids = struct.unpack(f"<{len(tensors['image_grid_thw'][2]) // 8}q",
                          tensors["image_grid_thw"][2])
    offsets = [0]
    for i in range(0, len(grids), 3):
        offsets.append(offsets[-1] + grids[i] * grids[i + 1] * grids[i + 2] // 4)
    embeddings = bytearray(offsets[-1] * width * 4)
    for i in range(n):
        row = rows[i * width * 4:(i + 1) * width * 4]
        if scale != 1.0:
            values = struct.unpack(f"<{width}f", row)
            row = struct.pack(f"<{width}f", *(scale * v for v in values))
        at = (offsets[places[2 * i]] + places[2 * i + 1]) * width * 4
        embeddings[at:at + width * 4] = row
    photos = json.loads(metadata["photos"])
    return ({"precision": precision,
             "sources": json.dumps(["some/folder/" + p for p in photos])},
            {"embeddings": ("F32", [offsets[-1], width], bytes(embeddings)),
             "offsets": ("I64", [len(offsets)],
                         struct.pack(f"<{len(offsets)}q", *offsets)),
             "image_grid_thw": tensors["image_grid_thw"]})


def cases(metadata, tensors):
    """Name, the output, the exit status, what is said."""
    exact = lambda p, s=1.0: output_of(metadata, tensors, p, s)
    yield "exact fp32", exact("fp32"), 0, "the rows agree"
    yield "1e-2 away in bf16", exact("bf16", 1.01), 0, "the rows agree"
    yield "1e-2 away in fp32", exact("fp32", 1.01), 1, "DO NOT AGREE"
    yield "5e-2 away in bf16", exact("bf16", 1.05), 1, "DO NOT AGREE"
    yield "turned around", exact("bf16", -1.0), 1, "DO NOT AGREE"
    yield "not a number", exact("bf16", float("nan")), 1, "DO NOT AGREE"

    meta, made = exact("fp32")
    other = dict(made)
    dtype, shape, data = other["embeddings"]
    other["embeddings"] = (dtype, shape, data[shape[1] * 4:]
                           + bytes(shape[1] * 4))
    yield "one row off", (meta, other), 1, "DO NOT AGREE"
    yield "a photograph missing", (
        dict(meta, sources=json.dumps(
            ["a.png", *json.loads(meta["sources"])[1:]])), made), 1, \
        "not in the output"
    other = dict(made)
    dtype, shape, data = other["image_grid_thw"]
    other["image_grid_thw"] = (dtype, shape, data[8:16] + data[8:])
    yield "another grid", (meta, other), 1, "of another size"
    other = dict(made, embeddings=("BF16", made["embeddings"][1],
                                   made["embeddings"][2][::2]))
    yield "bf16 rows", (meta, other), 1, "--dtype f32"
    other = dict(made, embeddings=("F32", [1 << 40, 1 << 40], b""))
    yield "a huge shape", (meta, other), 1, "malformed"
    other = {k: v for k, v in made.items() if k != "offsets"}
    yield "no offsets", (meta, other), 1, "no tensor offsets"
    other = dict(made)
    dtype, shape, data = other["offsets"]
    other["offsets"] = (dtype, shape, data[:8] + b"\xff" * 7 + b"\x7f"
                        + data[16:])
    yield "offsets beyond the rows", (meta, other), 1, "not in the output"


def main():
    metadata, tensors = read(EXPECTED)
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.safetensors"

        def run(name, status, said):
            nonlocal failed, passed
            result = subprocess.run([PROGRAM, str(EXPECTED), str(path)],
                                    capture_output=True, text=True)
            text = result.stdout + result.stderr
            if result.returncode == status and said in text:
                passed += 1
            else:
                failed += 1
                print(f"{name}: exit {result.returncode}, expected {status} "
                      f"and '{said}' in:\n{text}", file=sys.stderr)

        for name, made, status, said in cases(metadata, tensors):
            write(path, *made)
            run(name, status, said)
        whole = path.read_bytes()
        for name, data in (("empty", b""), ("a stump", whole[:100]),
                           ("a huge header", b"\xff" * 16),
                           ("no JSON", struct.pack("<Q", 4) + b"oops")):
            path.write_bytes(data)
            run(name, 1, "compare_rows: ")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
