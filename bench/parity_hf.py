#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The full-depth 7B tower against Hugging Face's own, through the tool.

    bench/parity_hf.py --tool build/bin/oriel --json bench/results/parity_hf.json

Writes a synthetic checkpoint of all 32 blocks (or takes --model DIR), encodes
files of pixel_values with `oriel encode` in fp32 and bf16, runs transformers'
vision tower on the same numbers in fp32 and bf16, and float64 by a second
formulation (tests/golden/tower64.py), and prints how far each is from
transformers' fp32 and from float64.  --device cuda measures the GPU.

Needs torch 2.15.0, transformers 5.23.0, safetensors and numpy, and 10 GB of
memory (4 GB with --no-exact).  With --photo the input is a photograph that
`oriel preprocess` made smaller; full_depth_sim.sh uses that.
"""
import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

if "--help" in sys.argv:  # before what may be absent
    sys.exit(print(__doc__))

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as reference

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(ROOT, "weights"),
                os.path.join(ROOT, "tests", "golden")]
import synth  # noqa: E402
import tower64  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True, help="the oriel program")
    parser.add_argument("--model", help="a checkpoint; default: a synthetic 7b")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", nargs="*", metavar="WxH",
                        help="of noise, multiples of 28; default: 448x448 and "
                        "1036x476, and none beside photographs")
    parser.add_argument("--photo", action="append", default=[], metavar="FILE")
    parser.add_argument("--max-pixels", default="25088",
                        help="of a photograph; default %(default)s")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--residual", default="bf16", choices=["bf16", "wide"],
                        help="of a GPU's bf16; default %(default)s")
    parser.add_argument("--no-exact", action="store_true",
                        help="leave float64 out")
    parser.add_argument("--torch-device", default="cpu",
                        help="where transformers and float64 run")
    parser.add_argument("--commit", help="default: what git says")
    parser.add_argument("--json", help="where to write the result")
    args = parser.parse_args()
    if args.sizes is None:
        args.sizes = [] if args.photo else ["448x448", "1036x476"]
    return args


def run_tool(args, *words):
    return subprocess.run([args.tool, *words], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def children_seconds():
    """Of processor time, by all children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_pixels(size, columns, folder):
    """A file of pixel_values as a processor would give them."""
    width, height = (int(n) for n in size.split("x"))
    grid = (1, height // 14, width // 14)
    rows = grid[1] * grid[2]
    values = synth.uniform(synth.tensor_key(1, "parity." + size), 0,
                           rows * columns).reshape(rows, columns) * 2
    path = os.path.join(folder, size + ".safetensors")
    save_file({"pixel_values": values,
               "image_grid_thw": np.array([grid], np.int64)}, path)
    return values, grid, path


def take_photo(args, photo, folder):
    """A photograph's pixel_values, and its name and size."""
    path = os.path.join(folder, os.path.basename(photo) + ".safetensors")
    run_tool(args, "preprocess", photo, "--max-pixels", args.max_pixels, "-q",
             "-o", path)
    made = load_file(path)
    grid = tuple(int(n) for n in made["image_grid_thw"][0])
    name = f"{os.path.basename(photo)} at {grid[2] * 14}x{grid[1] * 14}"
    return name, (made["pixel_values"], grid, path)


def load_weights(folder):
    with open(os.path.join(folder, "model.safetensors.index.json"),
              encoding="utf-8") as file:
        shards = sorted(set(json.load(file)["weight_map"].values()))
    weights = {}
    for shard in shards:
        with safe_open(os.path.join(folder, shard), framework="pt") as file:
            for name in file.keys():
                if name.startswith("visual."):
                    weights[name[7:]] = file.get_tensor(name)
    return weights


def by_transformers(args, config, weights, dtype, inputs):
    tower = reference.Qwen2_5_VisionTransformerPretrainedModel._from_config(
        config, dtype=dtype).eval()
    tower.load_state_dict(weights)
    tower.to(args.torch_device)
    assert tower.rotary_pos_emb.inv_freq.dtype == torch.float32
    with torch.no_grad():
        return [tower(torch.from_numpy(values).to(args.torch_device, dtype),
                      grid_thw=torch.tensor([grid], device=args.torch_device)
                      ).pooler_output.double().cpu()
                for values, grid, _ in inputs]


class TowerShape:
    """What tower64 wants to know, from a configuration."""

    def __init__(self, config):
        self.hidden, self.heads = config.hidden_size, config.num_heads
        self.depth, self.patch = config.depth, config.patch_size
        self.window = config.window_size
        self.full_blocks = config.fullatt_block_indexes


def in_float64(args, config, weights, inputs):
    weights = {k: v.to(args.torch_device, torch.float64)
               for k, v in weights.items()}
    with torch.device(args.torch_device):
        return [tower64.forward(
            weights, torch.from_numpy(values).to(args.torch_device).double(),
            [grid], TowerShape(config))[1].cpu() for values, grid, _ in inputs]


def by_tool(args, model, precision, inputs, folder, seconds):
    made = []
    for _, _, path in inputs:
        out = os.path.join(folder, "out.safetensors")
        start, used = time.monotonic(), children_seconds()
        run_tool(args, "encode", path, "--model", model, "--device",
                 args.device, "--precision", precision, "--residual",
                 args.residual, "--dtype", "f32", "--force", "-o", out)
        seconds.append({"wall": round(time.monotonic() - start, 1),
                        "cpu": round(children_seconds() - used, 1)})
        made.append(torch.from_numpy(load_file(out)["embeddings"]).double())
    return made


def compare(values, truth):
    cosine = torch.nn.functional.cosine_similarity(values, truth)
    return {"relative_l2": float((values - truth).norm() / truth.norm()),
            "least_cosine": float(cosine.min()),
            "largest_difference": float((values - truth).abs().max())}


def commit_now():
    return subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True,
        stdout=subprocess.PIPE, check=False).stdout.strip()


