# SPDX-License-Identifier: Apache-2.0
"""Plans from sizes, and their arrays."""
import gc
import unittest

import numpy as np

import oriel
from oriel import _plan


class Plans(unittest.TestCase):
    def test_a_known_batch(self):
        """README of transformers: 28-pixel tokens, sides rounded to them."""
        plan = oriel.plan([(448, 448), (280, 140, 4)])
        self.assertEqual(len(plan), 2)
        self.assertEqual(plan.grid_thw.tolist(), [[1, 32, 32], [2, 10, 20]])
        self.assertEqual(plan.offsets.tolist(), [0, 256, 356])
        self.assertEqual((plan.patches, plan.tokens), (1424, 356))
        self.assertEqual((plan.patch_columns, plan.out_hidden_size),
                         (1176, 3584))
        self.assertEqual(plan.flops, plan.flops_per_item.sum())
        self.assertEqual(plan.cu_seqlens.tolist(), [0, 1024, 1224, 1424])
        self.assertEqual(plan.cu_window_seqlens[-1], 1424)
        np.testing.assert_array_equal(plan.window_index[plan.window_inverse],
                                      np.arange(356))
        self.assertEqual(plan.positions.shape, (1424, 2))

    def test_options(self):
        small = oriel.plan([(2000, 1000)], max_pixels=50176)
        self.assertLessEqual(small.tokens, 64)
        self.assertEqual(oriel.plan([(448, 448)], "qwen2.5-vl-3b")
                         .out_hidden_size, 2048)

    def test_arrays_outlive_the_plan(self):
        plan = oriel.plan([(640, 480)] * 50)
        arrays = [plan.grid_thw, plan.window_index, plan.positions]
        copies = [array.copy() for array in arrays]
        del plan
        gc.collect()
        for i in range(50):  # somebody else's plans in freed memory
            oriel.plan([(28 * (i + 1), 56)] * 50)
        for array, copy in zip(arrays, copies):
            np.testing.assert_array_equal(array, copy)

    def test_arrays_are_read_only(self):
        with self.assertRaises(ValueError):
            oriel.plan([(640, 480)]).grid_thw[0, 0] = 2

    def test_runs_of_few_frames(self):
        """Runs stay, but for those with too many frames."""
        for ends, frames, expected in (
                ([3, 5], [1] * 5, [3, 5]), ([5], [1] * 5, [4, 5]),
                ([2, 9], [1] * 9, [2, 6, 9]), ([3], [9, 1, 1], [1, 3]),
                ([4], [1, 9, 4, 1], [1, 2, 3, 4]), ([3], [3, 1, 1], [2, 3])):
            self.assertEqual(_plan.cut(ends, frames, 4), expected)

    def test_refusals(self):
        with self.assertRaises(oriel.InputError) as caught:
            oriel.plan([(640, 480), (1000, 1)])
        self.assertEqual(caught.exception.item, 1)
        with self.assertRaises(oriel.CapacityError) as caught:
            oriel.plan([(3584, 3584)] * 400)
        self.assertGreater(caught.exception.item, 200)
        for sizes in ([], [5], [(1, 2, 3, 4)], ["640x480"]):
            with self.assertRaises(oriel.ArgumentError):
                oriel.plan(sizes)
        with self.assertRaises(oriel.InputError):
            oriel.plan([(2**40, 28)])
        with self.assertRaisesRegex(oriel.ArgumentError, "qwen2.5-vl-7b"):
            oriel.plan([(28, 28)], "gpt")
        with self.assertRaisesRegex(oriel.ArgumentError, "pillow12"):
            oriel.plan([(28, 28)], resample="lanczos")
