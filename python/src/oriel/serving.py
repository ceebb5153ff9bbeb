# SPDX-License-Identifier: Apache-2.0
"""Embeddings for vLLM and SGLang, in the forms that they take from outside.

Neither checks what it is given: too few rows, another width or an odd grid fail
late, or give a wrong answer.  Everything here goes through :func:`validate`.
"""
from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _safetensors, errors
from ._encoder import Encoder
from ._features import Features
from ._options import dtype_name

_SAFETENSORS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_UUID = re.compile(r"[0-9a-f]{64}")


def validate(features: Features, width: int, dtype: Any = None,
             spatial_merge_size: int = 2) -> None:
    """What a language model will read: rows, grids, width, dtype, finite values.

    Args:
        features: embeddings of images, in image order.
        width: of the language model's input (its hidden_size).
        dtype: the one that is needed, or None for any.
        spatial_merge_size: side of a token in patches.

    Raises:
        InputError: ``.item`` has an impossible grid, too few or too many rows, or
            values that are not finite.
        ArgumentError: another width or dtype.
    """
    rows = features._stored()
    if rows.ndim != 2 or rows.shape[1] != width:
        raise errors.ArgumentError(f"embeddings of shape {list(rows.shape)}: "
                                   f"expected [tokens, {width}]")
    if dtype is not None and features.dtype != dtype_name(dtype):
        raise errors.ArgumentError(f"embeddings of {features.dtype}: expected "
                                   f"{dtype_name(dtype)}")
    side = spatial_merge_size
    first = 0
    for i, (t, h, w) in enumerate(features.grid_thw.tolist()):
        if t < 1 or h < 1 or w < 1 or h % side or w % side:
            raise errors.InputError(f"grid [{t}, {h}, {w}]: expected positive "
                                    f"numbers, h and w multiples of {side}", i)
        end = first + t * h * w // side ** 2
        if end > len(rows):
            raise errors.InputError(f"{len(rows) - first} rows for grid [{t}, "
                                    f"{h}, {w}]: expected {end - first}", i)
        if not _finite(rows[first:end], features.dtype):
            raise errors.InputError("values that are not finite", i)
        first = end
    if first != len(rows):
        raise errors.InputError(f"{len(rows)} rows, expected {first} by the "
                                "grids", len(features) - 1)


def _finite(rows: npt.NDArray[Any], dtype: str) -> bool:
    if dtype == "bfloat16":
        return bool(((rows & 0x7F80) != 0x7F80).all())
    return bool(np.isfinite(rows).all())


def content_id(image: bytes, encoder: Encoder) -> str:
    """A name for an image's embeddings: 64 hexadecimal digits.

    SHA-256 of the file's bytes, the network's digest and the preprocessing: equal
    names, equal embeddings of one precision.
    """
    made = hashlib.sha256(image)
    made.update(f"|{encoder.digest()}|{encoder.preprocessing!r}".encode())
    return made.hexdigest()


# ---- vLLM --------------------------------------------------------------------


def vllm_data(features: Features, width: int) -> dict[str, Any]:
    """``multi_modal_data["image"]`` of vLLM, for ``enable_mm_embeds``.

    Returns:
        image_embeds, a tensor [sum of tokens, width], and image_grid_thw, an
        int64 tensor [images, 3].  The prompt has one ``<|image_pad|>`` an image.
    """
    import torch

    validate(features, width)
    _only_images(features)
    return {"image_embeds": features.torch(),
            "image_grid_thw": torch.from_numpy(features.grid_thw.copy())}


