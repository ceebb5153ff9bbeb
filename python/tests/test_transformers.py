# SPDX-License-Identifier: Apache-2.0
"""Beside the real transformers: tokens, logits and pixel_values.

Skipped where torch or transformers is missing: scripts/test_torch.sh installs
them.
"""
import io
import unittest

import numpy as np

import oriel
import support

try:
    import torch
    from PIL import Image

    import tiny_vlm
    from oriel.transformers import (
        OrielImageProcessor,
        OrielVisionTower,
        as_output,
        encode_inputs,
        replace_vision,
    )
    from tiny_vlm import IMAGE, VIDEO
except ImportError as error:
    missing = str(error)
else:
    missing = None


def setUpModule():
    if missing:
        raise unittest.SkipTest(missing)
    global folder, model, processor, encoder, has_outputs
    folder, model, processor = tiny_vlm.make()
    encoder = oriel.Encoder.from_pretrained(folder, device="cpu",
                                            precision="fp32")
    import inspect
    has_outputs = "mm_encoder_outputs" in inspect.signature(
        model.forward).parameters


def tearDownModule():
    if not missing:
        encoder.close()


def picture(height, width, seed=0):
    return Image.fromarray(support.noise(height, width, seed=seed))


def cases():
    """Prompts and what is in them."""
    first, second = picture(40, 60), picture(90, 30, 1)
    video = list(support.noise(32, 48, 6, seed=2))
    return {
        "one image": {"text": [f"{IMAGE}What?"], "images": [first]},
        "two images": {"text": [f"{IMAGE} and {IMAGE}: compare"],
                       "images": [first, second]},
        "a video": {"text": [f"Watch {VIDEO} now"], "videos": [video]},
        "an image and a video": {"text": [f"{IMAGE}{VIDEO}?"],
                                 "images": [second], "videos": [video]},
        "a batch, padded left": {
            "text": [f"{IMAGE}Hi", f"A much longer prompt {IMAGE} than that"],
            "images": [second, first]},
    }


def inputs_of(case):
    return processor(**case, return_tensors="pt", padding=True)


def answers(inputs, **how):
    """New tokens and the logits of the prompt."""
    with torch.inference_mode():
        logits = model(**inputs).logits
        tokens = model.generate(**inputs, max_new_tokens=12, min_new_tokens=12,
                                do_sample=False, **how)
    return tokens, logits


class Answers(unittest.TestCase):
    """Ways A and B give the stock model's tokens."""

    def compare(self, wanted, made):
        torch.testing.assert_close(made[1], wanted[1], rtol=1e-4, atol=1e-4)
        self.assertEqual(made[0].tolist(), wanted[0].tolist())

    def test_pixels_matter(self):
        """Or else the comparisons below could not fail."""
        one = inputs_of(cases()["one image"])
        other = {**one, "pixel_values": -one["pixel_values"]}
        self.assertGreater((answers(one)[1] - answers(other)[1]).abs().max(),
                           1e-2)

    def test_replaced_module(self):
        for name, case in cases().items():
            for how in ({}, {"num_beams": 3}):
                with self.subTest(case=name, how=how):
                    inputs = inputs_of(case)
                    wanted = answers(inputs, **how)
                    with replace_vision(model, encoder):
                        self.assertIsInstance(model.model.visual,
                                              OrielVisionTower)
                        self.compare(wanted, answers(inputs, **how))

    def test_outputs_of_an_encoder(self):
        if not has_outputs:
            with self.assertRaisesRegex(oriel.UnsupportedError, "replace_vision"):
                encode_inputs(encoder, {}, model)
            return
        for name, case in cases().items():
            for how in ({}, {"num_beams": 3}):
                with self.subTest(case=name, how=how):
                    inputs = inputs_of(case)
                    wanted = answers(inputs, **how)
                    tower, model.model.visual = model.model.visual, None
                    try:
                        # generate changes what it is given.
                        made = encode_inputs(encoder, inputs, model)
                        with torch.inference_mode():
                            logits = model(**made).logits
                        made = encode_inputs(encoder, inputs, model)
                        tokens = model.generate(
                            **made, max_new_tokens=12, min_new_tokens=12,
                            do_sample=False, **how)
                    finally:
                        model.model.visual = tower
                    self.compare(wanted, (tokens, logits))

    def test_refused_inputs(self):
        inputs = {"mm_token_type_ids": torch.zeros(1, 4, dtype=torch.long)}
        whole = {**inputs_of(cases()["one image"])}
        whole.setdefault("mm_token_type_ids", (
            whole["input_ids"] == model.config.image_token_id).long())
        without = dict(whole)
        del without["mm_token_type_ids"]
        for words, bad in (
                ("mm_token_type_ids is missing", without),
                ("nothing to encode", inputs),
                ("without image_grid_thw",
                 {k: v for k, v in whole.items() if k != "image_grid_thw"}),
                ("tokens of images, expected",
                 {**whole, "mm_token_type_ids":
                  torch.zeros_like(whole["input_ids"])})):
            with self.assertRaisesRegex(oriel.ArgumentError, words):
                encode_inputs(encoder, bad)

    def test_outputs_are_tensors_an_item(self):
        features = encoder.encode([np.array(picture(40, 60)),
                                   np.array(picture(90, 30))])
        rows = as_output(features).pooler_output
        self.assertEqual([len(r) for r in rows],
                         np.diff(features.offsets).tolist())


