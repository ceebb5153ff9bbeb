# SPDX-License-Identifier: Apache-2.0
"""Pictures of a mixed folder, and what five programs make of them.

    make.py pictures                    writes the pictures beside this file
    make.py digests STACK [WHEEL] ...   prints lines for digests.txt

A line is STACK FILE GRID DIGEST: image_grid_thw, and the first 32 digits of the
SHA-256 of pixel_values as little-endian float32, with pixels from 3136 to
50176.  digests.txt was made with torch 2.15.0, torchvision 0.29.2 and Pillow
13.0.0, and

    transformers 5.23.0: transformers, transformers-pil
    transformers 5.19.0: qwen-vl-utils (0.0.14), vllm (0.33.0), sglang (0.5.23)

vLLM 0.33.0 asks for transformers below 5.21 and SGLang 0.5.23 for 5.19.0.  The
stacks:

transformers      Image.open, ImageOps.exif_transpose, Qwen2VLImageProcessor,
                  whose backend is torchvision.  Since 5.21 the processor puts on
                  white whatever has an alpha band or a transparent colour.
transformers-pil  the same with Qwen2VLImageProcessorPil.
qwen-vl-utils     fetch_image, then Qwen2VLImageProcessorPil.  It puts RGBA on
                  white, drops other alpha and ignores EXIF.  With transformers
                  5.21 or later the processor would also turn white what still
                  has the transparent colour after resizing, if the file has a
                  single one (a tRNS of RGB or grey, a palette with one
                  transparent entry): Oriel does not do that.
vllm              its loader (vllm/multimodal/image.py, run from the wheel: that
                  file needs Pillow alone), then Qwen2VLImageProcessor: rotated
                  by EXIF, then what has transparency goes on white, both
                  whatever the version of transformers.
sglang            what its loader does (sglang/srt/utils/common.py load_image,
                  sglang/srt/multimodal/processors/base_processor.py
                  _load_single_item with discard_alpha_channel, its default):
                  Image.open, load, convert("RGB") unless the mode is RGB; EXIF is
                  not looked at.  Then Qwen2VLImageProcessor on the CPU.  On a GPU
                  SGLang decodes JPEG by nvJPEG and resizes on the GPU, whose
                  pixels differ from these.
"""
import hashlib
import os
import sys
import zipfile

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS = {"min_pixels": 3136, "max_pixels": 50176}


# ---- Pictures --------------------------------------------------------------


def pattern(width, height, channels):
    """Waves and edges: smooth enough to compress, rich enough to resize."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        (128 + 100 * np.sin(x / (3.0 + c) + y / 7.0)
         + 27 * (((x // 9) + (y // (5 + c))) % 2)).clip(0, 255)
        for c in range(channels)
    ]
    return np.stack(planes, axis=-1).astype(np.uint8)


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def save(image, name, **options):
    image.save(os.path.join(HERE, name), **options)


def make_pictures():
    rgb = Image.fromarray(pattern(90, 61, 3))
    rgba = Image.fromarray(pattern(75, 50, 4))
    save(rgb, "upright.jpg", quality=90)
    save(rgb, "turned.jpg", quality=90, exif=orientation(6))
    save(rgb.convert("L"), "grey.jpg", quality=90)
    save(Image.fromarray(pattern(64, 48, 4), "CMYK"), "cmyk.jpg", quality=90)
    save(Image.fromarray(pattern(500, 260, 3)), "large.jpg", quality=60)
    save(Image.fromarray(pattern(13, 100, 3)), "thin.png")
    save(Image.fromarray(pattern(112, 84, 3)), "multiple.png")
    save(rgb, "turned.png", exif=orientation(3))
    save(rgba, "rgba.png")
    save(Image.fromarray(pattern(66, 71, 2), "LA"), "la.png")
    save(rgba, "rgba.webp", lossless=True, exact=True)
    save(rgba.transpose(Image.Transpose.ROTATE_90), "rgba_turned.webp",
         lossless=True, exact=True, exif=orientation(8))
    indexed = rgb.convert("RGB").quantize(16)
    save(indexed, "palette.png")
    save(indexed, "palette_alphas.png", transparency=bytes(range(0, 256, 16)))
    save(indexed, "palette_key.png", transparency=3)
    flat = Image.fromarray(pattern(90, 61, 3) & 0xC0)
    save(flat, "rgb_key.png", transparency=flat.getpixel((40, 30)))
    save(flat.convert("L"), "grey_key.png",
         transparency=flat.convert("L").getpixel((40, 30)))
    deep = pattern(60, 60, 1)[..., 0].astype(np.uint16) * 3
    save(Image.fromarray(deep), "grey16.png")
    save(rgb.convert("1"), "bilevel.png")


# ---- Stacks ----------------------------------------------------------------


def processor(pil):
    from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorPil

    return (Qwen2VLImageProcessorPil if pil
            else Qwen2VLImageProcessor)(**LIMITS)


def upright(path):
    return ImageOps.exif_transpose(Image.open(path))


def by_qwen_vl_utils(path):
    from qwen_vl_utils.vision_process import fetch_image

    return fetch_image({"image": path, **LIMITS}, image_patch_size=14)


def vllm_loader(wheel):
    """ImageMediaIO.load_bytes, by the functions that it calls."""
    module = {"__name__": "vllm_image"}
    source = zipfile.ZipFile(wheel).read("vllm/multimodal/image.py")
    exec(compile(source, "vllm/multimodal/image.py", "exec"), module)

    def load(path):
        image = module["normalize_image"](module["open_image"](path))
        image.load()
        return module["convert_image_mode"](image, "RGB", (255, 255, 255))

    return load


def by_sglang(path):
    image = Image.open(path)
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")


def main(what, *rest):
    if what == "pictures":
        make_pictures()
        return
    stack, *wheel = rest
    load, pil = {
        "transformers": (upright, False),
        "transformers-pil": (upright, True),
        "qwen-vl-utils": (by_qwen_vl_utils, True),
        "vllm": (vllm_loader(*wheel) if wheel else None, False),
        "sglang": (by_sglang, False),
    }[stack]
    for name in sorted(os.listdir(HERE)):
        if not name.endswith((".jpg", ".png", ".webp")):
            continue
        result = processor(pil)(images=[load(os.path.join(HERE, name))],
                                return_tensors="pt")
        values = result["pixel_values"].numpy().astype("<f4")
        grid = ",".join(map(str, result["image_grid_thw"][0].tolist()))
        digest = hashlib.sha256(values.tobytes()).hexdigest()[:32]
        print(stack, name, grid, digest, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
