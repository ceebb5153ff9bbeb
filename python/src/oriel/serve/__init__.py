# SPDX-License-Identifier: Apache-2.0
"""``python -m oriel serve``: an encode worker, images in by HTTP, embeddings out.

Needs ``oriel-vision[serve]``: aiohttp and prometheus_client.  docs/serving.md
says what it takes and answers.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import errors
from .options import Options

# The exit statuses of the tool, for the same reasons.
EXIT_USAGE, EXIT_MODEL, EXIT_FILES, EXIT_DEVICE = 2, 3, 4, 5
EXIT_MEMORY, EXIT_INTERNAL = 6, 7
_EXITS: tuple[tuple[type[Exception], int], ...] = (
    (errors.DeviceError, EXIT_DEVICE), (errors.UnsupportedError, EXIT_DEVICE),
    (errors.OutOfMemoryError, EXIT_MEMORY), (errors.ModelError, EXIT_MODEL),
    (errors.NotFoundError, EXIT_MODEL), (errors.ReadError, EXIT_MODEL),
    (errors.ArgumentError, EXIT_USAGE), (OSError, EXIT_FILES))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; returns the exit status."""
    try:
        options = Options.parse(arguments)
    except errors.ArgumentError as error:
        return _fail(error)
    try:
        from . import http
    except ImportError as error:
        print(f"oriel serve: {error}: pip install 'oriel-vision[serve]'",
              file=sys.stderr)
        return EXIT_USAGE
    try:
        return http.run(options)
    except (errors.Error, OSError) as error:
        return _fail(error)


def _fail(error: Exception) -> int:
    print(f"oriel serve: {error}", file=sys.stderr)
    return next((status for kind, status in _EXITS if isinstance(error, kind)),
                EXIT_INTERNAL)

