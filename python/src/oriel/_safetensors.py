# SPDX-License-Identifier: Apache-2.0
"""Safetensors files, and files that appear whole or not at all."""
from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# An array of uint16 holds bfloat16, since numpy itself has none.
_KINDS = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16",
          np.dtype(np.uint16): "BF16", np.dtype(np.int64): "I64"}


def parts(tensors: Mapping[str, Array],
          metadata: Mapping[str, str] | None = None) -> list[bytes | memoryview]:
    """A file's contents, piece by piece: the head, then each tensor's memory.

    Args:
        tensors: arrays of float32, float16, int64, or uint16 for bfloat16.
        metadata: texts that the head keeps.
    """
    head: dict[str, Any] = {}
    if metadata:
        head["__metadata__"] = dict(metadata)
    begin = 0
    arrays = [np.ascontiguousarray(array) for array in tensors.values()]
    for name, array in zip(tensors, arrays):
        head[name] = {"dtype": _KINDS[array.dtype], "shape": list(array.shape),
                      "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)) + text,
            *(array.reshape(-1).view(np.uint8).data for array in arrays)]


def head_of(path: str) -> dict[str, Any]:
    """What a file's head says of its tensors.

    Raises:
        ValueError: this is no safetensors file, or it is cut short.
        OSError: it cannot be read.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size - 8:
            raise ValueError(f"{path}: the head is cut short")
        head = json.loads(file.read(length))
    if not isinstance(head, dict):
        raise ValueError(f"{path}: the head is not an object")
    head.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in head.values()), default=0)
    if end != size - 8 - length:
        raise ValueError(f"{path}: {size - 8 - length} bytes of data, expected "
                         f"{end}")
    return head


def write_whole(path: str, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file under another name in its folder, then rename it."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
