# SPDX-License-Identifier: Apache-2.0
"""liboriel-image for the scripts of this folder, through ctypes.  Needs numpy."""
import ctypes

import numpy as np


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("alpha", ctypes.c_int32),
                ("ignore_orientation", ctypes.c_int32),
                ("truncated", ctypes.c_int32), ("max_pixels", ctypes.c_int64),
                ("hooks", ctypes.c_void_p)]


class Info(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32)] + [
        (name, ctypes.c_int32) for name in (
            "format", "width", "height", "orientation", "channels",
            "bit_depth", "has_alpha")] + [("decode_bytes", ctypes.c_int64)]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("item", ctypes.c_int32),
                ("cause", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("message", ctypes.c_char * 496)]


class Library:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.oriel_image_probe.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p,
            ctypes.c_void_p, ctypes.c_void_p]
        self.lib.oriel_image_decode.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p,
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t,
            ctypes.c_void_p]

    def decode(self, data, white=True, orient=True, pad=False):
        """RGB8 as [height, width, 3], or the line that refused the file."""
        options = Options(ctypes.sizeof(Options), 0 if white else 1,
                          0 if orient else 1, int(pad), 0, None)
        info = Info(ctypes.sizeof(Info))
        error = Error()
        if self.lib.oriel_image_probe(data, len(data), ctypes.byref(options),
                                      ctypes.byref(info), ctypes.byref(error)):
            return error.message.decode()
        rgb = np.full((info.height, info.width, 3), 77, np.uint8)
        if self.lib.oriel_image_decode(data, len(data), ctypes.byref(options),
                                       rgb.ctypes.data, rgb.nbytes, 0,
                                       ctypes.byref(error)):
            return error.message.decode()
        return rgb
