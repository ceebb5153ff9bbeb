# SPDX-License-Identifier: Apache-2.0
"""What an encode gives: embeddings of a batch, item after item."""
from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from . import errors

I64 = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# How a matrix of each dtype is kept: numpy itself has no bfloat16.
STORED: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32), "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(np.uint16)}
_DLPACK_BFLOAT = 4
_DLPACK_CPU = (1, 0)


class _DLTensor(ctypes.Structure):
    """The head of what a DLPack capsule points to (dlpack.h)."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16)]


class Features(Sequence["Features"]):
    """Embeddings of some items, in image order, on the host.

    A sequence: ``features[i]`` is the Features of one item, ``features[a:b]`` of
    several; both share the memory of the whole.  It is itself an exporter of
    DLPack, so that ``torch.from_dlpack(features)`` takes the embeddings.

    Attributes:
        grid_thw: int64 [items, 3]; patches in time, height and width.
        offsets: int64 [items + 1]; item i has rows offsets[i] to offsets[i + 1].
        dtype: "float32", "bfloat16" or "float16".
        raw: the embeddings as they are stored, [tokens, out_hidden_size]; uint16
            for bfloat16.  None if they were not asked for.
        sources: what decoded each item: "liboriel-image", "Pillow 13.0.0 (GIF)",
            "PIL object", "array", or "pixel_values".
    """

    def __init__(self, grid_thw: I64, merge: int, dtype: str, raw: Array | None,
                 hidden: Mapping[int, Array], sources: Sequence[str]) -> None:
        self.grid_thw = grid_thw
        self._merge = merge  # patches a token
        self.offsets = np.zeros(len(grid_thw) + 1, np.int64)
        np.cumsum(grid_thw.prod(axis=1) // merge, out=self.offsets[1:])
        self.dtype = dtype
        self.raw = raw
        self._hidden = dict(hidden)
        self.sources = tuple(sources)

    # ---- A sequence of items -------------------------------------------------

    def __len__(self) -> int:
        return len(self.grid_thw)

    @overload
    def __getitem__(self, index: int) -> Features: ...

    @overload
    def __getitem__(self, index: slice) -> Features: ...

    def __getitem__(self, index: int | slice) -> Features:
        if not isinstance(index, slice):
            n = len(self)
            if not -n <= index < n:
                raise IndexError(f"item {index} of {n}")
            first = index % n
            return self._run(first, first + 1)
        first, end, step = index.indices(len(self))
        if step == 1:
            return self._run(first, max(first, end))
        return self._gather(range(first, end, step))

    def __iter__(self) -> Iterator[Features]:
        return (self._run(i, i + 1) for i in range(len(self)))

    def __repr__(self) -> str:
        width = "no" if self.raw is None else self.raw.shape[1]
        return (f"<oriel.Features of {len(self)} items: {self.offsets[-1]} tokens"
                f" x {width}, {self.dtype}>")

    def _run(self, first: int, end: int) -> Features:
        """Items first to end - 1, in the same memory."""
        rows = slice(self.offsets[first], self.offsets[end])
        patches = slice(rows.start * self._merge, rows.stop * self._merge)
        return Features(
            self.grid_thw[first:end], self._merge, self.dtype,
            None if self.raw is None else self.raw[rows],
            {k: rows_of[patches] for k, rows_of in self._hidden.items()},
            self.sources[first:end])

    def _gather(self, indices: Sequence[int]) -> Features:
        """Items in another order, copied."""
        return concatenate([self._run(i, i + 1) for i in indices]
                           or [self._run(0, 0)])

    # ---- Embeddings ----------------------------------------------------------

    @property
    def embeddings(self) -> Array:
        """[tokens, out_hidden_size] in image order; as :meth:`numpy`."""
        return self.numpy()

    def numpy(self) -> Array:
        """The embeddings, without a copy.

        bfloat16 comes as ``ml_dtypes.bfloat16``.

        Raises:
            ArgumentError: bfloat16 without ml_dtypes; or no embeddings were
                asked for.
        """
        return _as_numpy(self._stored(), self.dtype)

    def torch(self) -> Any:
        """The embeddings as a torch tensor on the CPU, without a copy."""
        return _as_torch(self._stored(), self.dtype)

    def hidden_state(self, index: int) -> Array:
        """[patches, hidden_size] after ``index`` blocks (0: the patch embedding),
        in image order, four patches of a token side by side; as :meth:`numpy`."""
        return _as_numpy(self._hidden_stored(index), self.dtype)

    def hidden_state_torch(self, index: int) -> Any:
        """The same as a torch tensor, without a copy."""
        return _as_torch(self._hidden_stored(index), self.dtype)

    @property
    def hidden_states(self) -> tuple[int, ...]:
        """The indices of the hidden states that are here."""
        return tuple(self._hidden)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"{array.dtype} as {dtype} needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None,
                   dl_device: tuple[int, int] | None = None,
                   copy: bool | None = None) -> Any:
        """A DLPack capsule of the embeddings, bfloat16 included."""
        if dl_device not in (None, _DLPACK_CPU):
            raise BufferError(f"embeddings lie on the CPU {_DLPACK_CPU}, and "
                              f"device {dl_device} was asked for")
        array = self._stored()
        capsule = (array.copy() if copy else array).__dlpack__()
        if self.dtype == "bfloat16":
            get = ctypes.pythonapi.PyCapsule_GetPointer
            get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object,
                                                          ctypes.c_char_p]
            # numpy wrote 16-bit unsigned numbers; they are bfloat16.
            _DLTensor.from_address(get(capsule, b"dltensor")
                                   ).code = _DLPACK_BFLOAT
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return _DLPACK_CPU

    def _stored(self) -> Array:
        if self.raw is None:
            raise errors.ArgumentError("no embeddings here: encode was called "
                                       "with embeddings=False")
        return self.raw

    def _hidden_stored(self, index: int) -> Array:
        if index not in self._hidden:
            raise errors.ArgumentError(
                f"hidden state {index} is not here, only {self.hidden_states}: "
                "name it in encode's hidden_states=")
        return self._hidden[index]


def _as_numpy(stored: Array, dtype: str) -> Array:
    if dtype != "bfloat16":
        return stored
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise errors.ArgumentError(
            "numpy has no bfloat16: install ml_dtypes, use .torch(), or encode "
            "with dtype='float32'") from None
    return stored.view(bfloat16)


def _as_torch(stored: Array, dtype: str) -> Any:
    import torch

    # from_numpy has no uint16 before torch 2.3; the bits are the same.
    if dtype == "bfloat16":
        return torch.from_numpy(stored.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(stored)


def concatenate(parts: Sequence[Features]) -> Features:
    """The items of several Features, one after the other, in new memory.

    Raises:
        ArgumentError: nothing to concatenate, or different dtypes.
    """
    if not parts or len({(p.dtype, p._merge) for p in parts}) > 1:
        raise errors.ArgumentError("expected Features of one model and dtype, "
                                   "at least one")
    first = parts[0]
    return Features(
        np.concatenate([p.grid_thw for p in parts]), first._merge, first.dtype,
        None if first.raw is None else np.concatenate(
            [p._stored() for p in parts]),
        {k: np.concatenate([p._hidden_stored(k) for p in parts])
         for k in first._hidden},
        [s for p in parts for s in p.sources])