class Replaced(unittest.TestCase):
    def test_the_tower_comes_back(self):
        tower = model.model.visual
        with self.assertRaises(KeyError), replace_vision(model, encoder):
            self.assertIsNot(model.model.visual, tower)
            raise KeyError
        self.assertIs(model.model.visual, tower)
        self.assertNotIn("save_pretrained", vars(model))

    def test_saving_and_training_are_refused(self):
        target = support.scratch() / "saved"
        with replace_vision(model, encoder):
            for use in (lambda: model.save_pretrained(target),
                        lambda: model.model.save_pretrained(target),
                        model.state_dict, model.train):
                with self.assertRaises(oriel.ArgumentError):
                    use()
            model.eval()
        self.assertEqual(list(target.glob("*.safetensors")), [])
        model.eval()
        model.train()
        try:
            with self.assertRaisesRegex(oriel.ArgumentError, "training"), \
                    replace_vision(model, encoder):
                pass
        finally:
            model.eval()

    def test_gradients_are_refused(self):
        inputs = inputs_of(cases()["one image"])
        inputs["pixel_values"].requires_grad_()
        with replace_vision(model, encoder), \
                self.assertRaisesRegex(oriel.ArgumentError, "gradients"):
            model(**inputs)

    def test_the_checkpoint_is_found(self):
        inputs = inputs_of(cases()["one image"])
        wanted = answers(inputs)[0]
        with replace_vision(model, device="cpu", precision="fp32"):
            self.assertEqual(answers(inputs)[0].tolist(), wanted.tolist())

    def test_no_tower(self):
        with self.assertRaisesRegex(oriel.ArgumentError, "named visual"), \
                replace_vision(model.model.language_model, encoder):
            pass

    def test_another_width(self):
        other = support.scratch() / "wide"
        support.tool("synth", "--config", "3b", "--depth", 1, other)
        with oriel.Encoder(other, device="cpu") as wide, \
                self.assertRaisesRegex(oriel.ArgumentError, "2048"), \
                replace_vision(model, wide):
            pass

    def test_half_precision(self):
        """The tower keeps the digits of the pixels in a bfloat16 model."""
        inputs = inputs_of(cases()["one image"])
        half = type(model).from_pretrained(folder, dtype=torch.bfloat16).eval()
        with replace_vision(half, encoder):
            half.to("cpu", torch.bfloat16)
            self.assertEqual(half.model.visual.dtype, torch.float32)
            half.generate(**inputs, max_new_tokens=3)


