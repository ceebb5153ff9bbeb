# SPDX-License-Identifier: Apache-2.0
"""Encoding: the tool's bytes, every kind of input, streams, errors."""
import asyncio
import copy
import io
import pickle
import threading
import time
import unittest

import numpy as np

import oriel
import support
from oriel import Encoder

FILES = [support.PHOTOS / name for name in
         ("astronaut.jpg", "cat.png", "coffee.webp")]


def open_tiny(**options):
    return Encoder.from_pretrained(support.tiny(), device="cpu",
                                   **{"precision": "fp32", "threads": 2,
                                      **support.LIMITS, **options})


def setUpModule():
    global encoder
    encoder = open_tiny()


def tearDownModule():
    encoder.close()


def same(a, b):
    np.testing.assert_array_equal(a.raw, b.raw)
    np.testing.assert_array_equal(a.grid_thw, b.grid_thw)


class Bytes(unittest.TestCase):
    def test_they_are_the_tools(self):
        for precision, dtype, flag in (("fp32", "float32", "f32"),
                                       ("fp32", "float16", "f16"),
                                       ("bf16", "bfloat16", "bf16")):
            with self.subTest(precision=precision, dtype=dtype):
                file = support.scratch() / f"{precision}-{flag}.safetensors"
                support.tool("encode", *FILES, "--model", support.tiny(),
                             "--precision", precision, "--dtype", flag,
                             "--device", "cpu", "--min-pixels", 3136,
                             "--max-pixels", 50176, "-o", file)
                theirs = support.read_safetensors(file)
                with open_tiny(precision=precision) as ours:
                    made = ours.encode(FILES, dtype=dtype)
                np.testing.assert_array_equal(made.raw, theirs["embeddings"])
                np.testing.assert_array_equal(made.offsets, theirs["offsets"])
                np.testing.assert_array_equal(made.grid_thw,
                                              theirs["image_grid_thw"])

    def test_alone_and_in_groups(self):
        whole = encoder.encode(FILES)
        for i, file in enumerate(FILES):
            same(whole[i], encoder.encode(file))
        same(whole, encoder.encode(FILES, token_budget=1))

    def test_preprocessing_is_transformers(self):
        """The digests of what transformers and others make of these files."""
        import hashlib
        stacks = {
            "transformers": {},
            "transformers-pil": {"resample": "pillow"},
            "qwen-vl-utils": {"resample": "pillow", "sizing": "qwen-vl-utils",
                              "alpha": "qwen-vl-utils", "exif": False},
            "sglang": {"alpha": "drop", "exif": False}}
        lines = (support.PICTURES / "digests.txt").read_text().splitlines()
        checked = 0
        for line in lines:
            stack, name, grid, digest = line.split()
            if stack not in stacks:
                continue
            with self.subTest(stack=stack, file=name):
                made = oriel.preprocess(support.PICTURES / name,
                                        **support.LIMITS, **stacks[stack])
                self.assertEqual(made.grid_thw.tolist(),
                                 [[int(n) for n in grid.split(",")]])
                self.assertEqual(
                    hashlib.sha256(made.pixel_values.tobytes()).hexdigest()[:32],
                    digest)
                checked += 1
        self.assertGreater(checked, 70)

    def test_pixel_values_give_the_same(self):
        video = support.noise(40, 60, 4)
        made = encoder.preprocess([FILES[0], video])
        self.assertEqual(made.pixel_values.dtype, np.float32)
        direct = encoder.encode([FILES[0], video], hidden_states=[0, 4])
        again = encoder.encode_pixel_values(*made, hidden_states=[0, 4])
        same(direct, again)
        for index in (0, 4):
            np.testing.assert_array_equal(direct.hidden_state(index),
                                          again.hidden_state(index))
        self.assertEqual(again.sources, ("pixel_values",) * 2)
        half = encoder.encode_pixel_values(
            made.pixel_values.astype(np.float16), made.grid_thw)
        np.testing.assert_allclose(half.embeddings, direct.embeddings,
                                   rtol=0.1, atol=0.1)

    def test_hidden_states_alone(self):
        made = encoder.encode(FILES[:1], hidden_states=[2], embeddings=False)
        whole = encoder.encode(FILES[:1], hidden_states=[2])
        np.testing.assert_array_equal(made.hidden_state(2),
                                      whole.hidden_state(2))
        self.assertEqual(made.hidden_state(2).shape,
                         (made.grid_thw.prod(), encoder.hidden_size))
        self.assertIsNone(made.raw)


