# SPDX-License-Identifier: Apache-2.0
"""What a caller gives, as RGB8 pictures: files, bytes, arrays, tensors, PIL.

Frameworks are never imported here: an object of one can only come from a
program that has imported it.
"""
from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import _abi, errors
from ._calls import Flag
from ._handles import LogHook
from ._options import Preprocessing

U8 = npt.NDArray[np.uint8]
T = TypeVar("T")

# What Pillow may open for us.  Left out are formats that liboriel-image reads
# itself, those for which Pillow starts another program (EPS), and those whose
# pixels lie elsewhere.
_PILLOW_FORMATS = ("AVIF", "BMP", "DDS", "DIB", "GIF", "HEIF", "ICNS", "ICO",
                   "JPEG2000", "JXL", "PCX", "PSD", "QOI", "SGI", "TGA", "TIFF")


class Video:
    """The frames of one video, in order: images of one size, of any kind that
    :meth:`Encoder.encode` takes.

    A list of frames inside a list of items means the same; ``Video`` says it
    where there is no outer list.
    """

    def __init__(self, frames: Iterable[Any]) -> None:
        self.frames = list(frames)


@dataclass
class Item:
    """One image or video, decoded."""

    frames: list[U8]  # each [height, width, 3]
    is_video: bool
    source: str  # what decoded it

    def native(self) -> _abi.oriel_item:
        height, width = self.frames[0].shape[:2]
        kind = (_abi.ORIEL_KIND_VIDEO if self.is_video
                else _abi.ORIEL_KIND_IMAGE)
        return _abi.oriel_item(width=width, height=height,
                               frames=len(self.frames), kind=kind)


def as_list(images: Any) -> list[Any]:
    """The items of what encode was given: one thing is a list of one."""
    if isinstance(images, (list, tuple)):
        return list(images)
    if _is_single(images):
        return [images]
    if isinstance(images, Iterable):
        return list(images)
    return [images]


def _is_single(value: Any) -> bool:
    return (isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike,
                               np.ndarray, Video))
            or _is_pil(value) or _is_tensor(value))


def _is_instance(value: Any, module: str, name: str) -> bool:
    """Whether it is of a class of a framework that the program has imported;
    another thread may be importing it just now."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _is_pil(value: Any) -> bool:
    return _is_instance(value, "PIL.Image", "Image")


def _is_tensor(value: Any) -> bool:
    return _is_instance(value, "torch", "Tensor")


def open_item(value: Any, options: Preprocessing, flag: Flag) -> Item:
    """Decode one item.  InputError and others are raised without an index."""
    if isinstance(value, Video):
        return _open_video(value.frames, options, flag)
    if isinstance(value, (list, tuple)):
        return _open_video(value, options, flag)
    if _is_tensor(value):
        value = value.detach().cpu().numpy()
        channels_first = True
    else:
        channels_first = False
    if isinstance(value, np.ndarray):
        frames = _array_frames(value, channels_first)
        return Item(frames, value.ndim == 4, "array")
    picture, source = _open_picture(value, options, flag)
    return Item([picture], False, source)


def _open_video(values: Sequence[Any], options: Preprocessing,
                flag: Flag) -> Item:
    items = [open_item(value, options, flag) for value in values]
    frames = [frame for item in items for frame in item.frames]
    if not frames or any(item.is_video for item in items):
        raise errors.InputError(f"a video of {len(values)} frames: expected at "
                                "least one, each of them an image")
    for i, frame in enumerate(frames):
        if frame.shape != frames[0].shape:
            (h, w), (h0, w0) = frame.shape[:2], frames[0].shape[:2]
            raise errors.InputError(f"a video's frame {i} is {w} x {h}, and the "
                                    f"first is {w0} x {h0}: expected one size")
    return Item(frames, True, ", ".join(sorted({i.source for i in items})))


def _array_frames(value: npt.NDArray[Any], channels_first: bool) -> list[U8]:
    """The frames of an array [H, W, 3], [3, H, W], or of one more dimension."""
    if value.dtype != np.uint8:
        raise errors.InputError(f"an array of {value.dtype}: expected uint8, RGB")
    if value.ndim not in (3, 4):
        raise errors.InputError(
            f"an array of shape {value.shape}: expected [height, width, 3] or "
            "[3, height, width], and with one more dimension a video's frames")
    first, last = value.shape[-3] == 3, value.shape[-1] == 3
    if not first and not last:
        raise errors.InputError(f"an array of shape {value.shape}: expected "
                                "three channels, RGB, first or last")
    if first and (channels_first or not last):
        value = np.moveaxis(value, -3, -1)
    if 0 in value.shape:
        raise errors.InputError(f"an array of shape {value.shape}: expected at "
                                "least one pixel")
    return [_with_tight_pixels(frame)
            for frame in (value if value.ndim == 4 else [value])]


def _with_tight_pixels(frame: U8) -> U8:
    """Lines may lie anywhere, forward; pixels of a line lie side by side."""
    if frame.strides[1:] == (3, 1) and frame.strides[0] >= frame.shape[1] * 3:
        return frame
    return np.ascontiguousarray(frame)


# ---- Files -------------------------------------------------------------------


def _contents(value: Any) -> tuple[Any, str]:
    """A file's bytes, and how messages about them begin."""
    if isinstance(value, (str, os.PathLike)):
        name = os.fspath(value)
        shown = _abi.text(os.fsencode(name))
        try:
            with open(name, "rb") as file:
                return file.read(), f"{shown}: "
        except FileNotFoundError as error:
            raise errors.NotFoundError(f"{shown}: no such file",
                                       cause=error.errno or 0) from None
        except OSError as error:
            raise errors.ReadError(f"{shown}: {error.strerror}",
                                   cause=error.errno or 0) from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value, ""
    raise errors.ArgumentError(
        f"an item of type {type(value).__name__}: expected a path, bytes, a "
        "uint8 array or tensor, a PIL image, or a list of frames")


