# SPDX-License-Identifier: Apache-2.0
"""Features: a sequence of items in one memory, for numpy, torch, DLPack."""
import ctypes
import sys
import unittest
from unittest import mock

import numpy as np

import oriel
from oriel._features import STORED, Features, _DLTensor

GRIDS = np.array([[1, 4, 4], [2, 2, 6], [1, 2, 2]], np.int64)
TOKENS = [4, 6, 1]


def features(dtype="float32"):
    rows = np.arange(11 * 5).reshape(11, 5).astype(STORED[dtype])
    hidden = np.arange(44 * 3).reshape(44, 3).astype(STORED[dtype])
    return Features(GRIDS, 4, dtype, rows, {2: hidden}, ["a", "b", "c"])


class Sequence(unittest.TestCase):
    def test_items(self):
        whole = features()
        self.assertEqual(len(whole), 3)
        self.assertEqual(whole.offsets.tolist(), [0, 4, 10, 11])
        for i, item in enumerate(whole):
            rows = slice(whole.offsets[i], whole.offsets[i + 1])
            np.testing.assert_array_equal(item.embeddings,
                                          whole.embeddings[rows])
            np.testing.assert_array_equal(
                item.hidden_state(2),
                whole.hidden_state(2)[rows.start * 4:rows.stop * 4])
            self.assertEqual(item.grid_thw.tolist(), [GRIDS[i].tolist()])
            self.assertEqual(item.offsets.tolist(), [0, TOKENS[i]])
            self.assertEqual(item.sources, ("abc"[i],))
            self.assertTrue(np.shares_memory(item.raw, whole.raw))
        self.assertEqual(whole[-1].sources, ("c",))
        with self.assertRaises(IndexError):
            whole[3]

    def test_slices(self):
        whole = features()
        tail = whole[1:]
        self.assertEqual(tail.offsets.tolist(), [0, 6, 7])
        self.assertTrue(np.shares_memory(tail.raw, whole.raw))
        turned = whole[::-1]
        self.assertEqual(turned.sources, ("c", "b", "a"))
        np.testing.assert_array_equal(
            turned.embeddings,
            np.concatenate([whole[i].embeddings for i in (2, 1, 0)]))
        self.assertEqual(len(whole[3:1]), 0)
        self.assertEqual(whole[3:1].embeddings.shape, (0, 5))

    def test_concatenate(self):
        whole = features()
        again = oriel.concatenate(list(whole))
        np.testing.assert_array_equal(again.embeddings, whole.embeddings)
        np.testing.assert_array_equal(again.hidden_state(2),
                                      whole.hidden_state(2))
        with self.assertRaises(oriel.ArgumentError):
            oriel.concatenate([whole, features("float16")])
        with self.assertRaises(oriel.ArgumentError):
            oriel.concatenate([])


class Exports(unittest.TestCase):
    def test_bfloat16_without_ml_dtypes(self):
        with mock.patch.dict(sys.modules, {"ml_dtypes": None}), \
                self.assertRaisesRegex(oriel.ArgumentError, "dtype='float32'"):
            features("bfloat16").numpy()

    def test_numpy_takes_dlpack(self):
        whole = features("float16")
        taken = np.from_dlpack(whole)
        np.testing.assert_array_equal(taken, whole.embeddings)
        self.assertTrue(np.shares_memory(taken, whole.raw))

    def test_bfloat16_as_dlpack(self):
        capsule = features("bfloat16").__dlpack__()
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype = ctypes.c_void_p
        get.argtypes = [ctypes.py_object, ctypes.c_char_p]
        tensor = _DLTensor.from_address(get(capsule, b"dltensor"))
        self.assertEqual((tensor.code, tensor.bits, tensor.lanes), (4, 16, 1))
        self.assertEqual((tensor.device_type, tensor.ndim), (1, 2))

    def test_other_devices(self):
        self.assertEqual(features().__dlpack_device__(), (1, 0))
        with self.assertRaises(BufferError):
            features().__dlpack__(dl_device=(2, 0))

    def test_asarray(self):
        self.assertEqual(np.asarray(features()).shape, (11, 5))
        self.assertEqual(np.asarray(features(), np.float64).dtype, np.float64)

    def test_what_is_not_here(self):
        with self.assertRaisesRegex(oriel.ArgumentError, "hidden_states="):
            features().hidden_state(1)
        self.assertEqual(features().hidden_states, (2,))
        bare = Features(GRIDS, 4, "float32", None, {}, "abc")
        with self.assertRaisesRegex(oriel.ArgumentError, "embeddings=False"):
            bare.numpy()
