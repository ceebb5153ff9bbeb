# SPDX-License-Identifier: Apache-2.0
"""Native handles that are destroyed when their last user is gone."""
from __future__ import annotations

import ctypes
import logging
import os
import weakref
from ctypes import byref, c_void_p
from typing import Any

from . import _abi, errors

log = logging.getLogger("oriel")
_LEVELS = {_abi.ORIEL_LOG_WARNING: logging.WARNING,
           _abi.ORIEL_LOG_INFO: logging.INFO,
           _abi.ORIEL_LOG_DEBUG: logging.DEBUG}


def _log(_user: int | None, level: int, line: bytes) -> None:
    log.log(_LEVELS.get(level, logging.DEBUG), "%s", _abi.text(line))


LogHook = ctypes.CFUNCTYPE(None, c_void_p, ctypes.c_int32, ctypes.c_char_p)

# The library's lines go to the logger named "oriel".
log_hook = LogHook(_log)


class Handle:
    """A pointer of the library's; ctypes passes it where one is expected."""

    def __init__(self, destroy: Any, create: Any, *arguments: Any) -> None:
        pointer = c_void_p()
        _abi.call(create, byref(pointer), *arguments)
        self._as_parameter_ = pointer
        self.pid = os.getpid()
        # At the end of the process the system takes all back; until its very
        # end daemon threads may be inside a call.
        self._destroy = weakref.finalize(self, destroy, pointer)
        self._destroy.atexit = False

    def destroy(self) -> None:
        """Do now what would be done when the last reference is gone."""
        self._destroy()


class Model(Handle):
    """An open checkpoint."""

    def __init__(self, path: str, options: _abi.oriel_model_options) -> None:
        library = _abi.core()
        super().__init__(library.oriel_model_destroy, library.oriel_model_open,
                         os.fsencode(path), byref(options))
        self.info = model_info(self)


class Preset:
    """A published model without weights; it is static."""

    def __init__(self, name: str) -> None:
        pointer = _abi.core().oriel_model_preset(name.encode())
        if not pointer:
            raise errors.ArgumentError(
                f"model {name!r}: expected an Encoder, or one of "
                "qwen2.5-vl-3b, qwen2.5-vl-7b, qwen2.5-vl-32b, qwen2.5-vl-72b")
        self._as_parameter_ = c_void_p(pointer)
        self.info = model_info(self)


def model_info(model: Any) -> _abi.oriel_model_info:
    info = _abi.oriel_model_info()
    _abi.call(_abi.core().oriel_model_get_info, model, byref(info))
    return info
