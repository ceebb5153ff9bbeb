# SPDX-License-Identifier: Apache-2.0
"""Ray Data: pictures of a dataset to embeddings, by actors that hold an encoder.

>>> import oriel.ray
>>> names = ray.data.from_items([{"id": "a", "path": "s3://bucket/a.jpg"}])
>>> rows = oriel.ray.encode(names, "Qwen/Qwen2.5-VL-7B-Instruct", actors=4,
...                         num_cpus=8, folder="/shared/features")
>>> rows.write_parquet("/shared/features/manifest")

Needs ``oriel-vision[ray]``.  A picture that cannot be read or taken is a row that
says why, never an exception.
"""
from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _safetensors, errors
from ._encoder import Encoder
from ._features import STORED, Features, _as_numpy
from ._options import dtype_name
from ._plan import DEFAULT_TOKEN_BUDGET

Batch = dict[str, npt.NDArray[Any]]

# The columns that are added; each has one type in every row, so that all blocks
# have one schema.  A failed row has zeros and empty texts.
_COUNTS = ("grid_t", "grid_h", "grid_w", "tokens", "width")
_SHARD_COUNTS = ("row_begin", "row_end")


class OrielEncoder:
    """For ``Dataset.map_batches``: an actor that holds an encoder.

    Each row of a batch gets these columns: ``status`` ("ok" or "failed"),
    ``reason``, ``sha256`` (of the file's bytes), ``grid_t``, ``grid_h``,
    ``grid_w`` (in patches), ``tokens`` and ``width`` (the shape of its
    embeddings), ``dtype``; and

    - without ``folder`` ``embeddings``: the bytes of [tokens, width], which
      :func:`rows` reads;
    - with ``folder`` ``shard``, ``row_begin``, ``row_end``: a safetensors file in
      that folder with the layout of extract's parts, and the rows in it.  It is
      named by what is in it and appears whole, so a batch that runs twice
      writes the same file.

    What a picture is at fault for is a failed row.  A device that failed is lost
    to this process: the actor ends, and Ray starts another one as often as
    max_restarts says.  Other errors are raised.

    :func:`encode` gives Ray what belongs to it.  By hand: set ``max_restarts``
    and ``max_task_retries``, since Ray retries for ever by default.

    Args:
        model: checkpoint, or a name in the Hugging Face cache of each machine.
        images: column of pictures: paths, URLs that fsspec opens, or the bytes of
            files.  Bytes are not in the result.
        ids: column of ids, texts or integers.
        folder: for shards, on a disk that all machines share; None returns bytes.
        dtype: of the embeddings.
        threads: of the CPU backend; None is the actor's num_cpus in Ray, and
            every core elsewhere.
        token_budget: as of :meth:`Encoder.encode_iter`.
        read_threads: files that are read at once.
        storage_options: for fsspec.
        options: device, precision, residual, attention, fields of
            :class:`Preprocessing`.
    """

    def __init__(self, model: str, *, images: str = "path", ids: str = "id",
                 folder: str | None = None, dtype: Any = "float32",
                 threads: int | None = None,
                 token_budget: int = DEFAULT_TOKEN_BUDGET, read_threads: int = 4,
                 storage_options: Mapping[str, Any] | None = None,
                 **options: Any) -> None:
        self._images, self._ids = images, ids
        self._folder = folder
        self._dtype = dtype_name(dtype)
        self._budget = token_budget
        self._storage = dict(storage_options or {})
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        self._reader = concurrent.futures.ThreadPoolExecutor(read_threads,
                                                             "oriel-read")
        self.encoder = Encoder.from_pretrained(
            model, threads=_num_cpus() if threads is None else threads,
            **options)

    def __call__(self, batch: Batch) -> Batch:
        """Encode the pictures of a batch; its other columns are passed on."""
        for column in (self._images, self._ids):
            if column not in batch:
                raise errors.ArgumentError(f"a batch with columns "
                                           f"{', '.join(batch)}: expected "
                                           f"{column}")
        values = batch[self._images]
        made = {name: column for name, column in batch.items()
                if name != self._images or not _are_bytes(values)}
        results = self._results(values)
        columns = self._columns(batch[self._ids], results)
        taken = set(made) & set(columns)
        if taken:
            raise errors.ArgumentError(f"a batch with a column {min(taken)}: "
                                       "it is one of the result's")
        return {**made, **columns}

    def _results(self, values: npt.NDArray[Any]) -> list[Any]:
        """For each value (Features, hash of the file), or the error."""
        reading = [self._reader.submit(self._read, value) for value in values]
        results: list[Any] = [None] * len(values)
        good: list[tuple[int, str]] = []

        def contents() -> Iterator[bytes]:
            for i, future in enumerate(reading):
                try:
                    content = future.result()
                except Exception as error:  # file systems raise what they like
                    results[i] = error
                    continue
                good.append((i, hashlib.sha256(content).hexdigest()))
                yield content

        try:
            made = self.encoder.encode_iter(
                contents(), token_budget=self._budget, dtype=self._dtype,
                on_error="return")
            for place, result in enumerate(made):
                i, digest = good[place]
                results[i] = (result, digest) if isinstance(
                    result, Features) else result
        except errors.FaultError as error:
            if not _in_ray():
                raise
            print(f"oriel: {error}: this actor ends", file=sys.stderr, flush=True)
            os._exit(1)
        return results

    def _read(self, value: Any) -> bytes:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        import fsspec

        with fsspec.open(str(value), "rb", **self._storage) as file:
            return bytes(file.read())

    def _columns(self, ids: npt.NDArray[Any], results: list[Any]) -> Batch:
        n = len(results)
        done = [i for i in range(n) if isinstance(results[i], tuple)]
        counts = {name: np.zeros(n, np.int64) for name in _COUNTS}
        texts = {"status": ["failed"] * n, "reason": [""] * n, "sha256": [""] * n,
                 "dtype": [self._dtype] * n}
        for i, result in enumerate(results):
            if not isinstance(result, tuple):
                texts["reason"][i] = str(result) or type(result).__name__
                continue
            feature, digest = result
            texts["status"][i], texts["sha256"][i] = "ok", digest
            shape = (*feature.grid_thw[0].tolist(), *feature._stored().shape)
            for name, number in zip(_COUNTS, shape):
                counts[name][i] = number
        if self._folder is None:
            rows = [b""] * n
            for i in done:
                rows[i] = feature_bytes(results[i][0])
            last: Batch = {"embeddings": _objects(rows)}
        else:
            last = self._shard(ids, results, done)
        return {**{name: _objects(text) for name, text in texts.items()},
                **counts, **last}

    def _shard(self, ids: npt.NDArray[Any], results: list[Any],
               done: list[int]) -> Batch:
        """Write the rows of a batch, and say where each item's are."""
        n = len(results)
        columns = {name: np.zeros(n, np.int64) for name in _SHARD_COUNTS}
        names = [""] * n
        if done:
            features = [results[i][0] for i in done]
            keys = [[str(ids[i]), results[i][1]] for i in done]
            offsets = np.zeros(len(done) + 1, np.int64)
            np.cumsum([len(f._stored()) for f in features], out=offsets[1:])
            name = "part-" + hashlib.sha256(json.dumps(
                [keys, self.encoder.digest(), repr(self.encoder.preprocessing),
                 self._dtype]).encode()).hexdigest()[:32] + ".safetensors"
            assert self._folder is not None
            _safetensors.write_whole(
                os.path.join(self._folder, name), _safetensors.parts(
                    {"embeddings": np.concatenate(
                        [f._stored() for f in features]),
                     "offsets": offsets, "image_grid_thw": np.concatenate(
                         [f.grid_thw for f in features])},
                    {"ids": json.dumps([key for key, _ in keys])}))
            for place, i in enumerate(done):
                names[i] = name
                columns["row_begin"][i] = offsets[place]
                columns["row_end"][i] = offsets[place + 1]
        return {"shard": _objects(names), **columns}


