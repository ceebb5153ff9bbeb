# SPDX-License-Identifier: Apache-2.0
"""Checks on the folder that oriel extract writes, with numpy alone.

extract.py make                    pictures, archives and lists in this folder
extract.py folder FOLDER           parts, manifest, failed.jsonl and run.json
                                   agree with each other and with the files
extract.py ids FOLDER ID...        the manifest's ids, failed ones with "!"
extract.py value FOLDER ID KEY JSON  one value of a line; KEY may be a.b
extract.py rows FOLDER FILE        all rows equal oriel encode's FILE
extract.py pooled FOLDER FILE H W  means over cells of oriel encode's f32 FILE
extract.py parts FOLDER N          so many parts
"""
import ctypes
import glob
import io
import json
import os
import random
import re
import struct
import sys
import tarfile

import numpy as np


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def xxh3_128(data):
    """By the library itself, not by code of ours."""
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_128bits.restype = Hash128
    library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    found = library.XXH3_128bits(data, len(data))
    return f"{found.high:016x}{found.low:016x}"


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
    return header, metadata, data


DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


def array(loaded, name):
    entry = loaded[0][name]
    begin, end = entry["data_offsets"]
    return np.frombuffer(loaded[2][begin:end],
                         DTYPES[entry["dtype"]]).reshape(entry["shape"])


def lines(folder, name="manifest.jsonl"):
    with open(os.path.join(folder, name)) as file:
        return [json.loads(line) for line in file]


def read_part(path):
    if path.endswith(".npy"):
        return np.load(path)
    return array(load(path), "embeddings")


def all_rows(folder):
    parts = {}
    rows = []
    for line in lines(folder):
        if line["status"] != "ok":
            continue
        shard = line["shard"]
        if shard not in parts:
            parts[shard] = read_part(os.path.join(folder, shard))
        rows.append(parts[shard][line["row_begin"]:line["row_end"]])
    return rows


def original(source):
    """The bytes of an input, by Python's own means; None: of a stream."""
    if os.path.isfile(source):
        with open(source, "rb") as file:
            return file.read()
    if os.path.isdir(source):
        return b"".join(original(os.path.join(source, name))
                        for name in sorted(os.listdir(source))
                        if name.endswith(".ppm"))
    archive, _, member = source.partition(".tar/")
    if not os.path.isfile(archive + ".tar"):
        return None
    with tarfile.open(archive + ".tar") as tar:
        return tar.extractfile(member).read()


def unescape(name):
    return re.sub(r"\\(\\|x[0-9a-f]{2})",
                  lambda m: "\\" if m[1] == "\\" else
                  os.fsdecode(bytes([int(m[1][1:], 16)])), name)


def check_folder(folder):
    with open(os.path.join(folder, "run.json")) as file:
        run = json.load(file)
    assert run["state"] == "complete", run["state"]
    manifest = lines(folder)
    failed = [line for line in manifest if line["status"] == "failed"]
    assert lines(folder, "failed.jsonl") == failed
    totals = run["totals"]
    assert totals["inputs"] == len(manifest)
    assert totals["failed"] == len(failed)
    good = [line for line in manifest if line["status"] == "ok"]
    assert totals["tokens"] == sum(line["tokens"] for line in good)
    assert totals["flops"] == sum(line["flops"] for line in good)
    assert all(line["reason"] and line["shard"] is None for line in failed)
    assert all(line["reason"] is None for line in good)
    expected = sorted(glob.glob(os.path.join(glob.escape(folder), "part-*")))
    assert totals["parts"] == len(expected)
    assert [os.path.basename(p) for p in expected] == sorted(
        {line["shard"] for line in good})
    for path in expected:
        mine = [line for line in good
                if line["shard"] == os.path.basename(path)]
        bounds = [0] + [line["row_end"] for line in mine]
        assert [line["row_begin"] for line in mine] == bounds[:-1]
        rows = read_part(path)
        assert rows.shape == (bounds[-1], run["options"]["columns"])
        most = run["options"]["shard_bytes"]
        assert rows.nbytes <= most or len(mine) == 1, rows.nbytes
        if path.endswith(".npy"):
            continue
        loaded = load(path)
        assert array(loaded, "offsets").tolist() == bounds
        assert array(loaded, "image_grid_thw").tolist() == [
            line["grid_thw"] for line in mine]
        assert json.loads(loaded[1]["ids"]) == [line["id"] for line in mine]
        assert loaded[1]["model_digest"] == run["model_digest"]
    for line in good:
        t, h, w = line["grid_thw"]
        assert line["tokens"] == t * h * w // 4
        data = original(unescape(line["source"]))
        assert data is None or xxh3_128(data) == line["hash"], line


