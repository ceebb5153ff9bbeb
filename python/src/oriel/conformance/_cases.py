# SPDX-License-Identifier: Apache-2.0
"""The cases: pictures, their grids, and the checkpoint, all made of numbers."""
from __future__ import annotations

import json
import struct
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _abi

U8 = npt.NDArray[np.uint8]
LIMITS = {"shortest_edge": 256, "longest_edge": 25600}

# Each a list of items, and an item (width, height, channels, frames).
CASES: dict[str, list[tuple[int, int, int, int]]] = {
    "square": [(96, 96, 3, 0)],  # nine whole windows; nothing is resized
    "odd": [(100, 60, 3, 0)],  # windows cut at both edges
    "shrunk": [(700, 300, 3, 0)],
    "grown": [(10, 6, 3, 0)],
    "thin": [(24, 200, 3, 0)],
    "alpha": [(72, 72, 4, 0)],  # on white, as transformers since 5.21
    "batch": [(96, 96, 3, 0), (64, 40, 3, 0)],
    "video": [(72, 48, 3, 4)],  # two frames a patch
}


def picture(width: int, height: int, channels: int, seed: int) -> U8:
    """uint8 [height, width, channels]: waves with edges and some noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = []
    for c in range(channels):
        wave = (x * (5 + 2 * c + seed) + y * (3 + c)) % 256
        edge = (((x // 9) + (y // (5 + c))) % 2) * 64
        mixed = (x * 2654435761 + y * 40503 + (c + seed) * 97531) >> 7
        planes.append((wave // 2 + edge + mixed % 61) % 256)
    return np.stack(planes, axis=-1).astype(np.uint8)


def png(pixels: U8) -> bytes:
    """A PNG of RGB or RGBA."""
    height, width, channels = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    kind = {3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return (struct.pack(">I", len(content)) + name + content
                + struct.pack(">I", check))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def items_of(case: str) -> list[list[U8]]:
    """The frames of each item; an image has one."""
    return [[picture(width, height, channels, seed + 10 * frame)
             for frame in range(max(frames, 1))]
            for seed, (width, height, channels, frames)
            in enumerate(CASES[case])]


def is_video(case: str) -> bool:
    return CASES[case][0][3] > 0


def write(folder: Path) -> None:
    """The checkpoint, every picture, and a list of the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model"
    if not model.exists():
        subprocess.run([_abi.native_file("bin", "oriel"), "synth", "--config",
                        "tiny", "--quiet", str(model)], check=True)
        for name in ("preprocessor_config.json",
                     "video_preprocessor_config.json"):
            file = model / name
            config = json.loads(
                (model / "preprocessor_config.json").read_text())
            config.pop("min_pixels", None)
            config.pop("max_pixels", None)
            if name.startswith("video"):
                config.pop("image_processor_type", None)
                config["do_sample_frames"] = False
            file.write_text(json.dumps({**config, "size": LIMITS}, indent=1))
    cases: dict[str, Any] = {}
    for case in CASES:
        files = []
        for i, frames in enumerate(items_of(case)):
            names = [f"{case}-{i}-{k}.png" for k in range(len(frames))]
            for name, frame in zip(names, frames):
                (folder / name).write_bytes(png(frame))
            files.append(names)
        cases[case] = {"items": files, "video": is_video(case)}
    (folder / "cases.json").write_text(json.dumps(cases, indent=1))


def read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Tensors of a file; bfloat16 widened to float32."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header: Mapping[str, Any] = json.loads(content[8:8 + length])
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
             "I64": "<i8", "U8": "u1"}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        data = np.frombuffer(
            content[8 + length:][slice(*entry["data_offsets"])],
            kinds[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            data = (data.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = data
    return tensors


def weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """The vision tensors of the kit's checkpoint, without their prefix."""
    found = {}
    for file in sorted((folder / "model").glob("*.safetensors")):
        for name, value in read_safetensors(file).items():
            found[name.removeprefix("visual.")] = value
    return found


def config(folder: Path) -> dict[str, Any]:
    text = (folder / "model" / "config.json").read_text()
    made: dict[str, Any] = json.loads(text)["vision_config"]
    return made
