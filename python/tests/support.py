# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share.  Only numpy is needed."""
import atexit
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "examples" / "photos"
PICTURES = ROOT / "tests" / "cli" / "pipelines"
LIMITS = {"min_pixels": 3136, "max_pixels": 50176}

_folder = None


def scratch() -> Path:
    """A folder of this process's, gone at its end."""
    global _folder
    if _folder is None:
        made = tempfile.mkdtemp(prefix="oriel-python-")
        owner = os.getpid()
        # A forked child must leave it alone.
        atexit.register(lambda: os.getpid() == owner
                        and shutil.rmtree(made, ignore_errors=True))
        _folder = Path(made)
    return _folder


def tool(*arguments: object) -> str:
    """Run the tool as users of the package do."""
    return subprocess.run(
        [sys.executable, "-m", "oriel", *map(str, arguments)], check=True,
        capture_output=True, text=True, cwd=scratch()).stdout


def tiny() -> Path:
    """A checkpoint of random weights: 4 blocks, patches of 4 pixels."""
    folder = scratch() / "tiny"
    if not folder.exists():
        tool("synth", "--config", "tiny", folder)
    return folder


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a file; BF16 as its bits."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    kinds = {"F32": "<f4", "BF16": "<u2", "F16": "<f2", "I64": "<i8"}
    return {name: np.frombuffer(
        content[8 + length:][slice(*entry["data_offsets"])],
        kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()}


def noise(height: int, width: int, *front: int, seed: int = 0) -> np.ndarray:
    """uint8 [*front, height, width, 3] of repeatable noise."""
    return np.random.default_rng(seed).integers(
        0, 256, (*front, height, width, 3), np.uint8)


def ppm(picture: np.ndarray) -> bytes:
    """A picture as a file."""
    height, width = picture.shape[:2]
    return b"P6 %d %d 255\n" % (width, height) + picture.tobytes()
