#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oriel extract beside a plain script of transformers and a DataLoader.

extract.py TOOL [--images N] [--depth N] [--threads N] [--alone] [--json FILE]

Both sides read the same JPEG files with the same checkpoint (7B, cut to a few
blocks), in bf16, on the same cores, in the same run, and write safetensors:
the tool into a folder, the script a file for each batch.  Then their rows are
compared: what is wrong is no result.  Prints images/s and CPU seconds
an image of each side, and of the tool the CPU seconds inside oriel_encode over
wall time times cores.  With --alone the script does not run, and Pillow is enough.

Where other work shares the machine, wall time holds what that work took, and the
share is no property of the tool.  Two others are told: of the processor time that
the other work left (the run's own and the idle one), and of the run's wall time
alone, which other work lengthens inside oriel_encode and outside alike.

Runs in a Python with torch, torchvision, transformers, safetensors, numpy and
Pillow.
"""
import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH = 8
LEAST_COSINE = 0.999


def make_photographs(folder, images):
    """Cuts of the photographs of examples/, of many sizes, as JPEG."""
    from PIL import Image

    sources = [Image.open(path).convert("RGB") for path in
               sorted((HERE.parent / "examples" / "photos").glob("*.*"))
               if path.suffix in (".jpg", ".png", ".webp")]
    numbers = random.Random(1)
    folder.mkdir()
    for i in range(images):
        source = numbers.choice(sources)
        width, height = (numbers.randint(320, 640) for _ in range(2))
        scale = max(width / source.width, height / source.height)
        scale *= numbers.uniform(1, 1.5)
        picture = source.resize((round(source.width * scale) + 1,
                                 round(source.height * scale) + 1))
        left = numbers.randint(0, picture.width - width)
        top = numbers.randint(0, picture.height - height)
        picture.crop((left, top, left + width, top + height)).save(
            folder / f"{i:05d}.jpg", quality=92)


class Photographs:
    """What a DataLoader's workers do: file to patches."""

    def __init__(self, folder, model):
        from transformers import AutoImageProcessor
        self.files = sorted(Path(folder).iterdir())
        self.processor = AutoImageProcessor.from_pretrained(model)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        from PIL import Image
        made = self.processor(images=Image.open(self.files[i]).convert("RGB"),
                              return_tensors="pt")
        return made["pixel_values"], made["image_grid_thw"]


def collate(items):
    import torch
    return (torch.cat([pixels for pixels, _ in items]),
            torch.cat([grid for _, grid in items]))


def peer(folder, model, threads, out):
    """The plain script, timed from its start to its last file."""
    import torch
    from safetensors.torch import save_file
    from torch.utils.data import DataLoader
    sys.path.insert(0, str(HERE))
    from peer_transformers import load_tower

    torch.set_num_threads(threads)
    tower = load_tower(Path(model), torch.bfloat16)
    loader = DataLoader(Photographs(folder, model), batch_size=BATCH,
                        num_workers=threads, collate_fn=collate)
    Path(out).mkdir()
    with torch.inference_mode():
        for i, (pixels, grid) in enumerate(loader):
            rows = tower(pixels.to(torch.bfloat16), grid_thw=grid).pooler_output
            save_file({"embeddings": rows.to(torch.bfloat16),
                       "image_grid_thw": grid}, f"{out}/{i:05d}.safetensors")


def idle_seconds():
    """Of all cores, since the machine started."""
    with open("/proc/stat") as file:
        return int(file.readline().split()[4]) / os.sysconf("SC_CLK_TCK")


def run(command, log):
    """Wall and CPU seconds of a process and its children, and idle ones."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    idle, start = idle_seconds(), time.monotonic()
    with open(log, "w") as file:
        status = subprocess.run(command, stderr=file).returncode
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status != 0:
        sys.exit(f"extract.py: {command[0]}: exit status {status}\n"
                 + Path(log).read_text()[-2000:])
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"wall": wall, "cpu": cpu, "idle": idle_seconds() - idle}


def compare(ours, theirs):
    """The least cosine between rows of the two sides."""
    import torch
    from safetensors.torch import load_file

    parts = sorted(Path(ours).glob("part-*"))
    a = torch.cat([load_file(part)["embeddings"] for part in parts]).double()
    parts = sorted(Path(theirs).glob("*.safetensors"))
    b = torch.cat([load_file(part)["embeddings"] for part in parts]).double()
    if a.shape != b.shape:
        sys.exit(f"extract.py: {a.shape} rows beside {b.shape}")
    return float(torch.nn.functional.cosine_similarity(a, b).min())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--json")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:given.threads]
    os.sched_setaffinity(0, cores)
    theirs, cosine, packages = None, None, ["Pillow"]
    with tempfile.TemporaryDirectory() as work:
        photographs, model = Path(work, "photographs"), f"{work}/model"
        make_photographs(photographs, given.images)
        subprocess.run([given.tool, "synth", "--config", "7b", "--depth",
                        str(given.depth), "-q", model], check=True)
        ours = run([given.tool, "extract", photographs, "--model", model,
                    "--device", "cpu", "--precision", "bf16", "--threads",
                    str(given.threads), "--json", "-o", f"{work}/ours"],
                   f"{work}/log")
        done = json.loads(Path(work, "log").read_text().splitlines()[-1])
        if not given.alone:
            theirs = run([sys.executable, __file__, "--peer", str(photographs),
                          model, str(given.threads), f"{work}/theirs"],
                         f"{work}/log")
            cosine = compare(f"{work}/ours", f"{work}/theirs")
            packages += ["torch", "torchvision", "transformers"]
    if cosine is not None and cosine < LEAST_COSINE:
        sys.exit(f"extract.py: the rows differ: least cosine {cosine}")
    encode_cpu = done["stages"]["encode_cpu"]
    result = {
        "images": given.images, "depth": given.depth,
        "threads": given.threads, "least_cosine": cosine,
        "tokens": done["tokens"], "oriel": ours, "transformers": theirs,
        "encode_cpu": encode_cpu,
        "encode_share": encode_cpu / (ours["wall"] * given.threads),
        # Of the processor time that others on the machine left.
        "encode_share_of_free": encode_cpu / (ours["cpu"] + ours["idle"]),
        "encode_share_of_wall": done["stages"]["encode"] / ours["wall"],
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
    }
    for name in ("oriel", "transformers"):
        side = result[name]
        if side is not None:
            print(f"{name:13} {given.images / side['wall']:7.2f} images/s "
                  f"{side['cpu'] / given.images:7.3f} CPU seconds an image")
    print(f"inside oriel_encode: {result['encode_share']:.3f} of wall x cores, "
          f"{result['encode_share_of_free']:.3f} of what others left, "
          f"{result['encode_share_of_wall']:.3f} of wall time")
    if cosine is not None:
        print(f"least cosine of the two sides' rows {cosine:.6f}")
    if given.json:
        Path(given.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        main()
