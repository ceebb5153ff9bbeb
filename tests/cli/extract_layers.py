# SPDX-License-Identifier: Apache-2.0
"""extract_layers.py - rows of oriel extract against Hugging Face's hidden states

  extract_layers.py make FILE         the picture of tests/golden's case "photo"
  extract_layers.py check FOLDER ID   its rows in a folder, of precision fp32

The golden file keeps some whole rows of each state, in image order, and of every
row the dot products with a few vectors of +1 and -1.
"""
import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "weights")]
import extract  # noqa: E402
import synth  # noqa: E402

GOLDEN = os.path.join(HERE, "..", "golden", "tiny.safetensors")
CASE = "photo"
WIDTH, HEIGHT = 70, 50
SEED = 1  # of the golden file and of its checkpoint
MOST = 1e-5  # relative error of fp32, as tests/golden/README.md has it


def uniform(name, n):
    return synth.uniform(synth.tensor_key(SEED, "golden." + name), 0, n)


def make(path):
    """As picture() of tests/golden/make_golden.py."""
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3),
                          indexing="ij")
    noise = uniform("picture", WIDTH * HEIGHT * 3)[(y * WIDTH + x) * 3 + c]
    pixels = (x * (3 + c) + y * (5 - c)) // 4 + 2 * ((x ^ y) & 31)
    pixels = ((pixels + (noise * 16).astype(np.int64)) & 255).astype(np.uint8)
    with open(path, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT) + pixels.tobytes())


def find(folder, name):
    """The line of the manifest, its rows, and after how many blocks: None is all
    of the network."""
    with open(os.path.join(folder, "manifest.jsonl"), encoding="utf-8") as file:
        line = next(line for line in map(json.loads, file) if line["id"] == name)
    part = extract.load(os.path.join(folder, line["shard"]))
    header = part[0]["embeddings"]
    rows = extract.array(part, "embeddings").reshape(header["shape"])
    words = part[1]["rows_are"].split()
    return (line, rows[line["row_begin"]:line["row_end"]].astype(np.float64),
            None if words == ["embeddings"] else int(words[3]))


def check(folder, name):
    line, rows, layer = find(folder, name)
    golden = extract.load(GOLDEN)
    tag = "out" if layer is None else f"h{layer}"

    def kept(key):
        entry = golden[0][f"{CASE}.{key}"]
        kind = {"F32": "<f4", "I64": "<i8", "I32": "<i4"}[entry["dtype"]]
        begin, end = entry["data_offsets"]
        return np.frombuffer(golden[2][begin:end], kind).reshape(entry["shape"])

    assert line["grid_thw"] == kept("grid_thw")[0].tolist(), line["grid_thw"]
    dots = kept(tag + ".dots").astype(np.float64)
    assert len(rows) == len(dots), (len(rows), len(dots))
    at = kept("out.at" if layer is None else "h0.at")
    expected = kept(tag + ".rows").astype(np.float64)
    error = np.linalg.norm(rows[at] - expected, axis=1)
    worst = (error / np.linalg.norm(expected, axis=1)).max()
    assert worst < MOST, f"{tag}: a row's relative error is {worst:.2e}"
    # The last vector of a state has all channels; those of embeddings all have.
    signs = uniform("out.0" if layer is None else "vector.3", rows.shape[1])
    column = dots[:, 0 if layer is None else 3]
    error = rows @ np.where(signs < 0, -1.0, 1.0) - column
    norm = np.linalg.norm(rows)
    assert np.linalg.norm(error) / norm < MOST, \
        f"{tag}: relative error {np.linalg.norm(error) / norm:.2e} of all rows"


if __name__ == "__main__":
    (make if sys.argv[1] == "make" else check)(*sys.argv[2:])
