#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write bench/results/fidelity.md from what the tests recorded.

    build/release/bin/test_golden --json bench/results/golden_cpu.json
    python3 bench/fidelity_table.py

The close parts come from golden_cpu.json and parity_hf.json; the exact parts are
counted where their digests lie.  Needs nothing but Python.
"""

import json
import pathlib
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"


def lines_of(path):
    return sum(1 for line in (ROOT / path).read_text().splitlines()
               if line and not line.startswith("#"))


def corpus_files():
    """Files in the corpus: name, bytes, and four expectations of 12 bytes."""
    packed = zlib.decompress((ROOT / "tests/image/corpus.bin").read_bytes())
    at = count = 0
    while at < len(packed):
        at += 2 + int.from_bytes(packed[at:at + 2], "little")
        at += 4 + int.from_bytes(packed[at:at + 4], "little") + 4 * 12
        count += 1
    return count


def exact_rows():
    yield "resize, torchvision", "torchvision 0.29.2", \
        lines_of("tests/pixels/resample_torchvision.txt")
    yield "resize, pillow", "Pillow 13.0.0", \
        lines_of("tests/pixels/resample_pillow.txt")
    yield "resize, pillow12", "Pillow 12.1.1", \
        lines_of("tests/pixels/resample_pillow12.txt")
    yield "resize, float", "torch 2.15.0 on the CPU", \
        lines_of("tests/pixels/resample_float.txt")
    yield "pixel_values", "transformers 5.23.0's processors", \
        lines_of("tests/pixels/preprocess.txt")


def golden_table():
    recorded = json.loads((RESULTS / "golden_cpu.json").read_text())
    cases = {}
    for row in recorded["rows"]:
        cases.setdefault((row["config"], row["case"]), {})[
            row["subject"]] = row
    lines = ["| case | patches | Oriel fp32 | Oriel bf16 | the reference's "
             "bf16 | ratio |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for (config, case), by in cases.items():
        fp32, bf16 = by["cpu fp32"], by["cpu bf16"]
        theirs = bf16["reference_bf16_error"]
        lines.append(
            f"| {config} {case} | {fp32['patches']} | {fp32['error']:.1e} | "
            f"{bf16['error']:.1e} | {theirs:.1e} | "
            f"{bf16['error'] / theirs:.2f} |")
    return recorded["reference"], lines


def main():
    reference, golden = golden_table()
    out = ["# Fidelity", "", "Made by `bench/fidelity_table.py`.", "",
           "## Close: the network", "",
           f"Relative L2 error of the embeddings against {reference}, fp32 on "
           "the CPU, with the same synthetic weights. *tiny* is the whole "
           "small network; *7b* and *72b* are the full widths cut to 4 and 3 "
           "blocks, window and full attention among them. fp32 is allowed "
           "1e-5, bf16 the reference's own bf16 error.", ""]
    out += golden
    out += ["", "All 32 blocks of the 7B: `parity_hf.json`.", "",
            "## Exact: everything made of integers", "",
            "Not one differing value in:", "",
            "| part | held against | committed cases |",
            "| --- | --- | ---: |"]
    out += [f"| {part} | {peer} | {count} |"
            for part, peer, count in exact_rows()]
    out += [f"| decoding, accepted or refused | Pillow 13.0.0 | "
            f"{corpus_files()} files, each in 4 ways |",
            "| sizes | transformers 5.23.0, qwen-vl-utils 0.0.14 | "
            "20000 sizes under 12 limits |",
            "| windows, cu_seqlens, positions | transformers 5.23.0 | "
            "200 batches of 7 geometries |",
            "| synthetic checkpoints, C and Python | each other | "
            f"{len(list((ROOT / 'tests/weights/digests').iterdir()))} "
            "digests |", ""]
    (RESULTS / "fidelity.md").write_text("\n".join(out))
    print("\n".join(out))


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(print(__doc__))
    main()
