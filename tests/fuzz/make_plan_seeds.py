#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for fuzz_plan: its header, then items or grids.  Standard library
only; the same bytes every time."""
import pathlib
import struct

SEEDS = pathlib.Path(__file__).parent / "seeds" / "plan"


def header(from_grids=0, patch=14, merge=2, temporal=2, window=4, sizing=0,
           resample=0, limits=(0, 0)):
    return struct.pack("<8B2q", from_grids, patch - 1, merge - 1, temporal - 1,
                       window - 1, sizing, resample, 4, *limits)


def items(*sizes):
    """(width, height, frames, resized width and height[, kind])"""
    return b"".join(struct.pack("<6i", *(size + (0,))[:6]) for size in sizes)


SEEDS.mkdir(parents=True, exist_ok=True)
(SEEDS / "items").write_bytes(header() + items(
    (640, 480, 1, 0, 0), (100, 60, 5, 56, 84), (2000, 10, 0, 0, 0)))
(SEEDS / "utils").write_bytes(header(sizing=1, resample=1, limits=(784, 99999))
                              + items((640, 480, 1, 0, 0), (1, 9, 1, 0, 0)))
(SEEDS / "kinds").write_bytes(header(sizing=1) + items(
    (640, 480, 1, 0, 0, 1), (640, 480, 1, 0, 0, 2), (64, 64, 9, 0, 0, 2)))
(SEEDS / "grids").write_bytes(header(1) + struct.pack(
    "<9q", 1, 10, 14, 2, 8, 8, 1, 2, 2))
(SEEDS / "odd").write_bytes(header(1, 5, 3, 1, 1) + struct.pack(
    "<6q", 3, 9, 30, 1, 3, 3))