class Tensors(unittest.TestCase):
    """torch tensors in and out of the package itself."""

    def test_tensors_are_pictures(self):
        array = support.noise(40, 60)
        wanted = encoder.encode(array)
        tensor = torch.from_numpy(array)
        for value in (tensor, tensor.permute(2, 0, 1),
                      tensor.permute(2, 0, 1).contiguous()):
            np.testing.assert_array_equal(encoder.encode(value).raw, wanted.raw)
        video = torch.from_numpy(support.noise(40, 60, 4))
        np.testing.assert_array_equal(
            encoder.encode(video).raw,
            encoder.encode(video.permute(0, 3, 1, 2)).raw)
        # [3, H, 3]: a tensor has its channels first, an array last.
        thin = torch.from_numpy(support.noise(3, 30)).permute(0, 2, 1)
        self.assertEqual(thin.shape, (3, 3, 30))
        self.assertEqual(encoder.encode(thin.permute(0, 2, 1)).grid_thw.tolist(),
                         encoder.plan([(3, 30)]).grid_thw.tolist())

    def test_no_copy(self):
        for dtype in ("float32", "float16", "bfloat16"):
            features = encoder.encode(support.noise(40, 60), dtype=dtype)
            tensor = features.torch()
            self.assertEqual(str(tensor.dtype), f"torch.{dtype}")
            self.assertEqual(tensor.data_ptr(), features.raw.ctypes.data)
            taken = torch.from_dlpack(features)
            self.assertEqual(taken.dtype, tensor.dtype)
            self.assertEqual(taken.data_ptr(), tensor.data_ptr())
            self.assertTrue(torch.equal(taken, tensor))
            del features, tensor
            self.assertTrue(torch.isfinite(taken.float()).all())

    def test_pixel_values_in_bfloat16(self):
        pixels, grid = encoder.preprocess(support.noise(40, 60))
        half = torch.from_numpy(pixels).bfloat16()
        wanted = encoder.encode_pixel_values(half.float(), torch.from_numpy(grid))
        made = encoder.encode_pixel_values(half, torch.from_numpy(grid),
                                           dtype=torch.float32)
        np.testing.assert_array_equal(made.raw, wanted.raw)

    def test_ml_dtypes(self):
        try:
            import ml_dtypes
        except ImportError:
            self.skipTest("ml_dtypes is not installed")
        features = encoder.encode(support.noise(40, 60), dtype="bfloat16")
        self.assertEqual(features.numpy().dtype, ml_dtypes.bfloat16)
        np.testing.assert_array_equal(features.numpy().astype(np.float32),
                                      features.torch().float().numpy())


class Processor(unittest.TestCase):
    """OrielImageProcessor is transformers' own, bit for bit."""

    def compare(self, ours, theirs, images, **options):
        made = ours(images, return_tensors="pt", **options)
        wanted = theirs(images, return_tensors="pt", **options)
        self.assertEqual(set(made), set(wanted))
        for key, value in wanted.items():
            self.assertEqual(made[key].dtype, value.dtype)
            self.assertTrue(torch.equal(made[key], value), key)

    def test_published_geometry(self):
        ours, theirs = OrielImageProcessor(), tiny_vlm.ImageProcessor()
        files = sorted(f for f in support.PICTURES.iterdir()
                       if f.suffix in (".png", ".jpg", ".webp"))
        self.assertGreater(len(files), 15)
        images = [Image.open(file) for file in files]
        for file, image in zip(files, images):
            with self.subTest(file=file.name):
                self.compare(ours, theirs, image)
        self.compare(ours, theirs, images)
        arrays = [support.noise(100, 37), support.noise(30, 90)]
        self.compare(ours, theirs, arrays)
        self.compare(ours, theirs, [a.transpose(2, 0, 1) for a in arrays])
        self.compare(ours, theirs, [torch.from_numpy(a).permute(2, 0, 1)
                                    for a in arrays])
        self.compare(ours, theirs, images,
                     size={"shortest_edge": 3136, "longest_edge": 50176})

    def test_within_the_processor(self):
        ours = OrielImageProcessor.from_pretrained(folder).use(encoder)
        case = cases()["two images"]
        theirs = inputs_of(case)
        stock, processor.image_processor = processor.image_processor, ours
        try:
            made = inputs_of(case)
        finally:
            processor.image_processor = stock
        self.assertEqual(set(made), set(theirs))
        for key in theirs:
            self.assertTrue(torch.equal(made[key], theirs[key]), key)

    def test_it_is_saved_as_any(self):
        ours = OrielImageProcessor(size=dict(tiny_vlm.LIMITS),
                                   **tiny_vlm.GEOMETRY).use(encoder)
        ours.save_pretrained(support.scratch() / "processor")
        again = OrielImageProcessor.from_pretrained(
            support.scratch() / "processor").use(encoder)
        self.compare(again, ours, picture(50, 70))

    def test_refusals(self):
        ours = OrielImageProcessor()
        for name, options in (
                ("do_resize", {"do_resize": False}),
                ("image_mean", {"image_mean": [0.5, 0.5, 0.5]}),
                ("patch_size", {"patch_size": 16}),
                ("resample", {"resample": 2})):
            with self.assertRaisesRegex(oriel.ArgumentError, name):
                ours(picture(50, 70), **options)
        with self.assertRaisesRegex(oriel.ArgumentError, "uint8"):
            ours(torch.zeros(3, 50, 70))
        with self.assertRaises(ValueError):
            ours(picture(1, 300))


class Pictures(unittest.TestCase):
    def test_formats_that_pillow_opens(self):
        file = io.BytesIO()
        picture(40, 60).save(file, "GIF")
        wanted = np.array(Image.open(file).convert("RGB"))
        made = encoder.encode(file.getvalue())
        np.testing.assert_array_equal(made.raw, encoder.encode(wanted).raw)
