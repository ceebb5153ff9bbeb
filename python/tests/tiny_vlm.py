# SPDX-License-Identifier: Apache-2.0
"""A complete tiny Qwen2.5-VL that transformers opens: the vision tower of
`oriel synth --config tiny`, two random text layers, a tokenizer of single bytes.
"""
import json

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLVideoProcessor,
)

import support

MAJOR = int(transformers.__version__.split(".")[0])
if MAJOR >= 5:
    from transformers import PreTrainedTokenizerFast as TokenizerClass
    from transformers import Qwen2VLImageProcessor as ImageProcessor
else:
    from transformers import Qwen2TokenizerFast as TokenizerClass
    from transformers import Qwen2VLImageProcessorFast as ImageProcessor

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>",
           "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
VIDEO = "<|vision_start|><|video_pad|><|vision_end|>"
GEOMETRY = {"patch_size": 4, "temporal_patch_size": 2, "merge_size": 2}
LIMITS = {"shortest_edge": 256, "longest_edge": 4096}


def tokenizer():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    fast = TokenizerClass(tokenizer_object=made, pad_token=SPECIAL[0],
                          eos_token=SPECIAL[2], padding_side="left")
    fast.add_special_tokens({"additional_special_tokens": SPECIAL})
    return fast


def config(ids):
    values = json.loads((support.tiny() / "config.json").read_text())
    text = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2,
            "vocab_size": 512, "max_position_embeddings": 4096,
            "use_sliding_window": False, "tie_word_embeddings": False,
            "bos_token_id": None, "eos_token_id": ids["<|im_end|>"]}
    sections = [1, 1, 1]
    if MAJOR >= 5:
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e6,
                                   "mrope_section": sections}
    else:
        text["rope_theta"] = 1e6
        text["rope_scaling"] = {"type": "mrope", "mrope_section": sections}
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=values["vision_config"],
        tie_word_embeddings=False, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"])


def tower_weights():
    tensors = {}
    for file in sorted(support.tiny().glob("*.safetensors")):
        for name, bits in support.read_safetensors(file).items():
            # The tool stores bfloat16.
            tensors[name.removeprefix("visual.")] = torch.from_numpy(
                bits.view("int16").copy()).view(torch.bfloat16).float()
    return tensors


def make():
    """The checkpoint's folder, the model in fp32, and its processor."""
    folder = support.scratch() / "vlm"
    words = tokenizer()
    ids = {word: words.convert_tokens_to_ids(word) for word in SPECIAL}
    torch.manual_seed(1)
    model = Qwen2_5_VLForConditionalGeneration(config(ids)).eval()
    for parameter in model.parameters():  # sharper than the initial 0.02
        parameter.data.mul_(4)
    model.model.visual.load_state_dict(tower_weights(), strict=False)
    model.save_pretrained(folder)
    processor = Qwen2_5_VLProcessor(
        ImageProcessor(size=LIMITS, **GEOMETRY), words,
        Qwen2VLVideoProcessor(size=LIMITS, do_sample_frames=False, **GEOMETRY))
    processor.save_pretrained(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32).eval()
    return folder, model, processor
