# SPDX-License-Identifier: Apache-2.0
"""Names of options, and the numbers that they stand for."""
from __future__ import annotations

from dataclasses import dataclass

from . import _abi, errors

RESAMPLE = {"torchvision": _abi.ORIEL_RESAMPLE_TORCHVISION,
            "pillow": _abi.ORIEL_RESAMPLE_PILLOW,
            "pillow12": _abi.ORIEL_RESAMPLE_PILLOW12,
            "float": _abi.ORIEL_RESAMPLE_FLOAT}
SIZING = {"transformers": _abi.ORIEL_SIZING_TRANSFORMERS,
          "qwen-vl-utils": _abi.ORIEL_SIZING_QWEN_VL_UTILS}
ALPHA = {"white": _abi.ORIEL_ALPHA_WHITE, "drop": _abi.ORIEL_ALPHA_DROP,
         "qwen-vl-utils": _abi.ORIEL_ALPHA_QWEN_VL_UTILS}
TRUNCATED = {"fail": _abi.ORIEL_TRUNCATED_FAIL,
             "pad": _abi.ORIEL_TRUNCATED_PAD}
DEVICE = {"auto": _abi.ORIEL_DEVICE_AUTO, "cpu": _abi.ORIEL_DEVICE_CPU,
          "cuda": _abi.ORIEL_DEVICE_CUDA}
PRECISION = {"auto": _abi.ORIEL_PRECISION_AUTO,
             "bf16": _abi.ORIEL_PRECISION_BF16,
             "fp32": _abi.ORIEL_PRECISION_FP32}
RESIDUAL = {"bf16": _abi.ORIEL_RESIDUAL_BF16,
            "wide": _abi.ORIEL_RESIDUAL_WIDE}
ATTENTION = {"own": _abi.ORIEL_ATTENTION_OWN,
             "cudnn": _abi.ORIEL_ATTENTION_CUDNN}
DTYPE = {"float32": _abi.ORIEL_DTYPE_F32, "bfloat16": _abi.ORIEL_DTYPE_BF16,
         "float16": _abi.ORIEL_DTYPE_F16}


def number(table: dict[str, int], option: str, value: object) -> int:
    """What a name stands for; other names are refused, and all are listed."""
    if not isinstance(value, str) or value not in table:
        raise errors.ArgumentError(
            f"{option}={value!r}: expected one of {', '.join(table)}")
    return table[value]


def device(value: object) -> tuple[int, int]:
    """"cuda:1" as the number of the kind of device, and the index."""
    kind, colon, index = str(value).partition(":")
    if colon and not (kind == "cuda" and index.isdecimal()):
        raise errors.ArgumentError(
            f"device={value!r}: expected auto, cpu, cuda or cuda:N")
    return number(DEVICE, "device", kind), int(index or 0)


def dtype_name(value: object) -> str:
    """"float32" of "float32", numpy.float32, dtype('float32'), torch.float32."""
    name = getattr(value, "__name__", None) or str(value)
    name = name.removeprefix("torch.")
    number(DTYPE, "dtype", name)
    return name


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become patches; zero is the model's own limit.

    Attributes:
        resample: "torchvision" (transformers' default, vLLM, SGLang), "pillow"
            (Pillow 13 and later), "pillow12" or "float".
        sizing: "transformers" or "qwen-vl-utils".
        alpha: "white" (composited on white), "drop" or "qwen-vl-utils".
        truncated: what becomes of damaged files: "fail" (they are refused) or
            "pad" (as Pillow pads them with LOAD_TRUNCATED_IMAGES; sources says
            which were).
        exif: whether EXIF and XMP rotate a picture.
        min_pixels, max_pixels: limits of an image's pixels after resizing.
        video_min_pixels, video_max_pixels: the same of each frame of a video.
        max_source_pixels: the largest picture that is decoded; zero is Pillow's
            limit, 178,956,970.
    """

    resample: str = "torchvision"
    sizing: str = "transformers"
    alpha: str = "white"
    truncated: str = "fail"
    exif: bool = True
    min_pixels: int = 0
    max_pixels: int = 0
    video_min_pixels: int = 0
    video_max_pixels: int = 0
    max_source_pixels: int = 0

    def __post_init__(self) -> None:
        number(RESAMPLE, "resample", self.resample)
        number(SIZING, "sizing", self.sizing)
        number(ALPHA, "alpha", self.alpha)
        number(TRUNCATED, "truncated", self.truncated)

    def of_plan(self) -> _abi.oriel_plan_options:
        return _abi.oriel_plan_options(
            resample=RESAMPLE[self.resample], sizing=SIZING[self.sizing],
            min_pixels=self.min_pixels, max_pixels=self.max_pixels,
            video_min_pixels=self.video_min_pixels,
            video_max_pixels=self.video_max_pixels)

    def of_image(self) -> _abi.oriel_image_options:
        return _abi.oriel_image_options(
            alpha=ALPHA[self.alpha], ignore_orientation=not self.exif,
            truncated=TRUNCATED[self.truncated],
            max_pixels=self.max_source_pixels)
