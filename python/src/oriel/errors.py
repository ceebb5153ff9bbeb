# SPDX-License-Identifier: Apache-2.0
"""The exceptions: one class for each status of the C library.

All derive from :class:`Error`.  :class:`InputError` alone is the fault of who
sent the image (HTTP 400), and a ``ValueError``.
"""
from __future__ import annotations

from typing import Any


class Error(Exception):
    """What Oriel raises.

    Attributes:
        message: one line that says what was found and what was expected.
        item: index of the item at fault in what the caller gave, or None.
        status: number of the C library's status (``ORIEL_ERR_*``).
        cause: the errno or cudaError_t, or 0.
    """

    status = 0

    def __init__(self, message: str, item: int | None = None,
                 cause: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.item = item
        self.cause = cause

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.item, self.cause)


class InputError(Error, ValueError):
    """An image, video or grid that no model can take: the sender's fault."""

    status = 1


class ArgumentError(Error, RuntimeError):
    """The calling program is wrong."""

    status = 2


class CapacityError(Error, RuntimeError):
    """Too much for one call: split before ``item``."""

    status = 3


class OutOfMemoryError(Error, MemoryError):
    """Memory of the host or of the device is out."""

    status = 4


class NotFoundError(Error, FileNotFoundError):
    """No such file or folder."""

    status = 5


class ReadError(Error, OSError):
    """A read failed, came short, or found a file that has changed."""

    status = 6


class ModelError(Error, RuntimeError):
    """A checkpoint or its configuration is malformed."""

    status = 7


class UnsupportedError(Error, NotImplementedError):
    """Well-formed, but not built in."""

    status = 8


class DeviceError(Error, RuntimeError):
    """No such device, or no driver for it."""

    status = 9


class FaultError(DeviceError):
    """The device failed: the encoder is lost."""

    status = 10


class CancelledError(Error, RuntimeError):
    """The call was cancelled."""

    status = 11


class InternalError(Error, RuntimeError):
    """A bug in Oriel: please report it."""

    status = 12


class BusyError(Error, RuntimeError):
    """Work is in flight: try again later."""

    status = 13


_BY_STATUS: dict[int, type[Error]] = {
    c.status: c for c in (
        InputError, ArgumentError, CapacityError, OutOfMemoryError,
        NotFoundError, ReadError, ModelError, UnsupportedError, DeviceError,
        FaultError, CancelledError, InternalError, BusyError)}


def from_status(status: int, message: str, item: int = -1,
                cause: int = 0) -> Error:
    """The exception for what the C library said."""
    kind = _BY_STATUS.get(status, InternalError)
    return kind(message, None if item < 0 else item, cause)
