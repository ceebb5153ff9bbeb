#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""That no row of peer_torch.py has the key of one of the bench's own.

A row is found by size, step, op, by and cache; torch's rows take all but 'by' from
Oriel's. torch is a stand-in: only the names of what would be timed count.
"""
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
with mock.patch.dict(sys.modules, {"torch": mock.MagicMock(),
                                   "flash_attn": mock.MagicMock()}):
    import peer_torch  # noqa: E402


def names_of_the_bench():
    """Who runs an op, as the sources of oriel_gpu_ops name them."""
    names = set()
    for name, pattern in (("ops.c", r'by = (?:c->name = )?"([^"]+)"'),
                          ("bench_hopper.c", r'\{"(hopper [^"]+)"')):
        found = re.findall(pattern, (HERE / name).read_text(encoding="utf-8"))
        names.update(found)
    return names


ROW = {"size": "448x448", "cache": "hot", "a_call": 1, "rows": 1024,
       "columns": 8, "bytes": 1, "flops": 1, "heads": 16, "head_dim": 80}
OPS = (dict(ROW, step="ATTN_IN", op="linear qkv", depth=8),
       dict(ROW, step="ATTEND", op="full_attention", depth=0,
            segments=[[1024, 1]]))


class Names(unittest.TestCase):
    def test_each_row_is_found_by_its_key(self):
        names = names_of_the_bench()
        self.assertLessEqual({"oriel", "cublaslt", "cublaslt best", "cudnn",
                              "hopper", "hopper pairs, skew"}, names)
        run = {"device": {"kind": "cuda", "precision": "bf16"},
               "model": {"out_hidden": 8},
               "rows": [dict(op, by=by) for op in OPS for by in names]}
        clock = mock.MagicMock()
        clock.measure.return_value = {"median": 1e-3}
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(peer_torch, "Clock", return_value=clock), \
                mock.patch.object(peer_torch, "versions", return_value={}), \
                mock.patch.dict(sys.modules, {"flash_attn": mock.MagicMock()}):
            before, after = (Path(folder, name) for name in ("run", "peers"))
            before.write_text(json.dumps(run), encoding="utf-8")
            peer_torch.ops(before, after)
            made = json.loads(after.read_text(encoding="utf-8"))
        self.assertEqual({row["by"] for row in made["rows"]},
                         {"torch", "torch sdpa", "torch eager", "torch compile",
                          "torch cudnn", "flash-attn"})
        keys = [tuple(row[key] for key in ("size", "step", "op", "by", "cache"))
                for row in run["rows"] + made["rows"]]
        self.assertEqual(len(set(keys)), len(keys))


if __name__ == "__main__":
    unittest.main()
