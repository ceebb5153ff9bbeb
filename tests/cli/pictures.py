# SPDX-License-Identifier: Apache-2.0
"""pictures.py TOOL PROJECT - the pictures of plan and heatmap, drawn anew

numpy draws them from pixel_values, from embeddings and from the reference's rule
of windows; its singular value decomposition gives the principal components.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)
import png

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])
PALETTE = np.array(
    [
        [230, 159, 0],
        [86, 180, 233],
        [0, 158, 115],
        [240, 228, 66],
        [0, 114, 178],
        [213, 94, 0],
        [204, 121, 167],
    ],
    float,
)
MAGMA = np.array(
    [
        [0, 0, 4],
        [28, 16, 68],
        [79, 18, 123],
        [129, 37, 129],
        [181, 54, 122],
        [229, 80, 100],
        [251, 135, 97],
        [254, 194, 135],
        [252, 253, 191],
    ],
    float,
)

tool, project = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def run(*arguments):
    done = subprocess.run(
        [tool, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stderr


def tensor(path, name):
    data = open(path, "rb").read()
    (n,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8 : 8 + n])[name]
    kind = {"F32": np.float32, "I64": np.int64}[entry["dtype"]]
    begin, end = entry["data_offsets"]
    return np.frombuffer(data[8 + n + begin : 8 + n + end], kind).reshape(
        entry["shape"]
    )


def blended(under, over, alpha):
    return np.floor((1.0 - alpha) * under + alpha * over + 0.5)


class Seen:
    """What the encoder sees of a picture, out of a processor's pixel_values."""

    def __init__(self, name, model, patch, size):
        run("preprocess", name, "--model", model, *size, "-f", "-q", "-o", "pixels")
        _, h, w = tensor("pixels", "image_grid_thw")[0]
        rows = tensor("pixels", "pixel_values").astype(float)
        rows = rows.reshape(h // 2, w // 2, 2, 2, 3, 2, patch, patch)[..., 0, :, :]
        image = rows.transpose(0, 2, 5, 1, 3, 6, 4)
        image = image.reshape(h * patch, w * patch, 3) * STD + MEAN
        self.rgb = np.rint(image * 255.0)
        self.rows, self.columns = int(h) // 2, int(w) // 2
        self.patch, self.token = patch, 2 * patch

    def enlarged(self, longest):
        scale = min(4, max(1, longest // max(self.rgb.shape)))
        return np.repeat(np.repeat(self.rgb, scale, 0), scale, 1), scale


def windows(rows, columns, side):
    """Qwen2.5-VL's get_window_index: pad with -100, cut, drop the padding."""
    index = np.arange(rows * columns).reshape(rows, columns)
    padded = np.pad(
        index,
        ((0, side - rows % side), (0, side - columns % side)),
        constant_values=-100,
    )
    h, w = padded.shape[0] // side, padded.shape[1] // side
    for window in padded.reshape(h, side, w, side).swapaxes(1, 2).reshape(-1, side**2):
        inside = window[window != -100]
        if len(inside):
            yield inside // columns, inside % columns


def check_plan(name, model, patch, side, size=()):
    note = run("plan", name, "--model", model, *size, "-f", "--picture", "p.png")
    seen = Seen(name, model, patch, size)
    want, scale = seen.enlarged(1000)
    for step, t, alpha in (
        (patch * scale, 1, 0.25),
        (2 * patch * scale, (scale + 1) // 2, 0.60),
    ):
        for x in range(step, want.shape[1], step):
            want[:, x : x + t] = blended(want[:, x : x + t], 255, alpha)
        for y in range(step, want.shape[0], step):
            want[y : y + t] = blended(want[y : y + t], 255, alpha)
    free = np.ones(want.shape[:2], bool)  # of numbers
    token = seen.token * scale
    whole, n_cut, n = side * token, 0, 0
    for n, (r, c) in enumerate(windows(seen.rows, seen.columns, side), 1):
        y0, y1 = r.min() * token, (r.max() + 1) * token
        x0, x1 = c.min() * token, (c.max() + 1) * token
        colour = PALETTE[(3 * (r.min() // side) + c.min() // side) % 7]
        area = blended(want[y0:y1, x0:x1], colour, 0.25)
        if len(r) < side**2:
            n_cut += 1
            y, x = np.mgrid[y0:y1, x0:x1]
            period = token // 3 + 2
            dark = (x + y) % period < period // 2
            area[dark] = blended(area[dark], 0, 0.22)
        t = whole // 48 + 1
        area[:t] = area[-t:] = area[:, :t] = area[:, -t:] = colour
        want[y0:y1, x0:x1] = area
        # The number lies in the middle, and it is there.
        half = whole // 8 + whole // 32 + 2
        y, x = (y0 + y1) // 2, (x0 + x1) // 2
        free[max(y0, y - half) : y + half, max(x0, x - 2 * half) : x + 2 * half] = False
        inside = png_read("p.png")[y0 + t : y1 - t, x0 + t : x1 - t]
        assert (inside == 255).all(-1).sum() > 8, (name, n, "no white number")
    got = png_read("p.png")
    assert got.shape == want.shape, (name, got.shape, want.shape)
    difference = np.abs(got - want).max(-1)[free]
    assert difference.max() <= 1, (name, difference.max())
    assert free.mean() > 0.1, name
    assert f"{n} windows" in note and f"{n_cut} of them cut" in note, note


pictures = {}


def png_read(path):
    key = (path, os.stat(path).st_mtime_ns)
    if key not in pictures:
        pictures.clear()
        pictures[key] = png.read(path)
    return pictures[key]


def spread(values):
    ordered = np.sort(values)
    n = len(values)
    low, high = ordered[n // 50], ordered[n - 1 - n // 50]
    if high <= low:
        return np.full(n, 0.5)
    return np.clip((values - low) / (high - low), 0, 1)


def components(rows):
    """Scores, with the sign by the largest entry of each right vector."""
    centred = rows - rows.mean(0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    scores = np.zeros((len(rows), 3))
    for j in range(min(3, len(s))):
        if s[j] > 1e-9 * s[0]:
            sign = np.sign(vt[j, np.abs(vt[j]).argmax()])
            scores[:, j] = sign * u[:, j] * s[j]
    return scores, (s[:3] ** 2).sum() / (s**2).sum()


def magma(at):
    place = np.clip(at, 0, 1) * 8
    low = np.minimum(place.astype(int), 7)
    part = (place - low)[:, None]
    return (MAGMA[low] + part * (MAGMA[low + 1] - MAGMA[low])) / 255.0


def between(n_pixels, side, n):
    at = np.clip((np.arange(n_pixels) + 0.5) / side - 0.5, 0, n - 1)
    low = at.astype(int)
    return low, np.minimum(low + 1, n - 1), at - low


def tinted(seen, colours, longest=400):
    picture, scale = seen.enlarged(longest)
    side = seen.token * scale
    grid = colours.reshape(seen.rows, seen.columns, 3)
    y0, y1, py = between(picture.shape[0], side, seen.rows)
    x0, x1, px = between(picture.shape[1], side, seen.columns)
    px, py = px[None, :, None], py[:, None, None]
    upper = grid[y0][:, x0] * (1 - px) + grid[y0][:, x1] * px
    lower = grid[y1][:, x0] * (1 - px) + grid[y1][:, x1] * px
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255.0
    light = (0.35 + 0.65 * grey)[..., None]
    return np.floor(255 * (upper * (1 - py) + lower * py) * light + 0.5), side


def check_heatmap(name, model, patch, token=None, size=()):
    fp32 = ("--model", model, "--device", "cpu", "--precision", "fp32", "-f", *size)
    run("encode", name, *fp32, "--dtype", "f32", "-q", "-o", "rows")
    rows = tensor("rows", "embeddings").astype(float)
    seen = Seen(name, model, patch, size)
    extra = ("--token", "%d,%d" % token) if token else ()
    note = run("heatmap", name, *fp32, *extra, "-o", "h.png")
    if token:
        at = token[1] * seen.columns + token[0]
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosine = unit @ unit[at]
        low = min(1.0, cosine.min())
        high = np.delete(cosine, at).max() if len(cosine) > 1 else low
        colours = magma((cosine - low) / (high - low) if high > low else 1 + 0 * cosine)
        assert f"from {low:.3f} (dark) to {high:.3f}" in note, (note, low, high)
    else:
        scores, share = components(rows)
        colours = np.stack([spread(scores[:, j]) for j in range(3)], 1)
        assert f"{100 * share:.0f} % of their variance" in note, (note, share)
    want, side = tinted(seen, colours)
    if token:
        x, y, t = token[0] * side, token[1] * side, side // 16 + 1
        black = np.zeros(want.shape[:2], bool)
        black[max(0, y - t) : y + side + t, max(0, x - t) : x + side + t] = True
        black[y : y + side, x : x + side] = False
        white = np.zeros_like(black)
        white[y : y + side, x : x + side] = True
        white[y + t : y + side - t, x + t : x + side - t] = False
        want[black], want[white] = 0, 255
    got = png_read("h.png")
    assert got.shape == want.shape, (name, got.shape, want.shape)
    difference = np.abs(got - want)
    assert difference.max() <= 1, (name, token, difference.max())
    assert (difference > 0).mean() < 0.001, (name, token, (difference > 0).mean())


def ppm(path, width, height, pixels):
    with open(path, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())


def check_committed():
    """The pictures of the documentation are what its script makes."""
    committed = os.path.join(project, "docs/pictures")
    os.mkdir("made")
    subprocess.run(
        [os.path.join(committed, "make.sh"), tool, "made"],
        check=True,
        capture_output=True,
    )
    made = sorted(os.listdir("made"))
    # A run of the benchmarks, which bench.sh draws, is another each time.
    there = sorted(n for n in os.listdir(committed)
                   if n.endswith(".png") and n != "bench.png")
    assert made == there, (made, there)
    total = 0
    for name in made:
        path = os.path.join(committed, name)
        total += os.path.getsize(path)
        difference = np.abs(png.read(path) - png.read("made/" + name))
        # Other processors sum the network's products in another order.
        most = 0 if name == "plan.png" else 2
        assert difference.max() <= most, (name, difference.max())
    assert total <= 300 << 10, total


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        photo = os.path.join(project, "examples/photos/rocket.jpg")
        noise = np.random.default_rng(1).integers(0, 256, (91, 173, 3), np.uint8)
        ppm("noise.ppm", 173, 91, noise)
        ppm("flat.ppm", 300, 40, np.full((40, 300, 3), 77, np.uint8))
        run("synth", "--config", "tiny", "--seed", 1, "-q", "model")
        small = ("--max-tokens", 200)
        check_plan(photo, "7b", 14, 4)
        check_plan("noise.ppm", "7b", 14, 4, ("--resample", "pillow"))
        check_plan("noise.ppm", "model", 4, 4)
        check_plan("flat.ppm", "7b", 14, 4, ("--min-tokens", 1))
        check_heatmap("noise.ppm", "model", 4)
        check_heatmap("noise.ppm", "model", 4, (0, 0))
        check_heatmap("flat.ppm", "model", 4)
        check_heatmap("noise.ppm", "model", 4, (20, 10))
        check_heatmap(photo, "model", 4, None, small)
        check_heatmap(photo, "model", 4, (3, 5), small)
        check_committed()
    print("the pictures are as numpy draws them")


main()
