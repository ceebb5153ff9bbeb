# SPDX-License-Identifier: Apache-2.0
"""Oriel in the place of transformers' Qwen2.5-VL vision tower and processor.

Needs transformers 4.57 or later, torch and torchvision.  Two ways:

* :func:`encode_inputs`, where the model takes ``mm_encoder_outputs``
  (transformers 5.18 and later): nothing is patched, and ``model.model.visual``
  may be None.
* :func:`replace_vision`, everywhere: within a ``with`` the model's tower is
  Oriel's.

:class:`OrielImageProcessor` takes the place of the image processor.
"""
from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import transformers
from transformers import BatchFeature
from transformers.image_transforms import convert_to_rgb
from transformers.modeling_outputs import BaseModelOutputWithPooling

from . import _plan, errors
from ._encoder import Encoder
from ._features import Features
from ._options import Preprocessing
from ._pictures import Item
from ._preprocess import preprocess_items

_MAJOR = int(transformers.__version__.split(".")[0])
if _MAJOR >= 5:
    from transformers import Qwen2VLImageProcessor as _ImageProcessor
else:
    from transformers import Qwen2VLImageProcessorFast as _ImageProcessor

# Of a processor's output: pixels, grids, and what a type id means.
_MODALITIES = {"image": ("pixel_values", "image_grid_thw", 1),
               "video": ("pixel_values_videos", "video_grid_thw", 2)}


# ---- Way B: outputs of an encoder ----------------------------------------------


def encode_inputs(encoder: Encoder, inputs: Mapping[str, Any],
                  model: Any = None) -> dict[str, Any]:
    """A processor's output with pixels replaced by their embeddings.

    >>> inputs = processor(text=prompts, images=images, return_tensors="pt")
    >>> model.generate(**encode_inputs(encoder, inputs, model))

    Args:
        encoder: of the model's checkpoint.
        inputs: what the processor returned: pixel_values with image_grid_thw,
            pixel_values_videos with video_grid_thw, or both, and input_ids,
            attention_mask, mm_token_type_ids.
        model: the model that will be called; it is asked whether it can take
            mm_encoder_outputs, and the embeddings go to its device.

    Returns:
        A new dict: without pixels, with ``mm_encoder_outputs``, whose
        pooler_output is a tuple of float32 [tokens of an item, out_hidden_size].

    Raises:
        ArgumentError: no pixels; no mm_token_type_ids, without which M-RoPE would
            fall back to positions of text in silence; a number of placeholders
            that is not the number of embeddings.
        UnsupportedError: the model takes no mm_encoder_outputs
            (transformers before 5.18): use :func:`replace_vision`.
    """
    if model is not None and "mm_encoder_outputs" not in inspect.signature(
            model.forward).parameters:
        raise errors.UnsupportedError(
            f"{type(model).__name__} of transformers {transformers.__version__} "
            "takes no mm_encoder_outputs, which 5.18 has: use replace_vision")
    types = inputs.get("mm_token_type_ids")
    if types is None:
        raise errors.ArgumentError(
            "mm_token_type_ids is missing: without it the positions of M-RoPE "
            "would be those of text; the processor returns it "
            "(return_mm_token_type_ids=True)")
    made = {key: value for key, value in inputs.items()
            if key not in ("pixel_values", "pixel_values_videos")}
    device = types.device if model is None else model.device
    outputs = {}
    for modality, (pixels, grid, type_id) in _MODALITIES.items():
        if inputs.get(pixels) is None:
            continue
        if inputs.get(grid) is None:
            raise errors.ArgumentError(f"{pixels} without {grid}")
        features = encoder.encode_pixel_values(inputs[pixels], inputs[grid])
        places = int((types == type_id).sum())
        if places != features.offsets[-1]:
            raise errors.ArgumentError(
                f"mm_token_type_ids has {places} tokens of {modality}s, expected "
                f"{features.offsets[-1]} by {grid}")
        outputs[modality] = as_output(features, device)
    if not outputs:
        raise errors.ArgumentError(
            "neither pixel_values nor pixel_values_videos: nothing to encode")
    made["mm_encoder_outputs"] = outputs
    return made


def as_output(features: Features, device: Any = "cpu") -> Any:
    """Features as transformers' output of an encoder: one tensor an item."""
    rows = features.torch().to(device)
    sizes = np.diff(features.offsets).tolist()
    return BaseModelOutputWithPooling(pooler_output=torch.split(rows, sizes))


# ---- Way A: the tower itself ---------------------------------------------------


