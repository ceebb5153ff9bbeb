#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What report.py proposes for the table of products, from made-up times."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import report  # noqa: E402


def op(size, name, own, fixed, best):
    return ", ".join(
        f'{{"size": "{size}", "op": "{name}", "by": "{by}", "cache": "hot", '
        f'"seconds": {{"median": {median}}}}}'
        for by, median in (("oriel", own), ("cublaslt", fixed),
                           ("cublaslt best", best)))


def load(rows, end):
    text = ('{"device": {"capability": "9.0"}, "rows": [' +
            ", ".join(rows) + end)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ops.json")
        path.write_text(text)
        return report.load(path)


class Products(unittest.TestCase):
    # Faster by a half here, slower there: one answer for all sizes.
    rows = [op("small", "linear qkv", 3, 2, 1), op("large", "linear qkv", 9, 10, 8),
            op("small", "linear_residual down", 2, 3, 1)]

    def test_one_answer_for_all_sizes(self):
        ops = load(self.rows, "]}")
        made = report.products(ops)
        self.assertEqual(made["qkv"]["proposal"], "cublaslt")
        self.assertAlmostEqual(made["qkv"]["mean"], (1.5 * 0.9) ** 0.5)
        self.assertEqual(made["qkv"]["price_of_invariance"], [2, 1.25])
        self.assertEqual(made["down"]["proposal"], "own")
        self.assertEqual(report.table_row(ops, made),
                         '{90, 1 << ORIEL_PRODUCT_QKV, "measured FILE"},')

    def test_nearly_equal_is_own(self):
        made = report.products(load([op("a", "linear qkv", 1.02, 1, 1)], "]}"))
        self.assertEqual(made["qkv"]["proposal"], "own")

    def test_a_run_cut_short(self):
        # In the middle of a row.
        self.assertEqual(len(report.products(load(self.rows[:2], ""))), 1)
        self.assertEqual(report.products(None), {})


if __name__ == "__main__":
    unittest.main()
