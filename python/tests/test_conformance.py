# SPDX-License-Identifier: Apache-2.0
"""The conformance kit names every defect that it knows, and no other."""
import contextlib
import io
import struct
import unittest
from unittest import mock

import numpy as np

import oriel
import support
from oriel.conformance import __main__ as program
from oriel.conformance import _cases, _judge, _tower

SMALL = ("odd", "grown", "thin", "batch", "video")
# Where a defect shows that needs several frames, items, or whole windows.
SHOWS_IN = {"FramesTogether": "video", "ItemsTogether": "batch",
            "LargeEps": "thin"}


def setUpModule():
    global kit, tower_of
    kit = _judge.Kit(support.scratch() / "kit")
    tower_of = {defect: defect(kit._weights, kit._config)
                for defect in (_tower.Tower, *_tower.DEFECTS)}


def tearDownModule():
    kit.encoder.close()


def rows_of(defect, case, pixels=None):
    expected, grids = kit.pixels(case)
    made = tower_of[defect].encode(expected if pixels is None else pixels,
                                   grids.tolist())
    return made.astype(np.float32)


class Golden(unittest.TestCase):
    def test_a_second_formulation_agrees(self):
        """Rows of transformers, and the tower written anew in float64."""
        for case in SMALL:
            error = _judge.relative(rows_of(_tower.Tower, case),
                                    kit.golden[case])
            self.assertLess(error, 5e-6, case)
            self.assertGreater(kit.golden[case + ".bf16"], 1e-3)

    def test_oriel_agrees(self):
        for case in SMALL:
            items = kit.inputs(case)
            verdict = kit.judge(case, kit.encoder.preprocess(items)[0],
                                kit.encoder.encode(items).embeddings)
            self.assertEqual((verdict.pixels, verdict.verdict, verdict.agrees),
                             ("equal", "agrees", True))

    def test_files_are_those_of_the_cases(self):
        for case in _cases.CASES:
            for i, frames in enumerate(_cases.items_of(case)):
                for k, frame in enumerate(frames):
                    file = kit.folder / f"{case}-{i}-{k}.png"
                    if frame.shape[2] == 3:
                        np.testing.assert_array_equal(
                            oriel.preprocess(file).pixel_values,
                            oriel.preprocess(frame).pixel_values)


class Defects(unittest.TestCase):
    def test_every_one_is_named(self):
        for defect in _tower.DEFECTS:
            case = SHOWS_IN.get(defect.__name__, "odd")
            with self.subTest(defect=defect.__name__):
                verdict = kit.judge(case, None, rows_of(defect, case))
                self.assertFalse(verdict.agrees)
                self.assertTrue(
                    verdict.verdict.startswith(_tower.name_of(defect)),
                    verdict.verdict)

    def test_one_that_nobody_knows(self):
        verdict = kit.judge("odd", None, kit.golden["odd"] * 1.1)
        self.assertIn("none of the known", verdict.verdict)
        self.assertFalse(verdict.agrees)

    def test_precision(self):
        rounded = _tower.to_bfloat16(kit.golden["odd"])
        verdict = kit.judge("odd", None, rounded)
        self.assertTrue(verdict.agrees)
        self.assertIn("precision: as bf16", verdict.verdict)
        broken = kit.golden["odd"].copy()
        broken[3, 3] = np.inf
        self.assertIn("1 values are not finite",
                      kit.judge("odd", None, broken).verdict)
        self.assertIn("expected [96, 24]",
                      kit.judge("odd", None, broken[1:]).verdict)

    def test_rounding_to_bfloat16(self):
        """1 + 2^-8 is a tie and goes to even; above it goes up."""
        made = _tower.to_bfloat16(np.array(
            [1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, 1 + 2.0 ** -8 + 2.0 ** -20, -1.5],
            np.float32))
        np.testing.assert_array_equal(made, np.array(
            [1, 1 + 2.0 ** -6, 1 + 2.0 ** -7, -1.5], np.float32))

    def test_pixels(self):
        wanted = {
            "shrunk": {"Pillow 13": {"resample": "pillow"},
                       "by Pillow": {"resample": "pillow12"},
                       "floats": {"resample": "float"}},
            "alpha": {"alpha dropped": {"alpha": "drop"}}}
        for case, variants in wanted.items():
            for words, options in variants.items():
                told, agrees = kit.judge_pixels(case,
                                                kit.pixels(case, **options)[0])
                self.assertIn(words, told)
                self.assertFalse(agrees)
        pixels, grids = kit.pixels("odd")
        for found, words in ((_judge._raster(pixels, grids), "row by row"),
                             (_judge._first_frame(pixels), "only the first"),
                             (pixels + 0.5, "off by up to 0.5"),
                             (pixels[4:], "shape")):
            told, agrees = kit.judge_pixels("odd", found)
            self.assertIn(words, told)
            self.assertFalse(agrees)
        for found, words in ((pixels, "equal"),
                             (_tower.to_bfloat16(pixels), "equal in bfloat16"),
                             (pixels + 1e-6, "equal but for")):
            told, agrees = kit.judge_pixels("odd", found)
            self.assertIn(words, told)
            self.assertTrue(agrees)

    def test_a_sound_tower_with_other_pixels(self):
        pixels = kit.pixels("odd", resample="float")[0]
        verdict = kit.judge("odd", pixels, rows_of(_tower.Tower, "odd", pixels))
        self.assertEqual(verdict.verdict, "the tower agrees, pixels do not")
        self.assertFalse(verdict.agrees)


class Program(unittest.TestCase):
    def run_program(self, *words):
        out, err = io.StringIO(), io.StringIO()
        with mock.patch("sys.argv", ["conformance", *map(str, words)]), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return program.main(), out.getvalue(), err.getvalue()

    def test_dumps(self):
        dumps = support.scratch() / "dumps"
        dumps.mkdir()
        status, _, err = self.run_program("check", kit.folder, dumps)
        self.assertEqual(status, 2)
        self.assertIn("square.rows.npy: missing", err)
        for case in _cases.CASES:
            np.save(dumps / f"{case}.rows.npy", kit.golden[case])
        np.save(dumps / "odd.pixel_values.npy", kit.pixels("odd")[0])
        # One as safetensors in bfloat16, which numpy cannot save.
        rows = kit.golden["grown"]
        bits = (_tower.to_bfloat16(rows).view(np.uint32) >> 16).astype("<u2")
        head = (b'{"rows":{"dtype":"BF16","shape":[%d,%d],'
                b'"data_offsets":[0,%d]}}' % (*rows.shape, bits.nbytes))
        (dumps / "grown.safetensors").write_bytes(
            struct.pack("<Q", len(head)) + head + bits.tobytes())
        status, out, _ = self.run_program("check", kit.folder, dumps)
        self.assertEqual(status, 0)
        self.assertIn("agrees in all 8 cases", out)
        self.assertIn("| odd | equal | 0.0e+00 | agrees |", out)
        self.assertIn("| grown | not dumped |", out)
        self.assertIn("precision: as bf16", out)
        np.save(dumps / "odd.rows.npy", rows_of(_tower.TanhGelu, "odd"))
        status, out, _ = self.run_program("check", kit.folder, dumps)
        self.assertEqual(status, 1)
        self.assertIn("ggml_gelu", out)
        self.assertIn("deviates in 1 of 8 cases: odd", out)

    def test_files(self):
        folder = support.scratch() / "again"
        self.assertEqual(self.run_program("files", folder)[0], 0)
        for file in kit.folder.rglob("*"):
            if file.is_file():
                twin = folder / file.relative_to(kit.folder)
                self.assertEqual(twin.read_bytes(), file.read_bytes())
