# SPDX-License-Identifier: Apache-2.0
"""Stacks that this kit can run by itself: pixels and rows of a case."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _cases
from ._judge import Kit

Array = npt.NDArray[Any]
Run = Callable[[str], tuple[Array, Array]]


def oriel(kit: Kit, dtype: str) -> tuple[str, Run]:
    """This package, from pictures and by itself."""
    from .. import Encoder, __version__

    precision = {"float32": "fp32", "bfloat16": "bf16"}[dtype]
    encoder = Encoder(kit.folder / "model", device="cpu", precision=precision)

    def run(case: str) -> tuple[Array, Array]:
        items = kit.inputs(case)
        return (encoder.preprocess(items).pixel_values,
                encoder.encode(items).numpy())

    return f"oriel {__version__}, {precision}", run


def transformers(kit: Kit, dtype: str) -> tuple[str, Run]:
    """The installed transformers: its processors and its tower on the CPU."""
    import torch
    import transformers as hf
    from PIL import Image

    old = int(hf.__version__.split(".")[0]) < 5
    model = kit.folder / "model"
    name = "Qwen2VLImageProcessorFast" if old else "Qwen2VLImageProcessor"
    images = getattr(hf, name).from_pretrained(model)
    videos = hf.Qwen2VLVideoProcessor.from_pretrained(model)
    tower = _transformers_tower(kit.folder, getattr(torch, dtype))

    def run(case: str) -> tuple[Array, Array]:
        items = [[Image.open(kit.folder / f"{case}-{i}-{k}.png")
                  for k in range(len(frames))]
                 for i, frames in enumerate(_cases.items_of(case))]
        if _cases.is_video(case):
            made = videos([np.stack([np.array(frame) for frame in frames])
                           for frames in items], return_tensors="pt",
                          do_sample_frames=False)
            pixels, grid = made["pixel_values_videos"], made["video_grid_thw"]
        else:
            made = images([frames[0] for frames in items], return_tensors="pt")
            pixels, grid = made["pixel_values"], made["image_grid_thw"]
        with torch.inference_mode():
            out = tower(pixels.to(getattr(torch, dtype)), grid_thw=grid)
        rows = out if old else out.pooler_output
        return pixels.numpy(), rows.float().numpy()

    return (f"transformers {hf.__version__}, torch {torch.__version__}, {dtype}",
            run)


def _transformers_tower(folder: Path, dtype: Any) -> Any:
    """The tower as from_pretrained gives it: rope's frequencies stay fp32."""
    import torch
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VisionTransformerPretrainedModel as Tower,
    )

    config = Qwen2_5_VLConfig.from_pretrained(folder / "model").vision_config
    config._attn_implementation = "sdpa"
    tower = Tower(config).eval()
    frequencies = tower.rotary_pos_emb.inv_freq.clone()
    tensors = {name: torch.from_numpy(value.copy())
               for name, value in _cases.weights(folder).items()}
    tower.load_state_dict(tensors, strict=False)
    tower.to(dtype)
    tower.rotary_pos_emb.inv_freq = frequencies
    return tower


STACKS: dict[str, Callable[[Kit, str], tuple[str, Run]]] = {
    "oriel": oriel, "transformers": transformers}
