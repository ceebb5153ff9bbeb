# SPDX-License-Identifier: Apache-2.0
"""Arrays that native calls read and fill."""
from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _abi, _options, errors
from ._features import STORED, Features
from ._handles import Model
from ._pictures import Item
from ._plan import Plan

_PIXEL_DTYPES = {np.dtype(np.float32): _abi.ORIEL_DTYPE_F32,
                 np.dtype(np.float16): _abi.ORIEL_DTYPE_F16,
                 np.dtype(np.uint8): _abi.ORIEL_DTYPE_U8}


class Frames:
    """Pointers to the frames of some items; they live as long as this."""

    def __init__(self, items: Sequence[Item]) -> None:
        frames = [frame for item in items for frame in item.frames]
        self._frames = frames
        self._pointers = (ctypes.c_void_p * len(frames))(
            *(frame.ctypes.data for frame in frames))
        self._pitches = (ctypes.c_size_t * len(frames))(
            *(frame.strides[0] for frame in frames))
        self.native = _abi.oriel_input(
            frames=ctypes.addressof(self._pointers),
            pitches=ctypes.addressof(self._pitches))


class Results:
    """Matrices that the runs of one call fill."""

    def __init__(self, model: Model, patches: int, tokens: int, dtype: str,
                 hidden_states: Sequence[int], embeddings: bool) -> None:
        indices = [int(index) for index in hidden_states]
        if len(set(indices)) != len(indices):
            raise errors.ArgumentError(f"hidden_states={indices}: expected each "
                                       "once")
        if not indices and not embeddings:
            raise errors.ArgumentError("nothing to compute: embeddings=False "
                                       "and no hidden_states")
        self._merge = int(model.info.spatial_merge_size) ** 2
        self._dtype = dtype
        stored = STORED[dtype]
        self._hidden = {
            index: np.empty((patches, int(model.info.hidden_size)), stored)
            for index in indices}
        self._embeddings = np.empty(
            (tokens, int(model.info.out_hidden_size)),
            stored) if embeddings else None

    def output(self, plan: Plan, patch: int, token: int) -> _abi.oriel_output:
        parts = [(_abi.ORIEL_RESULT_HIDDEN_STATE, index,
                  rows[patch:patch + plan.patches])
                 for index, rows in self._hidden.items()]
        if self._embeddings is not None:
            parts.append((_abi.ORIEL_RESULT_EMBEDDINGS, 0,
                          self._embeddings[token:token + plan.tokens]))
        results = (_abi.oriel_result * len(parts))(*(
            _abi.oriel_result(kind=kind, index=index,
                              dtype=_options.DTYPE[self._dtype],
                              data=rows.ctypes.data, bytes=rows.nbytes)
            for kind, index, rows in parts))
        return _abi.oriel_output(results=results, n_results=len(parts))

    def features(self, plans: Sequence[Plan], sources: Sequence[str]
                 ) -> Features:
        return Features(np.concatenate([plan.grid_thw for plan in plans]),
                        self._merge, self._dtype, self._embeddings, self._hidden,
                        sources)


def to_numpy(value: Any) -> Any:
    """A tensor's memory as numpy sees it; bfloat16 as its bits."""
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu()
    if str(value.dtype) == "torch.bfloat16":
        import torch

        return value.contiguous().view(torch.int16).numpy().view(np.uint16)
    return value.numpy()


def as_pixels(value: Any) -> tuple[npt.NDArray[Any], int]:
    """pixel_values as a tight array, and the number of their dtype."""
    array = np.ascontiguousarray(to_numpy(value))
    is_bf16 = str(value.dtype).removeprefix("torch.") == "bfloat16"
    kind = _abi.ORIEL_DTYPE_BF16 if is_bf16 else _PIXEL_DTYPES.get(array.dtype)
    if kind is None:
        raise errors.ArgumentError(f"pixel_values of {array.dtype}: expected "
                                   "float32, float16, bfloat16 or uint8")
    return array, kind
