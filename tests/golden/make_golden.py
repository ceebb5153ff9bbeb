#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the golden files: what Hugging Face's own vision tower computes.

    make_golden.py [tiny] [7b] [72b]        rewrites NAME.safetensors here

Needs torch 2.15.0, torchvision 0.29.2, transformers 5.23.0, safetensors, numpy;
the versions found are recorded in the files.  Weights come from `oriel
synth --seed 1`, pixels from a counter or of pictures made by a formula and
put through the reference's own processor, so a test can make all inputs anew.

For each case and each hidden state, in image order, a file holds
  NAME.hK.rows   some whole rows          NAME.hK.dots   every row, against
                                          fixed vectors of +1, 0 and -1
  NAME.norms     squared norms of each state: calm channels, all channels
  NAME.bf16      the error of the reference's own bf16 against these values, by
                 these vectors, as the test measures; and that of its worst row
  NAME.exact     the errors of its fp32 and bf16 against float64, by all values
and the same of the embeddings as K = "out".  README.md has the details.
"""
import os
import platform
import sys

import numpy as np
import torch
import torchvision
import transformers
from safetensors.numpy import save_file
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as reference
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import (
    Qwen2_5_VLVisionConfig)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "weights")]
import synth  # noqa: E402
import tower64  # noqa: E402

SEED = 1
N_CALM, N_OUT = 3, 16  # vectors: on calm channels of a state; on an embedding
MIXED = [(1, 10, 14), (2, 8, 8), (1, 2, 2), (1, 6, 34)]
# A batch of less than a tile of rows: what the simulated GPU has time for.
SMALL = [(1, 10, 6), (2, 4, 4), (1, 2, 14)]

# name: (source, what), with grids for a counter and (width, height, frames)
# for pictures.  "dim" is a counter 256 times smaller, where the eps of the
# first norms matters.
CASES = {
    "tiny": (4, [1, 3], {
        "minimal": ("counter", [(1, 2, 2)]),
        "square": ("counter", [(1, 16, 16)]),
        "odd": ("counter", [(1, 10, 14)]),
        "thin": ("counter", [(1, 2, 60)]),
        "video": ("counter", [(2, 10, 6)]),
        "mixed": ("counter", [(1, 10, 14), (2, 8, 8), (1, 2, 2)]),
        "photo": ("image", [(70, 50, 1)]),
        "dim": ("dim", [(1, 6, 10)]),
    }),
    "7b": (4, [1, 3], {
        "square_448x448": ("counter", [(1, 32, 32)]),
        "square_336x336": ("counter", [(1, 24, 24)]),
        "wide_1036x476": ("image", [(1036, 476, 1)]),
        "thin_1988x28": ("counter", [(1, 2, 142)]),
        "minimal_56x56": ("counter", [(1, 4, 4)]),
        "video_2x280x168": ("counter", [(2, 12, 20)]),
        "mixed": ("counter", MIXED),
        "photo_330x250": ("image", [(330, 250, 1)]),
        "frames_140x112": ("video", [(140, 112, 3)]),
        "dim_140x112": ("dim", [(1, 8, 10)]),
        "small": ("counter", SMALL),
    }),
    "72b": (3, [1], {
        "square_336x336": ("counter", [(1, 24, 24)]),
        "thin_28x1036": ("counter", [(1, 74, 2)]),
        "minimal_56x56": ("counter", [(1, 4, 4)]),
        "mixed": ("counter", MIXED),
        "photo_220x200": ("image", [(220, 200, 1)]),
        "small": ("counter", SMALL),
    }),
}


# ---- Inputs -----------------------------------------------------------------

def counter_pixels(name, grids, columns, scale):
    rows = sum(t * h * w for t, h, w in grids)
    key = synth.tensor_key(SEED, "golden." + name)
    return synth.uniform(key, 0, rows * columns).reshape(rows, columns) * scale


def picture(width, height, frame):
    """uint8 [height, width, 3]: slopes, edges and noise."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3),
                          indexing="ij")
    place = ((frame * height + y) * width + x) * 3 + c
    noise = synth.uniform(synth.tensor_key(SEED, "golden.picture"), 0,
                          int(place.max()) + 1)[place]
    slope = (x * (3 + c) + y * (5 - c) + 160 * frame) // 4 + 2 * ((x ^ y) & 31)
    return ((slope + (noise * 16).astype(np.int64)) & 255).astype(np.uint8)