def feature_bytes(feature: Features) -> bytes:
    """The bytes of an item's embeddings, row after row."""
    return feature._stored().tobytes()


def rows(row: Mapping[str, Any]) -> npt.NDArray[Any]:
    """The embeddings [tokens, width] of a row with ``embeddings``; bfloat16 as
    ml_dtypes.bfloat16."""
    stored = np.frombuffer(row["embeddings"], STORED[row["dtype"]])
    return _as_numpy(stored.reshape(row["tokens"], row["width"]), row["dtype"])


def encode(dataset: Any, model: str, *, actors: int = 1, num_cpus: int = 1,
           num_gpus: float = 0, batch_size: int = 16, max_restarts: int = 2,
           max_task_retries: int = 2, **options: Any) -> Any:
    """``dataset.map_batches`` of :class:`OrielEncoder`, lazily, with bounded
    retries and as many threads an actor as it has processors.

    A batch whose actor is killed runs again on another one, at most
    ``max_task_retries`` times; then the job fails.

    Args:
        dataset: of ray.data, with the columns of pictures and ids.
        model, options: as of :class:`OrielEncoder`.
        actors: how many there are; each holds the weights.
        num_cpus, num_gpus: of an actor.
        batch_size: rows of a batch, which is what is lost with an actor.
    """
    from ray.data import ActorPoolStrategy

    options.setdefault("threads", num_cpus)
    return dataset.map_batches(
        OrielEncoder, fn_constructor_args=(model,),
        fn_constructor_kwargs=options, batch_size=batch_size,
        batch_format="numpy", compute=ActorPoolStrategy(size=actors),
        num_cpus=num_cpus, num_gpus=num_gpus or None,
        max_restarts=max_restarts, max_task_retries=max_task_retries)


