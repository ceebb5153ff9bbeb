# SPDX-License-Identifier: Apache-2.0
"""Make src/oriel/conformance/golden.npz anew: what the installed transformers
computes in fp32 of each case of the conformance kit, and how far its own bf16 is
from that.  Needs torch, torchvision, transformers, Pillow; the committed file was
made with transformers 5.23.0, torch 2.15.0, torchvision 0.29.2, Pillow 13.0.0.
"""
import tempfile
from pathlib import Path

import numpy as np

from oriel.conformance import _cases, _judge, _stacks


class Pictures:
    """What the stack needs of a kit, without golden rows."""

    def __init__(self, folder):
        self.folder = folder
        _cases.write(folder)


with tempfile.TemporaryDirectory() as folder:
    kit = Pictures(Path(folder))
    _, run = _stacks.transformers(kit, "float32")
    _, half = _stacks.transformers(kit, "bfloat16")
    golden = {}
    for case in _cases.CASES:
        golden[case] = run(case)[1]
        error = _judge.relative(half(case)[1], golden[case])
        golden[case + ".bf16"] = np.float32(error)
        print(case, golden[case].shape, f"bf16 {error:.1e}")
source = Path(__file__).parents[1] / "src/oriel/conformance"
np.savez_compressed(source / _judge.GOLDEN.name, **golden)
