# SPDX-License-Identifier: Apache-2.0
"""``python -m oriel``: the command-line tool of this package, in our place."""
from __future__ import annotations

import os
import sys

from ._abi import native_file


def main() -> None:
    tool = native_file("bin", "oriel")
    os.execv(tool, [tool, *sys.argv[1:]])


if __name__ == "__main__":
    main()
