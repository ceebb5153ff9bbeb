# SPDX-License-Identifier: Apache-2.0
"""The vision tower in float64: a second formulation, written from the formulas.

It shares nothing with transformers but the tensors' names: windows come from
loops over token coordinates, attention from one dense product a segment.  Only
the rope frequencies and angles are rounded to fp32, as the reference defines.
"""
import math

import torch


def window_order(grids, window):
    """Tokens in window order, (row, column) of their patches, segments."""
    order, positions, windows, frames, base = [], [], [], [], 0
    for t, h, w in grids:
        rows, columns = h // 2, w // 2
        for f in range(t):
            first = len(order)
            for y0 in range(0, rows, window):
                for x0 in range(0, columns, window):
                    begin = len(order)
                    for y in range(y0, min(rows, y0 + window)):
                        for x in range(x0, min(columns, x0 + window)):
                            order.append(base + (f * rows + y) * columns + x)
                            positions += [(2 * y + i, 2 * x + j)
                                          for i in (0, 1) for j in (0, 1)]
                    windows.append((4 * begin, 4 * len(order)))
            frames.append((4 * first, 4 * len(order)))
        base += t * rows * columns
    return torch.tensor(order), positions, windows, frames


def angles(positions, head_dim, dtype, theta=10000.0):
    quarter = torch.arange(0, head_dim // 2, 2, dtype=dtype)
    frequency = 1.0 / theta ** (quarter / (head_dim // 2))
    place = torch.tensor(positions, dtype=dtype)
    angle = (place[:, :, None] * frequency).flatten(1).double()
    return torch.cat([angle, angle], 1)[:, None, :]


def rms_norm(x, weight):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6) * weight


def linear(x, weights, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def rotate(x, angle):
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * angle.cos() + turned * angle.sin()


def attend(q, k, v, segments):
    out = torch.empty_like(v)
    for begin, end in segments:
        scores = torch.einsum("qhd,khd->hqk", q[begin:end], k[begin:end])
        share = torch.softmax(scores / math.sqrt(q.shape[-1]), -1)
        out[begin:end] = torch.einsum("hqk,khd->qhd", share, v[begin:end])
    return out


def forward(weights, pixels, grids, shape, angle_dtype=torch.float32):
    """Hidden states in window order, then the embeddings in image order.

    'shape' has hidden, heads, depth, patch, window and full_blocks.
    """
    with torch.no_grad():
        hidden, heads = shape.hidden, shape.heads
        order, positions, windows, frames = window_order(
            grids, shape.window // 2 // shape.patch)
        angle = angles(positions, hidden // heads, angle_dtype)
        embed = weights["patch_embed.proj.weight"].reshape(hidden, -1)
        x = pixels @ embed.T
        x = x.reshape(-1, 4, hidden)[order].reshape(-1, hidden)
        states = [x]
        for b in range(shape.depth):
            p = f"blocks.{b}."
            n = rms_norm(x, weights[p + "norm1.weight"])
            qkv = linear(n, weights, p + "attn.qkv")
            q, k, v = qkv.reshape(len(x), 3, heads, -1).unbind(1)
            a = attend(rotate(q, angle), rotate(k, angle), v,
                       frames if b in shape.full_blocks else windows)
            x = x + linear(a.flatten(1), weights, p + "attn.proj")
            n = rms_norm(x, weights[p + "norm2.weight"])
            g = linear(n, weights, p + "mlp.gate_proj")
            u = linear(n, weights, p + "mlp.up_proj")
            x = x + linear(g * torch.sigmoid(g) * u, weights,
                           p + "mlp.down_proj")
            states.append(x)
        z = rms_norm(x, weights["merger.ln_q.weight"]).reshape(len(order), -1)
        z = linear(z, weights, "merger.mlp.0")
        z = z * 0.5 * (1 + torch.erf(z / math.sqrt(2)))
        z = linear(z, weights, "merger.mlp.2")
        out = torch.empty_like(z)
        out[order] = z
    return states, out
