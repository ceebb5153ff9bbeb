# SPDX-License-Identifier: Apache-2.0
"""The encoder: a checkpoint on a device."""
from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import ctypes
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref
from typing import Any, NamedTuple

import numpy as np

from . import _abi, _calls, _hub, _options, _pictures, _plan, _stream, errors
from ._features import Features
from ._handles import Handle, Model, log_hook
from ._native_arrays import Frames, Results, as_pixels, to_numpy
from ._options import Preprocessing
from ._pictures import Item
from ._plan import DEFAULT_TOKEN_BUDGET, Plan
from ._preprocess import Preprocessed, decode_all, preprocess_items


class Info(NamedTuple):
    """What an encoder runs on."""

    device: str  #: "cpu" or "cuda:N", as chosen
    precision: str  #: "bf16" or "fp32", as chosen
    threads: int  #: of the CPU backend
    description: str  #: "cpu avx512_bf16, oneDNN 2.6.3, 2 threads"
    weight_bytes: int  #: on the device, shared by encoders of one model


class Encoder:
    """A Qwen2.5-VL vision encoder on a device.

    Made by :meth:`from_pretrained`; a context manager.  Threads may share one:
    its native calls take turns, decoding and planning do not wait.  It is
    pickled by path and options, and what was unpickled opens the checkpoint at
    its first use.  After a fork the child must open its own.
    """

    def __init__(self, path: str | os.PathLike[str], *, device: str = "auto",
                 precision: str = "auto", threads: int = 0,
                 residual: str = "bf16", attention: str = "own",
                 preprocessing: Preprocessing = Preprocessing()) -> None:
        """See :meth:`from_pretrained`; here the path is no name, and the
        checkpoint is opened at the first use."""
        _options.device(device)
        _options.number(_options.PRECISION, "precision", precision)
        _options.number(_options.RESIDUAL, "residual", residual)
        _options.number(_options.ATTENTION, "attention", attention)
        self.path = os.fspath(path)
        self.preprocessing = preprocessing
        self._device, self._precision = device, precision
        self._threads, self._residual = int(threads), residual
        self._attention = attention
        self._seat = _calls.Seat(log_hook)
        self._worker = _calls.Worker()
        self._opening = threading.Lock()
        self._model: Model | None = None
        self._encoder: Handle | None = None
        self._native_options: _abi.oriel_encoder_options | None = None
        self._digest: str | None = None
        self._closed = False
        self._pid = os.getpid()
        _living.add(self)

    @classmethod
    def from_pretrained(cls, path_or_name: str | os.PathLike[str], *,
                        device: str = "auto", precision: str = "auto",
                        threads: int = 0, residual: str = "bf16",
                        attention: str = "own",
                        revision: str | None = None,
                        **options: Any) -> Encoder:
        """Open a checkpoint and put it on a device.

        Only configuration and vision tensors are read; nothing is downloaded.

        Args:
            path_or_name: a folder as Hugging Face stores it, one .safetensors
                file, or a name such as "Qwen/Qwen2.5-VL-7B-Instruct" that is
                looked up in the cache (HF_HUB_CACHE, HF_HOME).
            device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
            precision: "auto" (bf16 where the device is fast at it), "bf16" or
                "fp32".
            threads: of the CPU backend; 0 is every core.
            residual: of a GPU's residual stream: "bf16", or "wide" (two bf16,
                about half the error); the CPU's is always fp32.
            attention: over whole frames on a GPU: "own", or "cudnn", with
                other bytes; of at most 24,576 patches a frame.
            revision: a branch, tag or commit of a name in the cache.
            options: fields of :class:`Preprocessing`, such as max_pixels.

        Raises:
            NotFoundError, ReadError: files; ModelError: what they say.
            DeviceError, UnsupportedError: device or precision.
            OutOfMemoryError: memory of host or device.
        """
        encoder = cls(_hub.locate(path_or_name, revision), device=device,
                      precision=precision, threads=threads,
                      residual=residual, attention=attention,
                      preprocessing=Preprocessing(**options))
        call = encoder._begin()
        encoder._worker.run(lambda: encoder._open(call), call.cancel)
        return encoder

    # ---- Life ----------------------------------------------------------------

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the call that runs and free everything; twice is fine."""
        self._closed = True
        if self._pid != os.getpid():
            return  # locks may be held by threads that this process lacks
        with self._seat.turn:
            if self._encoder is not None:
                self._encoder.destroy()
            self._encoder = self._model = None

    def _stop(self) -> None:
        if self._pid == os.getpid():
            self._seat.stop()
            self._worker.stop()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.path, self._device, self._precision,
                          self._threads, self._residual, self._attention,
                          self.preprocessing)

    def __repr__(self) -> str:
        return (f"oriel.Encoder({self.path!r}, device={self._device!r}, "
                f"precision={self._precision!r}, threads={self._threads}, "
                f"residual={self._residual!r}, "
                f"attention={self._attention!r})")

    def _check(self) -> None:
        _calls.check_process(self._pid, "this encoder")
        if self._closed:
            raise errors.ArgumentError("this encoder is closed")

    def _begin(self) -> _calls.Call:
        """A call of the user's; it is refused before it waits for anything."""
        self._check()
        return _calls.Call(self._seat)

    def _opened_model(self) -> Model:
        """The model; it is opened by whoever needs it first."""
        self._check()
        with self._opening:
            if self._model is None:
                options = _abi.oriel_model_options(
                    hooks=ctypes.pointer(self._seat.flag.hooks))
                self._model = Model(self.path, options)
            return self._model

    def _open(self, call: _calls.Call) -> Handle:
        """The native encoder; the first call reads the weights."""
        model = self._opened_model()
        return call.in_turn(lambda: self._create(model))

    def _create(self, model: Model) -> Handle:
        """Within the seat's turn."""
        self._check()
        if self._encoder is not None:
            return self._encoder
        library = _abi.core()
        kind, index = _options.device(self._device)
        device = _abi.oriel_device_info()
        _abi.call(library.oriel_device_get_info, kind, index, byref(device))
        options = _abi.oriel_encoder_options(
            device=device.device, device_index=device.device_index,
            precision=_options.PRECISION[self._precision], threads=self._threads,
            residual=_options.RESIDUAL[self._residual],
            attention=_options.ATTENTION[self._attention],
            hooks=ctypes.pointer(self._seat.flag.hooks),
            grow=device.device == _abi.ORIEL_DEVICE_CPU)
        self._encoder = Handle(library.oriel_encoder_destroy,
                               library.oriel_encoder_create, model,
                               byref(options))
        self._native_options = options
        return self._encoder

    # ---- What it is ----------------------------------------------------------

    @property
    def info(self) -> Info:
        """What it runs on; this loads the weights if they are not yet."""
        call = self._begin()
        handle = self._worker.run(lambda: self._open(call), call.cancel)
        info = _abi.oriel_encoder_info()
        with self._seat.turn:
            self._check()
            _abi.call(_abi.core().oriel_encoder_get_info, handle, byref(info))
            description = _abi.text(info.description)
        cuda = info.device == _abi.ORIEL_DEVICE_CUDA
        bf16 = info.precision == _abi.ORIEL_PRECISION_BF16
        return Info(f"cuda:{info.device_index}" if cuda else "cpu",
                    "bf16" if bf16 else "fp32", int(info.threads), description,
                    int(info.weight_bytes))

    @property
    def out_hidden_size(self) -> int:
        """Width of an embedding."""
        return int(self._opened_model().info.out_hidden_size)

    @property
    def hidden_size(self) -> int:
        """Width of a hidden state."""
        return int(self._opened_model().info.hidden_size)

    @property
    def depth(self) -> int:
        """Number of blocks; hidden states have indices 0 to depth."""
        return int(self._opened_model().info.depth)

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return int(self._opened_model().info.patch_size)

    @property
    def temporal_patch_size(self) -> int:
        """Frames of a patch."""
        return int(self._opened_model().info.temporal_patch_size)

    @property
    def spatial_merge_size(self) -> int:
        """Side of a token in patches."""
        return int(self._opened_model().info.spatial_merge_size)

    def digest(self) -> str:
        """The identity of the network, for cache keys: 32 hexadecimal digits.

        The first call reads all weights, others wait for nothing.  Limits and
        normalisation are not in it.
        """
        self._check()
        if self._digest is None:
            model = self._opened_model()
            digits = ctypes.create_string_buffer(33)
            call = self._begin()
            self._worker.run(
                lambda: call.in_turn(lambda: _abi.call(
                    _abi.core().oriel_model_digest, model, digits)), call.cancel)
            self._digest = digits.value.decode()
        return self._digest

    # ---- Sizes and pixels ----------------------------------------------------

    def plan(self, sizes: Iterable[Sequence[int]]) -> Plan:
        """Plan a batch from sizes: (width, height) of each image in pixels, or
        (width, height, frames) of each video.  No pixels, no weights, no device.

        Raises:
            InputError: ``.item`` has a size that the model cannot take.
            CapacityError: together they are too many; split before ``.item``.
        """
        return _plan.create(self._opened_model(),
                            [_plan.size_item(size) for size in sizes],
                            self.preprocessing)

    def probe(self, images: Any) -> list[tuple[int, int]]:
        """Widths and heights of pictures as they will be decoded, in pixels, from
        their heads alone: what :meth:`plan` takes, before anything is decoded.

        Args:
            images: a path, the bytes of a file, or a list of them.

        Raises:
            InputError: ``.item`` is not a picture that can be read.
            NotFoundError, ReadError: the file of ``.item``.
        """
        self._check()
        sizes = []
        for i, value in enumerate(_pictures.as_list(images)):
            try:
                sizes.append(_pictures.probe(value, self.preprocessing))
            except errors.Error as error:
                error.item = i
                raise
        return sizes

    def preprocess(self, images: Any) -> Preprocessed:
        """What a Hugging Face processor makes of the images, bit for bit.

        Args:
            images: as of :meth:`encode`.

        Returns:
            pixel_values, float32 [patches, patch_columns], and grid_thw.

        Raises:
            InputError: ``.item`` cannot be read, or not be taken by the model.
        """
        call = self._begin()
        model = self._opened_model()
        values = _pictures.as_list(images)  # the caller's iterator, his thread

        def run() -> Preprocessed:
            items = decode_all(values, self.preprocessing, call.flag)
            return preprocess_items(model, items, self.preprocessing)

        return self._worker.run(run, call.cancel)

    # ---- Encoding ------------------------------------------------------------

    def encode(self, images: Any, dtype: Any = "float32", *,
               hidden_states: Sequence[int] = (),
               embeddings: bool = True,
               token_budget: int = DEFAULT_TOKEN_BUDGET) -> Features:
        """Encode images and videos.

        Args:
            images: one item or a list of items.  An item is a path, the bytes of
                a file, a PIL image, a uint8 array or torch tensor
                [height, width, 3] or [3, height, width]; or a video: a
                :class:`Video`, an array of one more dimension in front, or,
                inside a list, a list of frames.
            dtype: "float32", "bfloat16" or "float16", of all results.
            hidden_states: indices of hidden states to keep: 0 is the patch
                embedding, k what k blocks made of it.
            embeddings: False leaves them out, and the blocks that only they need.
            token_budget: items are encoded in groups of at most so many tokens,
                which bounds scratch memory; no byte of a result depends on it.

        Returns:
            :class:`Features` on the host.

        Raises:
            InputError: ``.item`` cannot be read, or not be taken by the model.
            NotFoundError, ReadError: the file of ``.item``.
            OutOfMemoryError, FaultError: memory, device.
        """
        call = self._begin()
        values = _pictures.as_list(images)
        return self._worker.run(
            lambda: self._encode(values, dtype, hidden_states, embeddings,
                                 token_budget, call), call.cancel)

    async def aencode(self, images: Any, dtype: Any = "float32",
                      **options: Any) -> Features:
        """:meth:`encode` for asyncio, on one thread of the encoder's own; a task
        that is cancelled cancels its encode."""
        call = self._begin()
        settings = {"hidden_states": (), "embeddings": True,
                    "token_budget": DEFAULT_TOKEN_BUDGET, **options}
        values = _pictures.as_list(images)
        future = self._worker.submit(
            lambda: self._encode(values, dtype, call=call, **settings))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            call.cancel()
            raise

    def encode_pixel_values(self, pixel_values: Any, grid_thw: Any,
                            dtype: Any = "float32", *,
                            hidden_states: Sequence[int] = (),
                            embeddings: bool = True) -> Features:
        """Encode what a Hugging Face processor made.

        Args:
            pixel_values: [patches, patch_columns] in float32, float16, bfloat16
                (torch or ml_dtypes), or uint8 (not yet normalised).
            grid_thw: integers [items, 3] in patches, as image_grid_thw.
            dtype, hidden_states, embeddings: as of :meth:`encode`.

        Raises:
            InputError: ``.item`` has a grid that the model cannot take.
            ArgumentError: pixel_values of another shape or dtype.
        """
        call = self._begin()
        pixels, kind = as_pixels(pixel_values)
        grid = np.array(to_numpy(grid_thw), np.int64, order="C", ndmin=2)
        if grid.ndim != 2 or grid.shape[1] != 3:
            raise errors.ArgumentError(f"grid_thw of shape {grid.shape}: "
                                       "expected [items, 3]")
        name = _options.dtype_name(dtype)

        def run() -> Features:
            model = self._opened_model()
            plan = _plan.create_from_grids(model, grid)
            if pixels.shape != (plan.patches, plan.patch_columns):
                raise errors.ArgumentError(
                    f"pixel_values of shape {list(pixels.shape)}: expected "
                    f"[{plan.patches}, {plan.patch_columns}] by grid_thw")
            native = _abi.oriel_input(pixel_values=pixels.ctypes.data,
                                      pixel_values_bytes=pixels.nbytes,
                                      dtype=kind)
            results = Results(model, plan.patches, plan.tokens, name,
                               hidden_states, embeddings)
            self._run_plan(plan, native, results, 0, 0, call)
            return results.features([plan], ["pixel_values"] * len(grid))

        return self._worker.run(run, call.cancel)

    def encode_iter(self, stream: Iterable[Any], *,
                    token_budget: int = DEFAULT_TOKEN_BUDGET,
                    dtype: Any = "float32", hidden_states: Sequence[int] = (),
                    embeddings: bool = True, on_error: str = "raise",
                    decode_threads: int = 2) -> Iterator[Features | errors.Error]:
        """Encode a stream: the Features of each item, in its order.

        While a group of items is encoded, the next one is taken from the stream
        and decoded.  Two groups are in memory at most.

        Args:
            stream: items as of :meth:`encode`; it is consumed as it is needed.
            token_budget: tokens of a group; one larger item is a group alone.
            on_error: "raise", or "return" to yield the exception in the place
                of an item that cannot be read or taken; what is not an
                item's fault is raised.
            decode_threads: how many items are decoded at once.
            dtype, hidden_states, embeddings: as of :meth:`encode`.

        Raises:
            InputError, NotFoundError, ReadError: ``.item`` counts from the
                stream's beginning; what came before it was yielded.
        """
        if on_error not in ("raise", "return"):
            raise errors.ArgumentError(f"on_error={on_error!r}: expected raise "
                                       "or return")
        if token_budget < 1 or decode_threads < 1:
            raise errors.ArgumentError(
                f"token_budget={token_budget}, decode_threads={decode_threads}: "
                "expected numbers above 0")
        name = _options.dtype_name(dtype)
        return self._stream(stream, token_budget, name, tuple(hidden_states),
                            embeddings, on_error, decode_threads,
                            self._begin())

    # ---- Inside --------------------------------------------------------------

    def _stream(self, stream: Iterable[Any], token_budget: int, dtype: str,
                hidden_states: Sequence[int], embeddings: bool, on_error: str,
                decode_threads: int, call: _calls.Call
                ) -> Iterator[Features | errors.Error]:
        before: tuple[list[Item | Exception],
                      concurrent.futures.Future[Features | None]] | None = None
        try:
            for group in _stream.groups(
                    stream, token_budget, decode_threads,
                    lambda value: self._decode(value, call), call):
                good = [item for item in group if isinstance(item, Item)]
                future = self._worker.submit(
                    lambda good=good: self._encode_items(  # type: ignore
                        good, dtype, hidden_states, embeddings, token_budget,
                        call) if good else None)
                if before is not None:
                    yield from _stream.in_order(before[0], _calls.wait(
                        before[1], call.cancel), on_error)
                before = group, future
            if before is not None:
                yield from _stream.in_order(before[0], _calls.wait(
                    before[1], call.cancel), on_error)
        finally:
            call.cancel()  # groups that the caller did not take

    def _decode(self, value: Any, call: _calls.Call) -> tuple[Item, int]:
        """An item and its tokens."""
        item = _pictures.open_item(value, self.preprocessing, call.flag)
        return item, _plan.count_tokens(self._opened_model(), item.native(),
                                        self.preprocessing)

    def _encode(self, values: Sequence[Any], dtype: Any,
                hidden_states: Sequence[int], embeddings: bool,
                token_budget: int, call: _calls.Call) -> Features:
        self._check()
        name = _options.dtype_name(dtype)
        items = decode_all(values, self.preprocessing, call.flag)
        return self._encode_items(items, name, hidden_states, embeddings,
                                  token_budget, call)

    def _encode_items(self, items: Sequence[Item], dtype: str,
                      hidden_states: Sequence[int], embeddings: bool,
                      token_budget: int, call: _calls.Call) -> Features:
        """Encode decoded items, in runs that fit the budget."""
        model = self._opened_model()
        native = [item.native() for item in items]
        ends = _plan.split(model, native, self.preprocessing, token_budget)
        if self._attention == "cudnn":
            ends = _plan.cut(ends, [max(item.frames, 1) for item in native],
                             _plan.CUDNN_FRAMES)
        runs = list(zip([0, *ends], ends))
        plans = [_plan.create(model, native[first:end], self.preprocessing)
                 for first, end in runs]
        results = Results(model, sum(plan.patches for plan in plans),
                           sum(plan.tokens for plan in plans), dtype,
                           hidden_states, embeddings)
        patches = tokens = 0
        for (first, end), plan in zip(runs, plans):
            frames = Frames(items[first:end])
            self._run_plan(plan, frames.native, results, patches, tokens, call)
            patches += plan.patches
            tokens += plan.tokens
        return results.features(plans, [item.source for item in items])

    def _run_plan(self, plan: Plan, native: _abi.oriel_input,
                  results: Results, patch: int, token: int,
                  call: _calls.Call) -> None:
        """One native encode, into the results' rows from patch and token on."""
        model = self._opened_model()
        output = results.output(plan, patch, token)

        def run() -> None:
            library = _abi.core()
            encoder = self._create(model)
            assert self._native_options is not None
            if self._native_options.device != _abi.ORIEL_DEVICE_CPU:
                scratch = ctypes.c_size_t()
                _abi.call(library.oriel_plan_workspace_bytes, plan._handle,
                          byref(self._native_options), byref(scratch))
                _abi.call(library.oriel_encoder_reserve, encoder, scratch)
            if self._attention == "cudnn":
                _abi.call(library.oriel_encoder_prepare, encoder, plan._handle)
            _abi.call(library.oriel_encode, encoder, plan._handle, byref(native),
                      byref(output), None)

        call.in_turn(run)


_living: weakref.WeakSet[Encoder] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """No thread may be inside a call while the process takes itself apart."""
    for encoder in list(_living):
        encoder._stop()


def _restore(path: str, device: str, precision: str, threads: int,
             residual: str, attention: str,
             preprocessing: Preprocessing) -> Encoder:
    return Encoder(path, device=device, precision=precision, threads=threads,
                   residual=residual, attention=attention,
                   preprocessing=preprocessing)
