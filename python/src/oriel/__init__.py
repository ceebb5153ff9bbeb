# SPDX-License-Identifier: Apache-2.0
"""Oriel: the Qwen2.5-VL vision encoder, images in, embeddings out.

>>> import oriel
>>> with oriel.Encoder.from_pretrained("Qwen2.5-VL-7B-Instruct") as encoder:
...     features = encoder.encode(["a.jpg", "b.png"])
>>> features[0].embeddings  # float32 [tokens, out_hidden_size]

The embeddings of an item are the same bytes alone and in any batch.
"""
from __future__ import annotations

from . import _abi
from ._encoder import Encoder, Info
from ._features import Features, concatenate
from ._options import Preprocessing
from ._pictures import Video
from ._plan import Plan, plan
from ._preprocess import Preprocessed, preprocess
from ._verify import Check, Verification, verify
from .errors import (
                     ArgumentError,
                     BusyError,
                     CancelledError,
                     CapacityError,
                     DeviceError,
                     Error,
                     FaultError,
                     InputError,
                     InternalError,
                     ModelError,
                     NotFoundError,
                     OutOfMemoryError,
                     ReadError,
                     UnsupportedError,
)

__version__ = _abi.text(_abi.core().oriel_version())

__all__ = [
    "ArgumentError", "BusyError", "CancelledError", "CapacityError",
    "Check", "DeviceError", "Encoder", "Error", "FaultError", "Features", "Info",
    "InputError", "InternalError", "ModelError", "NotFoundError",
    "OutOfMemoryError", "Plan", "Preprocessed", "Preprocessing", "ReadError",
    "UnsupportedError", "Verification", "Video", "concatenate", "plan",
    "preprocess", "verify"]
