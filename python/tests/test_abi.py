# SPDX-License-Identifier: Apache-2.0
"""The binding agrees with share/oriel/abi.json, and loads its own libraries."""
import ctypes
import json
import os
import re
import subprocess
import sys
import unittest

import oriel
import support
from oriel import _abi, errors

PROMISED = json.loads((support.ROOT / "share/oriel/abi.json").read_text())


class Layout(unittest.TestCase):
    def test_structs(self):
        for name, promised in PROMISED["structs"].items():
            with self.subTest(struct=name):
                struct = getattr(_abi, name)
                fields = {field[0]: [getattr(struct, field[0]).offset,
                                     getattr(struct, field[0]).size]
                          for field in struct._fields_}
                self.assertEqual(fields, promised["fields"])
                self.assertEqual(ctypes.sizeof(struct), promised["size"])

    def test_no_struct_besides(self):
        ours = {name for name, value in vars(_abi).items()
                if isinstance(value, type) and name.startswith("oriel_")}
        self.assertEqual(ours, set(PROMISED["structs"]))

    def test_sizes_are_filled_in(self):
        for name, promised in PROMISED["structs"].items():
            if "struct_size" in promised["fields"]:
                self.assertEqual(getattr(_abi, name)().struct_size,
                                 promised["size"])

    def test_numbers(self):
        ours = {name: value for name, value in vars(_abi).items()
                if name.startswith("ORIEL_")}
        self.assertEqual(ours, PROMISED["enums"])

    def test_every_function_is_there(self):
        header = "".join((support.ROOT / "include" / name).read_text()
                         for name in ("oriel.h", "oriel_verify.h"))
        declared = set(re.findall(r"(oriel_\w+)\(", header))
        used = set(_abi._CORE) | set(_abi._PLAIN)
        self.assertLessEqual(used, declared)
        for name in used:
            getattr(_abi.core(), name)

    def test_an_exception_for_every_status(self):
        for name, number in PROMISED["enums"].items():
            if name.startswith("ORIEL_ERR_"):
                error = errors.from_status(number, "a line", 3, 7)
                self.assertEqual(type(error).status, number, name)
                self.assertEqual((str(error), error.item, error.cause),
                                 ("a line", 3, 7))
                said = _abi.core().oriel_status_name(number).decode()
                self.assertEqual(said, name)

    def test_classes_of_exceptions(self):
        for ours, kind in ((oriel.InputError, ValueError),
                           (oriel.NotFoundError, FileNotFoundError),
                           (oriel.ReadError, OSError),
                           (oriel.OutOfMemoryError, MemoryError),
                           (oriel.UnsupportedError, NotImplementedError),
                           (oriel.ModelError, RuntimeError)):
            self.assertTrue(issubclass(ours, kind))
            self.assertTrue(issubclass(ours, oriel.Error))
        self.assertFalse(issubclass(oriel.ArgumentError, ValueError))

    def test_limits_of_pictures_agree(self):
        header = (support.ROOT / "include/oriel_image.h").read_text()
        limit = re.search(r"ORIEL_IMAGE_MAX_PIXELS (\d+)", header).group(1)
        self.assertEqual(oriel._pictures._PILLOW_PIXELS, int(limit))


class Loading(unittest.TestCase):
    def test_version(self):
        header = (support.ROOT / "include/oriel.h").read_text()
        parts = re.findall(r"ORIEL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
        self.assertEqual(oriel.__version__, ".".join(parts))

    def test_nothing_from_elsewhere(self):
        """Neither the working folder nor LD_LIBRARY_PATH names a library."""
        bad = support.scratch() / "bad"
        for folder in (bad, bad / "_native/lib", bad / "oriel_native"):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("liboriel.so.0", "liboriel-image.so.0",
                         "liboriel-cpu.so"):
                (folder / name).write_bytes(b"no library")
        code = ("import oriel; from oriel import _abi; _abi.image(); "
                "print([l.split()[-1] for l in open('/proc/self/maps') "
                "if 'liboriel' in l])")
        environment = dict(os.environ, LD_LIBRARY_PATH=str(bad))
        made = subprocess.run([sys.executable, "-c", code], cwd=bad, text=True,
                              check=True, capture_output=True, env=environment)
        self.assertIn("liboriel.so.0", made.stdout)
        self.assertNotIn(str(bad), made.stdout)

    def test_tool(self):
        self.assertEqual(support.tool("version").split()[1], oriel.__version__)
