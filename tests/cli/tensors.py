# SPDX-License-Identifier: Apache-2.0
"""tensors.py - what pack.sh and pictures.sh do to safetensors files

  portrait REPORT OUT       the model's numbers out of a report of inspect
  metadata IN OUT KEY=TEXT...
                            other entries in the metadata; "KEY=" drops one,
                            "KEY/FIELD/..=JSON" changes a field of JSON in one,
                            and "KEY/FIELD=" makes it null
  spoil IN OUT              a value that is not finite
  unusual IN OUT            the tower of a folder of bf16 shards in one file,
                            in a layout that other tools write
"""
import glob
import json
import struct
import sys


def read(path):
    data = open(path, "rb").read()
    (n,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def write(path, header, data):
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def portrait(report, out):
    model = json.load(open(report))["model"]
    for passing in ("notes", "prefix"):
        del model[passing]
    json.dump(model, open(out, "w"), indent=1)


def change_metadata(path, out, *changes):
    header, data = read(path)
    metadata = header["__metadata__"]
    for change in changes:
        key, value = change.split("=", 1)
        if "/" in key:
            name, *fields = key.split("/")
            root = inner = json.loads(metadata[name])
            for field in fields[:-1]:
                inner = inner[field]
            inner[fields[-1]] = json.loads(value or "null")
            metadata[name] = json.dumps(root)
        elif value:
            metadata[key] = value
        else:
            del metadata[key]
    write(out, header, data)


def spoil(path, out):
    """A NaN in the last bias, which every token gets; bf16."""
    header, data = read(path)
    data = bytearray(data)
    at = header["visual.merger.mlp.2.bias"]["data_offsets"][0]
    data[at : at + 2] = b"\xc0\x7f"
    write(out, header, bytes(data))


def widened(raw):
    """bf16 as f32: the same values."""
    return b"".join(b"\0\0" + raw[i : i + 2] for i in range(0, len(raw), 2))


def channels_last(raw, shape):
    rows, channels = shape[:2]
    rest = shape[2] * shape[3] * shape[4]
    values = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    return b"".join(
        values[(row * channels + c) * rest + i]
        for row in range(rows)
        for i in range(rest)
        for c in range(channels)
    )


def unusual(folder, out):
    """Mixed dtypes, q k v apart in one block, a channels-last convolution, a
    wrapper's prefix, and a tensor that is not of the tower."""
    header, data = {}, []

    def add(name, dtype, shape, raw):
        at = sum(map(len, data))
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [at, at + len(raw)],
        }
        data.append(raw)

    for path in sorted(glob.glob(folder + "/*.safetensors")):
        tensors, body = read(path)
        tensors.pop("__metadata__", None)
        for name, t in tensors.items():
            begin, end = t["data_offsets"]
            raw, shape = body[begin:end], t["shape"]
            name = "teacher." + name
            if "patch_embed" in name:
                raw = channels_last(raw, shape)
                add(name, "BF16", [shape[0], *shape[2:], shape[1]], raw)
            elif "blocks.1.attn.qkv" in name:
                third = len(raw) // 3
                for i, part in enumerate("qkv"):
                    piece = raw[i * third : (i + 1) * third]
                    wide = part == "k"
                    add(
                        name.replace("qkv", part),
                        "F32" if wide else "BF16",
                        [shape[0] // 3, *shape[1:]],
                        widened(piece) if wide else piece,
                    )
            elif "norm" in name:
                add(name, "F32", shape, widened(raw))
            else:
                add(name, "BF16", shape, raw)
    add("teacher.visual.head.weight", "F32", [1], b"\0\0\0\0")
    write(out, header, b"".join(data))


if __name__ == "__main__":
    commands = {
        "portrait": portrait,
        "metadata": change_metadata,
        "spoil": spoil,
        "unusual": unusual,
    }
    commands[sys.argv[1]](*sys.argv[2:])
