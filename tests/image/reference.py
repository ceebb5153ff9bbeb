# SPDX-License-Identifier: Apache-2.0
"""What Pillow makes of a file: the reference for liboriel-image.

Needs Pillow 13.0.0 and numpy.  Used by make_corpus.py and compare_pillow.py.
"""
import io
import warnings

import numpy as np
import PIL
from PIL import Image, ImageFile, ImageOps

assert PIL.__version__ == "13.0.0", "the reference is Pillow 13.0.0"

FORMATS = {"PNG": 1, "JPEG": 2, "MPO": 2, "WEBP": 3, "PPM": 4}
MAX_PIXELS = 178956970


def to_rgb(image, white):
    """convert("RGB"), or transformers' composition on white before it."""
    if white and ("A" in image.getbands()
                  or image.info.get("transparency") is not None):
        image = image.convert("RGBA")
        back = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(back, image)
    return np.array(image.convert("RGB"))


def decode(data, white=True, orient=True, pad=False):
    """RGB8 as [height, width, 3], or the exception that refused the file."""
    ImageFile.LOAD_TRUNCATED_IMAGES = pad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.format not in FORMATS:
                    return ValueError("format " + image.format)
                image.load()
                upright = (ImageOps.exif_transpose(image) if orient
                           else image.copy())
                return to_rgb(upright, white)
        except Exception as error:  # whatever it is, the file is refused
            return error