class Inputs(unittest.TestCase):
    def setUp(self):
        self.picture = support.noise(50, 70)
        self.wanted = encoder.encode(self.picture)

    def test_kinds(self):
        file = support.scratch() / "noise.ppm"
        file.write_bytes(support.ppm(self.picture))
        wide = np.zeros((50, 90, 3), np.uint8)
        wide[:, 10:80] = self.picture
        for value in (str(file), file, file.read_bytes(),
                      bytearray(file.read_bytes()), memoryview(file.read_bytes()),
                      [self.picture], (self.picture,), iter([self.picture]),
                      self.picture.transpose(2, 0, 1), wide[:, 10:80],
                      np.asfortranarray(self.picture),
                      self.picture[::-1][::-1]):
            same(encoder.encode(value), self.wanted)
        self.assertEqual(encoder.encode(file).sources, ("liboriel-image",))
        self.assertEqual(self.wanted.sources, ("array",))

    def test_videos(self):
        frames = support.noise(50, 70, 3)
        wanted = encoder.encode(frames)
        self.assertEqual(wanted.grid_thw[0, 0], 2)  # two frames a patch
        files = [support.ppm(frame) for frame in frames]
        for value in ([frames], [list(frames)], oriel.Video(frames), [files],
                      oriel.Video(files), frames.transpose(0, 3, 1, 2)):
            same(encoder.encode(value), wanted)
        mixed = encoder.encode([self.picture, frames, list(frames)])
        self.assertEqual(len(mixed), 3)
        same(mixed[0], self.wanted)
        same(mixed[2], wanted)

    def test_refused(self):
        bad = {
            "three channels": np.zeros((20, 20, 4), np.uint8),
            "uint8": np.zeros((20, 20, 3), np.float32),
            "at least one pixel": np.zeros((0, 20, 3), np.uint8),
            r"expected \[height": np.zeros((20, 20), np.uint8),
            "at least one, each": [[]],
            "one size": [[support.noise(20, 20), support.noise(20, 24)]],
            "text file": b"no picture",
            "empty": b"",
            "PNG": b"\x89PNG\r\n\x1a\n damaged"}
        for words, value in bad.items():
            values = value if isinstance(value, list) else [value]
            with self.assertRaisesRegex(oriel.InputError, words) as caught:
                encoder.encode([self.picture, *values])
            self.assertEqual(caught.exception.item, 1)
        with self.assertRaisesRegex(oriel.NotFoundError, "missing.png") as caught:
            encoder.encode([self.picture, "/missing.png"])
        self.assertEqual(caught.exception.item, 1)
        with self.assertRaises(oriel.ReadError):
            encoder.encode(support.ROOT)
        with self.assertRaisesRegex(oriel.InputError, "ratio") as caught:
            encoder.encode([self.picture, support.noise(1, 300)])
        self.assertEqual(caught.exception.item, 1)
        for value in ([], 5, [None]):
            with self.assertRaises(oriel.ArgumentError):
                encoder.encode(value)

    def test_largest_source(self):
        with open_tiny(max_source_pixels=1000) as strict, \
                self.assertRaises(oriel.InputError):
            strict.encode(support.ppm(self.picture))

    def test_sizes_from_heads(self):
        """What a head says is what is decoded: the grids are the same."""
        names = sorted(path for path in support.PICTURES.iterdir()
                       if path.suffix in (".jpg", ".png", ".webp"))
        names = [path for path in names if path.name != "multiple.png"]
        self.assertGreater(len(names), 10)
        for name in names:
            plan = encoder.plan(encoder.probe([name]))
            np.testing.assert_array_equal(plan.grid_thw,
                                          encoder.preprocess(name).grid_thw)
        turned = (support.PICTURES / "turned.jpg").read_bytes()
        upright = Encoder(support.tiny(), preprocessing=oriel.Preprocessing(
            exif=False)).probe(turned)
        self.assertEqual(encoder.probe(turned), [upright[0][::-1]])
        for wrong, kind in ((b"no picture", oriel.InputError),
                            ("/nowhere", oriel.NotFoundError)):
            with self.assertRaises(kind) as caught:
                encoder.probe([turned, wrong])
            self.assertEqual(caught.exception.item, 1)

    def test_an_iterator_runs_on_the_callers_thread(self):
        threads = []

        def pictures():
            threads.append(threading.get_ident())
            yield self.picture

        same(encoder.encode(pictures()), self.wanted)
        self.assertEqual(threads, [threading.get_ident()])

    def test_wrong_options(self):
        for options in ({"dtype": "int8"}, {"hidden_states": [1, 1]},
                        {"embeddings": False}, {"hidden_states": [99]}):
            with self.assertRaises(oriel.ArgumentError):
                encoder.encode(self.picture, **options)
        for options in ({"device": "tpu"}, {"device": "cpu:1"},
                        {"precision": "int8"}, {"residual": "fp32"},
                        {"attention": "flash"},
                        {"alpha": "black"}):
            with self.assertRaises(oriel.ArgumentError):
                Encoder.from_pretrained(support.tiny(), **options)
        with self.assertRaisesRegex(oriel.UnsupportedError, "CUDA alone"):
            Encoder.from_pretrained(support.tiny(), device="cpu",
                                    attention="cudnn")

    def test_dtypes_by_other_names(self):
        for dtype in (np.float16, np.dtype("float16"), "torch.float16"):
            self.assertEqual(encoder.encode(self.picture, dtype).dtype,
                             "float16")

    def test_wrong_pixel_values(self):
        pixels, grid = encoder.preprocess(self.picture)
        with self.assertRaisesRegex(oriel.ArgumentError, "shape"):
            encoder.encode_pixel_values(pixels[:-1], grid)
        with self.assertRaisesRegex(oriel.ArgumentError, "float64"):
            encoder.encode_pixel_values(pixels.astype(np.float64), grid)
        with self.assertRaises(oriel.InputError) as caught:
            encoder.encode_pixel_values(pixels, [[1, 2, 2], [1, 3, 2]])
        self.assertEqual(caught.exception.item, 1)