def check_pooled(folder, path, height, width):
    loaded = load(path)
    rows = array(loaded, "embeddings").astype(np.float64)
    offsets = array(loaded, "offsets")
    grids = array(loaded, "image_grid_thw")
    for i, found in enumerate(all_rows(folder)):
        t, h, w = grids[i] // [1, 2, 2]
        image = rows[offsets[i]:offsets[i + 1]].reshape(t, h, w, -1)
        for y in range(height):
            for x in range(width):
                # torch's adaptive_avg_pool2d
                cell = image[:, y * h // height:-(-(y + 1) * h // height),
                             x * w // width:-(-(x + 1) * w // width)]
                mean = cell.mean(axis=(0, 1, 2))
                error = np.abs(found[y * width + x] - mean).max()
                assert error <= np.abs(mean).max() * 1e-6, (i, y, x, error)
    assert i + 1 == len(grids)


def ppm(width, height, seed):
    data = random.Random(seed).randbytes(width * height * 3)
    return b"P6 %d %d 255\n" % (width, height) + data


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def write_tar(path, members, **how):
    with tarfile.open(path, **{"mode": "w", **how}) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def make():
    sizes = random.Random(7)
    for i in range(12):
        folder = ["f", "f/b", "f/b/deep"][i % 3]
        write(f"{folder}/p{i:02d}.ppm",
              ppm(sizes.randint(28, 300), sizes.randint(28, 300), i))
    write("f/a.ppm", ppm(40, 40, 20))
    write("f/b-c.ppm", ppm(41, 40, 21))  # before f/b/, as '-' is before '/'
    write("f/plain", ppm(50, 50, 22))    # a picture by its content
    write("f/broken.jpg", b"no picture")
    write("f/cut.ppm", ppm(90, 90, 23)[:5000])
    write("f/notes.txt", b"Phantasie\n")  # begins with P, as PNM does
    write("f/b/BM", b"BMW drivers")       # begins with BM
    os.symlink("..", "f/b/up")
    samples = []
    for i in range(4):
        samples += [(f"d/{i:03d}.ppm", ppm(56 + i, 60, 30 + i)),
                    (f"d/{i:03d}.JSON", b'{"label": %d}' % i),
                    (f"d/{i:03d}.txt", "caption é".encode())]
    samples += [("d/two.left.ppm", ppm(60, 60, 40)),
                ("d/two.right.ppm", ppm(60, 60, 41)),
                ("d/two.bin", b"\xff\xfe\0"), ("README", b"x"),
                ("d/alone.txt", b"x"), ("d/bad.png", b"no picture")]
    write_tar("f/t.tar", samples)
    write_tar("pax.tar", [("é/ü.ppm", ppm(30, 30, 50))],
              format=tarfile.PAX_FORMAT)
    write_tar("packed.tar.gz", samples[:3], mode="w:gz")
    with open("f/t.tar", "rb") as file:
        write("cut.tar", file.read()[:30000])
    for i in range(4):
        write(f"clip/{i}.ppm", ppm(60, 60, 60 + i))
    write("uneven/0.ppm", ppm(60, 60, 70))
    write("uneven/1.ppm", ppm(60, 62, 71))
    os.makedirs("empty", exist_ok=True)
    write("list.jsonl", b'\n'.join([
        b'{"path": "f/a.ppm", "id": "first", "label": {"x": [1, 2.5]}}',
        b'{"path": "f/p00.ppm", "id": 17, "width": "mine"}',
        b'{"path": "missing.ppm"}', b'{"id": "no path"}', b'{broken',
        b'{"path": "f/p03.ppm", "index": 40}',
        b'{"path": "https://example.org/a.jpg"}', b'']))


def ids(folder):
    return [("!" if line["status"] == "failed" else "") + line["id"]
            for line in lines(folder)]


def main(what, *rest):
    if what == "make":
        make()
    elif what == "folder":
        check_folder(*rest)
    elif what == "ids":
        assert ids(rest[0]) == list(rest[1:]), ids(rest[0])
    elif what == "value":
        (line,) = [line for line in lines(rest[0]) if line["id"] == rest[1]]
        for key in rest[2].split("."):
            line = line[key]
        assert line == json.loads(rest[3]), line
    elif what == "rows":
        expected = load(rest[1])
        found = b"".join(rows.tobytes() for rows in all_rows(rest[0]))
        assert found == array(expected, "embeddings").tobytes()
    elif what == "pooled":
        check_pooled(rest[0], rest[1], int(rest[2]), int(rest[3]))
    elif what == "parts":
        found = glob.glob(os.path.join(glob.escape(rest[0]), "part-*"))
        assert len(found) == int(rest[1]), found
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
