# SPDX-License-Identifier: Apache-2.0
"""oriel.ray: its class by hand, and on a real Ray of this machine, with actors
that are killed.  The latter is skipped where ray is missing: scripts/test_ray.sh
installs it."""
import importlib.util
import json
import logging
import os
import signal
import threading
import time
import unittest
from pathlib import Path

import numpy as np

import oriel
import oriel.ray
import support

N_PICTURES = 48
FLAGS = {"device": "cpu", "precision": "fp32"}


def needs(module):
    return unittest.skipIf(importlib.util.find_spec(module) is None,
                           f"{module} is not installed")


def folder():
    """Pictures of several sizes; every eighth is no picture, one is missing."""
    made = support.scratch() / "ray"
    if not made.exists():
        made.mkdir()
        for i in range(N_PICTURES - 1):
            content = b"no picture" if i % 8 == 5 else support.ppm(
                support.noise(60 + 8 * (i % 5), 80, seed=i))
            (made / f"{i:03d}.ppm").write_bytes(content)
    return made


def items():
    return [{"id": f"n{i}", "path": str(folder() / f"{i:03d}.ppm")}
            for i in range(N_PICTURES)]


def bad(i):
    return i % 8 == 5 or i == N_PICTURES - 1


def batch_of(rows):
    return {name: np.array([row[name] for row in rows], object)
            for name in rows[0]}


def row_dicts(columns):
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def wanted():
    """Each picture's embeddings, by this process alone."""
    with oriel.Encoder(support.tiny(), **FLAGS) as encoder:
        return {row["id"]: encoder.encode(row["path"])
                for i, row in enumerate(items()) if not bad(i)}