def processed(source, items, shape):
    width, height, frames = items[0]
    pictures = [picture(width, height, f) for f in range(frames)]
    sizes = {"patch_size": shape.patch, "temporal_patch_size": 2,
             "merge_size": 2}
    if source == "video":
        made = transformers.Qwen2VLVideoProcessor(**sizes)(
            videos=torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
            do_resize=False, return_tensors="pt")
        return made["pixel_values_videos"].numpy(), made["video_grid_thw"]
    made = transformers.Qwen2VLImageProcessor(
        size={"shortest_edge": 3136, "longest_edge": 12845056}, **sizes)(
            images=[torch.from_numpy(p).permute(2, 0, 1) for p in pictures],
            return_tensors="pt")
    return made["pixel_values"].numpy(), made["image_grid_thw"]


def inputs(name, source, what, shape):
    """Pixels, grids, and the items as width, height, frames."""
    if source in ("counter", "dim"):
        side = shape.patch
        items = [(w * side, h * side, 2 * t if t > 1 else 1)
                 for t, h, w in what]
        scale = np.float32(2 if source == "counter" else 2 / 256)
        return counter_pixels(name, what, shape.columns, scale), what, items
    pixels, grids = processed(source, what, shape)
    return pixels, [tuple(g) for g in grids.tolist()], what


# ---- The towers -------------------------------------------------------------

def load(shape):
    """fp32 tensors of the synthetic checkpoint, exactly as stored."""
    return {name: torch.from_numpy(
        (bits.astype(np.uint32) << 16).view(np.float32))
        for name, _, bits in synth.tensors(shape, SEED)}


def build(shape, weights, dtype):
    config = Qwen2_5_VLVisionConfig(
        **synth.config_json(shape)["vision_config"])
    cls = reference.Qwen2_5_VisionTransformerPretrainedModel
    tower = cls._from_config(config, dtype=dtype).eval()
    tower.load_state_dict(weights)
    assert tower.rotary_pos_emb.inv_freq.dtype == torch.float32
    return tower


def run(tower, pixels, grids):
    with torch.no_grad():
        made = tower(torch.from_numpy(pixels).to(tower.dtype),
                     grid_thw=torch.tensor(grids), output_hidden_states=True)
    return [s.double() for s in made.hidden_states], made.pooler_output.double()


def relative(a, b):
    return float((a - b).norm() / b.norm())


# ---- Vectors and measures ---------------------------------------------------

def signs(name, width):
    key = synth.tensor_key(SEED, "golden." + name)
    return torch.from_numpy(np.where(synth.uniform(key, 0, width) < 0, -1.0,
                                     1.0))


def state_vectors(shape):
    """[hidden, N_CALM + 1]: the last one has all channels."""
    columns = [signs(f"vector.{j}", shape.hidden) for j in range(N_CALM + 1)]
    for column in columns[:N_CALM]:
        column[shape.outliers] = 0
    return torch.stack(columns, 1)


def out_vectors(shape):
    return torch.stack([signs(f"out.{j}", shape.out_hidden)
                        for j in range(N_OUT)], 1)


