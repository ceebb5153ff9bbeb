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

# The second try of a wait lies after the end and branches back.
WGMMA = """
_Z1wv:
.L_x_0:
        /*0010*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR4], R5 ;
.L_x_1:
        /*0020*/                   HGMMA.64x256x16.F32.BF16 R24, gdesc[UR4], R24, UPT ;
        /*0030*/                   HGMMA.64x80x16.F32.BF16 R88, R24, gdesc[UR8].tnspB, R88, gsb0 ;
        /*0040*/               @P1 BRA `(.L_x_0) ;
        /*0050*/                   EXIT ;
        /*0060*/                   BRA `(.L_x_1) ;
"""
WGMMA_PTX = """
$L__BB0_1:
	mov.u32 	%r3, 7;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], %r3;
$L__BB0_2:
	mov.u32 	%r4, 20480;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], %r4;
	mov.b32 	%r5, 4096;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], %r5;
	@%p1 bra 	$L__BB0_2;
	bra.uni 	$L__BB0_1;
"""


class Budgets(unittest.TestCase):
    def test_the_loop_with_the_products(self):
        body = budgets.parse(CODE)["_Z1kv"]
        budget = budgets.count(body, 128, "80")
        self.assertEqual(budget.kind, "loop")
        self.assertEqual(budget.warps, 4)
        self.assertEqual(budget.mma, 2)
        self.assertEqual(budget.tensor, 2 * 4 * 2)  # 2 clocks each on sm_80
        self.assertEqual(budget.shared, 4 * (4 + 4))  # 512 bytes each
        self.assertEqual(budget.issue, 7 * 4 / 4)
        self.assertEqual(budgets.binds(budget), "s")

    def test_without_a_barrier_it_is_no_main_loop(self):
        body = budgets.parse(CODE.replace("BAR.SYNC.DEFER_BLOCKING 0x0", "NOP"))
        budget = budgets.count(body["_Z1kv"], 128, "80")
        self.assertEqual(budget.kind, "whole")
        self.assertEqual(budget.shared, 4 * (4 + 4 + 2))

    def test_wgmma_and_what_tensor_copies_bring(self):
        budget = budgets.count(budgets.parse(WGMMA)["_Z1wv"], 384, "90a",
                               budgets.copied_bytes(WGMMA_PTX))
        self.assertEqual(budget.kind, "loop")
        self.assertEqual(budget.warps, 8)  # a third of twelve copies
        self.assertEqual(budget.mma, (256 + 80) // 8)
        # m64nNk16 takes N / 2 clocks, of each of two warpgroups.
        self.assertEqual(budget.tensor, 2 * (128 + 40))
        # Of the second a is in registers; copies bring 20,480 and 4,096 a step.
        self.assertEqual(budget.shared, (2 * (2048 + 256 * 32 + 80 * 32) +
                                         20480 + 4096) / 128)
        self.assertEqual(budget.issue, 4 * 8 / 4)
        self.assertEqual(budgets.copied_bytes("mov.u32 %r1, 8;"), 0)

    def test_the_table_is_read_as_it_was_written(self):
        bodies = {("a", "90a"): budgets.parse(WGMMA)["_Z1wv"]}
        for arch in budgets.MMA_CLOCKS:
            bodies["b", arch] = budgets.parse(CODE)["_Z1kv"]
        threads, copied = {"a": 384, "b": 128}, {"a": 512, "b": 0}
        table = "other\n\n" + budgets.render(bodies, threads, copied,
                                             {"a": "w<x>", "b": "k"})
        for arch in budgets.MMA_CLOCKS:
            read = budgets.read(table, arch)
            self.assertEqual("w<x>" in read, arch == "90a")
            for symbol, name in (("a", "w<x>"), ("b", "k")):
                if name not in read:
                    continue
                exact = budgets.count(bodies[symbol, arch], threads[symbol],
                                      arch, copied[symbol])
                self.assertEqual(read[name][:3], exact[:3])
                for got, value in zip(read[name][3:], exact[3:]):
                    self.assertLessEqual(abs(got - value), 0.5)

    def test_the_heads_of_the_kernels_agree_with_the_table(self):
        resources.check_heads(resources.TABLE.read_text(),
                              resources.kernel_names()[0])


TABLE = budgets.HEAD + """kernel step warps mma sm_80 sm_90a
linear loop 4 64 512 / 396 / 186 t 400 / 396 / 186 t
full_attention<80> loop 8 80 1280 / 1392 / 964 s 1032 / 1392 / 958 s
hopper_linear<large> loop 8 128 - 1000 / 1024 / 176 s
hopper_linear<small> loop 4 64 - 256 / 384 / 87 s
hopper_linear_residual<large> loop 8 80 - 640 / 736 / 162 s
hopper_linear_residual<large,wide> loop 8 80 - 640 / 736 / 163 s
hopper_full_attention loop 8 160 - 1280 / 1056 / 1204 t
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

    def test_those_of_hopper(self):
        hopper = model.Model(model.Card("90a", 100, 1e9, 1e12), TABLE, True)
        row = {"op": "linear qkv", "rows": 2049, "columns": 3840,
               "depth": 1290, "bytes": 1}
        # 17 x 15 tiles of 128 x 256: three on the fullest; 21 steps of 64.
        self.assertAlmostEqual(hopper.seconds(row), 3 * 21 * 1024e-9)
        row["rows"] = 192  # 3 x 30 of 64 x 128 are less than 2 x 15 of the others
        self.assertAlmostEqual(hopper.seconds(row), 21 * 384e-9)
        row = {"op": "linear_residual proj", "rows": 4000, "columns": 1280,
               "depth": 64, "bytes": 1}  # 32 x 8 tiles of 128 x 160
        self.assertAlmostEqual(hopper.seconds(row), 3 * 736e-9)
        row = {"op": "full_attention", "rows": 1300, "columns": 1280,
               "depth": 0, "bytes": 1, "heads": 16, "head_dim": 80,
               "segments": [[1000, 1], [300, 1]]}
        # 16 heads x (8 tiles of 8 steps and 3 of 3) over 100.
        steps = -(-16 * (8 * 8 + 3 * 3) // 100)
        self.assertAlmostEqual(hopper.seconds(row), steps * 1280e-9)

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
                                                ("torch", "hot", {}),
                                                ("hopper", "hot", {}))]}
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "run"), Path(folder, "made")
            given.write_text(json.dumps(run))
            model.annotate(given, made, TABLE)
            hot, cold, torch, hopper = json.loads(
                made.read_text())["predicted_s"]
        self.assertAlmostEqual(hot, 10 * 400 / 2e9)
        self.assertAlmostEqual(cold, 1e-3)
        self.assertIsNone(torch)
        self.assertAlmostEqual(hopper, 5 * 384 / 2e9)  # two tiles at once


if __name__ == "__main__":
    unittest.main()
