#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute the numbers of model.md from its formulas, and look for them there.

Needs numpy alone.  Each section of the page is a function here, written from
the page and from nothing else; a number that the page does not show is an
error.  Exit status: 0, 1 (a number is missing), 77 (no numpy: skipped).
"""
import hashlib
import math
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("skipped: numpy is not installed")
    sys.exit(77)

PAGE = Path(__file__).with_name("model.md").read_text(encoding="utf-8")
PAGE_FLAT = " ".join(PAGE.replace("\u2212", "-").split())
missing = []
count = 0


def expect(text: str) -> None:
    """One number or row of numbers that the page must show."""
    global count
    count += 1
    if text not in PAGE_FLAT:
        missing.append(text)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


# ---- 5. smart_resize --------------------------------------------------------

def smart_resize(height, width, low=3136, high=12845056, second_form=False):
    f = 28
    if max(height, width) / min(height, width) > 200.0:
        raise ValueError("aspect ratio above 200")
    h, w = f * round(height / f), f * round(width / f)
    if second_form:
        h, w = max(f, h), max(f, w)
    if h * w > high:
        b = math.sqrt(height * width / high)
        h = max(f, f * math.floor(height / b / f))
        w = max(f, f * math.floor(width / b / f))
    elif h * w < low:
        b = math.sqrt(low / (height * width))
        h = f * math.ceil(height * b / f)
        w = f * math.ceil(width * b / f)
    return h, w


def check_sizes():
    cells = lambda size: f"{size[0]}×{size[1]}"
    for size in [(98, 98), (13, 100), (14, 600), (10, 2000), (480, 640),
                 (720, 1280), (1036, 1036), (1080, 1920), (1365, 2048),
                 (3000, 4000), (6000, 8000), (28, 5600), (100, 20000)]:
        first = smart_resize(*size)
        second = smart_resize(*size, second_form=True)
        small = smart_resize(*size, high=1003520)
        middle = "same" if second == first else cells(second)
        expect(f"| {cells(size)} | {cells(first)} | {middle} | {cells(small)} |")
    for side in (1, 14, 28, 42, 70):
        assert smart_resize(side, side) == (56, 56)
    assert smart_resize(4867, 4867) == (3556, 3556)
    exact = 28 * (math.isqrt(12845056) // 28)
    assert exact == 3584


# ---- 6. resampling ----------------------------------------------------------

def cubic(x):
    a, x = -0.5, abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def taps(n_in, n_out):
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    support = 2 * stretch
    for i in range(n_out):
        c = (i + 0.5) * scale
        lo = max(0, int(c - support + 0.5))
        hi = min(n_in, int(c + support + 0.5))
        w = [cubic((j + lo - c + 0.5) * (1 / stretch)) for j in range(hi - lo)]
        total = 0.0
        for v in w:
            total += v
        yield lo, [v / total for v in w]


def integer_taps(n_in, n_out, torchvision):
    sets = list(taps(n_in, n_out))
    p = 22
    if torchvision:
        p, top = 0, max(0.0, *(v for _, w in sets for v in w))
        while p < 22 and int(0.5 + top * 2 ** (p + 1)) < 2 ** 15:
            p += 1
    half = lambda v: 0.5 if v >= 0 else -0.5
    return p, [(lo, [int(v * 2 ** p + half(v)) for v in w]) for lo, w in sets]


def pass_over(image, n_out, axis, torchvision):
    if image.shape[axis] == n_out:
        return image
    p, sets = integer_taps(image.shape[axis], n_out, torchvision)
    lines = np.moveaxis(image, axis, 0).astype(np.int64)
    out = np.stack([(sum(lines[lo + j] * q for j, q in enumerate(w))
                     + (1 << (p - 1))) >> p for lo, w in sets])
    return np.moveaxis(np.clip(out, 0, 255).astype(np.uint8), 0, axis)


def resize(image, h, w, flavour):
    height, width = image.shape[:2]
    down = height - h
    vertical_first = (flavour == "pillow" and down > 0
                      and down > 2 * (width - w))
    for axis in (0, 1) if vertical_first else (1, 0):
        image = pass_over(image, (h, w)[axis], axis, flavour == "torchvision")
    return image


def float_resize(image, h, w):
    """Flavour F in doubles: the page's vector is far from any rounding tie."""
    out = image.astype(np.float64)
    for axis, n in ((1, w), (0, h)):
        lines = np.moveaxis(out, axis, 0)
        out = np.moveaxis(np.stack([
            sum(lines[lo + j] * v for j, v in enumerate(weights))
            for lo, weights in taps(lines.shape[0], n)]), 0, axis)
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def check_resampling():
    line = lambda values: " ".join(str(int(v)) for v in values)
    y, x = np.mgrid[0:7, 0:9]
    small = ((37 * x + 91 * y + 13 * x * y) % 256).astype(np.uint8)
    for flavour in ("pillow", "torchvision"):
        expect(" ".join(line(r) for r in resize(small, 5, 6, flavour)))
    floats = float_resize(small, 5, 6)
    assert line(floats[0]) == line(resize(small, 5, 6, "pillow")[0])
    for row in floats[1:]:
        expect(f"`{line(row)}`")
    for _, weights in integer_taps(9, 6, False)[1][:2]:
        expect(line(weights))
    assert integer_taps(9, 6, True)[0] == integer_taps(7, 5, True)[0] == 15
    for new, old in zip(resize(small, 5, 11, "pillow"),
                        resize(small, 5, 11, "pillow12")):
        expect(f"{line(new)} {line(old)}")

    y, x = np.mgrid[0:300, 0:420]
    image = np.stack([(x * x // 7 + 3 * y) % 256, (5 * x + y * y // 11) % 256,
                      (x ^ y) & 255], -1).astype(np.uint8)
    expect(md5(image.tobytes()))
    for h, w in [(308, 420), (140, 196), (476, 700), (280, 448), (224, 392),
                 (244, 392), (243, 392)]:
        new, old, torch = (md5(resize(image, h, w, f).tobytes())
                           for f in ("pillow", "pillow12", "torchvision"))
        old = "same" if old == new else f"`{old}`"
        expect(f"| {h}×{w} | `{new}` | {old} | `{torch}` |")


# ---- 7. normalisation -------------------------------------------------------

def to_bf16(values):
    bits = values.view(np.uint32)
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16


def check_normalisation():
    f32 = np.float32
    mean = np.array([0.48145466, 0.4578275, 0.40821073], f32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], f32)
    m, s = mean * f32(255), std * f32(255)
    levels = np.arange(256)[:, None]
    fast = (levels.astype(f32) - m) / s
    slow = ((levels * (1 / 255)).astype(f32) - mean) / std
    for name, values in (("M", m), ("S", s)):
        expect(f"| {name} | " + " | ".join(
            f"{str(v)}, {int(b):#010x}"
            for v, b in zip(values, values.view(np.uint32))))
    for level in (0, 255):
        expect(f"| fast, level {level} | "
               + " | ".join(f"{v:.7f}" for v in fast[level]))
    expect(f"differ in {(fast != slow).sum()} of the 768")
    assert abs(fast - slow).max() < 2.45e-7
    assert (to_bf16(fast) == to_bf16(slow)).all()
    expect(" | ".join(" ".join(f"{int(v):x}" for v in column) for column in
                      to_bf16(fast)[[0, 1, 127, 128, 254, 255]].T))


