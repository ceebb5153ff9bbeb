# SPDX-License-Identifier: Apache-2.0
"""``python -m oriel``: the command-line tool of this package, in our place, and
the commands that are written in Python."""
from __future__ import annotations

import importlib
import os
import sys

from ._abi import native_file

# The tool names them too, where it is called without Python: commands.c.
COMMANDS = ("parquet", "serve")


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        module = importlib.import_module(f"oriel.{sys.argv[1]}")
        sys.exit(module.main(sys.argv[2:]))
    tool = native_file("bin", "oriel")
    os.execv(tool, [tool, *sys.argv[1:]])


if __name__ == "__main__":
    main()
