# SPDX-License-Identifier: Apache-2.0
"""Digests of what the reference plans, for reference.h beside this script.

Needs transformers 5.23.0, torch 2.15.0, qwen-vl-utils 0.0.14 (and Pillow,
torchvision, which they import).  The random cases are the same as in the tests
beside it: the same generator, the same order of draws.

    python make_reference.py > reference.h
"""

import hashlib
import struct
import sys

import torch
import transformers
import qwen_vl_utils.vision_process as utils
from importlib.metadata import version
from transformers.image_utils import SizeDict
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
from transformers.models.qwen2_vl.video_processing_qwen2_vl import (
    Qwen2VLVideoProcessor,
)
from transformers.video_processing_utils import BaseVideoProcessor
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_position_ids,
    get_vision_window_index,
)

MASK = (1 << 64) - 1


class Random:
    """tests/support/random.h"""

    def __init__(self, seed):
        self.state = seed

    def u64(self):
        self.state = x = (self.state + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    def between(self, low, high):
        return low + self.u64() % (high - low + 1)


# (factor, min_pixels, max_pixels)
LIMITS = [
    (28, 3136, 12845056),
    (28, 3136, 1003520),
    (28, 4 * 28 * 28, 4 * 28 * 28),
    (56, 4 * 56 * 56, 16384 * 56 * 56),
    (32, 65536, 16777216),
    (14, 1, 50000),
]
SIZES = 20000


def draw_side(random):
    """Of any magnitude, up to 2^31 - 1."""
    return random.between(1, (1 << random.between(1, 31)) - 1)


def draw_size(random):
    """Mostly within the ratio of 200, and around it."""
    a = draw_side(random)
    kind = random.between(0, 7)
    if kind == 0:
        b = draw_side(random)
    else:
        b = max(1, a * random.between(1, 1000) // 201000 * random.between(1, 201))
        b = min(b, (1 << 31) - 1)
    return (a, b) if random.between(0, 1) else (b, a)


def sizes_digest(form, factor, low, high):
    random = Random(1)
    md5 = hashlib.md5()
    refused = 0
    for _ in range(SIZES):
        h, w = draw_size(random)
        try:
            rh, rw = form(h, w, factor, low, high)
        except ValueError:
            rh = rw = -1
        if rh < 1 or rw < 1:  # qwen-vl-utils lets a thin side vanish
            rh = rw = -1
            refused += 1
        md5.update(struct.pack("<qq", rh, rw))
    return md5.hexdigest(), refused


# (min_pixels, max_pixels) of one frame as a caller gives them; None: he does not
VIDEO_LIMITS = [
    (None, None),
    (3136, None),
    (None, 200704),
    (50176, 301056),
    (None, 12845056),
    (700000, None),
]
# The same for transformers' video processor, which always has both.
CAPPED_LIMITS = [(100352, 602112), (3136, 12845056), (301056, 602112)]
VIDEOS = 3000


class Frames:
    """A stack of decoded frames, of which fetch_video only asks the shape."""

    def __init__(self, n, height, width):
        self.shape = (n, 3, height, width)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """A batch of this one video."""
        assert index is None
        batch = Frames(0, 0, 0)
        batch.shape = (1,) + self.shape
        return batch


class Resized(Exception):
    pass


class Transforms:
    """Stands for torchvision.transforms: tells the size and stops."""

    class functional:
        @staticmethod
        def resize(video, size, **_):
            raise Resized(size)


def fetch_video_size(n, height, width, low, high):
    """What qwen-vl-utils resizes a list of frames to."""

    class Torch:
        @staticmethod
        def stack(images):
            return Frames(len(images), height, width)

        @staticmethod
        def from_numpy(array):
            return array

    ele = {"video": [None] * n}
    if low is not None:
        ele["min_pixels"] = low
    if high is not None:
        ele["max_pixels"] = high
    kept = utils.torch, utils.transforms, utils.fetch_image
    utils.torch, utils.transforms = Torch, Transforms
    utils.fetch_image = lambda ele, factor: [[[0]]]
    try:
        utils.fetch_video(ele)
    except Resized as size:
        return size.args[0]
    except ValueError:  # the ratio
        return -1, -1
    finally:
        utils.torch, utils.transforms, utils.fetch_image = kept
    raise AssertionError("fetch_video did not resize")


def capped_size(n, height, width, low, high):
    """What transformers resizes a video to, with cap_pixels_per_frame."""
    kept = BaseVideoProcessor.resize
    BaseVideoProcessor.resize = (
        lambda self, image, size, resample: (size.height, size.width))
    try:
        return Qwen2VLVideoProcessor.__new__(Qwen2VLVideoProcessor).resize(
            Frames(n, height, width)[None],
            SizeDict(shortest_edge=low, longest_edge=high),
            None, 28, 2, cap_pixels_per_frame=True)
    except ValueError:  # the ratio
        return -1, -1
    finally:
        BaseVideoProcessor.resize = kept


def videos_digest(size_of, low, high):
    random = Random(3)
    md5 = hashlib.md5()
    refused = 0
    for _ in range(VIDEOS):
        n = random.between(2, 1 << random.between(1, 11))
        height = random.between(1, 2000)
        width = random.between(1, 4000)
        size = size_of(n, height, width, low, high)
        if min(size) < 1:
            size = -1, -1
            refused += 1
        md5.update(struct.pack("<qq", *size))
    return md5.hexdigest(), refused


# (window_size, merge, patch)
GEOMETRIES = [
    (112, 2, 14),
    (56, 2, 14),
    (140, 2, 14),
    (28, 2, 14),
    (112, 1, 14),
    (112, 3, 14),
    (1024, 2, 16),
]
BATCHES = 200


def int32_bytes(tensor):
    return tensor.to(torch.int32).contiguous().numpy().astype("<i4").tobytes()


def windows_digest(window, merge, patch):
    random = Random(2)
    md5 = hashlib.md5()
    for _ in range(BATCHES):
        grid = []
        for _ in range(random.between(1, 5)):
            t = random.between(1, 3)
            h = merge * random.between(1, 20)
            w = merge * random.between(1, 20)
            grid.append([t, h, w])
        grid = torch.tensor(grid)
        index, cu_window = get_vision_window_index(grid, merge, window, patch)
        cu_window = torch.unique_consecutive(cu_window)
        positions = get_vision_position_ids(grid, merge)
        cells = merge * merge
        positions = positions.reshape(-1, cells, 2)[index].reshape(-1, 2)
        for tensor in (
            index,
            torch.argsort(index),
            cu_window,
            get_vision_cu_seqlens(grid),
            positions,
        ):
            md5.update(int32_bytes(tensor))
    return md5.hexdigest()


def main():
    out = sys.stdout
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
    out.write("/*\n * reference.h - made by make_reference.py with\n")
    out.write(f" * transformers {transformers.__version__}, torch ")
    out.write(f"{torch.__version__.split('+')[0]}, qwen-vl-utils ")
    out.write(f"{version('qwen-vl-utils')}\n */\n")
    out.write("#define N_SIZES %d\n#define N_BATCHES %d\n\n" % (SIZES, BATCHES))
    out.write("static const struct sizes_reference {\n")
    out.write("    int64_t factor, min_pixels, max_pixels;\n")
    out.write("    int32_t sizing, refused;\n    const char *digest;\n")
    out.write("} sizes_reference[] = {\n")
    for name, form in (
        ("TRANSFORMERS", smart_resize),
        ("QWEN_VL_UTILS", utils.smart_resize),
    ):
        for factor, low, high in LIMITS:
            digest, refused = sizes_digest(form, factor, low, high)
            out.write(f"    {{{factor}, {low}, {high}, ORIEL_SIZING_{name},\n")
            out.write(f'     {refused}, "{digest}"}},\n')
    out.write("};\n\n#define N_VIDEOS %d\n\n" % VIDEOS)
    out.write("static const struct videos_reference {\n")
    out.write("    int32_t sizing;\n")
    out.write("    int64_t min_pixels, max_pixels; /* 0: not given */\n")
    out.write("    int32_t refused;\n    const char *digest;\n")
    out.write("} videos_reference[] = {\n")
    for name, size_of, limits in (
        ("QWEN_VL_UTILS", fetch_video_size, VIDEO_LIMITS),
        ("TRANSFORMERS", capped_size, CAPPED_LIMITS),
    ):
        for low, high in limits:
            digest, refused = videos_digest(size_of, low, high)
            out.write(f"    {{ORIEL_SIZING_{name}, {low or 0}, {high or 0},\n")
            out.write(f'     {refused}, "{digest}"}},\n')
    out.write("};\n\nstatic const struct windows_reference {\n")
    out.write("    int32_t window_size, merge, patch;\n")
    out.write("    const char *digest;\n} windows_reference[] = {\n")
    for window, merge, patch in GEOMETRIES:
        digest = windows_digest(window, merge, patch)
        out.write(f'    {{{window}, {merge}, {patch}, "{digest}"}},\n')
    out.write("};\n")


main()
