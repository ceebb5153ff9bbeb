#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the demo's photographs from the pictures that scikit-image ships.

Usage: make_photos.py SCIKIT_IMAGE_DATA_FOLDER

Written with scikit-image 0.26.0 (its folder skimage/data, found in the wheel)
and Pillow 13.0.0.  Two files are copied as they are; two are encoded anew, so
that the demo meets three formats and one photograph that lies on its side, as
telephones store them.  Other versions of Pillow may compress differently: the
rows in expected_rows belong to the files that are committed.
"""
import hashlib
import shutil
import sys
from pathlib import Path

from PIL import Image

SOURCES = {  # as scikit-image's own registry lists them
    "astronaut.png":
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "chelsea.png":
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png":
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg":
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
ORIENTATION = 0x0112
TURN_RIGHT_TO_SHOW = 6


def check(data: Path) -> None:
    for name, digest in SOURCES.items():
        found = hashlib.sha256((data / name).read_bytes()).hexdigest()
        if found != digest:
            sys.exit(f"{data / name}: not the file that was meant (SHA-256)")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = Path(sys.argv[1])
    here = Path(__file__).resolve().parent
    check(data)
    shutil.copyfile(data / "chelsea.png", here / "cat.png")
    shutil.copyfile(data / "rocket.jpg", here / "rocket.jpg")
    with Image.open(data / "coffee.png") as picture:
        picture.save(here / "coffee.webp", quality=88, method=6)
    with Image.open(data / "astronaut.png") as picture:
        upright = picture.convert("RGB").crop((40, 0, 424, 512))
    exif = Image.Exif()
    exif[ORIENTATION] = TURN_RIGHT_TO_SHOW
    upright.transpose(Image.Transpose.ROTATE_90).save(
        here / "astronaut.jpg", quality=90, exif=exif)


if __name__ == "__main__":
    main()
