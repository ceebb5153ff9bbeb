# SPDX-License-Identifier: Apache-2.0
"""Every Python example of the documents runs, word for word.

A model of the cache is a tiny one here, and a.jpg and b.png are small.
"""
import contextlib
import importlib.util
import io
import os
import re
import shutil
import unittest
from unittest import mock

import support

DOCUMENTS = ("README.md", "python/README.md", "docs/python.md")
OPTIONAL = ("torch", "transformers", "ml_dtypes")


def blocks(name):
    text = (support.ROOT / name).read_text()
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Documents(unittest.TestCase):
    def setUp(self):
        self.folder = support.scratch() / "docs"
        self.folder.mkdir(exist_ok=True)
        for name, picture in (("a.jpg", "upright.jpg"), ("b.png", "rgba.png")):
            shutil.copy(support.PICTURES / picture, self.folder / name)
        snapshots = (self.folder / "hub" / "models--Qwen--Qwen2.5-VL-7B-Instruct"
                     / "snapshots")
        if not snapshots.exists():
            snapshots.mkdir(parents=True)
            (snapshots / "0123abcd").symlink_to(support.tiny())
        back = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, back)

    def run_document(self, name):
        names = {}
        found = blocks(name)
        self.assertGreater(len(found), 0)
        for block in found:
            missing = [m for m in OPTIONAL if re.search(rf"\b{m}\b", block)
                       and importlib.util.find_spec(m) is None]
            if missing:
                continue
            cache = {"HF_HUB_CACHE": str(self.folder / "hub")}
            with self.subTest(block=block), mock.patch.dict(os.environ, cache), \
                    contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block, name, "exec"), names)
        return names

    def test_readme(self):
        names = self.run_document("README.md")
        self.assertEqual(len(names["features"]), 2)
        self.assertEqual(names["features"].embeddings.shape[1], 24)

    def test_readme_of_the_package(self):
        names = self.run_document("python/README.md")
        self.assertEqual(len(names["features"]), 2)

    def test_manual(self):
        self.run_document("docs/python.md")