# ---- 10. windows ------------------------------------------------------------

def geometry(grids, side=4):
    index, windows, frames, positions, base = [], [0], [0], [], 0
    for t, h, w in grids:
        ht, wt = h // 2, w // 2
        for frame in range(t):
            for y0 in range(0, ht, side):
                for x0 in range(0, wt, side):
                    for y in range(y0, min(y0 + side, ht)):
                        for x in range(x0, min(x0 + side, wt)):
                            index.append(base + (frame * ht + y) * wt + x)
                            positions += [(2 * y + i, 2 * x + j)
                                          for i in (0, 1) for j in (0, 1)]
                    windows.append(4 * len(index))
            frames.append(4 * len(index))
        base += t * ht * wt
    return index, windows, frames, np.array(positions)


def check_windows():
    digest = lambda values: md5(",".join(map(str, values)).encode())
    for grids in ([(1, 10, 14)], [(1, 24, 24)], [(1, 34, 74)], [(1, 74, 74)],
                  [(2, 36, 52)], [(1, 10, 14), (2, 8, 8), (1, 2, 2)]):
        index, windows, frames, _ = geometry(grids)
        names = ", ".join(f"({t},{h},{w})" for t, h, w in grids)
        expect(f"| {names} | {frames[-1]} | {len(windows) - 1} "
               f"| {', '.join(map(str, frames))} "
               f"| `{digest(index)}` | `{digest(windows)}` |")
    index, windows, _, positions = geometry([(1, 10, 14)])
    pieces = [index[a // 4:b // 4] for a, b in zip(windows, windows[1:])]
    expect(" | ".join(" ".join(map(str, p)) for p in pieces))
    expect("`" + " ".join(map(str, np.argsort(index))) + "`")
    assert tuple(positions[64]) == (0, 8)
    for t, h, w in [(2, 10, 14), (1, 24, 24), (3, 36, 52)]:
        inverse = np.argsort(geometry([(t, h, w)])[0])
        ht, wt = h // 2, w // 2
        for token in range(t * ht * wt):
            frame, y, x = token // (ht * wt), token // wt % ht, token % wt
            wy, wx = y // 4, x // 4
            hh, ww = min(4, ht - 4 * wy), min(4, wt - 4 * wx)
            assert inverse[token] == (frame * ht * wt + 4 * wy * wt
                                      + 4 * hh * wx + (y - 4 * wy) * ww
                                      + x - 4 * wx)


# ---- 13. FLOPs --------------------------------------------------------------

def flops(grid, intermediate, out_hidden):
    s = grid[0] * grid[1] * grid[2]
    _, windows, frames, _ = geometry([grid])
    attention = lambda cu: 4 * 1280 * sum((b - a) ** 2
                                          for a, b in zip(cu, cu[1:]))
    full = 4 * attention(frames)
    return (2 * 1176 * 1280 * s
            + 32 * 2 * s * (4 * 1280 ** 2 + 3 * 1280 * intermediate)
            + 28 * attention(windows) + full
            + 2 * (5120 ** 2 + 5120 * out_hidden) * s // 4), full


def check_flops():
    rows = {(1, 8, 8): 3, (1, 16, 16): 3, (1, 32, 32): 3, (1, 34, 46): 2,
            (1, 34, 74): 3, (2, 36, 52): 2, (1, 74, 74): 2, (1, 78, 138): 2,
            (1, 128, 128): 2, (1, 256, 256): 1}
    for grid, digits in rows.items():
        total, full = flops(grid, 3420, 3584)
        larger, _ = flops(grid, 3456, 8192)
        s = grid[0] * grid[1] * grid[2]
        expect(f"| {s} | {s // 4} | {total / 1e12:.{digits}f} T "
               f"| {larger / 1e12:.{digits}f} T | {100 * full / total:.1f} % |")
    for intermediate, out_hidden in ((3420, 2048), (3420, 3584), (3456, 5120),
                                     (3456, 8192)):
        block = (2 * 1280 + 4919040 + 1639680 + 2 * 1281 * intermediate
                 + 1280 * intermediate + 1280)
        total = (1505280 + 32 * block + 1280 + 26219520 + 5121 * out_hidden)
        spaced = lambda n: f"{n:,}".replace(",", " ")
        expect(f"| {spaced(total)} | {spaced(2 * total)} |")


# ---- 14. the tiny network ---------------------------------------------------

def fill(seed, shape, scale, offset=0.0):
    n = int(np.prod(shape))
    with np.errstate(over="ignore"):
        x = np.uint64(seed << 32) + np.arange(n, dtype=np.uint64)
        x += np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    unit = (x >> np.uint64(40)).astype(np.float64) / 2 ** 24 * 2 - 1
    return (unit * scale + offset).reshape(shape)


def tiny_weights(d, i, o, k, depth):
    seed = 0

    def tensor(shape, scale, offset=0.0):
        nonlocal seed
        seed += 1
        return fill(seed, shape, scale, offset)

    embed = tensor((d, k), 0.1)
    blocks = []
    for _ in range(depth):
        norms = tensor((d,), 0.2, 1), tensor((d,), 0.2, 1)
        linears = [(tensor(shape, scale), tensor(shape[:1], 0.1))
                   for shape, scale in (((3 * d, d), 0.35), ((d, d), 0.2),
                                        ((i, d), 0.25), ((i, d), 0.25),
                                        ((d, i), 0.25))]
        blocks.append((norms, linears))
    merger = (tensor((d,), 0.2, 1), tensor((4 * d, 4 * d), 0.1),
              tensor((4 * d,), 0.1), tensor((o, 4 * d), 0.1),
              tensor((o,), 0.1))
    assert seed == 54
    return embed, blocks, merger


def rms(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w


def turned(q, angles):
    half = q.shape[-1] // 2
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = q[..., :half], q[..., half:]
    return np.concatenate([a * c - b * s, b * c + a * s], -1)


def attention(q, k, v, segments):
    out = np.empty_like(q)
    for a, b in zip(segments, segments[1:]):
        p = np.einsum("ihd,jhd->hij", q[a:b], k[a:b]) / math.sqrt(q.shape[-1])
        p = np.exp(p - p.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        out[a:b] = np.einsum("hij,jhd->ihd", p, v[a:b])
    return out


def block_of(x, block, angles, segments, heads):
    (norm1, norm2), (qkv, proj, gate, up, down) = block
    linear = lambda t, wb: t @ wb[0].T + wb[1]
    q, k, v = np.moveaxis(linear(rms(x, norm1), qkv).reshape(
        len(x), 3, heads, -1), 1, 0)
    o = attention(turned(q, angles), turned(k, angles), v, segments)
    x = x + linear(o.reshape(len(x), -1), proj)
    a = rms(x, norm2)
    g = linear(a, gate)
    return x + linear(g / (1 + np.exp(-g)) * linear(a, up), down)


def check_tiny():
    d, heads, depth = 32, 2, 4
    head = d // heads
    grids = [(1, 10, 14), (2, 8, 8), (1, 2, 2)]
    embed, blocks, merger = tiny_weights(d, 20, 24, 96, depth)
    pixels = fill(1000, (272, 96), 2.0)
    index, windows, frames, positions = geometry(grids)
    show = lambda row: " ".join(f"{v:.9g}" for v in row[:4])
    expect(f"{float(pixels[0, 0])!r}")
    expect(", ".join(repr(float(v)) for v in embed[0, :3]))

    x = pixels @ embed.T
    expect(f"| 0 | {show(x[0])} |")
    expect(f"| 139 | {show(x[139])} |")
    x = x.reshape(-1, 4, d)[index].reshape(-1, d)
    omega = 10000.0 ** (-2 * np.arange(head // 4) / (head // 2))
    angles = np.concatenate([positions[:, :1] * omega,
                             positions[:, 1:] * omega], -1)
    for n, block in enumerate(blocks):
        x = block_of(x, block, angles, frames if n in (1, 3) else windows,
                     heads)
        if n == 0:
            expect(f"| 0 | {show(x[0])} |")
            expect(f"| 64 | {show(x[64])} |")
    expect(f"| 0 | {show(x[0])} |")
    expect(f"| 271 | {show(x[271])} |")

    norm, w0, b0, w2, b2 = merger
    z = rms(x, norm).reshape(-1, 4 * d) @ w0.T + b0
    z = z / 2 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    out = np.empty((len(z), 24))
    out[index] = z @ w2.T + b2
    for row in (0, 4, 16, 34, 35, 50, 51, 67):
        expect(f"| {row} | {show(out[row])} |")
    expect(f"{out.sum():.10f}")
    expect(f"{(out * out).sum():.9f}")


def main():
    for check in (check_sizes, check_resampling, check_normalisation,
                  check_windows, check_flops, check_tiny):
        check()
    for text in missing:
        print(f"model.md does not show: {text}", file=sys.stderr)
    sys.stderr.flush()
    print(f"{count - len(missing)} passed, {len(missing)} failed")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
