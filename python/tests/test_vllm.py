# SPDX-License-Identifier: Apache-2.0
"""What the real vLLM makes of our forms: parser, processor, connector.
No engine is started.  Skipped where vLLM is missing: scripts/test_serving.sh
installs it, without a GPU.
"""
import base64
import os
import unittest

import numpy as np

import oriel
import support
from oriel import serving

os.environ.setdefault("VLLM_TARGET_DEVICE", "cpu")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
try:
    import torch
    import vllm
    from vllm.config import ECTransferConfig, ModelConfig, VllmConfig
    from vllm.distributed.ec_transfer.ec_connector.base import ECConnectorRole
    from vllm.distributed.ec_transfer.ec_connector.example_connector import (
        ECExampleConnectorMetadata,
        MMMeta,
    )
    from vllm.distributed.ec_transfer.ec_connector.factory import (
        ECConnectorFactory,
    )
    from vllm.multimodal import MULTIMODAL_REGISTRY
    from vllm.multimodal.processing.context import TimingContext
    from vllm.multimodal.processing.inputs import ProcessorInputs

    import tiny_vlm
except ImportError as error:
    missing = str(error)
else:
    missing = None


def setUpModule():
    if missing:
        raise unittest.SkipTest(missing)
    global folder, encoder, config, processor, pictures, features, width
    print("vllm", vllm.__version__)
    folder, model, _ = tiny_vlm.make()
    width = model.config.text_config.hidden_size
    encoder = oriel.Encoder(folder, device="cpu", precision="fp32")
    config = ModelConfig(model=str(folder), dtype="float32",
                         enable_mm_embeds=True)
    processor = MULTIMODAL_REGISTRY.create_processor(config)
    pictures = [support.noise(40, 60), support.noise(90, 30, seed=1)]
    features = encoder.encode(pictures)


def tearDownModule():
    if not missing:
        encoder.close()


def prompt():
    tokens = processor.info.get_tokenizer()
    return tokens.encode(f"{tiny_vlm.IMAGE} and {tiny_vlm.IMAGE}: compare")


def apply(images):
    items = processor.info.parse_mm_data({"image": images})
    return processor.apply(ProcessorInputs(prompt=prompt(), mm_data_items=items),
                           TimingContext(enabled=False))


def places(made):
    return [(p.offset, p.length) for p in made["mm_placeholders"]["image"]]


class Embeddings(unittest.TestCase):
    def test_as_for_the_images_themselves(self):
        from PIL import Image
        wanted = apply([Image.fromarray(p) for p in pictures])
        made = apply(serving.vllm_data(features, width))
        self.assertEqual(places(made), places(wanted))
        self.assertEqual(made["prompt_token_ids"], wanted["prompt_token_ids"])
        self.assertEqual([length for _, length in places(made)],
                         np.diff(features.offsets).tolist())
        for i, item in enumerate(made["mm_kwargs"]["image"]):
            self.assertTrue(torch.equal(item["image_embeds"].data,
                                        features[i].torch()))
            self.assertEqual(item["image_grid_thw"].data.tolist(),
                             features.grid_thw[i].tolist())

    def test_parts_of_a_request(self):
        """The decoder of the HTTP server reads our .npy."""
        from vllm.multimodal.media import ImageEmbeddingMediaIO
        half = encoder.encode(pictures, dtype="float16")
        for i, part in enumerate(serving.vllm_parts(half, width)):
            text = part["image_embeds"]["image_embeds"]
            base64.b64decode(text, validate=True)
            made = ImageEmbeddingMediaIO().load_base64("", text)
            self.assertTrue(torch.equal(made, half[i].torch()))


class Directory(unittest.TestCase):
    def test_the_connector_reads_it(self):
        root = support.scratch() / "ec"
        directory = serving.ECDirectory(root, width, "bfloat16")
        stored = encoder.encode(pictures, dtype="bfloat16")
        uuids = [serving.content_id(p.tobytes(), encoder) for p in pictures]
        transfer = ECTransferConfig(
            ec_connector="ECExampleConnector", ec_role="ec_consumer",
            ec_connector_extra_config={"shared_storage_path": str(root)})
        whole = VllmConfig(model_config=config, ec_transfer_config=transfer)
        scheduler, worker = (ECConnectorFactory.create_connector(whole, role)
                             for role in (ECConnectorRole.SCHEDULER,
                                          ECConnectorRole.WORKER))
        self.assertFalse(scheduler.has_cache_item(uuids[0]))
        metadata = ECExampleConnectorMetadata()
        for uuid, feature in zip(uuids, stored):
            directory.write(uuid, feature)
            self.assertTrue(scheduler.has_cache_item(uuid))
            metadata.add_mm_data(MMMeta.make_meta(uuid, len(feature.raw)))
        worker.bind_connector_metadata(metadata)
        cache = {}
        worker.start_load_caches(cache)
        for uuid, feature in zip(uuids, stored):
            self.assertTrue(torch.equal(cache[uuid], feature.torch()))

    def test_the_name_is_the_one_that_was_given(self):
        """A uuid goes to the connector as it is."""
        uuids = [serving.content_id(p.tobytes(), encoder) for p in pictures]
        items = processor.info.parse_mm_data(
            {"image": serving.vllm_data(features, width)})
        made = processor.apply(
            ProcessorInputs(prompt=prompt(), mm_data_items=items,
                            mm_uuid_items={"image": uuids}),
            TimingContext(enabled=False))
        self.assertEqual(made["mm_hashes"]["image"], uuids)
