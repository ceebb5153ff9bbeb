# SPDX-License-Identifier: Apache-2.0
"""Admission and batches: pictures of many requests, encoded together.

A request is admitted by what its plan says that it costs, before its pixels are
decoded.  Admitted pictures are decoded by some threads while others are encoded;
whatever is ready is encoded together, up to the token budget.  The bytes of an
item depend on nothing but the item.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from .. import _calls, _pictures, errors, serving
from .._encoder import Encoder
from .._features import Features
from .metrics import Metrics
from .options import Options

T = TypeVar("T")
_RGB = 3
_MOST_SECONDS = 600  # that a client is told to wait


class Unavailable(Exception):
    """Not now: come back after ``seconds``."""

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(f"{reason}: try again in {seconds} s")
        self.seconds = seconds


class Look(NamedTuple):
    """What a picture's head tells."""

    uuid: str  #: of the file's bytes, network and preprocessing
    grid_thw: tuple[int, ...]  #: in patches
    tokens: int
    decoded_bytes: int


@dataclass
class _Job:
    picture: _pictures.U8
    tokens: int
    arrived: float
    done: asyncio.Future[Features]
    is_wanted: Callable[[], bool]  # its client has not gone away


class Batcher:
    """An encoder that serves many requests; of one event loop."""

    def __init__(self, encoder: Encoder, options: Options,
                 metrics: Metrics) -> None:
        self.encoder = encoder
        self.fault: asyncio.Future[errors.Error] = (
            asyncio.get_running_loop().create_future())
        self._options = options
        self._metrics = metrics
        self._pool = concurrent.futures.ThreadPoolExecutor(
            options.decode_threads, "oriel-decode")
        self._flag = _calls.Flag()
        self._ready: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._tokens = self._bytes = 0
        self._tokens_per_second = 0.0
        self._running = asyncio.create_task(self._run())

    async def in_pool(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run what would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, function, *arguments)

    def look(self, content: bytes) -> Look:
        """A picture's name and cost, by its head.

        Raises:
            InputError, UnsupportedError: it cannot be read, or not be taken by
                the model.
        """
        width, height = self.encoder.probe(content)[0]
        plan = self.encoder.plan([(width, height)])
        return Look(serving.content_id(content, self.encoder),
                    tuple(plan.grid_thw[0].tolist()), plan.tokens,
                    width * height * _RGB)

    async def encode(self, content: bytes, look: Look,
                     is_wanted: Callable[[], bool]) -> Features:
        """Encode one picture with others, unless ``is_wanted`` says no when its
        turn comes.

        Raises:
            Unavailable: there is no room for it.
            InputError: its pixels cannot be decoded.
            CancelledError: it was not wanted.
        """
        arrived = time.monotonic()
        with self._admitted(look):
            picture = await self.in_pool(self._decode, content)
            job = _Job(picture, look.tokens, arrived,
                       asyncio.get_running_loop().create_future(), is_wanted)
            self._ready.append(job)
            self._wake.set()
            return await job.done

    def retry_after(self) -> int:
        """Seconds until what is admitted will be done, as far as is known."""
        if not self._tokens_per_second:
            return 1
        seconds = math.ceil(self._tokens / self._tokens_per_second)
        return min(max(seconds, 1), _MOST_SECONDS)

    async def stop(self) -> None:
        """End threads and tasks; what is in flight is cancelled."""
        self._flag.set(True)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._pool.shutdown(cancel_futures=True)

    def _decode(self, content: bytes) -> _pictures.U8:
        item = _pictures.open_item(content, self.encoder.preprocessing,
                                   self._flag)
        return item.frames[0]

    @contextmanager
    def _admitted(self, look: Look) -> Iterator[None]:
        """Room for a picture; one that is larger than the limits has it alone."""
        options = self._options
        if self._tokens > 0 and (
                self._tokens + look.tokens > options.queue_tokens
                or self._bytes + look.decoded_bytes > options.queue_bytes):
            raise Unavailable("the queue is full", self.retry_after())
        self._take(look.tokens, look.decoded_bytes)
        try:
            yield
        finally:
            self._take(-look.tokens, -look.decoded_bytes)

    def _take(self, tokens: int, decoded_bytes: int) -> None:
        self._tokens += tokens
        self._bytes += decoded_bytes
        self._metrics.queue_tokens.set(self._tokens)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if batch:
                await self._encode(batch)
            else:
                self._wake.clear()

    def _next_batch(self) -> list[_Job]:
        """Jobs in the order in which they are ready, up to the budget."""
        batch: list[_Job] = []
        tokens = 0
        while self._ready:
            job = self._ready[0]
            if batch and tokens + job.tokens > self._options.token_budget:
                break
            self._ready.popleft()
            if job.is_wanted():
                batch.append(job)
                tokens += job.tokens
            else:
                job.done.set_exception(errors.CancelledError(
                    "its client has gone away"))
        return batch

    async def _encode(self, batch: list[_Job]) -> None:
        began = time.monotonic()
        tokens = sum(job.tokens for job in batch)
        try:
            features = await self.encoder.aencode(
                [job.picture for job in batch], self._options.dtype,
                token_budget=self._options.token_budget)
        except Exception as error:  # each of its requests answers it
            for job in batch:
                job.done.set_exception(error)
            if isinstance(error, errors.FaultError) and not self.fault.done():
                self.fault.set_result(error)
            return
        seconds = time.monotonic() - began
        self._measure(tokens / seconds)
        self._metrics.batch(len(batch), tokens, seconds)
        for job, feature in zip(batch, features):
            self._metrics.wait_seconds.observe(began - job.arrived)
            job.done.set_result(feature)

    def _measure(self, rate: float) -> None:
        """The rate of the last batches, the newest with a weight of a quarter."""
        before = self._tokens_per_second or rate
        self._tokens_per_second = 0.75 * before + 0.25 * rate


async def first_of(*waited: Coroutine[Any, Any, Any] | asyncio.Future[Any]
                   ) -> None:
    """Wait until one of them is done, and cancel the others."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    _, rest = await asyncio.wait(tasks,
                                 return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
