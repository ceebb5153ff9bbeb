# SPDX-License-Identifier: Apache-2.0
"""Stacks that this kit can run by itself: pixels and rows of a case.

Of vLLM and SGLang the tower alone is run, on the CPU, with the expected pixels:
no engine, no GPU.  Their insides change; these were written for vLLM 0.33.0 and
SGLang 0.5.23.
"""
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _cases
from ._judge import Kit

Array = npt.NDArray[Any]
Run = Callable[[str], tuple[Array | None, Array]]


def oriel(kit: Kit, dtype: str) -> tuple[str, Run]:
    """This package, from pictures and by itself."""
    from .. import Encoder, __version__

    precision = {"float32": "fp32", "bfloat16": "bf16"}[dtype]
    encoder = Encoder(kit.folder / "model", device="cpu", precision=precision)

    def run(case: str) -> tuple[Array | None, Array]:
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

    def run(case: str) -> tuple[Array | None, Array]:
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
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
        Qwen2_5_VisionTransformerPretrainedModel as Tower,
    )

    config = _vision_config(folder)
    config._attn_implementation = "sdpa"
    tower = Tower(config).eval()
    frequencies = tower.rotary_pos_emb.inv_freq.clone()
    tower.load_state_dict(_tensors(folder), strict=False)
    tower.to(dtype)
    tower.rotary_pos_emb.inv_freq = frequencies
    return tower


def vllm(kit: Kit, dtype: str) -> tuple[str, Run]:
    """The installed vLLM's tower."""
    os.environ.setdefault("VLLM_TARGET_DEVICE", "cpu")
    import torch
    import vllm as stack
    from vllm.config import DeviceConfig, VllmConfig, set_current_vllm_config
    from vllm.distributed import (
        init_distributed_environment,
        initialize_model_parallel,
    )

    def make() -> Any:
        from vllm.model_executor.models.qwen2_5_vl import (
            Qwen2_5_VisionTransformer,
        )

        init_distributed_environment(1, 0, _rendezvous(kit), 0, "gloo")
        initialize_model_parallel(1, 1)
        tower = Qwen2_5_VisionTransformer(_vision_config(kit.folder),
                                          prefix="visual")
        tower.load_weights(_tensors(kit.folder).items())
        _finish_loading(tower)
        return tower.eval()

    config = VllmConfig(device_config=DeviceConfig("cpu"))
    with set_current_vllm_config(config), _default_dtype(dtype):
        tower = make()

    def run(case: str) -> tuple[Array | None, Array]:
        pixels, grids = kit.pixels(case)
        with torch.inference_mode(), set_current_vllm_config(config):
            rows = tower(torch.from_numpy(pixels), grids.tolist())
        return None, rows.float().numpy()

    return f"vllm {stack.__version__}, its tower, {dtype}", run


def sglang(kit: Kit, dtype: str) -> tuple[str, Run]:
    """The installed SGLang's tower."""
    import sglang as stack
    import torch
    from sglang.srt.distributed import (
        init_distributed_environment,
        initialize_model_parallel,
    )
    from sglang.srt.models import qwen2_5_vl as models
    from sglang.srt.runtime_context import publish
    from sglang.srt.server_args import ServerArgs

    publish(ServerArgs(model_path=str(kit.folder / "model"), device="cpu"),
            role="worker")
    init_distributed_environment(
        backend="gloo", world_size=1, rank=0, local_rank=0,
        distributed_init_method=_rendezvous(kit))
    initialize_model_parallel("gloo")
    with _default_dtype(dtype):
        tower = models.Qwen2_5_VisionTransformer(
            _vision_config(kit.folder), prefix="visual", use_data_parallel=True)
    # The whole model's loader, with nothing in the model but the tower.
    whole = torch.nn.Module()
    whole.visual = tower
    whole.config = SimpleNamespace(tie_word_embeddings=False, encoder_only=False,
                                   language_only=False)
    models.Qwen2_5_VLForConditionalGeneration.load_weights(
        whole, [(f"visual.{name}", value)
                for name, value in _tensors(kit.folder).items()])
    _finish_loading(tower)
    tower.eval()

    def run(case: str) -> tuple[Array | None, Array]:
        pixels, grids = kit.pixels(case)
        with torch.inference_mode():
            rows = tower(torch.from_numpy(pixels), torch.from_numpy(grids))
        return None, rows.float().numpy()

    return f"sglang {stack.__version__}, its tower, {dtype}", run


def _vision_config(folder: Path) -> Any:
    from transformers import Qwen2_5_VLConfig

    return Qwen2_5_VLConfig.from_pretrained(folder / "model").vision_config


def _tensors(folder: Path) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(value.copy())
            for name, value in _cases.weights(folder).items()}


def _rendezvous(kit: Kit) -> str:
    """Where a process meets itself: a file, so that no port is opened."""
    return f"file://{kit.folder / 'rendezvous'}"


def _finish_loading(tower: Any) -> None:
    for module in tower.modules():
        method: Any = getattr(module, "quant_method", None)
        if hasattr(method, "process_weights_after_loading"):
            method.process_weights_after_loading(module)


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


STACKS: dict[str, Callable[[Kit, str], tuple[str, Run]]] = {
    "oriel": oriel, "transformers": transformers, "vllm": vllm,
    "sglang": sglang}
