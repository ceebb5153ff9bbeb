# SPDX-License-Identifier: Apache-2.0
"""``python -m oriel parquet FOLDER``: extract's manifest as a Parquet file.

Needs ``oriel-vision[parquet]``: pyarrow.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from . import errors

NAME = "manifest.parquet"
_ROWS = 1 << 16  # of a row group, all that is in memory
_EXIT_USAGE, _EXIT_MODEL, _EXIT_FILES = 2, 3, 4


def schema() -> Any:
    """The table's columns: the keys of docs/extract.md, ``columns`` as JSON."""
    import pyarrow as pa

    text, count = pa.string(), pa.int64()
    return pa.schema([
        pa.field("index", count, nullable=False),
        pa.field("id", text, nullable=False),
        pa.field("source", text), pa.field("status", text, nullable=False),
        pa.field("reason", text), pa.field("padded", text),
        pa.field("width", count), pa.field("height", count),
        pa.field("frames", count), pa.field("grid_thw", pa.list_(count)),
        pa.field("tokens", count), pa.field("shard", text),
        pa.field("row_begin", count), pa.field("row_end", count),
        pa.field("hash", text), pa.field("flops", count),
        pa.field("columns", text)])


def convert(folder: str | os.PathLike[str]) -> str:
    """Write ``manifest.parquet`` beside a folder's ``manifest.jsonl``.

    One row a line, in their order; what a line lacks is null, and ``columns`` is
    JSON.  The file appears whole or not at all.

    Returns:
        its path.

    Raises:
        NotFoundError, ReadError: there is no manifest, or it cannot be read.
        ModelError: a line is not one of a manifest.
        ImportError: pyarrow is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = os.path.join(os.fspath(folder), "manifest.jsonl")
    result = os.path.join(os.fspath(folder), NAME)
    columns = schema()
    lines = _lines(source, set(columns.names))
    first = list(islice(lines, _ROWS))  # the errors that come at once
    handle, temporary = tempfile.mkstemp(dir=os.fspath(folder))
    try:
        with os.fdopen(handle, "wb") as file, \
                pq.ParquetWriter(file, columns) as writer:
            rows = first
            while rows:
                try:
                    table = pa.Table.from_pylist(rows, columns)
                    writer.write_table(table)
                except (pa.ArrowException, TypeError) as error:
                    raise errors.ModelError(
                        f"{source}: lines with index {rows[0]['index']} to "
                        f"{rows[-1]['index']}: {error}") from None
                rows = list(islice(lines, _ROWS))
        os.chmod(temporary, 0o644)
        os.replace(temporary, result)
    except BaseException:
        os.unlink(temporary)
        raise
    return result


def _lines(source: str, known: set[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from _rows(source, known)
    except FileNotFoundError as error:
        raise errors.NotFoundError(f"{source}: no such file; expected a folder "
                                   "that oriel extract wrote",
                                   cause=error.errno or 0) from None
    except OSError as error:
        raise errors.ReadError(f"{source}: {error.strerror}",
                               cause=error.errno or 0) from None


def _rows(source: str, known: set[str]) -> Iterator[dict[str, Any]]:
    with open(source, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            where = f"{source}: line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise errors.ModelError(f"{where}: {error}") from None
            if not isinstance(row, dict) or not {"index", "id",
                                                 "status"} <= set(row):
                raise errors.ModelError(f"{where}: expected an object with "
                                        "index, id and status")
            if not set(row) <= known:
                raise errors.ModelError(f"{where}: unknown key "
                                        f"{min(set(row) - known)!r}")
            if row.get("columns") is not None:
                row["columns"] = json.dumps(row["columns"], ensure_ascii=False)
            yield row


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="oriel parquet",
        description="Write manifest.parquet, the same rows as manifest.jsonl.")
    parser.add_argument("folder", help="that oriel extract wrote")
    folder = parser.parse_args(arguments).folder
    try:
        print(convert(folder))
    except ImportError as error:
        print(f"oriel parquet: {error}: pip install 'oriel-vision[parquet]'",
              file=sys.stderr)
        return _EXIT_USAGE
    except errors.ModelError as error:
        print(f"oriel parquet: {error}", file=sys.stderr)
        return _EXIT_MODEL
    except OSError as error:
        print(f"oriel parquet: {error}", file=sys.stderr)
        return _EXIT_FILES
    return 0