class OrielVisionTower(torch.nn.Module):
    """What stands in the place of ``model.visual``: inference only.

    Its ``last_hidden_state`` is None: transformers' own is in the order of
    attention windows, and nothing in the model reads it.
    """

    def __init__(self, encoder: Encoder, original: torch.nn.Module) -> None:
        super().__init__()
        self._encoder = encoder
        self.config = original.config
        self.spatial_merge_size = encoder.spatial_merge_size
        # The model casts pixel_values to this; bfloat16 would lose their digits.
        self.dtype = torch.float32
        self._device = next(original.parameters()).device
        self.training = False

    @property
    def device(self) -> Any:
        """Where results go; the encoder has a device of its own."""
        return self._device

    def forward(self, hidden_states: Any, grid_thw: Any = None,
                **_: Any) -> Any:
        """Embeddings [tokens, out_hidden_size] of pixel_values
        [patches, columns] and grid_thw [items, 3]."""
        if hidden_states.requires_grad:
            raise errors.ArgumentError("Oriel has no gradients: pixel_values "
                                       "must not require them")
        rows = self._encoder.encode_pixel_values(
            hidden_states, grid_thw).torch().to(hidden_states.device)
        if _MAJOR >= 5:
            return BaseModelOutputWithPooling(pooler_output=rows)
        return rows

    def train(self, mode: bool = True) -> OrielVisionTower:
        if mode:
            raise errors.ArgumentError("Oriel's vision tower is for inference "
                                       "only: leave replace_vision to train")
        return self

    def _apply(self, fn: Any, *arguments: Any, **options: Any) -> Any:
        """model.to(...): it has no tensors, but results follow the device."""
        self._device = fn(torch.empty(0, device=self._device)).device
        return self

    def _save_to_state_dict(self, *_: Any, **__: Any) -> None:
        _refuse_saving()


def _refuse_saving(*_: Any, **__: Any) -> None:
    raise errors.ArgumentError(
        "the model has Oriel's vision tower, whose weights are not its own: "
        "leave replace_vision before you save it, or the checkpoint would have "
        "no vision weights")


@contextmanager
def replace_vision(model: Any, encoder: Encoder | None = None, **options: Any
                   ) -> Iterator[Any]:
    """Within a ``with``, the model's vision tower is Oriel's.

    >>> with replace_vision(model):
    ...     model.generate(**processor(text=..., images=..., return_tensors="pt"))

    ``save_pretrained``, ``state_dict`` and ``train`` are refused there: they
    would write or train a model without vision weights.  The original tower comes
    back at the end.

    Args:
        model: Qwen2.5-VL of transformers, in eval mode.
        encoder: of the same checkpoint; None opens the one that the model was
            loaded from, and closes it at the end.
        options: of :meth:`Encoder.from_pretrained`, where ``encoder`` is None.

    Raises:
        ArgumentError: the model is training, or has no such tower, or the
            encoder's embeddings have another width.
    """
    inner = _owner_of_visual(model)
    original = inner.visual
    if model.training:
        raise errors.ArgumentError("the model is in training mode, and Oriel's "
                                   "tower is for inference only: call eval()")
    own = None
    if encoder is None:
        own = encoder = Encoder.from_pretrained(model.name_or_path, **options)
    try:
        expected = original.config.out_hidden_size
        if encoder.out_hidden_size != expected:
            raise errors.ArgumentError(
                f"the encoder's embeddings have {encoder.out_hidden_size} "
                f"columns, and the model's {expected}")
        inner.visual = OrielVisionTower(encoder, original)
        model.save_pretrained = _refuse_saving
        try:
            yield model
        finally:
            del model.save_pretrained
            inner.visual = original
    finally:
        if own is not None:
            own.close()


def _owner_of_visual(model: Any) -> Any:
    """The module whose own child the tower is: in transformers 4 the model that
    generates has a property of that name, and an assignment to it does nothing.
    """
    for module in (model, getattr(model, "base_model", None),
                   getattr(model, "model", None)):
        if "visual" in getattr(module, "_modules", ()):
            return module
    raise errors.ArgumentError(f"{type(model).__name__}: expected a model with a "
                               "vision tower named visual")


# ---- The image processor -------------------------------------------------------


