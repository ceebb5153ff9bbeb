# SPDX-License-Identifier: Apache-2.0
"""Decoded items, and the pixel_values that a processor makes of them."""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _abi, _calls, _pictures, _plan, errors
from ._native_arrays import Frames
from ._options import Preprocessing
from ._pictures import Item


class Preprocessed(NamedTuple):
    """What a Hugging Face processor returns."""

    pixel_values: npt.NDArray[np.float32]  #: [patches, patch_columns]
    grid_thw: npt.NDArray[np.int64]  #: [items, 3] in patches


def preprocess(images: Any, model: str = "qwen2.5-vl-7b", **options: Any
               ) -> Preprocessed:
    """What a published model's processor makes of images, without a checkpoint.

    Args:
        images: as of :meth:`Encoder.encode`.
        model: "qwen2.5-vl-3b", "-7b", "-32b" or "-72b", each with that beginning.
        options: fields of :class:`Preprocessing`, such as max_pixels.

    Returns:
        pixel_values, float32 [patches, patch_columns], and grid_thw.

    Raises:
        InputError: ``.item`` cannot be read, or not be taken by the model.
    """
    settings = Preprocessing(**options)
    items = decode_all(_pictures.as_list(images), settings, _calls.Flag())
    return preprocess_items(_plan.preset(model), items, settings)


def decode_all(values: Sequence[Any], options: Preprocessing, flag: _calls.Flag
               ) -> list[Item]:
    """Decode items in order; an error names the one at fault."""
    if not values:
        raise errors.ArgumentError("no images: expected at least one")
    items = []
    for i, value in enumerate(values):
        flag.check()
        try:
            items.append(_pictures.open_item(value, options, flag))
        except errors.Error as error:
            error.item = i
            raise
    return items


def preprocess_items(model: Any, items: Sequence[Item],
                     options: Preprocessing) -> Preprocessed:
    """Resize, normalise and cut decoded items."""
    plan = _plan.create(model, [item.native() for item in items], options)
    frames = Frames(items)
    pixels = np.empty((plan.patches, plan.patch_columns), np.float32)
    _abi.call(_abi.core().oriel_preprocess, plan._handle, byref(frames.native),
              pixels.ctypes.data, pixels.nbytes)
    return Preprocessed(pixels, plan.grid_thw.copy())
