# SPDX-License-Identifier: Apache-2.0
"""The C ABI in ctypes: structs, numbers, prototypes, and the libraries.

``include/oriel.h`` and ``oriel_verify.h`` are the manual of everything here.  A
test holds each struct and each number against ``share/oriel/abi.json``.
"""
from __future__ import annotations

import ctypes
import functools
import os
from ctypes import (
    POINTER,
    byref,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

from . import errors

ABI_VERSION = 0

# ---- Numbers -----------------------------------------------------------------

ORIEL_OK = 0
ORIEL_ERR_INPUT = 1
ORIEL_ERR_ARGUMENT = 2
ORIEL_ERR_CAPACITY = 3
ORIEL_ERR_MEMORY = 4
ORIEL_ERR_NOT_FOUND = 5
ORIEL_ERR_IO = 6
ORIEL_ERR_MODEL = 7
ORIEL_ERR_UNSUPPORTED = 8
ORIEL_ERR_DEVICE = 9
ORIEL_ERR_FAULT = 10
ORIEL_ERR_CANCELLED = 11
ORIEL_ERR_INTERNAL = 12
ORIEL_ERR_BUSY = 13
ORIEL_KIND_BY_FRAMES = 0
ORIEL_KIND_IMAGE = 1
ORIEL_KIND_VIDEO = 2
ORIEL_MEMORY_HOST = 0
ORIEL_MEMORY_DEVICE = 1
ORIEL_DTYPE_F32 = 1
ORIEL_DTYPE_BF16 = 2
ORIEL_DTYPE_F16 = 3
ORIEL_DTYPE_U8 = 4
ORIEL_RESULT_EMBEDDINGS = 1
ORIEL_RESULT_HIDDEN_STATE = 2
ORIEL_RESULT_DEEPSTACK = 3
ORIEL_LOG_WARNING = 1
ORIEL_LOG_INFO = 2
ORIEL_LOG_DEBUG = 3
ORIEL_PROGRESS_LOADING = 1
ORIEL_PROGRESS_ENCODING = 2
ORIEL_TOWER_QWEN2_5_VL = 1
ORIEL_RESAMPLE_TORCHVISION = 0
ORIEL_RESAMPLE_PILLOW = 1
ORIEL_RESAMPLE_PILLOW12 = 2
ORIEL_RESAMPLE_FLOAT = 3
ORIEL_SIZING_TRANSFORMERS = 0
ORIEL_SIZING_QWEN_VL_UTILS = 1
ORIEL_DEVICE_AUTO = 0
ORIEL_DEVICE_CPU = 1
ORIEL_DEVICE_CUDA = 2
ORIEL_PRECISION_AUTO = 0
ORIEL_PRECISION_BF16 = 1
ORIEL_PRECISION_FP32 = 2
ORIEL_KERNELS_AUTO = 0
ORIEL_KERNELS_OWN = 1
ORIEL_KERNELS_CUBLASLT = 2
ORIEL_KERNELS_HOPPER = 3
ORIEL_RESIDUAL_BF16 = 0
ORIEL_RESIDUAL_WIDE = 1
ORIEL_ATTENTION_OWN = 0
ORIEL_ATTENTION_CUDNN = 1
ORIEL_GRAPHS_AUTO = 0
ORIEL_GRAPHS_OFF = 1
ORIEL_CHECKS_OFF = 0
ORIEL_CHECKS_ON = 1
ORIEL_CHECK_INSTRUCTION = 1
ORIEL_CHECK_KNOWN_ANSWER = 2
ORIEL_CHECK_KERNEL = 4
ORIEL_CHECK_INVARIANCE = 8
ORIEL_CHECK_NETWORK = 16
ORIEL_CHECK_OCCUPANCY = 32
ORIEL_VERDICT_PASSED = 1
ORIEL_VERDICT_FAILED = 2
ORIEL_VERDICT_SKIPPED = 3
ORIEL_IMAGE_PNG = 1
ORIEL_IMAGE_JPEG = 2
ORIEL_IMAGE_WEBP = 3
ORIEL_IMAGE_PNM = 4
ORIEL_IMAGE_GIF = 5
ORIEL_IMAGE_BMP = 6
ORIEL_IMAGE_TIFF = 7
ORIEL_IMAGE_AVIF = 8
ORIEL_IMAGE_HEIC = 9
ORIEL_ALPHA_WHITE = 0
ORIEL_ALPHA_DROP = 1
ORIEL_ALPHA_QWEN_VL_UTILS = 2
ORIEL_TRUNCATED_FAIL = 0
ORIEL_TRUNCATED_PAD = 1

# ---- Structs -----------------------------------------------------------------


class Sized(ctypes.Structure):
    """A struct that begins with its own size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class oriel_error(ctypes.Structure):
    _fields_ = [("status", c_int32), ("item", c_int32), ("cause", c_int32),
                ("reserved", c_int32), ("message", c_char * 496)]


class oriel_item(ctypes.Structure):
    _fields_ = [("width", c_int32), ("height", c_int32), ("frames", c_int32),
                ("resized_width", c_int32), ("resized_height", c_int32),
                ("kind", c_int32)]


class oriel_hooks(Sized):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32),
                ("user", c_void_p), ("alloc", c_void_p), ("free", c_void_p),
                ("device_alloc", c_void_p), ("device_free", c_void_p),
                ("log", c_void_p), ("cancel", c_void_p),
                ("progress", c_void_p)]


class oriel_model_options(Sized):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32),
                ("config_path", c_char_p), ("hooks", POINTER(oriel_hooks)),
                ("prefix", c_char_p), ("config_preset", c_char_p)]


class oriel_plan_options(Sized):
    _fields_ = [("struct_size", c_uint32), ("resample", c_int32),
                ("sizing", c_int32), ("reserved", c_int32),
                ("min_pixels", c_int64), ("max_pixels", c_int64),
                ("video_min_pixels", c_int64), ("video_max_pixels", c_int64),
                ("hooks", POINTER(oriel_hooks))]


class oriel_encoder_options(Sized):
    _fields_ = [("struct_size", c_uint32), ("device", c_int32),
                ("device_index", c_int32), ("precision", c_int32),
                ("threads", c_int32), ("kernels", c_int32), ("graphs", c_int32),
                ("checks", c_int32), ("workspace_bytes", c_size_t),
                ("hooks", POINTER(oriel_hooks)), ("grow", c_int32),
                ("profile", c_int32), ("residual", c_int32),
                ("attention", c_int32)]


class oriel_input(Sized):
    _fields_ = [("struct_size", c_uint32), ("pixels_memory", c_int32),
                ("frames", c_void_p), ("pitches", c_void_p),
                ("pixel_values", c_void_p), ("pixel_values_bytes", c_size_t),
                ("dtype", c_int32), ("no_wait", c_int32)]


class oriel_result(ctypes.Structure):
    _fields_ = [("kind", c_int32), ("index", c_int32), ("dtype", c_int32),
                ("reserved", c_int32), ("data", c_void_p), ("bytes", c_size_t),
                ("row_bytes", c_size_t)]


class oriel_output(Sized):
    _fields_ = [("struct_size", c_uint32), ("results_memory", c_int32),
                ("results", POINTER(oriel_result)), ("n_results", c_int32),
                ("row_index_memory", c_int32), ("row_index", c_void_p),
                ("workspace", c_void_p), ("workspace_bytes", c_size_t)]


class oriel_budget(Sized):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32),
                ("max_patches", c_int64), ("max_tokens", c_int64),
                ("max_flops", c_int64)]


class oriel_model_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("tower", c_int32),
                ("has_weights", c_int32), ("depth", c_int32),
                ("hidden_size", c_int32), ("intermediate_size", c_int32),
                ("num_heads", c_int32), ("head_dim", c_int32),
                ("out_hidden_size", c_int32), ("in_channels", c_int32),
                ("patch_size", c_int32), ("temporal_patch_size", c_int32),
                ("spatial_merge_size", c_int32), ("window_size", c_int32),
                ("reserved", c_int32), ("n_full_attention_blocks", c_int32),
                ("full_attention_blocks", c_void_p), ("min_pixels", c_int64),
                ("max_pixels", c_int64), ("video_min_pixels", c_int64),
                ("video_max_pixels", c_int64), ("image_mean", c_float * 3),
                ("image_std", c_float * 3), ("weight_dtype", c_int32),
                ("n_tensors", c_int32), ("weight_bytes", c_uint64)]


class oriel_plan_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("n_items", c_int32),
                ("n_frames", c_int32), ("n_windows", c_int32),
                ("longest_frame", c_int32), ("longest_window", c_int32),
                ("patch_columns", c_int32), ("out_hidden_size", c_int32),
                ("patches", c_int64), ("tokens", c_int64), ("flops", c_int64),
                ("grid_thw", c_void_p), ("offsets", c_void_p),
                ("flops_per_item", c_void_p), ("cu_seqlens", c_void_p),
                ("cu_window_seqlens", c_void_p), ("window_index", c_void_p),
                ("window_inverse", c_void_p), ("positions", c_void_p)]


class oriel_device_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("device", c_int32),
                ("device_index", c_int32), ("precision", c_int32),
                ("threads", c_int32), ("reserved", c_int32),
                ("memory_bytes", c_uint64), ("description", c_char * 128),
                ("reason", c_char * 256)]


class oriel_encoder_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("device", c_int32),
                ("device_index", c_int32), ("precision", c_int32),
                ("threads", c_int32), ("reserved", c_int32),
                ("workspace_bytes", c_size_t), ("weight_bytes", c_uint64),
                ("description", c_char_p)]


class oriel_check(Sized):
    _fields_ = [("struct_size", c_uint32), ("kind", c_int32),
                ("verdict", c_int32), ("reserved", c_int32),
                ("name", c_char_p), ("implementation", c_char_p),
                ("error", c_double), ("bound", c_double),
                ("message", c_char_p)]


class oriel_verify_options(Sized):
    _fields_ = [("struct_size", c_uint32), ("device", c_int32),
                ("device_index", c_int32), ("only", c_int32),
                ("user", c_void_p), ("report", c_void_p),
                ("hooks", POINTER(oriel_hooks))]


class oriel_verify_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("passed", c_int32),
                ("failed", c_int32), ("skipped", c_int32),
                ("choice", c_char * 256), ("card", c_char * 256)]


class oriel_image_options(Sized):
    _fields_ = [("struct_size", c_uint32), ("alpha", c_int32),
                ("ignore_orientation", c_int32), ("truncated", c_int32),
                ("max_pixels", c_int64), ("hooks", POINTER(oriel_hooks))]


class oriel_image_info(Sized):
    _fields_ = [("struct_size", c_uint32), ("format", c_int32),
                ("width", c_int32), ("height", c_int32),
                ("orientation", c_int32), ("channels", c_int32),
                ("bit_depth", c_int32), ("has_alpha", c_int32),
                ("decode_bytes", c_int64)]


# ---- Libraries ---------------------------------------------------------------

_ERROR = POINTER(oriel_error)
_OUT = POINTER(c_void_p)

# The functions that return a status, with their arguments.
_CORE: dict[str, list[Any]] = {
    "oriel_model_open": [_OUT, c_char_p, POINTER(oriel_model_options), _ERROR],
    "oriel_model_get_info": [c_void_p, POINTER(oriel_model_info), _ERROR],
    "oriel_model_digest": [c_void_p, c_char_p, _ERROR],
    "oriel_plan_create": [_OUT, c_void_p, POINTER(oriel_item), c_size_t,
                          POINTER(oriel_plan_options), _ERROR],
    "oriel_plan_create_from_grids": [_OUT, c_void_p, c_void_p, c_size_t,
                                     POINTER(oriel_plan_options), _ERROR],
    "oriel_plan_split": [c_void_p, POINTER(oriel_item), c_size_t,
                         POINTER(oriel_plan_options), POINTER(oriel_budget),
                         POINTER(c_size_t), POINTER(c_size_t), _ERROR],
    "oriel_plan_get_info": [c_void_p, POINTER(oriel_plan_info), _ERROR],
    "oriel_plan_workspace_bytes": [c_void_p, POINTER(oriel_encoder_options),
                                   POINTER(c_size_t), _ERROR],
    "oriel_item_measure": [c_void_p, POINTER(oriel_item),
                           POINTER(oriel_plan_options), c_void_p,
                           POINTER(c_int64), _ERROR],
    "oriel_preprocess": [c_void_p, POINTER(oriel_input), c_void_p, c_size_t,
                         _ERROR],
    "oriel_device_get_info": [c_int32, c_int32, POINTER(oriel_device_info),
                              _ERROR],
    "oriel_device_verify": [POINTER(oriel_verify_options),
                            POINTER(oriel_verify_info), _ERROR],
    "oriel_encoder_create": [_OUT, c_void_p, POINTER(oriel_encoder_options),
                             _ERROR],
    "oriel_encoder_get_info": [c_void_p, POINTER(oriel_encoder_info), _ERROR],
    "oriel_encoder_reserve": [c_void_p, c_size_t, _ERROR],
    "oriel_encode": [c_void_p, c_void_p, POINTER(oriel_input),
                     POINTER(oriel_output), c_void_p, _ERROR],
}
_IMAGE: dict[str, list[Any]] = {
    "oriel_image_probe": [c_void_p, c_size_t, POINTER(oriel_image_options),
                          POINTER(oriel_image_info), _ERROR],
    "oriel_image_decode": [c_void_p, c_size_t, POINTER(oriel_image_options),
                           c_void_p, c_size_t, c_size_t, _ERROR],
}
# The others.
_PLAIN: dict[str, tuple[list[Any], Any]] = {
    "oriel_version": ([], c_char_p),
    "oriel_abi_version": ([], c_int32),
    "oriel_status_name": ([c_int32], c_char_p),
    "oriel_model_preset": ([c_char_p], c_void_p),
    "oriel_model_destroy": ([c_void_p], None),
    "oriel_plan_destroy": ([c_void_p], None),
    "oriel_encoder_destroy": ([c_void_p], None),
}


def native_file(*names: str) -> str:
    """A file of the package's ``_native`` folder, as an absolute path.

    It is looked for in the folders of this package and nowhere else: neither
    the working folder nor a variable of the environment names a library.
    """
    from . import __path__ as folders

    tried = [os.path.join(os.path.abspath(folder), "_native", *names)
             for folder in folders]
    for path in tried:
        if os.path.isfile(path):
            return path
    raise ImportError(f"oriel: {tried[0]} is missing: this package was not "
                      "built; install it with pip, from a wheel or from python/")


def _load(name: str, functions: dict[str, list[Any]]) -> ctypes.CDLL:
    library = ctypes.CDLL(native_file("lib", name))
    for function, arguments in functions.items():
        entry = getattr(library, function)
        entry.argtypes, entry.restype = arguments, c_int32
    return library


@functools.cache
def core() -> ctypes.CDLL:
    """liboriel.so of this package.  ctypes releases the GIL in every call."""
    library = _load(f"liboriel.so.{ABI_VERSION}", _CORE)
    for function, (arguments, result) in _PLAIN.items():
        entry = getattr(library, function)
        entry.argtypes, entry.restype = arguments, result
    found = library.oriel_abi_version()
    if found != ABI_VERSION:
        raise ImportError(f"oriel: liboriel.so has ABI {found}, expected "
                          f"{ABI_VERSION}: the installation is mixed")
    return library


@functools.cache
def image() -> ctypes.CDLL:
    """liboriel-image.so of this package."""
    return _load(f"liboriel-image.so.{ABI_VERSION}", _IMAGE)


def call(function: Any, *arguments: Any) -> None:
    """Call a function that returns a status; raise what it says."""
    error = oriel_error()
    if function(*arguments, byref(error)) != ORIEL_OK:
        raise errors.from_status(error.status, text(error.message), error.item,
                                 error.cause)


def text(value: bytes | None) -> str:
    """A string of the library's: UTF-8, or bytes of a file's name."""
    return (value or b"").decode("utf-8", "surrogateescape")
