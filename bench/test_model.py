#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts of machine code and what model.py makes of them, by hand."""
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import model  # noqa: E402

sys.path.insert(0, str(model.KERNELS))
import budgets  # noqa: E402
import resources  # noqa: E402

CODE = """
\t.section\t.text._Z1kv,"ax",@progbits
.text._Z1kv:
_Z1kv:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_0:
        /*0010*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0020*/                   LDSM.16.M88.4 R4, [R2] ;
.L_x_1:
        /*0030*/                   LDGSTS.E.BYPASS.128 [R3], [R8.64] ;
        /*0040*/               @P1 BRA `(.L_x_1) ;
        /*0050*/                   HMMA.16816.F32.BF16 R8, R4, R6, R8 ;
        /*0060*/                   HMMA.16816.F32.BF16 R8, R4, R6, R8 ;
        /*0070*/              @!P0 BRA `(.L_x_0) ;
        /*0080*/                   STS.64 [R2], R8 ;
        /*0090*/                   EXIT ;
.L_x_2:
        /*00a0*/                   BRA `(.L_x_2);
"""


class Budgets(unittest.TestCase):
    def test_the_loop_with_the_products(self):
        body = budgets.parse(CODE)["_Z1kv"]
        budget = budgets.count(body, 4, "80")
        self.assertEqual(budget.kind, "loop")
        self.assertEqual(budget.mma, 2)
        self.assertEqual(budget.tensor, 2 * 4 * 2)  # 2 clocks each on sm_80
        self.assertEqual(budget.shared, 4 * (4 + 4))  # 512 bytes each
        self.assertEqual(budget.issue, 7 * 4 / 4)
        self.assertEqual(budgets.binds(budget), "s")

    def test_without_a_barrier_it_is_no_main_loop(self):
        body = budgets.parse(CODE.replace("BAR.SYNC.DEFER_BLOCKING 0x0", "NOP"))
        budget = budgets.count(body["_Z1kv"], 4, "80")
        self.assertEqual(budget.kind, "whole")
        self.assertEqual(budget.shared, 4 * (4 + 4 + 2))

    def test_the_table_is_read_as_it_was_written(self):
        body = budgets.parse(CODE)["_Z1kv"]
        table = "other\n\n" + budgets.render(
            {("_Z1kv", arch): body for arch in budgets.MMA_CLOCKS},
            {"_Z1kv": 128}, {"_Z1kv": "k"})
        for arch in budgets.MMA_CLOCKS:
            warps, budget = budgets.read(table, arch)["k"]
            exact = budgets.count(body, 4, arch)
            self.assertEqual(warps, 4)
            self.assertEqual(budget[:2], exact[:2])
            for got, value in zip(budget[2:], exact[2:]):
                self.assertLessEqual(abs(got - value), 0.5)

    def test_the_heads_of_the_kernels_agree_with_the_table(self):
        resources.check_heads(resources.TABLE.read_text(),
                              resources.kernel_names()[0])


TABLE = budgets.HEAD + """kernel step warps mma sm_80 sm_90a
linear loop 4 64 512 / 396 / 186 t 400 / 396 / 186 t
full_attention<80> loop 8 80 1280 / 1392 / 964 s 1032 / 1392 / 958 s
"""


class Model(unittest.TestCase):
    def setUp(self):
        self.model = model.Model(model.Card("90a", 100, 1e9, 1e12), TABLE)

    def test_a_product(self):
        row = {"op": "linear qkv", "rows": 1024, "columns": 3840,
               "depth": 1280, "bytes": 1}
        # 8 x 30 tiles: three on the fullest of 100; 40 steps of 32.
        self.assertAlmostEqual(self.model.seconds(row), 3 * 40 * 400e-9)
        row["bytes"] = 1e9
        self.assertAlmostEqual(self.model.seconds(row), 1e-3)

    def test_attention_over_frames(self):
        row = {"op": "full_attention", "rows": 1300, "columns": 1280,
               "depth": 0, "bytes": 1, "heads": 16, "head_dim": 80,
               "segments": [[1000, 1], [300, 1]]}
        # 16 heads x (8 tiles of 16 steps and 3 of 5) over 100.
        steps = -(-16 * (8 * 16 + 3 * 5) // 100)
        self.assertAlmostEqual(self.model.seconds(row), steps * 1392e-9)

    def test_one_encode_asks_for_what_the_plan_counts(self):
        for name, inner, out in (("7b", 3456, 3584), ("72b", 3456, 8192)):
            rows = {r["op"]: r for r in model.encode(name, 1, 32, 32)}
            self.assertEqual(rows["linear_residual down"]["depth"], inner)
            self.assertEqual(rows["linear_rows fc2"]["columns"], out)
            self.assertEqual(rows["linear_rows fc2"]["rows"], 256)
        self.assertEqual(sorted(model.windows(74, 74)),
                         [[4, 1], [16, 18], [64, 81]])

    def test_a_run_gets_its_predictions(self):
        run = {"device": {"capability": "9.0", "multiprocessors": 100,
                          "most_sm_mhz": 2000},
               "roofline": {"bytes_per_s": 1e12},
               "rows": [{"op": "linear qkv", "by": by, "rows": 128,
                         "columns": 128, "depth": 320, "bytes": 1e9,
                         "cache": cache, **more}
                        for by, cache, more in (("oriel", "hot", {}),
                                                ("oriel", "cold",
                                                 {"sm_mhz": 1000}),
                                                ("torch", "hot", {}))]}
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "run"), Path(folder, "made")
            given.write_text(json.dumps(run))
            model.annotate(given, made, TABLE)
            hot, cold, torch = json.loads(made.read_text())["predicted_s"]
        self.assertAlmostEqual(hot, 10 * 400 / 2e9)
        self.assertAlmostEqual(cold, 1e-3)
        self.assertIsNone(torch)


if __name__ == "__main__":
    unittest.main()
