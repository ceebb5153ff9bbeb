# SPDX-License-Identifier: Apache-2.0
"""What the real SGLang makes of our form: its processor of Qwen2.5-VL.  No engine
is started.  Skipped where SGLang is missing: scripts/test_serving.sh installs it,
without a GPU.
"""
import asyncio
import unittest
from types import SimpleNamespace

import numpy as np

import oriel
import support
from oriel import serving

try:
    import sglang
    import torch
    from sglang.srt.multimodal.processors.qwen_vl import QwenVLImageProcessor
    from sglang.srt.runtime_context import publish
    from sglang.srt.server_args import ServerArgs

    import tiny_vlm
except ImportError as error:
    missing = str(error)
else:
    missing = None


def setUpModule():
    if missing:
        raise unittest.SkipTest(missing)
    global encoder, processor, features, width, config, tokenizer
    print("sglang", sglang.__version__)
    folder, model, stock = tiny_vlm.make()
    config, tokenizer = model.config, stock.tokenizer
    width = config.text_config.hidden_size
    encoder = oriel.Encoder(folder, device="cpu", precision="fp32")
    features = encoder.encode([support.noise(40, 60),
                               support.noise(90, 30, seed=1)])
    arguments = ServerArgs(model_path=str(folder), device="cpu")
    publish(arguments, role="tokenizer")
    processor = QwenVLImageProcessor(config, arguments, stock, None)


def tearDownModule():
    if not missing:
        encoder.close()


def process(data, ids):
    # The request is read for its parameters alone; there are none.
    request = SimpleNamespace(image_data=data, video_data=None, audio_data=None,
                              rid="0", input_text=None)
    return asyncio.run(processor.process_mm_data_async(
        image_data=data, input_text=ids, request_obj=request))


class Embeddings(unittest.TestCase):
    def prompt(self):
        return tokenizer.encode(f"{tiny_vlm.IMAGE} and {tiny_vlm.IMAGE}: compare")

    def test_one_dict_and_an_expanded_prompt(self):
        ids = serving.expand_prompt(self.prompt(), features,
                                    config.image_token_id)
        made = process(serving.sglang_data(features, width), ids)
        items = made["mm_items"] if isinstance(made, dict) else made.mm_items
        self.assertEqual(len(items), 1)
        found = items[0].precomputed_embeddings
        if found is None:
            found = items[0].feature
        self.assertTrue(torch.equal(found, features.torch()))
        lengths = [end - begin + 1 for begin, end in items[0].offsets]
        self.assertEqual(lengths, np.diff(features.offsets).tolist())

    def test_a_prompt_that_is_not_expanded(self):
        """Why expand_prompt is needed."""
        with self.assertRaisesRegex(ValueError, "is not in list"):
            process(serving.sglang_data(features, width), self.prompt())