class ByHand(unittest.TestCase):
    def make(self, **options):
        return oriel.ray.OrielEncoder(str(support.tiny()), **FLAGS, **options)

    @needs("fsspec")
    def test_paths(self):
        made = self.make()(batch_of(items()))
        self.compare(row_dicts(made))
        self.assertEqual(list(made["path"]), [row["path"] for row in items()])

    def compare(self, rows):
        expected = wanted()
        self.assertEqual(len(rows), N_PICTURES)
        for i, row in enumerate(rows):
            if bad(i):
                self.assertEqual((row["status"], row["embeddings"]),
                                 ("failed", b""))
                self.assertGreater(len(row["reason"]), 10)
                continue
            feature = expected[row["id"]]
            self.assertEqual((row["status"], row["reason"]), ("ok", ""))
            self.assertEqual(oriel.ray.rows(row).tobytes(),
                             feature.embeddings.tobytes())
            self.assertEqual([row["grid_t"], row["grid_h"], row["grid_w"]],
                             feature.grid_thw[0].tolist())

    def test_bytes(self):
        rows = [{"id": i, "file": Path(row["path"]).read_bytes()}
                for i, row in enumerate(items()[:6])]
        made = self.make(images="file", dtype="bfloat16")(batch_of(rows))
        self.assertNotIn("file", made)
        self.assertEqual(list(made["status"]), ["ok"] * 5 + ["failed"])
        with oriel.Encoder(support.tiny(), **FLAGS) as encoder:
            self.assertEqual(made["embeddings"][3], encoder.encode(
                rows[3]["file"], dtype="bfloat16").raw.tobytes())

    def test_shards(self):
        shards = support.scratch() / "by-hand"
        rows = [{"id": row["id"], "file": Path(row["path"]).read_bytes()}
                for row in items()[:8]]
        expected = wanted()
        encode = self.make(images="file", folder=str(shards))
        for _ in range(2):  # the second time, the same file
            made = row_dicts(encode(batch_of(rows)))
            self.assertEqual(len(list(shards.iterdir())), 1)
            for row in made:
                if row["status"] == "failed":
                    self.assertEqual(row["shard"], "")
                    continue
                tensors = support.read_safetensors(shards / row["shard"])
                np.testing.assert_array_equal(
                    tensors["embeddings"][row["row_begin"]:row["row_end"]],
                    expected[row["id"]].embeddings)
                self.assertIn(row["row_begin"], tensors["offsets"])
        none = self.make(images="file", folder=str(shards))(
            batch_of([rows[5]]))
        self.assertEqual(list(none["shard"]), [""])

    @needs("fsspec")
    def test_urls(self):
        import fsspec

        content = Path(items()[0]["path"]).read_bytes()
        with fsspec.open("memory://bucket/a.ppm", "wb") as file:
            file.write(content)
        made = self.make()(batch_of([
            {"id": "a", "path": "memory://bucket/a.ppm"},
            {"id": "b", "path": "memory://bucket/b.ppm"},
            {"id": "c", "path": "nothing://c"}]))
        self.assertEqual(list(made["status"]), ["ok", "failed", "failed"])
        self.assertIn("b.ppm", made["reason"][1])
        self.assertIn("nothing", made["reason"][2])

    def test_refused(self):
        with self.assertRaisesRegex(oriel.ArgumentError, "expected path"):
            self.make()(batch_of([{"id": "a", "file": b""}]))
        with self.assertRaisesRegex(oriel.ArgumentError, "a column status"):
            self.make(images="file")(batch_of(
                [{"id": "a", "file": b"", "status": "x"}]))

    @needs("pyarrow")
    @needs("fsspec")
    def test_done_ids(self):
        import pyarrow as pa
        import pyarrow.parquet as pq

        place = support.scratch() / "done"
        self.assertEqual(oriel.ray.done_ids(str(place)).to_pylist(), [])
        place.mkdir()
        for i, (ids, status) in enumerate(((["a", "b"], ["ok", "failed"]),
                                           (["c"], ["ok"]))):
            pq.write_table(pa.table({"id": ids, "status": status}),
                           place / f"{i}.parquet")
        self.assertEqual(oriel.ray.done_ids(str(place)).to_pylist(),
                         ["a", "b", "c"])
        self.assertEqual(oriel.ray.done_ids(
            f"file://{place}", retry_failed=True).to_pylist(), ["a", "c"])
        (place / "2.parquet").write_bytes(b"PAR1 half")
        with self.assertRaisesRegex(oriel.ReadError, r"2\.parquet.*done again"):
            oriel.ray.done_ids(str(place))
        lines = support.scratch() / "lines.jsonl"
        lines.write_text('{"id": 1, "status": "ok"}\n{"id": 2, "status": "ok"}\n')
        self.assertEqual(oriel.ray.done_ids(str(lines)).to_pylist(), [1, 2])


class Watched(oriel.ray.OrielEncoder):
    """It leaves a file for each process that opens it, and for each batch."""

    def __init__(self, model, marks, act="", **options):
        super().__init__(model, **options)
        self.marks, self.act = Path(marks), act
        (self.marks / f"actor-{os.getpid()}").touch()

    def __call__(self, batch):
        if self.act == "fault" and not (self.marks / "fault").exists():
            (self.marks / "fault").touch()
            self.encoder.encode_iter = self.fault
        if self.act == "die" and "n9" in batch["id"]:
            os.kill(os.getpid(), signal.SIGKILL)
        made = super().__call__(batch)
        time.sleep(0.2)  # the killer needs a moment in which work is left
        (self.marks / f"batch-{batch['id'][0]}-{os.getpid()}").touch()
        made["threads"] = np.full(len(batch["id"]), self.encoder.info.threads)
        return made

    @staticmethod
    def fault(*_, **__):
        raise oriel.FaultError("the device is lost")


