# SPDX-License-Identifier: Apache-2.0
"""A batch's geometry from its sizes: rows, tokens, cost, order."""
from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable, Sequence
from ctypes import byref
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _abi, errors
from ._handles import Handle, Preset
from ._options import Preprocessing

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

# Tokens of one native call: scratch grows with them, and no byte of a result
# depends on how items are grouped.
DEFAULT_TOKEN_BUDGET = 8192
# Frames of one native call, where cuDNN attends over them: oriel.h says so of
# ORIEL_ATTENTION_CUDNN.
CUDNN_FRAMES = 256


class _Memory:
    """Memory of a plan for numpy, whose arrays keep the plan alive by it."""

    def __init__(self, owner: Handle, address: int, shape: tuple[int, ...],
                 kind: str) -> None:
        self.owner = owner
        self.__array_interface__ = {"version": 3, "data": (address, True),
                                    "shape": shape, "typestr": kind}


class Plan:
    """The geometry of a batch: made of sizes alone, without pixels or a device.

    Rows of ``pixel_values`` are patches, rows of embeddings are tokens; both are
    in image order, item after item.  The arrays are read-only and stay valid
    for as long as somebody holds them.

    Attributes:
        patches, tokens: rows of pixel_values and of the embeddings.
        patch_columns: width of pixel_values (1176 for the published models).
        out_hidden_size: width of an embedding.
        flops: floating-point operations of one encode.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        info = _abi.oriel_plan_info()
        _abi.call(_abi.core().oriel_plan_get_info, handle, byref(info))
        self._info = info
        self.patches = int(info.patches)
        self.tokens = int(info.tokens)
        self.patch_columns = int(info.patch_columns)
        self.out_hidden_size = int(info.out_hidden_size)
        self.flops = int(info.flops)

    def __len__(self) -> int:
        return int(self._info.n_items)

    def __repr__(self) -> str:
        return (f"<oriel.Plan of {len(self)} items, {self.patches} patches, "
                f"{self.tokens} tokens>")

    def _array(self, field: str, kind: str, *shape: int) -> Any:
        address = getattr(self._info, field)
        if address is None:  # a tower without windows
            shape, address = (0, *shape[1:]), 1
        return np.asarray(_Memory(self._handle, address, shape, kind))

    @property
    def grid_thw(self) -> I64:
        """int64 [items, 3]: patches in time, height and width."""
        return self._array("grid_thw", "<i8", len(self), 3)  # type: ignore

    @property
    def offsets(self) -> I64:
        """int64 [items + 1]: item i has tokens offsets[i] to offsets[i + 1]."""
        return self._array("offsets", "<i8", len(self) + 1)  # type: ignore

    @property
    def flops_per_item(self) -> I64:
        """int64 [items]: the cost of each, for a scheduler."""
        return self._array("flops_per_item", "<i8", len(self))  # type: ignore

    @property
    def cu_seqlens(self) -> I32:
        """int32 [frames + 1]: where frames begin, in patches, compute order."""
        return self._array("cu_seqlens", "<i4",  # type: ignore
                           self._info.n_frames + 1)

    @property
    def cu_window_seqlens(self) -> I32:
        """int32 [windows + 1]: where attention windows begin, in patches."""
        return self._array("cu_window_seqlens", "<i4",  # type: ignore
                           self._info.n_windows + 1)

    @property
    def window_index(self) -> I32:
        """int32 [tokens] in compute order: each token's row in image order."""
        return self._array("window_index", "<i4", self.tokens)  # type: ignore

    @property
    def window_inverse(self) -> I32:
        """int32 [tokens] in image order: each token's row in compute order."""
        return self._array("window_inverse", "<i4", self.tokens)  # type: ignore

    @property
    def positions(self) -> I32:
        """int32 [patches, 2] in compute order: row and column, for rope."""
        return self._array("positions", "<i4", self.patches, 2)  # type: ignore


def create(model: Any, items: Sequence[_abi.oriel_item],
           options: Preprocessing) -> Plan:
    library = _abi.core()
    array = (_abi.oriel_item * len(items))(*items)
    native = options.of_plan()
    return Plan(Handle(library.oriel_plan_destroy, library.oriel_plan_create,
                       model, array, len(items), byref(native)))


def create_from_grids(model: Any, grid_thw: I64) -> Plan:
    library = _abi.core()
    return Plan(Handle(library.oriel_plan_destroy,
                       library.oriel_plan_create_from_grids, model,
                       grid_thw.ctypes.data, len(grid_thw), None))


def split(model: Any, items: Sequence[_abi.oriel_item], options: Preprocessing,
          max_tokens: int) -> list[int]:
    """The ends of the longest runs that each fit the budget, in order."""
    array = (_abi.oriel_item * len(items))(*items)
    ends = (ctypes.c_size_t * len(items))()
    n_ends = ctypes.c_size_t()
    budget = _abi.oriel_budget(max_tokens=max_tokens)
    native = options.of_plan()
    _abi.call(_abi.core().oriel_plan_split, model, array, len(items),
              byref(native), byref(budget), ends, byref(n_ends))
    return list(ends[:n_ends.value])


def cut(ends: Sequence[int], frames: Sequence[int], most: int) -> list[int]:
    """The same runs, cut where one would have more frames; an item that has more
    is a run of its own."""
    found: list[int] = []
    first = 0
    for end in ends:
        held = 0
        for i in range(first, end):
            if held and held + frames[i] > most:
                found.append(i)
                held = 0
            held += frames[i]
        found.append(end)
        first = end
    return found


def count_tokens(model: Any, item: _abi.oriel_item, options: Preprocessing
                 ) -> int:
    tokens = ctypes.c_int64()
    native = options.of_plan()
    _abi.call(_abi.core().oriel_item_measure, model, byref(item), byref(native),
              None, byref(tokens))
    return int(tokens.value)


def size_item(size: Any) -> _abi.oriel_item:
    """(width, height) is an image; (width, height, frames) is a video."""
    try:
        numbers = [int(number) for number in size]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (2, 3):
        raise errors.ArgumentError(f"a size {size!r}: expected (width, height), "
                                   "or (width, height, frames) of a video")
    if any(abs(number) > 2**31 - 1 for number in numbers):
        raise errors.InputError(f"a size {size!r}: expected numbers below 2**31")
    video = len(numbers) == 3
    return _abi.oriel_item(
        width=numbers[0], height=numbers[1], frames=numbers[2] if video else 1,
        kind=_abi.ORIEL_KIND_VIDEO if video else _abi.ORIEL_KIND_IMAGE)


@functools.cache
def preset(name: str) -> Preset:
    return Preset(name)


def plan(sizes: Iterable[Sequence[int]], model: str = "qwen2.5-vl-7b",
         **options: Any) -> Plan:
    """Plan a batch for a published model, without a checkpoint.

    Args:
        sizes: (width, height) of each image in pixels, after EXIF rotation, or
            (width, height, frames) of each video.
        model: "qwen2.5-vl-3b", "-7b", "-32b" or "-72b", each with that beginning.
        options: fields of :class:`Preprocessing`, such as max_pixels.

    Raises:
        InputError: ``.item`` has a size that the model cannot take.
        CapacityError: together the items are too many; split before ``.item``.
    """
    return create(preset(model), [size_item(size) for size in sizes],
                  Preprocessing(**options))
