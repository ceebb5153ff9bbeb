#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Would the golden tests notice?  Classical mistakes, made on purpose.

Each is built into the float64 tower in turn, which then computes every case of
the tiny golden file; printed is how many cases notice in fp32 (an error above
1e-5) and the first state that is wrong.  Needs torch, transformers, numpy and
safetensors, as make_golden.py does.
"""
import math
import sys

import torch

import make_golden
import synth
import tower64

LIMIT = 1e-5
ORIGINAL = {name: getattr(tower64, name) for name in (
    "window_order", "image_order", "angles", "rms_norm", "linear", "rotate",
    "gelu", "silu", "attend")}


def tanh_gelu(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def norm_with(eps):
    return lambda x, w: x / torch.sqrt((x * x).mean(-1, keepdim=True)
                                       + eps) * w


def norm_plus_one(x, w):
    return ORIGINAL["rms_norm"](x, w + 1)


def coarse_angles(positions, head_dim, dtype):
    """Frequencies rounded to bf16."""
    quarter = torch.arange(0, head_dim // 2, 2, dtype=torch.float32)
    frequency = (1.0 / 1e4 ** (quarter / (head_dim // 2))).bfloat16().float()
    place = torch.tensor(positions, dtype=torch.float32)
    angle = (place[:, :, None] * frequency).flatten(1).double()
    return torch.cat([angle, angle], 1)[:, None, :]


def angles_of(change):
    return lambda positions, head_dim, dtype: ORIGINAL["angles"](
        [change(p) for p in positions], head_dim, dtype)


def rotate_neighbours(x, angle):
    """Pairs (0, 1), (2, 3), ... instead of (0, n/2), (1, n/2 + 1), ..."""
    half = x.shape[-1] // 2
    pairs = x.unflatten(-1, (half, 2)).transpose(-1, -2).flatten(-2)
    turned = ORIGINAL["rotate"](pairs, angle)
    return turned.unflatten(-1, (2, half)).transpose(-1, -2).flatten(-2)


def windows_of(side):
    return lambda grids, window: ORIGINAL["window_order"](grids, side)


def segments_of(change):
    """change(windows, frames) gives both kinds of segment anew."""
    def made(grids, window):
        order, positions, windows, frames = ORIGINAL["window_order"](grids,
                                                                     window)
        return order, positions, *change(windows, frames, grids)
    return made


def whole_items(windows, frames, grids):
    ends, merged = 0, []
    for t, h, w in grids:
        merged.append((ends, ends + t * h * w))
        ends += t * h * w
    return windows, merged


def attend_scaled(factor):
    return lambda q, k, v, segments: ORIGINAL["attend"](q * factor, k, v,
                                                        segments)


def linear_without(bias):
    return lambda x, weights, name: x @ weights[name + ".weight"].T + (
        0 if name.endswith(bias) else weights[name + ".bias"])


MISTAKES = {
    "GELU by tanh": {"gelu": tanh_gelu},
    "GELU by 1.702 sigmoid": {"gelu": quick_gelu},
    "SiLU replaced by GELU": {"silu": ORIGINAL["gelu"]},
    "eps 1e-5": {"rms_norm": norm_with(1e-5)},
    "eps 0": {"rms_norm": norm_with(0)},
    "norm weight plus one": {"rms_norm": norm_plus_one},
    "rope frequencies in bf16": {"angles": coarse_angles},
    "rope of (column, row)": {"angles": angles_of(lambda p: (p[1], p[0]))},
    "rope of tokens, not patches": {"angles": angles_of(
        lambda p: (p[0] // 2, p[1] // 2))},
    "rope positions one token to the right": {"angles": angles_of(
        lambda p: (p[0], p[1] + (p[1] > 3)))},
    "rope of neighbouring pairs": {"rotate": rotate_neighbours},
    "rope backwards": {"rotate": lambda x, angle: ORIGINAL["rotate"](
        x, -angle)},
    "permutation for its inverse": {
        "image_order": lambda tokens, order: tokens[order]},
    "windows of 3 x 3 tokens": {"window_order": windows_of(3)},
    "windows of 8 x 8 tokens": {"window_order": windows_of(8)},
    "windows everywhere": {"window_order": segments_of(
        lambda w, f, g: (w, w))},
    "full attention everywhere": {"window_order": segments_of(
        lambda w, f, g: (f, f))},
    "windows and frames exchanged": {"window_order": segments_of(
        lambda w, f, g: (f, w))},
    "frames of a video attend to each other": {
        "window_order": segments_of(whole_items)},
    "scores not scaled": {"attend": attend_scaled(math.sqrt(16))},
    "scores scaled 0.1 % wrong": {"attend": attend_scaled(1.001)},
    "no bias in qkv": {"linear": linear_without("attn.qkv")},
    "no bias in down_proj": {"linear": linear_without("down_proj")},
}


def relative(a, b):
    return float((a - b).norm() / b.norm())


def states_of(weights, shape, case):
    pixels, grids, _ = make_golden.inputs(*case, shape)
    states, out = tower64.forward(weights, torch.from_numpy(pixels).double(),
                                  grids, shape)
    order = tower64.window_order(grids, shape.window // 2 // shape.patch)[0]
    return [ORIGINAL["image_order"](s.unflatten(0, (-1, 4)), order)
            for s in states] + [out]


def first_wrong(truth, values):
    for k, (a, b) in enumerate(zip(values, truth)):
        if not (a.shape == b.shape and relative(a, b) <= LIMIT):
            return k
    return None


def main():
    depth, full_blocks, cases = make_golden.CASES["tiny"]
    shape = synth.Shape("tiny", depth, full_blocks)
    weights = {k: v.double() for k, v in make_golden.load(shape).items()}
    cases = [(name, *case) for name, case in cases.items()]
    truths = [states_of(weights, shape, case) for case in cases]
    names = ["embedding"] + [f"block {b}" for b in range(depth)] + ["merger"]
    unseen = 0
    for name, change in MISTAKES.items():
        for function, value in (ORIGINAL | change).items():
            setattr(tower64, function, value)
        found = [first_wrong(truth, states_of(weights, shape, case))
                 for case, truth in zip(cases, truths)]
        seen = [k for k in found if k is not None]
        unseen += not seen
        print(f"{name:40} {len(seen)} of {len(cases)} cases"
              + (f", first {names[min(seen)]}" if seen else ": NOT SEEN"))
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