class OrielImageProcessor(_ImageProcessor):
    """Qwen2-VL's image processor, bit for bit, by Oriel.

    Resizing, normalising and cutting are Oriel's; options, conversion to RGB and
    what is returned are transformers'.  What Oriel does not do is refused, and
    never computed in another way: images that are not uint8 on the CPU, another
    filter, another mean or std than the model's.

    The geometry is that of the published models (patches of 14 x 14 x 2, merged
    2 x 2).  For another one give :meth:`use` an encoder.
    """

    _encoder: Encoder | None = None

    def use(self, encoder: Encoder) -> OrielImageProcessor:
        """Take geometry, mean and std from this encoder's checkpoint."""
        self._encoder = encoder
        return self

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = super().to_dict()
        values.pop("_encoder", None)
        return values

    def process_image(self, image: Any, do_convert_rgb: bool | None = None,
                      input_data_format: Any = None, device: Any = None,
                      **options: Any) -> Any:
        """As transformers', but a picture keeps its memory: [height, width, 3],
        seen as [3, height, width]."""
        if not _is_pil(image) or not do_convert_rgb:
            return super().process_image(
                image, do_convert_rgb=do_convert_rgb,
                input_data_format=input_data_format, device=device, **options)
        return torch.from_numpy(_rgb(image)).permute(2, 0, 1)

    def _process_image(self, image: Any, do_convert_rgb: bool | None = None,
                       input_data_format: Any = None, device: Any = None
                       ) -> Any:
        """The name of :meth:`process_image` in transformers 4."""
        if not _is_pil(image) or not do_convert_rgb:
            return super()._process_image(
                image, do_convert_rgb=do_convert_rgb,
                input_data_format=input_data_format, device=device)
        return torch.from_numpy(_rgb(image)).permute(2, 0, 1)

    def _preprocess(self, images: list[Any], do_resize: bool, size: Any,
                    resample: Any = None, do_rescale: bool = True,
                    rescale_factor: float = 1 / 255, do_normalize: bool = True,
                    image_mean: Any = None, image_std: Any = None,
                    patch_size: int = 14, temporal_patch_size: int = 2,
                    merge_size: int = 2, return_tensors: Any = None,
                    **options: Any) -> BatchFeature:
        model: Any = (self._encoder._opened_model() if self._encoder
                      else _plan.preset("qwen2.5-vl-7b"))
        if resample is None:  # transformers 4 calls it so
            resample = options.get("interpolation")
        info = model.info
        asked = {
            "do_resize": (do_resize, True), "do_rescale": (do_rescale, True),
            "do_normalize": (do_normalize, True),
            "rescale_factor": (float(rescale_factor), 1 / 255),
            "image_mean": (_floats(image_mean), _floats(info.image_mean)),
            "image_std": (_floats(image_std), _floats(info.image_std)),
            "patch_size": (patch_size, info.patch_size),
            "temporal_patch_size": (temporal_patch_size,
                                    info.temporal_patch_size),
            "merge_size": (merge_size, info.spatial_merge_size),
            "resample": (str(getattr(resample, "name", resample)).upper(),
                         "BICUBIC")}
        for name, (found, expected) in asked.items():
            if found != expected and not (name == "resample" and resample == 3):
                raise errors.ArgumentError(
                    f"OrielImageProcessor: {name}={found}, expected {expected}; "
                    "Qwen2VLImageProcessor can do other things")
        limits = Preprocessing(min_pixels=int(size["shortest_edge"]),
                               max_pixels=int(size["longest_edge"]))
        pixels, grid = preprocess_items(
            model, [_item(image) for image in images], limits)
        return BatchFeature(
            data={"pixel_values": torch.from_numpy(pixels),
                  "image_grid_thw": torch.from_numpy(grid)},
            tensor_type=return_tensors)


def _is_pil(image: Any) -> bool:
    from PIL import Image

    return isinstance(image, Image.Image)


def _rgb(image: Any) -> Any:
    """What this version of transformers makes of a PIL image, as an array."""
    if "return_numpy" in inspect.signature(convert_to_rgb).parameters:
        return convert_to_rgb(image, return_numpy=True)
    return np.array(convert_to_rgb(image))


def _floats(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(list(values), np.float32)]


def _item(image: Any) -> Item:
    if image.dtype != torch.uint8 or image.device.type != "cpu":
        raise errors.ArgumentError(
            f"OrielImageProcessor: an image of {image.dtype} on {image.device}, "
            "expected torch.uint8 on the CPU; Qwen2VLImageProcessor takes others")
    if image.ndim != 3 or image.shape[0] != 3:
        raise errors.ArgumentError(
            f"OrielImageProcessor: an image of shape {list(image.shape)}, "
            "expected [3, height, width]; do_convert_rgb=True makes it so")
    picture = image.permute(1, 2, 0).contiguous().numpy()
    return Item([picture], False, "transformers")