class Streams(unittest.TestCase):
    def test_order_and_bytes(self):
        pictures = [support.noise(20 + i, 40, seed=i) for i in range(30)]
        whole = encoder.encode(pictures)
        for budget in (1, 50, 10**6):
            made = list(encoder.encode_iter(iter(pictures),
                                            token_budget=budget))
            self.assertEqual(len(made), 30)
            for i, item in enumerate(made):
                same(item, whole[i])

    def test_it_takes_as_it_needs(self):
        taken = 0

        def endless():
            nonlocal taken
            while True:
                taken += 1
                yield support.noise(40, 40)

        stream = encoder.encode_iter(endless(), token_budget=40)
        next(stream)
        next(stream)
        stream.close()
        self.assertLess(taken, 30)

    def test_errors_in_their_place(self):
        values = [FILES[0], b"no picture", "/missing", support.noise(1, 300),
                  FILES[1]]
        made = list(encoder.encode_iter(values, on_error="return"))
        self.assertEqual([type(item).__name__ for item in made],
                         ["Features", "InputError", "NotFoundError",
                          "InputError", "Features"])
        self.assertEqual([made[i].item for i in (1, 2, 3)], [1, 2, 3])
        before = []
        with self.assertRaises(oriel.InputError):
            for item in encoder.encode_iter(values):
                before.append(item)
        self.assertEqual(len(before), 1)

    def test_a_stream_that_raises(self):
        def broken():
            yield FILES[0]
            raise KeyError("no more")

        made = []
        with self.assertRaises(KeyError):
            for item in encoder.encode_iter(broken(), on_error="return"):
                made.append(item)
        same(made[0], encoder.encode(FILES[0]))
        self.assertEqual(list(encoder.encode_iter([])), [])

    def test_decoding_and_encoding_overlap(self):
        """The next items are asked for while an encode runs."""
        times = []

        def stream():
            for i in range(8):
                times.append(time.perf_counter())
                yield support.noise(224, 224, seed=i)

        begin = time.perf_counter()
        arrivals = []
        for _ in encoder.encode_iter(stream(), token_budget=800,
                                     decode_threads=1):
            arrivals.append(time.perf_counter())
        # Before the first result came, more than the first group was taken.
        self.assertGreater(sum(t < arrivals[0] for t in times), 2)
        self.assertGreater(arrivals[-1], begin)


