# SPDX-License-Identifier: Apache-2.0
"""The encode worker's HTTP: requests, answers, the life of the process."""
from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import io
import json
import logging
import signal
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web

from .. import __version__, _hub, _safetensors, errors, serving
from .._encoder import Encoder
from .._features import Features
from .._options import Preprocessing
from .batches import Batcher, Look, Unavailable, first_of
from .metrics import Metrics
from .options import Options

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger("oriel.serve")
_MOST_ADDRESSES = 1 << 16  # whose rate is remembered
# What the client is at fault for.
_CLIENT = (errors.InputError, errors.UnsupportedError, errors.CapacityError)


class _Rates:
    """Token buckets: so many requests a second of each address."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> float:
        """0 takes a token; more says when there will be one."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        level, last = self._buckets.pop(address, (float(self._burst), now))
        level = min(self._burst, level + (now - last) * self._rate)
        wait = 0.0 if level >= 1 else (1 - level) / self._rate
        self._buckets[address] = (level if wait else level - 1, now)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return wait


class Worker:
    """Handlers of requests around one encoder."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.metrics = Metrics()
        self.draining = False
        self.encoder = _encoder(options)
        self.batcher = Batcher(self.encoder, options, self.metrics)
        self._opened = False
        self._directory: serving.ECDirectory | None = None
        self._rates = _Rates(options.rate, options.burst)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # ---- Life ----------------------------------------------------------------

    async def open(self) -> None:
        """Read the checkpoint and load it onto the device."""
        info = await self.batcher.in_pool(lambda: self.encoder.info)
        digest = await self.batcher.in_pool(self.encoder.digest)
        if self.options.ec_directory is not None:
            self._directory = serving.ECDirectory(
                self.options.ec_directory, self.encoder.out_hidden_size,
                self.options.dtype)
        self.metrics.build(__version__, info.device, info.precision, digest)
        self.metrics.ready.set(1)
        self._opened = True

    async def drain(self) -> None:
        """Take nothing more, and wait until all that is in flight is answered."""
        self.draining = True
        self.metrics.ready.set(0)
        await self._idle.wait()

    async def stop(self) -> None:
        """End everything."""
        self.encoder._stop()
        await self.batcher.stop()
        self.encoder.close()

    @property
    def in_flight(self) -> int:
        """Requests to /v1/encode that are being served."""
        return self._in_flight

    def app(self) -> web.Application:
        """The routes."""
        # A data: URL in JSON is a third longer than the file in it.
        size = self.options.max_bytes * 4 // 3 + 1024
        app = web.Application(client_max_size=size)
        app.add_routes([web.post("/v1/encode", self._answered),
                        web.get("/health", self._health),
                        web.get("/ready", self._ready),
                        web.get("/metrics", self._metrics)])
        return app

    # ---- Probes --------------------------------------------------------------

    async def _health(self, _: web.Request) -> web.Response:
        failed = self.batcher.fault.done()
        return web.Response(status=500 if failed else 200,
                            text="failed\n" if failed else "ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        word = ("draining" if self.draining else
                "ready" if self._opened else "loading")
        return web.Response(status=200 if word == "ready" else 503,
                            text=word + "\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.metrics.text(), headers={
            "Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    # ---- Encoding ------------------------------------------------------------

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        """Count a request, and turn what it raises into its answer."""
        began = time.monotonic()
        self._in_flight += 1
        self._idle.clear()
        self.metrics.in_flight.set(self._in_flight)
        try:
            answer = await self._refused_or_encoded(request)
            self.metrics.requests.labels(str(answer.status)).inc()
            await self._send(request, answer)
            return answer
        finally:
            self._in_flight -= 1
            self.metrics.in_flight.set(self._in_flight)
            self.metrics.request_seconds.observe(time.monotonic() - began)
            if not self._in_flight:
                self._idle.set()

    async def _send(self, request: web.Request, answer: web.Response) -> None:
        """A request is in flight until its answer is with the kernel: what is
        still in our buffer at the end of the process would be lost."""
        async def send() -> None:
            await answer.prepare(request)
            await answer.write_eof()
            while (request.transport is not None
                   and request.transport.get_write_buffer_size()):
                await asyncio.sleep(0.01)

        try:
            await asyncio.wait_for(send(), self.options.body_seconds)
        except asyncio.TimeoutError:  # it is not being read
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # the client has gone away

    async def _refused_or_encoded(self, request: web.Request) -> web.Response:
        try:
            self._check_room(request)
            return await self._encode(request)
        except Unavailable as error:
            return _error(503, str(error), error.seconds)
        except web.HTTPTooManyRequests as refused:
            return _error(429, refused.text or "",
                          int(refused.headers["Retry-After"]))
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"a picture of more than {self.options.max_bytes} "
                               "bytes: expected at most so many", close=True)
        except asyncio.TimeoutError:
            return _error(408, "the request did not arrive within "
                               f"{self.options.body_seconds} s", close=True)
        except _CLIENT as error:
            return _error(400, error.message)
        except (errors.OutOfMemoryError, errors.CancelledError) as error:
            _log.warning("%s", error)
            return _error(503, "no memory for this now, or the worker ends",
                          self.batcher.retry_after())
        except Exception:  # its text may have paths of this machine
            _log.exception("a request failed")
            return _error(500, "the worker failed: its log has the reason")

    def _check_room(self, request: web.Request) -> None:
        """Refuse what can be refused before the picture has arrived."""
        if self.draining:
            raise Unavailable("this worker is ending", self.batcher.retry_after())
        if not self._opened:
            raise Unavailable("the model is being loaded",
                              self.batcher.retry_after())
        wait = self._rates.seconds_to_wait(request.remote or "")
        if wait:
            raise web.HTTPTooManyRequests(
                text=f"more than {self.options.rate:g} requests a second",
                headers={"Retry-After": str(int(wait) + 1)})
        if self._in_flight > self.options.queue_requests:
            raise Unavailable(f"{self.options.queue_requests} requests are being "
                              "served", self.batcher.retry_after())

    async def _encode(self, request: web.Request) -> web.Response:
        form = self._form(request)
        content = await self._picture(request)
        look = await self.batcher.in_pool(self.batcher.look, content)
        if form == "ec":
            return await self._into_directory(request, content, look)
        feature = await self._features(request, content, look)
        return await self.batcher.in_pool(self._rows, form, look.uuid, feature)

    async def _features(self, request: web.Request, content: bytes,
                        look: Look) -> Features:
        def is_connected() -> bool:
            return not (request.transport is None
                        or request.transport.is_closing())

        return await self.batcher.encode(content, look, is_connected)

    def _form(self, request: web.Request) -> str:
        """What the client wants the rows as."""
        unknown = set(request.query) - {"rows"}
        if unknown:
            raise errors.InputError(f"unknown parameter {min(unknown)!r}: "
                                    "expected rows")
        directory = self._directory is not None
        form: str = request.query.get("rows", "ec" if directory else "npy")
        forms = ("npy", "safetensors", *(["ec"] if directory else []))
        if form not in forms:
            raise errors.InputError(f"rows={form!r}: expected one of "
                                    f"{', '.join(forms)}")
        if form == "npy" and self.options.dtype == "bfloat16":
            raise errors.InputError("rows=npy: .npy has no bfloat16, which this "
                                    "worker computes; ask for safetensors")
        return form

    async def _picture(self, request: web.Request) -> bytes:
        """The file's bytes, from the body or from its JSON."""
        body: bytes = await asyncio.wait_for(request.read(),
                                             self.options.body_seconds)
        if request.content_type == "application/json":
            body = await self.batcher.in_pool(_of_json, body)
        if len(body) > self.options.max_bytes:
            raise web.HTTPRequestEntityTooLarge(self.options.max_bytes, len(body))
        return body

    async def _into_directory(self, request: web.Request, content: bytes,
                              look: Look) -> web.Response:
        """The rows as a file; what lies there already is not encoded again."""
        directory = self._directory
        assert directory is not None
        found = await self.batcher.in_pool(directory.holds, look.uuid,
                                           look.tokens)
        if found:
            self.metrics.found.inc()
        else:
            feature = await self._features(request, content, look)
            await self.batcher.in_pool(directory.write, look.uuid, feature)
        return web.json_response({
            "uuid": look.uuid, "image_grid_thw": list(look.grid_thw),
            "tokens": look.tokens, "dtype": directory.dtype, "found": found})

    def _rows(self, form: str, uuid: str, feature: Features) -> web.Response:
        """The rows as the body, and what they are in the head."""
        serving.validate(feature, self.encoder.out_hidden_size,
                         self.options.dtype)
        grid = feature.grid_thw
        if form == "npy":
            file = io.BytesIO()
            np.save(file, feature.numpy())
            body = file.getvalue()
        else:
            body = b"".join(_safetensors.parts(
                {"embeddings": feature._stored(), "image_grid_thw": grid},
                {"uuid": uuid}))
        return web.Response(body=body, headers={
            "Content-Type": "application/octet-stream", "Oriel-Uuid": uuid,
            "Oriel-Grid-Thw": ",".join(map(str, grid[0].tolist()))})