def measure(values, golden, vectors, norms, is_out):
    """Error of the calm channels, of all channels, and of the worst row.

    The first two by the vectors, as the test measures them: those of a state
    leave outliers out, but for the last; those of an embedding, which has no
    outliers, serve for both.  The third by all rows.
    """
    error = ((values - golden) @ vectors) ** 2
    calm, every = (error, error) if is_out else (error[:, :-1], error[:, -1:])
    calm = torch.sqrt(calm.sum() / calm.shape[1] / norms[0])
    every = torch.sqrt(every.sum() / every.shape[1] / norms[1])
    worst = ((values - golden).norm(dim=1) / golden.norm(dim=1)).max()
    return [float(calm), float(every), float(worst)]


def chosen_rows(n, wanted):
    """First and last, and others between them at uneven distances."""
    return sorted({min(n - 1, i * (n - 1) // (wanted - 1) + i % 2)
                   for i in range(wanted)})


class Case:
    """One case: the reference in three precisions, and what is kept."""

    def __init__(self, name, source, what, shape, weights, towers):
        self.name, self.shape, self.source = name, shape, source
        self.pixels, self.grids, self.items = inputs(name, source, what, shape)
        order = tower64.window_order(self.grids,
                                     shape.window // 2 // shape.patch)[0]
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        exact = tower64.forward(weights, torch.from_numpy(self.pixels).double(),
                                self.grids, shape)

        def in_image_order(made):
            states = [s.reshape(len(order), -1)[back].reshape(s.shape)
                      for s in made[0]]
            return states + [made[1]]
        self.exact = in_image_order(exact)
        self.fp32 = in_image_order(run(towers[0], self.pixels, self.grids))
        self.bf16 = in_image_order(run(towers[1], self.pixels, self.grids))

    def vectors(self, k):
        return out_vectors(self.shape) if k > self.shape.depth \
            else state_vectors(self.shape)

    def calm(self, k, state):
        if k > self.shape.depth:
            return state
        keep = torch.ones(self.shape.hidden, dtype=torch.bool)
        keep[self.shape.outliers] = False
        return state[:, keep]

    def tensors(self):
        """What the golden file keeps, and a line for people."""
        made, norms, bf16, exact = {}, [], [], []
        for k, golden in enumerate(self.fp32):
            tag = "out" if k > self.shape.depth else f"h{k}"
            rows = chosen_rows(len(golden),
                               16 if self.shape.name == "tiny" else 3)
            vectors = self.vectors(k)
            norms.append([float((self.calm(k, golden) ** 2).sum()),
                          float((golden ** 2).sum())])
            bf16.append(measure(self.bf16[k], golden, vectors, norms[-1],
                                tag == "out"))
            exact.append([relative(self.calm(k, s), self.calm(k, self.exact[k]))
                          for s in (self.fp32[k], self.bf16[k])]
                         + [relative(s, self.exact[k])
                            for s in (self.fp32[k], self.bf16[k])])
            assert exact[-1][0] < 5e-6 and exact[-1][2] < 5e-6, (self.name, tag)
            made[tag + ".rows"] = golden[rows].float().numpy()
            made[tag + ".dots"] = (golden @ vectors).float().numpy()
            if tag in ("h0", "out"):
                made[tag + ".at"] = np.array(rows, np.int32)
        cosine = torch.nn.functional.cosine_similarity
        made |= {
            "norms": np.array(norms, np.float32),
            "bf16": np.array(bf16, np.float32),
            "exact": np.array(exact, np.float32),
            "cosine": np.array(
                [float(cosine(s, self.exact[-1]).min())
                 for s in (self.fp32[-1], self.bf16[-1])], np.float32),
            "out.norms": (self.fp32[-1] ** 2).sum(1).float().numpy(),
            "grid_thw": np.array(self.grids, np.int64),
            "items": np.array(self.items, np.int64),
        }
        print(f"{self.shape.name:5} {self.name:16} {len(self.fp32[0]):5} "
              f"patches  fp32 {exact[-1][2]:.1e}  bf16 {exact[-1][3]:.2e}  "
              f"cosine {made['cosine'][1]:.6f}", flush=True)
        return {f"{self.name}.{k}": v for k, v in made.items()}


# ---- The printed numbers ----------------------------------------------------

def check_printed():
    """Nine-digit values that were published with the formulas' description."""
    shape = synth.Shape("tiny")
    count, weights = 0, {}

    def fill(dimensions, scale, offset=0.0):
        nonlocal count
        count += 1
        return values(count, dimensions, scale, offset)

    def values(seed, dimensions, scale, offset):
        n = int(np.prod(dimensions))
        bits = [synth.mix(((seed << 32) + i) & synth.MASK) >> 40
                for i in range(n)]
        unit = np.array(bits, np.float64) / 2 ** 24 * 2 - 1
        return torch.from_numpy(unit * scale + offset).reshape(dimensions)

    scales = dict(zip(synth.IN_BLOCK, (.2, .2, .35, .1, .2, .1, .25, .1, .25,
                                       .1, .25, .1)))
    for full, name, _ in synth.names(shape):
        norm = name.startswith("norm") or "ln_q" in name
        weights[full] = fill(synth.dimensions(shape, name),
                             .2 if norm else scales.get(name, .1),
                             1.0 if norm else 0.0)
    grids = [(1, 10, 14), (2, 8, 8), (1, 2, 2)]
    pixels = values(1000, (272, 96), 2.0, 0.0)
    # They were computed with angles in float64 as well.
    states, out = tower64.forward(weights, pixels, grids, shape, torch.float64)
    printed = [
        (states[0][0], (-.697316576, .121505722, -.0281378349, .337560676)),
        (states[1][0], (-.575597718, -.316669149, .195846925, .369365749)),
        (states[1][64], (-1.08754332, .395229514, -.197475336, .141222891)),
        (states[4][0], (-.327452949, .725553333, -.579371571, -.220043296)),
        (states[4][271], (-2.17896294, 1.52293889, 1.28052112, -1.12325953)),
        (out[0], (.0757509746, .778269737, .826331247, .130211589)),
        (out[16], (.459440511, .535544228, .888144939, -.240363216)),
        (out[34], (-.153332282, .196709447, .620648845, -.451802041)),
        (out[50], (.0432101677, .224794046, .280526144, -.282855658)),
        (out[67], (.377561824, .832862299, -.103652744, -.424603469)),
    ]
    for row, numbers in printed:
        assert np.allclose(row[:4], numbers, rtol=1e-8, atol=1e-10), numbers
    assert abs(float(out.sum()) - 76.3343682671) < 1e-8
    assert abs(float((out ** 2).sum()) - 165.361507726) < 1e-8
    towers = build(shape, weights, torch.float32)
    assert relative(run(towers, pixels.float().numpy(), grids)[1], out) < 1e-6
    print("printed numbers: reproduced to nine digits, transformers in fp32 "
          "agrees", flush=True)


def make(config):
    depth, full_blocks, cases = CASES[config]
    shape = synth.Shape(config, depth, full_blocks)
    weights = load(shape)
    towers = [build(shape, weights, d) for d in (torch.float32, torch.bfloat16)]
    weights = {k: v.double() for k, v in weights.items()}
    made = {"outliers": np.array(shape.outliers, np.int32),
            "full_blocks": np.array(full_blocks, np.int32)}
    for name, (source, what) in cases.items():
        made |= Case(name, source, what, shape, weights, towers).tensors()
    metadata = {
        "config": config, "depth": str(depth), "seed": str(SEED),
        "cases": ",".join(cases),
        "sources": ",".join(source for source, _ in cases.values()),
        "torch": torch.__version__, "torchvision": torchvision.__version__,
        "transformers": transformers.__version__, "numpy": np.__version__,
        "python": platform.python_version(), "machine": platform.machine(),
    }
    save_file(made, os.path.join(HERE, config + ".safetensors"), metadata)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    check_printed()
    for config in sys.argv[1:] or CASES:
        make(config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