def _open_picture(value: Any, options: Preprocessing,
                  flag: Flag) -> tuple[U8, str]:
    if _is_pil(value):
        return _from_pil(value, options), "PIL object"
    content, where = _contents(value)
    return _decode(content, options, flag, where)


def probe(value: Any, options: Preprocessing) -> tuple[int, int]:
    """Width and height of a file's picture, by its head."""
    content, where = _contents(value)
    data = _as_bytes(content)
    try:
        info = _probe(data, options.of_image())
    except (errors.InputError, errors.UnsupportedError) as error:
        error.message = where + error.message
        found = _with_pillow(data, options, _oriented_size)
        if found is None:
            raise
        return found[0]
    return int(info.width), int(info.height)


def _as_bytes(content: Any) -> U8:
    return np.frombuffer(content, np.uint8) if len(content) else np.empty(
        0, np.uint8)


def _probe(data: U8, native: _abi.oriel_image_options) -> _abi.oriel_image_info:
    info = _abi.oriel_image_info()
    _abi.call(_abi.image().oriel_image_probe, data.ctypes.data, data.nbytes,
              ctypes.byref(native), ctypes.byref(info))
    return info


def _hooks_with_log(flag: Flag,
                    warnings: list[str]) -> tuple[_abi.oriel_hooks, Any]:
    """The flag's hooks, and a log of warnings; keep what comes second."""
    def take(_user: Any, level: int, line: bytes) -> None:
        if level == _abi.ORIEL_LOG_WARNING:
            warnings.append(_abi.text(line))

    hook = LogHook(take)
    return _abi.oriel_hooks(user=flag.hooks.user, cancel=flag.hooks.cancel,
                            log=ctypes.cast(hook, ctypes.c_void_p)), hook


def _decode(content: Any, options: Preprocessing, flag: Flag,
            where: str) -> tuple[U8, str]:
    """Decode a file's bytes; Pillow opens what liboriel-image does not know."""
    data = _as_bytes(content)
    native = options.of_image()
    warnings: list[str] = []
    hooks, keep = _hooks_with_log(flag, warnings)
    native.hooks = ctypes.pointer(hooks)
    try:
        info = _probe(data, native)
    except (errors.InputError, errors.UnsupportedError) as error:
        error.message = where + error.message
        found = _with_pillow(data, options, _from_pil)
        if found is None:
            raise
        return found
    picture = np.empty((info.height, info.width, 3), np.uint8)
    try:
        _abi.call(_abi.image().oriel_image_decode, data.ctypes.data, data.nbytes,
                  ctypes.byref(native), picture.ctypes.data, picture.nbytes, 0)
    except errors.Error as error:
        error.message = where + error.message
        raise
    del keep
    return picture, "; ".join(["liboriel-image", *warnings])


def _with_pillow(data: U8, options: Preprocessing,
                 use: Callable[[Any, Preprocessing], T]
                 ) -> tuple[T, str] | None:
    """What ``use`` makes of a picture that Pillow opens, and what opened it; None
    where Pillow is missing or does not know it either."""
    try:
        import PIL
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        return None
    Image.init()
    known = [name for name in _PILLOW_FORMATS if name in Image.OPEN]
    limit = options.max_source_pixels or _PILLOW_PIXELS
    try:
        with Image.open(io.BytesIO(data.data), formats=known) as image:
            if image.width * image.height > limit:
                raise errors.InputError(
                    f"{image.width} x {image.height} pixels: expected at most "
                    f"{limit}")
            kind = image.format
            made = use(image, options)
    except errors.Error:
        raise
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise errors.InputError(f"refused by Pillow: {error}") from None
    except Exception as error:  # its decoders raise what they like
        raise errors.InputError(
            f"refused by Pillow {PIL.__version__}: {error}") from error
    return made, f"Pillow {PIL.__version__} ({kind})"


_EXIF_ORIENTATION = 0x0112
_PILLOW_PIXELS = 178956970  # ORIEL_IMAGE_MAX_PIXELS of oriel_image.h


def _oriented_size(image: Any, options: Preprocessing) -> tuple[int, int]:
    """Width and height of a PIL image after its rotation."""
    width, height = image.size
    turned = options.exif and image.getexif().get(_EXIF_ORIENTATION) in (
        5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def _from_pil(image: Any, options: Preprocessing) -> U8:
    """A PIL image as its file would be decoded: rotated, its alpha resolved."""
    from PIL import Image, ImageOps

    if options.exif:
        image = ImageOps.exif_transpose(image)
    transparent = ("A" in image.getbands()
                   or image.info.get("transparency") is not None)
    on_white = {"white": transparent, "drop": False,
                "qwen-vl-utils": image.mode == "RGBA"}[options.alpha]
    if on_white:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))