def _encoder(options: Options) -> Encoder:
    """The encoder, not yet opened; a limit of tokens needs the model's sizes."""
    def make(preprocessing: Preprocessing) -> Encoder:
        return Encoder(_hub.locate(options.model, None), device=options.device,
                       precision=options.precision, threads=options.threads,
                       residual=options.residual,
                       attention=options.attention,
                       preprocessing=preprocessing)

    made = make(options.preprocessing)
    if not options.max_tokens:
        return made
    with made:
        side = made.patch_size * made.spatial_merge_size
    return make(dataclasses.replace(options.preprocessing,
                                    max_pixels=options.max_tokens * side ** 2))


def _of_json(body: bytes) -> bytes:
    """The file in {"image": "data:image/png;base64,..."}."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.InputError(f"the body is no JSON: {error}") from None
    if not isinstance(request, dict) or set(request) != {"image"}:
        raise errors.InputError('the body: expected {"image": "data:..."} and no '
                                "other field")
    url = request["image"]
    if not isinstance(url, str) or not url.startswith("data:"):
        raise errors.InputError("image: expected a data: URL; this worker "
                                "fetches nothing")
    head, comma, data = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise errors.InputError("image: expected a data: URL with base64")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.InputError(f"image: no base64: {error}") from None


def _error(status: int, message: str, retry_after: int | None = None,
           close: bool = False) -> web.Response:
    """A failure as JSON; ``close`` where the rest of the request is unread."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    answer = web.json_response({"error": {"status": status, "message": message}},
                               status=status, headers=headers)
    if close:
        answer.force_close()
    return answer


