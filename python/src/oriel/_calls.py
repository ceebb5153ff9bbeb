# SPDX-License-Identifier: Apache-2.0
"""Calls that can be cancelled, and the threads that they run on.

Python runs signal handlers on the main thread alone, and not while it is inside
a C call.  So a long call that is made on the main thread runs on a thread of
ours, and the main thread waits for it; an exception of the wait, such as
KeyboardInterrupt, cancels the call.
"""
from __future__ import annotations

import concurrent.futures
import ctypes
import os
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from . import _abi, errors

T = TypeVar("T")

# The C library asks its cancel hook with one pointer and expects a number: so
# does atoi, which reads the text of a flag.  With it no thread inside a call
# ever needs the interpreter, which may be busy, or already gone.
_ATOI = ctypes.cast(ctypes.CDLL(None).atoi, ctypes.c_void_p).value


class Flag:
    """A flag that the C library reads: its hooks' cancel."""

    def __init__(self, log: Any = None) -> None:
        self._text = ctypes.create_string_buffer(b"0")
        self.hooks = _abi.oriel_hooks(
            user=ctypes.addressof(self._text), cancel=_ATOI,
            log=ctypes.cast(log, ctypes.c_void_p) if log else None)

    def set(self, value: bool) -> None:
        self._text.value = b"1" if value else b"0"

    def check(self) -> None:
        """Raise if it is set."""
        if self._text.value == b"1":
            raise errors.CancelledError("the call was cancelled")


class Seat:
    """What serves one call at a time: a native encoder's turn and its flag."""

    def __init__(self, log: Any) -> None:
        self.flag = Flag(log)
        self.turn = threading.Lock()
        self._guard = threading.Lock()
        self._call: Call | None = None
        self._calls: weakref.WeakSet[Call] = weakref.WeakSet()
        self._stopped = False

    def enter(self, call: Call) -> None:
        with self._guard:
            self._calls.add(call)

    def begin(self, call: Call) -> None:
        with self._guard:
            call.flag.check()
            if self._stopped:
                raise errors.CancelledError("the interpreter is exiting")
            self.flag.set(False)
            self._call = call

    def end(self) -> None:
        with self._guard:
            self._call = None

    def cancel(self, call: Call) -> None:
        with self._guard:
            if self._call is call:
                self.flag.set(True)

    def stop(self) -> None:
        """Cancel what runs and begin nothing more: for the end of the process."""
        with self._guard:
            self._stopped = True
            self.flag.set(True)
            for call in self._calls:
                call.flag.set(True)
        with self.turn:
            pass


class Call:
    """One call of the user's: decoding pictures, then turns of an encoder."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.flag = Flag()  # for the decoders
        seat.enter(self)

    def cancel(self) -> None:
        self.flag.set(True)
        self._seat.cancel(self)

    def in_turn(self, function: Callable[[], T]) -> T:
        """Run it as the seat's one call."""
        with self._seat.turn:
            self._seat.begin(self)
            try:
                return function()
            finally:
                self._seat.end()


class Worker:
    """One daemon thread that runs functions in order; it starts when needed."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        # This object alone gives the thread jobs: a sentinel ends it afterwards.
        weakref.finalize(self, self._jobs.put, None).atexit = False

    def submit(self, function: Callable[[], T]
               ) -> concurrent.futures.Future[T]:
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_work, args=(self._jobs,), daemon=True, name="oriel")
                self._thread.start()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._jobs.put((future, function))
        return future

    def run(self, function: Callable[[], T], cancel: Callable[[], None]) -> T:
        """Run it so that a signal's exception on the main thread cancels it."""
        if threading.current_thread() is not threading.main_thread():
            return function()
        return wait(self.submit(function), cancel)

    def stop(self) -> None:
        """End the thread after the jobs that it has: for the process's end."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(jobs: queue.SimpleQueue[Any]) -> None:
    while (job := jobs.get()) is not None:
        future, function = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function())
            except BaseException as error:  # the waiting thread raises it
                future.set_exception(error)
        del job, future, function  # what they hold must not wait for the next


def wait(future: concurrent.futures.Future[T],
         cancel: Callable[[], None]) -> T:
    """The future's result; an exception of the wait cancels what it is for."""
    try:
        return future.result()
    except BaseException:
        if not future.done():
            cancel()
            concurrent.futures.wait([future])
        raise


def check_process(pid: int, what: str) -> None:
    """A handle is of the process that made it."""
    if pid != os.getpid():
        raise errors.ArgumentError(
            f"{what} was opened in process {pid} and this is its fork "
            f"{os.getpid()}: open it after the fork, or start processes with "
            "the method 'spawn', which carries it over by path and options")