def remaining(dataset: Any, manifest: str, *, ids: str = "id",
              retry_failed: bool = False,
              storage_options: Mapping[str, Any] | None = None) -> Any:
    """The rows of a dataset that a manifest does not have yet: to resume a job.

    Args:
        dataset: of ray.data.
        manifest: what :func:`done_ids` reads; none yet leaves all rows.
        ids: column of ids, in both.
        retry_failed: whether rows with status "failed" remain.
        storage_options: for fsspec.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import ray

    known = done_ids(manifest, ids=ids, retry_failed=retry_failed,
                     storage_options=storage_options)
    if not len(known):
        return dataset
    shared = ray.put(known)

    def keep(table: Any) -> Any:
        column = table[ids]
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(
            column.type)
        if is_text != pa.types.is_string(known_type):
            raise errors.ArgumentError(f"ids of {column.type}, and of "
                                       f"{known_type} in the manifest")
        return table.filter(pc.invert(pc.is_in(
            column.cast(known_type), value_set=ray.get(shared))))

    known_type = known.type
    return dataset.map_batches(keep, batch_format="pyarrow")


def done_ids(manifest: str, *, ids: str = "id", retry_failed: bool = False,
             storage_options: Mapping[str, Any] | None = None) -> Any:
    """The ids that a manifest has: a pyarrow array of texts or of int64.

    Args:
        manifest: a folder of Parquet files as ``Dataset.write_parquet`` makes,
            one such file, or extract's manifest.jsonl; a path, or a URL that
            fsspec opens.  Nothing there is no ids.
        ids: the column.
        retry_failed: leave out those with status "failed".

    Raises:
        ReadError: a file cannot be read, such as one that a job had not finished.
    """
    import fsspec
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet as pq

    system, path = fsspec.url_to_fs(manifest, **dict(storage_options or {}))
    if not system.exists(path):
        return pa.array([], pa.string())
    files = sorted(system.glob(f"{path.rstrip('/')}/**/*.parquet")) if (
        system.isdir(path)) else [path]
    parts = []
    for name in files:
        try:
            with system.open(name, "rb") as file:
                table = (pyarrow.json.read_json(file) if name.endswith(".jsonl")
                         else pq.read_table(file, columns=[ids, "status"]))
            column, status = table[ids], table["status"]
        except (pa.ArrowException, KeyError, OSError) as error:
            raise errors.ReadError(
                f"{name}: {error}: expected columns {ids} and status; remove it, "
                "and its rows are done again") from None
        if retry_failed:
            column = column.filter(pa.compute.equal(status, "ok"))
        kind = pa.int64() if pa.types.is_integer(column.type) else pa.string()
        parts += column.cast(kind).chunks
    if len({part.type for part in parts}) > 1:
        raise errors.ReadError(f"{manifest}: ids of several types")
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _objects(values: list[Any]) -> npt.NDArray[Any]:
    """A column of texts or bytes; numpy's own would cut trailing NULs."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _are_bytes(values: npt.NDArray[Any]) -> bool:
    return len(values) > 0 and isinstance(values[0],
                                          (bytes, bytearray, memoryview))


def _in_ray() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def _num_cpus() -> int:
    """The processors of this actor; 0, every core, outside of Ray."""
    if not _in_ray():
        return 0
    import ray

    assigned = ray.get_runtime_context().get_assigned_resources()
    return max(1, int(assigned.get("CPU", 1)))