# ---- The process -------------------------------------------------------------


def run(options: Options) -> int:
    """Serve until INT or TERM, then answer what is in flight.

    Returns:
        0 when all that was in flight was answered; 128 plus the signal where a
        second one came, or time was out, before that.

    Raises:
        Error: the model cannot be opened, or the device failed.
        OSError: the address cannot be listened on.
    """
    logging.basicConfig(format="oriel serve: %(message)s")
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signals.put_nowait, int(number))
    worker = Worker(options)
    runner = web.AppRunner(worker.app(), access_log=None)
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        host, port = runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"oriel serve: listening on http://{shown}:{port}", flush=True)
        return await _serve(worker, signals)
    finally:
        await worker.stop()
        await runner.cleanup()


async def _serve(worker: Worker, signals: asyncio.Queue[int]) -> int:
    """Open the model and serve; a signal begins the end, a fault is the end."""
    first: asyncio.Task[Any] = asyncio.create_task(signals.get())
    opening: asyncio.Task[None] = asyncio.create_task(worker.open())
    await asyncio.wait([first, opening], return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        worker.encoder._stop()
        await asyncio.gather(opening, return_exceptions=True)
        return 0
    opening.result()  # raises what it failed with
    print("oriel serve: ready", flush=True)
    await first_of(asyncio.shield(first), asyncio.shield(worker.batcher.fault))
    if worker.batcher.fault.done():
        first.cancel()
        worker.draining = True
        raise worker.batcher.fault.result()
    print(f"oriel serve: {worker.in_flight} requests in flight are answered, "
          "then it ends", flush=True)
    return await _drain(worker, signals, first.result())


async def _drain(worker: Worker, signals: asyncio.Queue[int],
                 number: int) -> int:
    drained = asyncio.create_task(worker.drain())
    await first_of(asyncio.shield(drained), signals.get(),
                   asyncio.sleep(worker.options.drain_seconds))
    if drained.done():
        return 0
    drained.cancel()
    _log.error("ended with %d requests in flight", worker.in_flight)
    return 128 + number
