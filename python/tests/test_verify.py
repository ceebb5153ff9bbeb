# SPDX-License-Identifier: Apache-2.0
"""oriel.verify: what it refuses, and how a check is told.

On a simulated GPU the same function runs in tests/cli/verify.sh.
"""
import ctypes
import unittest

import oriel
from oriel import _abi, _verify


class Refusals(unittest.TestCase):
    def test_no_gpu(self):
        """Where there is one, this test has nothing to say."""
        try:
            found = oriel.verify("cuda:63")
        except oriel.DeviceError as error:
            self.assertTrue(str(error))
        else:
            self.assertTrue(found.checks)

    def test_the_cpu(self):
        with self.assertRaisesRegex(oriel.UnsupportedError, "only GPUs"):
            oriel.verify("cpu")

    def test_a_name_that_is_none(self):
        with self.assertRaises((ValueError, oriel.Error)):
            oriel.verify("tpu")


class Checks(unittest.TestCase):
    def test_one_is_told_by_name(self):
        native = _abi.oriel_check(
            kind=_abi.ORIEL_CHECK_KERNEL, verdict=_abi.ORIEL_VERDICT_FAILED,
            name=b"linear", implementation=b"cuBLASLt", error=0.5, bound=0.25,
            message=b"row 3")
        self.assertEqual(
            _verify._check(native),
            oriel.Check("kernel", "failed", "linear", "cuBLASLt", 0.5, 0.25,
                        "row 3"))

    def test_a_kind_of_a_newer_library(self):
        native = _abi.oriel_check(kind=64, verdict=1, name=b"new")
        self.assertEqual(_verify._check(native).kind, "64")

    def test_what_failed_decides(self):
        def made(verdict):
            return oriel.Check("kernel", verdict, "", "", 0, 0, "")
        self.assertTrue(oriel.Verification(
            [made("passed"), made("skipped")], "", "").passed)
        self.assertFalse(oriel.Verification(
            [made("passed"), made("failed")], "", "").passed)

    def test_every_number_has_a_name(self):
        """Of share/oriel/abi.json, which test_abi holds against _abi."""
        for prefix, names in (("ORIEL_CHECK_", _verify._KINDS),
                              ("ORIEL_VERDICT_", _verify._VERDICTS)):
            self.assertEqual(
                sorted(names.values()),
                sorted(value for name, value in vars(_abi).items()
                       if name.startswith(prefix)))

    def test_the_struct_is_the_headers(self):
        self.assertEqual(ctypes.sizeof(_abi.oriel_check), 56)
