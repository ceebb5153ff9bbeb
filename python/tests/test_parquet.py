# SPDX-License-Identifier: Apache-2.0
"""The Parquet twin of extract's manifest."""
import importlib.util
import json
import subprocess
import sys
import unittest

import oriel
import support
from oriel import parquet


@unittest.skipIf(importlib.util.find_spec("pyarrow") is None,
                 "pyarrow is not installed")
class Twin(unittest.TestCase):
    def setUp(self):
        self.folder = support.scratch() / self.id().rsplit(".", 1)[1]
        self.folder.mkdir()

    def write(self, *rows):
        text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n"
                       for row in rows)
        (self.folder / "manifest.jsonl").write_text(text)

    def test_of_extract(self):
        import pyarrow.parquet as pq

        pictures = self.folder / "pictures"
        pictures.mkdir()
        for i in range(5):
            (pictures / f"{i}.ppm").write_bytes(
                support.ppm(support.noise(40, 40 + i, seed=i)))
        (pictures / "5.png").write_bytes(b"no picture")
        listed = self.folder / "list.jsonl"
        listed.write_text("".join(json.dumps(
            {"path": f"pictures/{i}.{'png' if i == 5 else 'ppm'}",
             "label": [i, "ä"]}) + "\n" for i in range(6)))
        result = self.folder / "out"
        subprocess.run([sys.executable, "-m", "oriel", "extract", "list.jsonl",
                        "--model", str(support.tiny()), "--device", "cpu", "-q",
                        "-o", str(result)], cwd=self.folder, check=False)
        made = support.tool("parquet", result).strip()
        self.assertEqual(made, str(result / "manifest.parquet"))
        lines = [json.loads(line) for line in
                 (result / "manifest.jsonl").read_text().splitlines()]
        self.assertEqual(len(lines), 6)
        table = pq.read_table(made)
        self.assertEqual(table.schema, parquet.schema())
        for row, line in zip(table.to_pylist(), lines):
            for key, value in row.items():
                if key == "columns" and value is not None:
                    value = json.loads(value)
                self.assertEqual(value, line.get(key), key)
        self.assertEqual({row["status"] for row in lines}, {"ok", "failed"})

    def test_many_rows(self):
        import pyarrow.parquet as pq

        self.write(*({"index": i, "id": str(i), "status": "ok"}
                     for i in range(parquet._ROWS + 3)))
        table = pq.ParquetFile(parquet.convert(self.folder))
        self.assertEqual((table.num_row_groups, table.metadata.num_rows),
                         (2, parquet._ROWS + 3))

    def test_refused(self):
        good = {"index": 0, "id": "a", "status": "ok"}
        for words, rows in (
                ("line 2: ", (good, '{"index": 1, "id"')),
                ("line 1: expected an object", ([],)),
                ("line 1: expected an object", ({"index": 1},)),
                ("line 2: unknown key 'more'", (good, {**good, "more": 1})),
                ("lines with index 0 to 0", ({**good, "tokens": "many"},)),
                ("lines with index 0 to 0", ({**good, "id": None},))):
            self.write(*rows)
            with self.assertRaisesRegex(oriel.ModelError, words):
                parquet.convert(self.folder)
            self.assertEqual([path.name for path in self.folder.iterdir()],
                             ["manifest.jsonl"])
        with self.assertRaisesRegex(oriel.NotFoundError, "oriel extract wrote"):
            parquet.convert(self.folder / "nothing")
        made = subprocess.run(
            [sys.executable, "-m", "oriel", "parquet", "/nowhere"], check=False,
            capture_output=True, text=True, cwd=support.scratch())
        self.assertEqual(made.returncode, 4)
        self.assertIn("no such file", made.stderr)
