# SPDX-License-Identifier: Apache-2.0
"""What a stack made of the cases, held against the golden rows."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import Encoder, Preprocessing, errors
from .._pictures import Video
from . import _cases, _tower

Array = npt.NDArray[Any]
FP32 = 1e-5  # the most that fp32 of another order of sums has shown is 2e-6
GOLDEN = Path(__file__).parent / "golden.npz"


class Verdict(NamedTuple):
    case: str
    pixels: str
    error: float  # of the rows, relative L2
    verdict: str
    agrees: bool


def relative(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b))


class Kit:
    """The kit's folder with what is expected of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _cases.write(folder)
        self.golden = np.load(GOLDEN)
        self._weights = _cases.weights(folder)
        self._config = _cases.config(folder)
        self.encoder = Encoder(folder / "model", device="cpu", precision="fp32")

    def inputs(self, case: str) -> list[Any]:
        """Items for Oriel: the PNGs' bytes, frames of a video together."""
        items = [[_cases.png(frame) for frame in frames]
                 for frames in _cases.items_of(case)]
        if _cases.is_video(case):
            return [Video(frames) for frames in items]
        return [frames[0] for frames in items]

    def pixels(self, case: str, **options: Any) -> tuple[Array, Array]:
        with Encoder(self.folder / "model", device="cpu",
                     preprocessing=Preprocessing(**options)) as encoder:
            made = encoder.preprocess(self.inputs(case))
        return made.pixel_values, made.grid_thw

    # ---- Pixels --------------------------------------------------------------

    def _pixel_variants(self, case: str) -> dict[str, Callable[[], Array]]:
        expected, grids = self.pixels(case)
        return {
            "resized by Pillow 13 (transformers' PIL backend)":
                lambda: self.pixels(case, resample="pillow")[0],
            "resized by Pillow up to 12.1 (the slow processor)":
                lambda: self.pixels(case, resample="pillow12")[0],
            "resized as floats (a GPU tensor in transformers)":
                lambda: self.pixels(case, resample="float")[0],
            "alpha dropped (transformers before 5.21, SGLang)":
                lambda: self.pixels(case, alpha="drop")[0],
            "patches row by row, not token by token":
                lambda: _raster(expected, grids),
            "only the first of two frames in a patch":
                lambda: _first_frame(expected),
        }

    def judge_pixels(self, case: str, found: Array) -> tuple[str, bool]:
        expected, _ = self.pixels(case)
        if found.shape != expected.shape:
            return (f"shape {list(found.shape)}, expected "
                    f"{list(expected.shape)}"), False
        for rounding, name in ((_same, ""), (_tower.to_bfloat16, " in bfloat16"),
                               (_half, " in float16")):
            if np.array_equal(found, rounding(expected)):
                return "equal" + name, True
        off = float(np.abs(found.astype(np.float64) - expected).max())
        if off < 1e-5:  # a rounding of the normalisation: no level is another
            return f"equal but for {off:.0e}", True
        distances = {
            name: float(np.abs(found.astype(np.float64) - make()).max())
            for name, make in self._pixel_variants(case).items()}
        closest = min(distances, key=distances.__getitem__)
        # Less than a level of 256; bfloat16 of the largest value is as far.
        if distances[closest] < min(off / 2, 1e-2):
            return closest, False
        return f"off by up to {off:.2g}", False

    # ---- Rows ----------------------------------------------------------------

    def judge(self, case: str, pixels: Array | None, rows: Array) -> Verdict:
        told, pixels_agree = "not dumped", True
        if pixels is not None:
            told, pixels_agree = self.judge_pixels(case, pixels)
        golden: Array = self.golden[case]
        used, grids = self.pixels(case)
        if rows.shape != golden.shape:
            return Verdict(case, told, float("nan"), f"rows {list(rows.shape)}, "
                           f"expected {list(golden.shape)}", False)
        if not np.isfinite(rows).all():
            count = int((~np.isfinite(rows)).sum())
            return Verdict(case, told, float("nan"), f"precision: {count} values "
                           "are not finite", False)
        error = relative(rows, golden)
        if not pixels_agree and pixels is not None and (
                pixels.shape == used.shape):
            # Judge the tower by the pixels that it was given.
            used = pixels
            golden = _tower.Tower(self._weights, self._config).encode(
                pixels, grids.tolist())
        return self._judge_rows(case, told, pixels_agree, error, rows, golden,
                                used, grids)

    def _judge_rows(self, case: str, told: str, pixels_agree: bool, error: float,
                    rows: Array, golden: Array, used: Array, grids: Array
                    ) -> Verdict:
        own = relative(rows, golden)
        if own <= FP32:
            why = "agrees" if pixels_agree else "the tower agrees, pixels do not"
            return Verdict(case, told, error, why, pixels_agree)
        closest, distance = None, own
        for defect in _tower.DEFECTS:
            made = defect(self._weights, self._config).encode(
                used, grids.tolist())
            if (there := relative(rows, made)) < distance:
                closest, distance = defect, there
        half = float(self.golden[case + ".bf16"])
        if closest is not None and distance <= own / 3:
            return Verdict(case, told, error, _tower.name_of(closest)
                           + f", to {distance:.0e}", False)
        if own <= 2 * half:
            return Verdict(case, told, error, "precision: as bf16 (transformers' "
                           f"own is {half:.1e} off)", pixels_agree)
        return Verdict(case, told, error, "deviates, in none of the known ways",
                       False)


def _same(x: Array) -> Array:
    return x


def _half(x: Array) -> Array:
    rounded: Array = x.astype(np.float16).astype(np.float32)
    return rounded


def _raster(pixels: Array, grids: Array) -> Array:
    out, first = np.empty_like(pixels), 0
    for t, h, w in grids:
        end = first + t * h * w
        blocks = pixels[first:end].reshape(t, h // 2, w // 2, 2, 2, -1)
        out[first:end] = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(
            end - first, -1)
        first = end
    return out


def _first_frame(pixels: Array) -> Array:
    halves: Array = pixels.reshape(len(pixels), 3, 2, -1).copy()
    halves[:, :, 1] = 0
    return halves.reshape(len(pixels), -1)


def read_dump(folder: Path, case: str) -> tuple[Array | None, Array]:
    """A stack's pixel_values, if it dumped them, and its rows."""
    both = folder / f"{case}.safetensors"
    if both.exists():
        tensors = _cases.read_safetensors(both)
        if "rows" not in tensors:
            raise errors.InputError(f"{both}: expected a tensor named rows, and "
                                    "pixel_values if you have them")
        return tensors.get("pixel_values"), tensors["rows"]
    rows = folder / f"{case}.rows.npy"
    if not rows.exists():
        raise errors.NotFoundError(f"{rows}: missing, and so is {both}")
    pixels = folder / f"{case}.pixel_values.npy"
    return np.load(pixels) if pixels.exists() else None, np.load(rows)


def table(verdicts: list[Verdict]) -> str:
    lines = ["| case | pixels | rows, relative error | verdict |",
             "| --- | --- | ---: | --- |"]
    lines += [f"| {v.case} | {v.pixels} | {v.error:.1e} | {v.verdict} |"
              for v in verdicts]
    return "\n".join(lines)
