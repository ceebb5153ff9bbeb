#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of the kinds that users meet, and what the reference makes of each.

    make.py pictures            writes the pictures into inputs/
    make.py digests             prints digests.txt
    make.py models BASE         writes models.json and values/, from the folders
                                that make_models.py and own_models.py make of
                                BASE (oriel synth --config tiny --seed 1 BASE)

A line of digests.txt is STACK FILE GRID DIGEST, as that of ../cli/pipelines: the
first 32 digits of the SHA-256 of pixel_values, little-endian float32, pixels
from 3136 to 1003520.  The stacks: T (Image.open, exif_transpose,
Qwen2VLImageProcessor), P (Qwen2VLImageProcessorPil), Q (qwen-vl-utils, then P),
and padT, padP: T and P with ImageFile.LOAD_TRUNCATED_IMAGES = True.

Needs transformers 5.23.0, torch 2.15.0, torchvision 0.29.2, Pillow 13.0.0 and
qwen-vl-utils 0.0.14.
"""
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tempfile

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np  # noqa: E402
from PIL import Image, ImageFile, ImageOps  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
INPUTS = os.path.join(HERE, "inputs")
LIMITS = {"min_pixels": 3136, "max_pixels": 1003520}


# ---- Pictures --------------------------------------------------------------


def pattern(width, height, channels, seed=0):
    y, x = np.mgrid[0:height, 0:width]
    planes = [(128 + 90 * np.sin((x + seed) / (4.0 + c) + y / 9.0)
               + 30 * ((x // 7 + y // (4 + c)) % 2)).clip(0, 255)
              for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def picture(mode, width, height, seed=0):
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    pixels = pattern(width, height, channels, seed)
    if channels == 1:
        return Image.fromarray(pixels[..., 0])
    return Image.fromarray(pixels, mode)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def rle8(image):
    """A BMP of runs, and of literals where two neighbours differ."""
    width, height = image.size
    index = np.array(image)[::-1]
    data = b""
    for row in index:
        at = 0
        while at < width:
            run = 1
            while at + run < width and run < 255 and row[at + run] == row[at]:
                run += 1
            data += bytes([run, row[at]])
            at += run
        data += b"\0\0"
    data += b"\0\1"
    colors = np.array(image.getpalette("RGB")).reshape(-1, 3)[:, ::-1]
    table = b"".join(bytes(c.tolist()) + b"\0" for c in colors)
    offset = 54 + len(table)
    return (b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data),
                          0, 0, len(colors), 0) + table + data)


def top_down(bmp):
    height, = struct.unpack_from("<i", bmp, 22)
    return bmp[:22] + struct.pack("<i", -height) + bmp[26:]


def bits_555(width, height):
    rgb = pattern(width, height, 3, 5).astype(np.uint16) >> 3
    pixels = (rgb[..., 0] << 10 | rgb[..., 1] << 5 | rgb[..., 2])[::-1]
    line = (2 * width + 3) // 4 * 4
    data = b"".join(r.astype("<u2").tobytes().ljust(line, b"\0")
                    for r in pixels)
    return (b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 16, 0,
                          len(data), 0, 0, 0, 0) + data)


def wider_screen(gif, width, height):
    return gif[:6] + struct.pack("<HH", width, height) + gif[10:]


def interlaced_png(width, height):
    """Seven passes, every row with filter 0."""
    import zlib

    pixels = pattern(width, height, 4, 3)
    raw = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8),
                         (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                         (0, 1, 1, 2)):
        part = pixels[y::dy, x::dx]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0,
                                         1))
            + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def wrong_crc(png):
    """Of the pHYs chunk, which has no say in the pixels."""
    at = png.index(b"pHYs") + 4 + 9
    return png[:at] + bytes([png[at] ^ 1]) + png[at + 1:]


def whole_pictures():
    rgb = picture("RGB", 61, 47)
    indexed = rgb.quantize(32)
    frames = [picture("RGB", 40, 52, s).quantize(16) for s in (1, 2, 3)]
    yield "gif_interlaced.gif", saved(indexed, "GIF", interlace=1)
    yield "gif_animated.gif", saved(frames[0], "GIF", save_all=True,
                                    append_images=frames[1:], duration=50)
    yield "gif_small_frame.gif", wider_screen(
        saved(picture("RGB", 30, 33, 4).quantize(16), "GIF"), 48, 40)
    yield "gif_transparent.gif", saved(indexed, "GIF", transparency=3)
    yield "gif_named.png", saved(picture("L", 33, 70), "GIF")
    yield "bmp_rle8.bmp", rle8(indexed)
    yield "bmp_555.bmp", bits_555(45, 38)
    yield "bmp_top_down.bmp", top_down(saved(rgb, "BMP"))
    yield "bmp_bilevel.bmp", saved(picture("L", 50, 41).convert("1"), "BMP")
    yield "tiff_jpeg.tif", saved(rgb, "TIFF", compression="jpeg", quality=90)
    yield "tiff_cmyk.tif", saved(picture("CMYK", 52, 44), "TIFF",
                                 compression="tiff_adobe_deflate")
    yield "tiff_fax.tif", saved(picture("L", 90, 60).convert("1"), "TIFF",
                                compression="group4")
    yield "tiff_grey16.tif", saved(Image.fromarray(
        pattern(48, 36, 1)[..., 0].astype(np.uint16) * 2), "TIFF")
    yield "tiff_la_turned.tif", saved(picture("LA", 44, 31), "TIFF",
                                      compression="packbits", exif=turned(6))
    yield "avif_alpha.avif", saved(picture("RGBA", 48, 64), "AVIF", quality=80)
    yield "jpeg_cmyk.jpg", saved(picture("CMYK", 51, 39), "JPEG", quality=92)
    yield "jpeg_turned.jpg", saved(rgb, "JPEG", progressive=True, quality=85,
                                   exif=turned(8))
    yield "webp_animated.webp", saved(picture("RGBA", 40, 52), "WEBP",
                                      save_all=True, lossless=True,
                                      append_images=[picture("RGBA", 40, 52, 9)])
    yield "png_interlaced.png", interlaced_png(43, 35)
    yield "pgm_deep.pgm", b"P5 40 30 1000\n" + (
        pattern(40, 30, 1)[..., 0].astype(">u2") * 3).tobytes()


def cut_pictures():
    rgb = picture("RGB", 80, 64)
    for name, data, share in (
            ("cut_grey.jpg", saved(picture("L", 80, 64), "JPEG"), 0.7),
            ("cut_color.jpg", saved(rgb, "JPEG", quality=90), 0.6),
            ("cut_cmyk.jpg", saved(picture("CMYK", 80, 64), "JPEG"), 0.8),
            ("cut_rgba.png", saved(picture("RGBA", 80, 64), "PNG"), 0.5),
            ("cut_palette.png", saved(rgb.quantize(16), "PNG"), 0.6),
            ("cut_interlaced.png", interlaced_png(80, 64), 0.4),
            ("cut.gif", saved(rgb.quantize(32), "GIF"), 0.7),
            ("cut.bmp", saved(rgb, "BMP"), 0.45),
            ("cut.tif", saved(picture("RGBA", 80, 64), "TIFF"), 0.55)):
        yield name, data[:int(len(data) * share)]
    yield "crc.png", wrong_crc(saved(rgb, "PNG", dpi=(72, 72)))


def write_pictures():
    for name, data in (*whole_pictures(), *cut_pictures()):
        with open(os.path.join(INPUTS, name), "wb") as out:
            out.write(data)


# ---- Digests ---------------------------------------------------------------

OF_README = ["alpha_rgba.png", "alpha_la.png", "alpha_palette.png"]
BY_QWEN = OF_README + ["gif_animated.gif", "bmp_555.bmp", "tiff_jpeg.tif",
                       "avif_alpha.avif", "webp_animated.webp",
                       "png_interlaced.png", "jpeg_turned.jpg"]


def upright(path):
    return ImageOps.exif_transpose(Image.open(path))


def by_qwen_vl_utils(path):
    from qwen_vl_utils.vision_process import fetch_image

    return fetch_image({"image": path, **LIMITS}, image_patch_size=14)


def digest(stack, name, load, processor):
    result = processor(images=[load(os.path.join(INPUTS, name))],
                       return_tensors="pt")
    values = result["pixel_values"].numpy().astype("<f4").tobytes()
    grid = ",".join(map(str, result["image_grid_thw"][0].tolist()))
    print(stack, name, grid, hashlib.sha256(values).hexdigest()[:32])


def print_digests():
    from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorPil

    t = Qwen2VLImageProcessor(**LIMITS)
    p = Qwen2VLImageProcessorPil(**LIMITS)
    for name, _ in whole_pictures():
        digest("T", name, upright, t)
        digest("P", name, upright, p)
    for name in BY_QWEN:
        digest("Q", name, by_qwen_vl_utils, p)
    for name, _ in cut_pictures():
        try:
            upright(os.path.join(INPUTS, name)).load()
            raise SystemExit(name + " is not damaged")
        except (OSError, SyntaxError):
            pass
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        digest("padT", name, upright, t)
        digest("padP", name, upright, p)
        ImageFile.LOAD_TRUNCATED_IMAGES = False


# ---- Models ----------------------------------------------------------------


def embeddings(folder):
    import torch
    from transformers import (AutoImageProcessor,
                              Qwen2_5_VLForConditionalGeneration)

    processor = AutoImageProcessor.from_pretrained(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32)
    picture = Image.open(os.path.join(INPUTS, "photo.jpg"))
    inputs = processor(images=[picture], return_tensors="pt")
    with torch.no_grad():
        return model.model.visual(
            inputs["pixel_values"],
            grid_thw=inputs["image_grid_thw"]).pooler_output.numpy()


def write_models(base):
    """Which folders have the same values, and the values of each group."""
    groups, of = [], {}
    os.makedirs(os.path.join(HERE, "values"), exist_ok=True)
    with tempfile.TemporaryDirectory() as top:
        for script in ("make_models.py", "own_models.py"):
            subprocess.run([sys.executable, os.path.join(HERE, script), base,
                            top], check=True)
        for name in ["base"] + sorted(os.listdir(top)):
            folder = base if name == "base" else os.path.join(top, name)
            if name in ("lfs_pointer", "single_file_without_config"):
                continue
            values = embeddings(folder)
            same = [g for g in range(len(groups))
                    if np.array_equal(groups[g], values)]
            of[name] = same[0] if same else len(groups)
            if not same:
                groups.append(values)
                values.astype("<f4").tofile(
                    os.path.join(HERE, "values", "%d.f32" % of[name]))
    with open(os.path.join(HERE, "models.json"), "w") as out:
        json.dump(of, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    {"pictures": write_pictures, "digests": print_digests,
     "models": write_models}[sys.argv[1]](*sys.argv[2:])