class Use(unittest.TestCase):
    def test_threads_share_it(self):
        wanted = encoder.encode(FILES)
        made = [None] * 4

        def work(i):
            made[i] = encoder.encode(FILES)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for item in made:
            same(item, wanted)

    def test_the_gil_is_free(self):
        ticks, done = 0, threading.Event()

        def work():
            with open_tiny(max_pixels=400 * 400) as own:
                own.encode(support.noise(400, 400))
            done.set()

        threading.Thread(target=work).start()
        while not done.wait(0.001):
            ticks += 1
        self.assertGreater(ticks, 20)

    def test_asyncio(self):
        async def both():
            return await asyncio.gather(
                encoder.aencode(FILES[0]),
                encoder.aencode(FILES[1], hidden_states=[0]))

        first, second = asyncio.run(both())
        same(first, encoder.encode(FILES[0]))
        same(second, encoder.encode(FILES[1]))
        self.assertEqual(second.hidden_states, (0,))

    def test_a_cancelled_task_stops_its_encode(self):
        async def give_up():
            with open_tiny(max_pixels=12845056) as own:
                task = asyncio.create_task(
                    own.aencode(support.noise(3584, 3584)))
                await asyncio.sleep(1)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                begin = time.perf_counter()
                small = await own.aencode(support.noise(28, 28))
                self.assertLess(time.perf_counter() - begin, 10)
                self.assertEqual(len(small), 1)

        asyncio.run(give_up())

    def test_pickle(self):
        for twin in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
            with twin:
                same(twin.encode(FILES[0]), encoder.encode(FILES[0]))
                self.assertEqual(twin.preprocessing, encoder.preprocessing)
                self.assertEqual(repr(twin), repr(encoder))

    def test_errors_are_pickled(self):
        error = oriel.InputError("a line", 3, 5)
        twin = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(twin), str(twin), twin.item, twin.cause),
                         (oriel.InputError, "a line", 3, 5))

    def test_what_it_is(self):
        info = encoder.info
        self.assertEqual((info.device, info.precision, info.threads),
                         ("cpu", "fp32", 2))
        self.assertIn("oneDNN", info.description)
        self.assertEqual((encoder.out_hidden_size, encoder.hidden_size,
                          encoder.depth, encoder.patch_size,
                          encoder.temporal_patch_size,
                          encoder.spatial_merge_size), (24, 32, 4, 4, 2, 2))
        self.assertRegex(encoder.digest(), "^[0-9a-f]{32}$")
        self.assertEqual(encoder.plan([(70, 50)]).tokens,
                         encoder.encode(support.noise(50, 70)).offsets[-1])

    def test_closed(self):
        own = open_tiny()
        with own:
            pass
        own.close()
        for use in (lambda: own.encode(FILES[0]), lambda: own.info,
                    lambda: own.plan([(28, 28)])):
            with self.assertRaisesRegex(oriel.ArgumentError, "closed"):
                use()

    def test_no_checkpoint(self):
        with self.assertRaises(oriel.NotFoundError):
            Encoder.from_pretrained("/no/such/folder")
        with self.assertRaisesRegex(oriel.NotFoundError, "hf download"):
            Encoder.from_pretrained("nobody/nothing")
        with self.assertRaisesRegex(oriel.UnsupportedError, "JPEG picture"):
            Encoder.from_pretrained(FILES[0])

    def test_damaged_pictures(self):
        """The digests of what Pillow and transformers make of damaged files."""
        import hashlib
        cases = support.ROOT / "tests" / "cases"
        checked = 0
        for line in (cases / "digests.txt").read_text().splitlines():
            kind, name, _, digest = line.split()
            if kind not in ("padT", "padP") or not name.endswith(
                    (".jpg", ".png")):
                continue
            with self.subTest(kind=kind, file=name):
                with self.assertRaises(oriel.InputError):
                    oriel.preprocess(cases / "inputs" / name)
                made = oriel.preprocess(
                    cases / "inputs" / name, truncated="pad", **support.LIMITS,
                    resample="pillow" if kind == "padP" else "torchvision")
                self.assertEqual(
                    hashlib.sha256(made.pixel_values.tobytes()).hexdigest()[:32],
                    digest)
                checked += 1
        self.assertGreater(checked, 10)

    def test_a_padded_picture_is_told(self):
        whole = FILES[0].read_bytes()
        with open_tiny(truncated="pad") as padding:
            features = padding.encode([whole[:len(whole) // 2], whole])
        self.assertRegex(features.sources[0], "^liboriel-image; .*truncated")
        self.assertEqual(features.sources[1], "liboriel-image")
        same(features[1], encoder.encode(whole))
        with self.assertRaisesRegex(oriel.ArgumentError, "truncated"):
            oriel.preprocess(whole, truncated="zero")

    def test_names_of_the_cache(self):
        import os
        from unittest import mock
        cache = support.scratch() / "hub"
        snapshot = cache / "models--some--model" / "snapshots" / "0123abcd"
        snapshot.parent.mkdir(parents=True)
        snapshot.symlink_to(support.tiny())
        refs = cache / "models--some--model" / "refs"
        refs.mkdir()
        (refs / "main").write_text("0123abcd")
        with mock.patch.dict(os.environ, {"HF_HUB_CACHE": str(cache)}):
            for revision in (None, "main", "0123abcd"):
                with Encoder.from_pretrained("some/model", device="cpu",
                                             revision=revision) as own:
                    self.assertEqual(own.digest(), encoder.digest())
            with self.assertRaisesRegex(oriel.NotFoundError, "revision"):
                Encoder.from_pretrained("some/model", revision="v2")
            with self.assertRaises(oriel.ArgumentError):
                Encoder.from_pretrained("some/model", revision="../../..")

    def test_notes_go_to_the_log(self):
        """What a checkpoint has too much is told by the logger "oriel"."""
        import json
        import shutil
        folder = support.scratch() / "noted"
        shutil.copytree(support.tiny(), folder)
        file = folder / "preprocessor_config.json"
        config = json.loads(file.read_text())
        file.write_text(json.dumps({**config, "do_center_crop": True}))
        with self.assertLogs("oriel", "WARNING") as logged:
            Encoder.from_pretrained(folder, device="cpu").close()
        self.assertIn("do_center_crop", "".join(logged.output))


class Pillow(unittest.TestCase):
    """Skipped where Pillow is not there."""

    def setUp(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("Pillow is not installed")
        self.Image = Image

    def test_an_image_object_is_as_its_file(self):
        for file in sorted(support.PICTURES.iterdir()):
            if file.suffix not in (".png", ".jpg", ".webp"):
                continue
            for alpha in ("white", "drop", "qwen-vl-utils"):
                with self.subTest(file=file.name, alpha=alpha):
                    options = {**support.LIMITS, "alpha": alpha}
                    theirs = oriel.preprocess(self.Image.open(file), **options)
                    ours = oriel.preprocess(file, **options)
                    np.testing.assert_array_equal(theirs.pixel_values,
                                                  ours.pixel_values)

    def test_other_formats_through_pillow(self):
        picture = support.noise(50, 70)
        file = io.BytesIO()
        self.Image.fromarray(picture).save(file, "TGA")
        made = encoder.encode(file.getvalue())
        same(made, encoder.encode(picture))
        self.assertRegex(made.sources[0], r"^Pillow [\d.]+ \(TGA\)$")
        damaged = file.getvalue()[:200]
        with self.assertRaisesRegex(oriel.InputError, "Pillow"):
            encoder.encode(damaged)

    def test_sizes_from_heads(self):
        """Of what Pillow opens, rotation included."""
        file = io.BytesIO()
        exif = self.Image.Exif()
        exif[0x0112] = 6  # a quarter turn
        self.Image.fromarray(support.noise(20, 30)).save(file, "TIFF", exif=exif)
        self.assertEqual(encoder.probe(file.getvalue()), [(20, 30)])

    def test_no_other_program_is_started(self):
        """Pillow opens PostScript by Ghostscript; we do not ask it to."""
        file = io.BytesIO()
        self.Image.fromarray(support.noise(20, 20)).save(file, "EPS")
        with self.assertRaisesRegex(oriel.InputError, "PostScript"):
            encoder.encode(file.getvalue())
