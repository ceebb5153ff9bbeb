# SPDX-License-Identifier: Apache-2.0
"""The forms of vLLM and SGLang, without these packages.  test_vllm.py asks the
real one."""
import base64
import io
import os
import unittest

import numpy as np

import oriel
import support
from oriel import serving
from oriel._features import STORED, Features


def features(dtype="float32", grids=((1, 4, 4), (1, 2, 6)), rows=7, width=5):
    array = np.arange(rows * width).reshape(rows, width).astype(STORED[dtype])
    return Features(np.array(grids, np.int64), 4, dtype, array, {},
                    ["x"] * len(grids))


class Validator(unittest.TestCase):
    def test_sound(self):
        for dtype in STORED:
            serving.validate(features(dtype), 5, dtype)

    def test_refused(self):
        for words, item, bad in (
                ("rows for grid", 1, features(rows=6)),
                ("8 rows, expected 7", 1, features(rows=8)),
                ("multiples of 2", 0, features(grids=((1, 3, 4), (1, 2, 6)))),
                ("multiples of 2", 1, features(grids=((1, 4, 4), (0, 2, 6))))):
            with self.assertRaisesRegex(oriel.InputError, words) as caught:
                serving.validate(bad, 5)
            self.assertEqual(caught.exception.item, item)
        with self.assertRaisesRegex(oriel.ArgumentError, r"\[tokens, 6\]"):
            serving.validate(features(), 6)
        with self.assertRaisesRegex(oriel.ArgumentError, "expected bfloat16"):
            serving.validate(features(), 5, "bfloat16")

    def test_values(self):
        for dtype, values in (("float32", (np.inf, np.nan)),
                              ("float16", (np.inf, np.nan)),
                              ("bfloat16", (0x7F80, 0xFF80, 0x7FC1))):
            for value in values:
                bad = features(dtype)
                bad.raw[5, 2] = value
                with self.assertRaisesRegex(oriel.InputError, "finite") as caught:
                    serving.validate(bad, 5)
                self.assertEqual(caught.exception.item, 1)
        largest = features("bfloat16")
        largest.raw[:] = 0x7F7F
        serving.validate(largest, 5)


class Forms(unittest.TestCase):
    def test_http_parts(self):
        made = serving.vllm_parts(features("float16"), 5, ["a", "b"])
        for i, part in enumerate(made):
            file = io.BytesIO(base64.b64decode(
                part["image_embeds"]["image_embeds"]))
            np.testing.assert_array_equal(np.load(file),
                                          features("float16")[i].numpy())
            self.assertEqual(part["image_embeds"]["image_grid_thw"],
                             features().grid_thw[i].tolist())
            self.assertEqual((part["type"], part["uuid"]),
                             ("image_embeds", "ab"[i]))
        self.assertNotIn("uuid", serving.vllm_parts(features(), 5)[0])
        with self.assertRaisesRegex(oriel.ArgumentError, "float16"):
            serving.vllm_parts(features("bfloat16"), 5)
        with self.assertRaisesRegex(oriel.ArgumentError, "1 uuids"):
            serving.vllm_parts(features(), 5, ["a"])
        with self.assertRaisesRegex(oriel.InputError, "video"):
            serving.vllm_parts(features(grids=((2, 2, 2), (1, 2, 10))), 5)

    def test_ec_directory(self):
        root = support.scratch() / "ec"
        directory = serving.ECDirectory(root, 5)
        uuid = "0123456789abcdef" * 4
        one = features("bfloat16")[1]
        path = directory.write(uuid, one)
        self.assertEqual(path, str(root / uuid / "encoder_cache.safetensors"))
        np.testing.assert_array_equal(
            support.read_safetensors(root / uuid / "encoder_cache.safetensors")
            ["ec_cache"], one.raw)
        self.assertEqual(os.listdir(root / uuid), ["encoder_cache.safetensors"])
        directory.write(uuid, one)  # again is fine
        for bad in ("../" + uuid[3:], uuid.upper(), "", uuid + "/x"):
            with self.assertRaises(oriel.ArgumentError):
                directory.write(bad, one)
        with self.assertRaisesRegex(oriel.ArgumentError, "expected bfloat16"):
            directory.write(uuid, features()[0])
        with self.assertRaisesRegex(oriel.ArgumentError, "one image"):
            directory.write(uuid, features("bfloat16"))

    def test_what_an_ec_directory_holds(self):
        directory = serving.ECDirectory(support.scratch() / "held", 5)
        uuid = "0123456789abcdef" * 4
        self.assertFalse(directory.holds(uuid, 3))
        path = directory.write(uuid, features("bfloat16")[1])
        self.assertTrue(directory.holds(uuid, 3))
        with self.assertRaisesRegex(oriel.ArgumentError, r"BF16 \[4, 5\]"):
            directory.holds(uuid, 4)
        with self.assertRaisesRegex(oriel.ArgumentError, "expected F32"):
            serving.ECDirectory(directory.root, 5, "float32").holds(uuid, 3)
        with open(path, "rb") as file:
            content = file.read()
        for wrong in (b"", content[:4], content[:40], content[:-1],
                      content + b"\0", b"\2" + bytes(7) + b"[]",
                      b"\2" + bytes(7) + b"{}"):
            with open(path, "wb") as file:
                file.write(wrong)
            with self.assertRaisesRegex(oriel.ReadError, "not a file of"):
                directory.holds(uuid, 3)

    def test_prompts(self):
        self.assertEqual(serving.expand_prompt([1, 9, 2, 9], features(), 9),
                         [1, *[9] * 4, 2, *[9] * 3])
        with self.assertRaisesRegex(oriel.ArgumentError, "1 placeholders"):
            serving.expand_prompt([9], features(), 9)

    def test_names_of_contents(self):
        with oriel.Encoder(support.tiny(), device="cpu") as encoder, \
                oriel.Encoder(support.tiny(), device="cpu",
                              preprocessing=oriel.Preprocessing(
                                  alpha="drop")) as other:
            names = {serving.content_id(b"one", encoder),
                     serving.content_id(b"two", encoder),
                     serving.content_id(b"one", other)}
            self.assertEqual(len(names), 3)
            self.assertIn(serving.content_id(b"one", encoder), names)
            for name in names:
                self.assertRegex(name, "^[0-9a-f]{64}$")