@needs("ray")
class OnRay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["RAY_DATA_DISABLE_PROGRESS_BARS"] = "1"
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        import ray

        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False,
                 logging_level=logging.ERROR)
        print("ray", ray.__version__)
        cls.expected = wanted()

    @classmethod
    def tearDownClass(cls):
        import ray

        ray.shutdown()

    def dataset(self, rows=None):
        import ray

        # Blocks are what two actors share out.
        return ray.data.from_items(rows or items(), override_num_blocks=12)

    def marks(self):
        made = support.scratch() / f"marks-{self.id().rsplit('.', 1)[1]}"
        made.mkdir()
        return made

    def watched(self, dataset, marks, **options):
        from unittest import mock

        with mock.patch.object(oriel.ray, "OrielEncoder", Watched):
            return oriel.ray.encode(
                dataset, str(support.tiny()), marks=str(marks), batch_size=4,
                **FLAGS, **options)

    def compare(self, rows, read=oriel.ray.rows):
        self.assertEqual(sorted(row["id"] for row in rows),
                         sorted(row["id"] for row in items()))
        for row in rows:
            number = int(row["id"][1:])
            self.assertEqual(row["status"], "failed" if bad(number) else "ok")
            if not bad(number):
                self.assertEqual(read(row).tobytes(),
                                 self.expected[row["id"]].embeddings.tobytes())

    def test_an_actor_is_killed(self):
        """Every id is there once, with the bytes of a single process."""
        import ray

        marks = self.marks()
        killed = []

        def kill():
            while len(list(marks.glob("batch-*"))) < 3:
                time.sleep(0.02)
            killed.append(int(next(marks.glob("batch-*")).name.split("-")[2]))
            os.kill(killed[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        rows = self.watched(self.dataset(), marks, actors=2).take_all()
        killer.join()
        started = {path.name for path in marks.glob("actor-*")}
        self.assertGreater(len(started), 2)
        self.assertIn(f"actor-{killed[0]}", started)
        self.compare(rows)
        self.assertEqual({row["threads"] for row in rows}, {1})
        print(f"killed one of {len(started)} actors of Ray {ray.__version__}: "
              f"{len(rows)} rows, each id once, bytes equal")

    def test_a_batch_that_kills_is_not_tried_for_ever(self):
        marks = self.marks()
        with self.assertRaises(Exception) as caught:
            self.watched(self.dataset(items()[8:12]), marks, act="die",
                         max_restarts=1, max_task_retries=1).take_all()
        self.assertRegex(str(caught.exception), "(?i)actor")
        started = len(list(marks.glob("actor-*")))
        self.assertIn(started, (2, 3))
        print(f"a batch that kills its actor: the job failed after {started}")

    def test_a_lost_device(self):
        marks = self.marks()
        rows = self.watched(self.dataset(), marks, act="fault",
                            num_cpus=2).take_all()
        self.compare(rows)
        self.assertEqual(len(list(marks.glob("actor-*"))), 2)
        self.assertEqual({row["threads"] for row in rows}, {2})

    def test_resume_with_shards(self):
        """A part of the ids, then all: the rest is done, and nothing twice."""
        import pyarrow.parquet as pq

        marks, place = self.marks(), support.scratch() / "resumed"
        manifest = str(place / "manifest")

        def run(rows):
            left = oriel.ray.remaining(self.dataset(rows), manifest)
            self.watched(left, marks, actors=2, folder=str(place)
                         ).write_parquet(manifest)

        run(items()[:20])
        first = {path.name for path in marks.glob("batch-*")}
        run(items())
        rows = pq.read_table(manifest).to_pylist()
        done = {path.name.split("-")[1] for path in marks.glob("batch-*")
                if path.name not in first}
        self.assertFalse(done & {row["id"] for row in items()[:20]})

        def read(row):
            tensors = support.read_safetensors(place / row["shard"])
            return tensors["embeddings"][row["row_begin"]:row["row_end"]]

        self.compare(rows, read)
        again = oriel.ray.remaining(self.dataset(), manifest)
        self.assertEqual(again.count(), 0)
        failed = oriel.ray.remaining(self.dataset(), manifest, retry_failed=True)
        self.assertEqual(sorted(row["id"] for row in failed.take_all()),
                         sorted(f"n{i}" for i in range(N_PICTURES) if bad(i)))
        self.assertEqual(json.dumps(sorted(rows[0])), json.dumps(sorted(
            ["id", "path", "status", "reason", "sha256", "dtype", "grid_t",
             "grid_h", "grid_w", "tokens", "width", "shard", "row_begin",
             "row_end", "threads"])))
