# SPDX-License-Identifier: Apache-2.0
"""Holding a GPU against known results: oriel_device_verify."""
from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable
from ctypes import POINTER, byref, c_void_p

from . import _abi, _options, errors

_Report = ctypes.CFUNCTYPE(None, c_void_p, POINTER(_abi.oriel_check))
_KINDS = {
    "instruction": _abi.ORIEL_CHECK_INSTRUCTION,
    "known answer": _abi.ORIEL_CHECK_KNOWN_ANSWER,
    "kernel": _abi.ORIEL_CHECK_KERNEL,
    "invariance": _abi.ORIEL_CHECK_INVARIANCE,
    "network": _abi.ORIEL_CHECK_NETWORK,
    "occupancy": _abi.ORIEL_CHECK_OCCUPANCY,
}
_VERDICTS = {
    "passed": _abi.ORIEL_VERDICT_PASSED,
    "failed": _abi.ORIEL_VERDICT_FAILED,
    "skipped": _abi.ORIEL_VERDICT_SKIPPED,
}


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of a GPU: ``error`` is how far the value that is furthest from
    its bound is off, ``bound`` how far it may be; 0 where it must be exact."""

    kind: str  # "instruction", "kernel" and so on
    verdict: str  # "passed", "failed", "skipped"
    name: str
    implementation: str  # "own kernels", "cuBLASLt"
    error: float
    bound: float
    message: str  # "" where it passed


@dataclasses.dataclass(frozen=True)
class Verification:
    """What ``verify`` found."""

    checks: list[Check]
    encoder: str  # what an encoder of ``kernels="auto"`` would run
    card: str  # clocks and more, as the driver tells

    @property
    def passed(self) -> bool:
        """Whether no check failed; those that were skipped do not count."""
        return all(check.verdict != "failed" for check in self.checks)


def _name_of(names: dict[str, int], number: int) -> str:
    return next((name for name, value in names.items() if value == number),
                str(number))


def _check(native: _abi.oriel_check) -> Check:
    return Check(_name_of(_KINDS, native.kind),
                 _name_of(_VERDICTS, native.verdict), _abi.text(native.name),
                 _abi.text(native.implementation), native.error, native.bound,
                 _abi.text(native.message))


def verify(device: str = "cuda",
           report: Callable[[Check], None] | None = None) -> Verification:
    """Hold every instruction, kernel and library that Oriel uses on a GPU against
    known results there; ``report`` is called with each check as it ends.

    It takes less than a minute, and the thread waits.  Call it in a process of
    its own: where a check faults, CUDA is of no use in this process any more.  A
    check that fails raises nothing; DeviceError is raised where there is no such
    GPU, and UnsupportedError for the CPU.
    """
    kind, index = _options.device(device)
    checks: list[Check] = []
    raised: list[BaseException] = []

    def note(_user: int | None,
             native: ctypes._Pointer[_abi.oriel_check]) -> None:
        try:
            checks.append(_check(native.contents))
            if report and not raised:
                report(checks[-1])
        except BaseException as error:  # not through C
            raised.append(error)

    callback = _Report(note)
    info = _abi.oriel_verify_info()
    options = _abi.oriel_verify_options(
        device=kind, device_index=index,
        report=ctypes.cast(callback, c_void_p))
    try:
        _abi.call(_abi.core().oriel_device_verify, byref(options), byref(info))
    except errors.FaultError:
        if not any(check.verdict == "failed" for check in checks):
            raise
    if raised:
        raise raised[0]
    return Verification(checks, _abi.text(info.choice), _abi.text(info.card))
