# SPDX-License-Identifier: Apache-2.0
"""The vision tower in float64 numpy, written to be read, with its stages as
methods: a variant overrides one, and is what a stack with that defect computes.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Segments = list[tuple[int, int]]
Grids = Sequence[Sequence[int]]


class Layout:
    """Tokens in the order of attention windows, and who attends to whom."""

    def __init__(self, grids: Grids, window: int) -> None:
        self.order: list[int] = []  # token's place in image order
        self.places: list[tuple[int, int]] = []  # row and column of each patch
        self.windows: Segments = []  # in patches, as the others
        self.frames: Segments = []
        self.items: Segments = []
        base = 0
        for t, h, w in grids:
            item, rows, columns = len(self.places), h // 2, w // 2
            for frame in range(t):
                first = len(self.places)
                self._frame(base + frame * rows * columns, rows, columns, window)
                self.frames.append((first, len(self.places)))
            self.items.append((item, len(self.places)))
            base += t * rows * columns

    def _frame(self, base: int, rows: int, columns: int, window: int) -> None:
        for top in range(0, rows, window):
            for left in range(0, columns, window):
                first = len(self.places)
                for y in range(top, min(rows, top + window)):
                    for x in range(left, min(columns, left + window)):
                        self.order.append(base + y * columns + x)
                        self.places += [(2 * y + i, 2 * x + j)
                                        for i in (0, 1) for j in (0, 1)]
                self.windows.append((first, len(self.places)))


class Tower:
    """As transformers defines it."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]],
                 config: Mapping[str, Any]) -> None:
        self.weights = {name: value.astype(np.float64)
                        for name, value in weights.items()}
        self.hidden = int(config["hidden_size"])
        self.heads = int(config["num_heads"])
        self.depth = int(config["depth"])
        self.full = set(config["fullatt_block_indexes"])
        self.window = (int(config["window_size"])
                       // config["spatial_merge_size"] // config["patch_size"])

    # ---- Stages --------------------------------------------------------------

    def gelu(self, x: F64) -> F64:
        erf = np.vectorize(math.erf, otypes=[np.float64])
        return np.asarray(x * 0.5 * (1 + erf(x / math.sqrt(2))))

    def frequencies(self, head_dim: int) -> npt.NDArray[Any]:
        quarter = np.arange(0, head_dim // 2, 2, dtype=np.float32)
        powers = np.float32(10000) ** (quarter / np.float32(head_dim // 2))
        return np.asarray(1 / powers, np.float32)

    def places(self, layout: Layout) -> F64:
        return np.array(layout.places, np.float64)

    def angles(self, layout: Layout, head_dim: int) -> F64:
        turn = (self.places(layout).astype(np.float32)[:, :, None]
                * self.frequencies(head_dim))
        turn = turn.reshape(len(turn), -1).astype(np.float64)
        return np.concatenate([turn, turn], axis=1)[:, None, :]

    def segments(self, layout: Layout, block: int) -> Segments:
        return layout.frames if block in self.full else layout.windows

    def image_order(self, rows: F64, layout: Layout) -> F64:
        out = np.empty_like(rows)
        out[layout.order] = rows
        return out

    eps = 1e-6

    # ---- The network ---------------------------------------------------------

    def norm(self, x: F64, name: str) -> F64:
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + self.eps)
        return np.asarray(x / scale * self.weights[name + ".weight"])

    def linear(self, x: F64, name: str) -> F64:
        return np.asarray(x @ self.weights[name + ".weight"].T
                          + self.weights[name + ".bias"])

    def attend(self, q: F64, k: F64, v: F64, segments: Segments) -> F64:
        out = np.empty_like(v)
        for first, end in segments:
            scores = np.einsum("qhd,khd->hqk", q[first:end], k[first:end])
            scores /= math.sqrt(q.shape[-1])
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            out[first:end] = np.einsum("hqk,khd->qhd", shares, v[first:end])
        return out

    def encode(self, pixels: npt.NDArray[Any], grids: Grids) -> F64:
        """Embeddings [tokens, out_hidden_size] of pixel_values, image order."""
        layout = Layout(grids, self.window)
        angle = self.angles(layout, self.hidden // self.heads)
        embed = self.weights["patch_embed.proj.weight"].reshape(self.hidden, -1)
        x = pixels.astype(np.float64) @ embed.T
        x = x.reshape(-1, 4, self.hidden)[layout.order].reshape(-1, self.hidden)
        for block in range(self.depth):
            p = f"blocks.{block}."
            qkv = self.linear(self.norm(x, p + "norm1"), p + "attn.qkv")
            q, k, v = qkv.reshape(len(x), 3, self.heads, -1).transpose(1, 0, 2, 3)
            out = self.attend(rotate(q, angle), rotate(k, angle), v,
                              self.segments(layout, block))
            x = x + self.linear(out.reshape(len(x), -1), p + "attn.proj")
            n = self.norm(x, p + "norm2")
            gate = self.linear(n, p + "mlp.gate_proj")
            gate = gate / (1 + np.exp(-gate)) * self.linear(n, p + "mlp.up_proj")
            x = x + self.linear(gate, p + "mlp.down_proj")
        z = self.norm(x, "merger.ln_q").reshape(len(layout.order), -1)
        z = self.linear(self.gelu(self.linear(z, "merger.mlp.0")),
                        "merger.mlp.2")
        return self.image_order(z, layout)


def rotate(x: F64, angle: F64) -> F64:
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return np.asarray(x * np.cos(angle) + turned * np.sin(angle))


def to_bfloat16(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Rounded to bfloat16, to the nearest, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))
    return np.asarray((bits & np.uint32(0xFFFF0000)).view(np.float32))


# ---- Defects -----------------------------------------------------------------


class TanhGelu(Tower):
    """GELU: by tanh instead of erf (llama.cpp's ggml_gelu)."""

    def gelu(self, x: F64) -> F64:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)
        return np.asarray(0.5 * x * (1 + np.tanh(inner)))


class QuickGelu(Tower):
    """GELU: by a sigmoid of 1.702 x, as Qwen2-VL's blocks."""

    def gelu(self, x: F64) -> F64:
        return np.asarray(x / (1 + np.exp(-1.702 * x)))


class NoWindows(Tower):
    """windows: full attention in every block (a reading of llama.cpp #12402)."""

    def segments(self, layout: Layout, block: int) -> Segments:
        return layout.frames


class WindowsEverywhere(Tower):
    """windows: in every block, as if none were full (cosmos-rl #171)."""

    def segments(self, layout: Layout, block: int) -> Segments:
        return layout.windows


class SegmentsExchanged(Tower):
    """windows: exchanged with full attention (vLLM #15200)."""

    def segments(self, layout: Layout, block: int) -> Segments:
        return layout.windows if block in self.full else layout.frames


class DoubleWindows(Tower):
    """windows: of twice the side."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]],
                 config: Mapping[str, Any]) -> None:
        super().__init__(weights, config)
        self.window *= 2


class FramesTogether(Tower):
    """frames: those of a video attend to each other (SGLang #12261)."""

    def segments(self, layout: Layout, block: int) -> Segments:
        return layout.items if block in self.full else layout.windows


class ItemsTogether(Tower):
    """frames: all items of a batch attend to each other."""

    def segments(self, layout: Layout, block: int) -> Segments:
        whole = [(0, len(layout.places))]
        return whole if block in self.full else layout.windows


class CoarseAngles(Tower):
    """positions: rope's angles rounded to bfloat16 (SGLang)."""

    def angles(self, layout: Layout, head_dim: int) -> F64:
        return to_bfloat16(super().angles(layout, head_dim)).astype(np.float64)


class CoarseFrequencies(Tower):
    """positions: rope's frequencies rounded to bfloat16 (a tower cast whole)."""

    def frequencies(self, head_dim: int) -> npt.NDArray[Any]:
        return to_bfloat16(super().frequencies(head_dim))


class ColumnsFirst(Tower):
    """positions: rows and columns exchanged (Pai-Megatron-Patch #552)."""

    def places(self, layout: Layout) -> F64:
        return super().places(layout)[:, ::-1]


class WindowOrder(Tower):
    """order: rows left in the order of windows."""

    def image_order(self, rows: F64, layout: Layout) -> F64:
        return rows


class WrongPermutation(Tower):
    """order: the permutation in place of its inverse."""

    def image_order(self, rows: F64, layout: Layout) -> F64:
        return rows[layout.order]


class LargeEps(Tower):
    """norm: eps 1e-5, the language model's, instead of 1e-6."""

    eps = 1e-5


DEFECTS: tuple[type[Tower], ...] = (
    TanhGelu, QuickGelu, NoWindows, WindowsEverywhere, SegmentsExchanged,
    DoubleWindows, FramesTogether, ItemsTogether, CoarseAngles,
    CoarseFrequencies, ColumnsFirst, WindowOrder, WrongPermutation, LargeEps)


def name_of(defect: type[Tower]) -> str:
    return (defect.__doc__ or "").rstrip(".").replace("\n", " ")