def vllm_parts(features: Features, width: int,
               uuids: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Content parts of a chat request to vLLM's HTTP server, one an image.

    The server needs ``--enable-mm-embeds``.  Embeddings travel as .npy in float32
    or float16; encode with one of them.
    """
    validate(features, width)
    _only_images(features)
    if features.dtype == "bfloat16":
        raise errors.ArgumentError("embeddings of bfloat16: .npy has none; "
                                   "encode with dtype='float16' or 'float32'")
    names = [None] * len(features) if uuids is None else list(uuids)
    if len(names) != len(features):
        raise errors.ArgumentError(f"{len(names)} uuids for {len(features)} "
                                   "images")
    parts = []
    for feature, name in zip(features, names):
        file = io.BytesIO()
        np.save(file, feature.numpy())
        part: dict[str, Any] = {"type": "image_embeds", "image_embeds": {
            "image_embeds": base64.b64encode(file.getvalue()).decode(),
            "image_grid_thw": feature.grid_thw[0].tolist()}}
        if name is not None:
            part["uuid"] = name
        parts.append(part)
    return parts


class ECDirectory:
    """The directory that vLLM's ECExampleConnector reads.

    A file appears whole or not at all: it is written under another name and
    renamed.  The connector does not cast, so ``dtype`` is the model's.
    """

    def __init__(self, root: str | os.PathLike[str], width: int,
                 dtype: Any = "bfloat16") -> None:
        self.root = os.fspath(root)
        self.width = width
        self.dtype = dtype_name(dtype)

    def path(self, uuid: str) -> str:
        """Where the embeddings of this name lie; other names are refused, since a
        client's text must not become a path."""
        if not _UUID.fullmatch(uuid):
            raise errors.ArgumentError(f"uuid {uuid!r}: expected 64 hexadecimal "
                                       "digits, as content_id gives")
        return os.path.join(self.root, uuid, "encoder_cache.safetensors")

    def write(self, uuid: str, feature: Features) -> str:
        """Write one image's embeddings, [tokens, width], and return the path."""
        path = self.path(uuid)
        if len(feature) != 1:
            raise errors.ArgumentError(f"{len(feature)} items: expected one "
                                       "image")
        validate(feature, self.width, self.dtype)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _safetensors.write_whole(
            path, _safetensors.parts({"ec_cache": feature._stored()}))
        return path

    def holds(self, uuid: str, tokens: int) -> bool:
        """Whether the embeddings of this name lie here already.

        Raises:
            ArgumentError: what lies there is not [tokens, width] in our dtype:
                the directory belongs to another model, or to another dtype.
            ReadError: it cannot be read, or is no safetensors file.
        """
        path = self.path(uuid)
        try:
            head = _safetensors.head_of(path)
            found = head["ec_cache"]["dtype"], head["ec_cache"]["shape"]
        except FileNotFoundError:
            return False
        except OSError as error:
            raise errors.ReadError(f"{path}: {error.strerror}",
                                   cause=error.errno or 0) from None
        except (KeyError, TypeError, ValueError) as error:
            raise errors.ReadError(f"{path}: not a file of embeddings "
                                   f"({error})") from None
        wanted = _SAFETENSORS[self.dtype], [tokens, self.width]
        if found != wanted:
            raise errors.ArgumentError(f"{path}: {found[0]} {found[1]}, expected "
                                       f"{wanted[0]} {wanted[1]}")
        return True


# ---- SGLang ------------------------------------------------------------------


def sglang_data(features: Features, width: int) -> list[dict[str, Any]]:
    """``image_data`` of an SGLang request: one dict with all its images.

    The prompt must be expanded already: :func:`expand_prompt`.
    """
    import torch

    validate(features, width)
    _only_images(features)
    return [{"format": "precomputed_embedding", "feature": features.torch(),
             "image_grid_thw": torch.from_numpy(features.grid_thw.copy())}]


def expand_prompt(ids: Sequence[int], features: Features,
                  image_token: int) -> list[int]:
    """Token ids, each ``<|image_pad|>`` repeated once a token of its image."""
    counts = iter(np.diff(features.offsets).tolist())
    places = sum(token == image_token for token in ids)
    if places != len(features):
        raise errors.ArgumentError(f"{places} placeholders for "
                                   f"{len(features)} images")
    return [made for token in ids for made in
            ([token] * next(counts) if token == image_token else [token])]


def _only_images(features: Features) -> None:
    for i, t in enumerate(features.grid_thw[:, 0].tolist()):
        if t != 1:
            raise errors.InputError("a video: only images are taken in this "
                                    "form", i)