def device_name(args):
    """What the tool says of the device: a simulated one says so."""
    # Without a cpu backend beside it, it fails for that.
    lines = subprocess.run([args.tool, "doctor"], check=False, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return next(line.split(None, 1)[1].split(";")[0] for line in lines
                if line.split(None, 1)[0] == args.device)


def processor_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def measure(args, folder):
    model = args.model or os.path.join(folder, "checkpoint")
    if not args.model:
        run_tool(args, "synth", "--config", "7b", "--seed", "1", model)
    config = transformers.AutoConfig.from_pretrained(model).vision_config
    columns = config.in_channels * 2 * config.patch_size ** 2
    inputs = {size: make_pixels(size, columns, folder) for size in args.sizes}
    inputs |= dict(take_photo(args, photo, folder) for photo in args.photo)
    args.names, inputs = list(inputs), list(inputs.values())

    results, args.seconds = {}, {}
    for precision in args.precisions:
        seconds = args.seconds["oriel " + precision] = []
        results["oriel " + precision] = by_tool(args, model, precision, inputs,
                                                folder, seconds)
    weights = load_weights(model)
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        results["transformers " + name] = by_transformers(
            args, config, weights, dtype, inputs)
        gc.collect()
    if not args.no_exact:
        results["float64"] = in_float64(args, config, weights, inputs)
    return report(args, config, results)


def report(args, config, results):
    cases = []
    for i, size in enumerate(args.names):
        against = {"transformers fp32": results["transformers fp32"][i]}
        if "float64" in results:
            against["float64"] = results["float64"][i]
        for truth_name, truth in against.items():
            for name, values in results.items():
                if name in (truth_name, "float64"):
                    continue
                cases.append({"size": size, "what": name,
                              "against": truth_name,
                              **compare(values[i], truth)})
                print("{size:>9}  {what:17} against {against:17}  relative L2 "
                      "{relative_l2:.2e}  least cosine {least_cosine:.7f}"
                      .format(**cases[-1]))
    return {
        "blocks": config.depth,
        "model": os.path.basename(args.model) if args.model
        else "oriel synth --config 7b --seed 1",
        "device": args.device, "on": device_name(args),
        "residual": args.residual,
        "processor": processor_name(),
        "oriel": run_tool(args, "version").splitlines()[0],
        "commit": args.commit,
        "torch": torch.__version__, "transformers": transformers.__version__,
        "sizes": args.names, "tool_seconds": args.seconds, "cases": cases,
    }


def main():
    args = arguments()
    # Now, while the tool is new: minutes of work follow.
    args.commit = args.commit or commit_now()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    # fp32 is fp32: on a GPU a convolution would take TF32 by itself.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args, folder)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
