# SPDX-License-Identifier: Apache-2.0
"""Run tests of the package that Python finds.

    python3 python/tests            all of them
    python3 python/tests encode     those of test_encode.py
    python3 python/tests encode -k Streams

PYTHONPATH=build/release/python takes the package from the build's tree.  Exit
status 77 says that all of them were skipped, and why.
"""
import itertools
import sys
import unittest
from pathlib import Path

try:
    import numpy  # noqa: F401
except ImportError:
    print("skipped: numpy is not installed")
    sys.exit(77)

names = list(itertools.takewhile(str.isidentifier, sys.argv[1:]))
flags = sys.argv[1 + len(names):]
if not names:
    names = sorted(file.stem.removeprefix("test_")
                   for file in Path(__file__).parent.glob("test_*.py"))
result = unittest.main(
    module=None, exit=False, argv=["tests", *flags, *(
        f"test_{name}" for name in names)]).result
if result.skipped and result.testsRun <= len(result.skipped):
    print("skipped:", result.skipped[0][1])
    sys.exit(77)
sys.exit(not result.wasSuccessful())
