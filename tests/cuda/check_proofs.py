#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that each file of host/cuda has a test.

    tests/cuda/check_proofs.py [--without TEST]

host/cuda/NAME.c has tests/cuda/test_cuda_NAME.c, or a row in the table of
tests/README.md, which says what proves it and why it has no test of its own.
The table is the list: a row is added there and nowhere else.  --without treats
a test as if it were not there, to see that it would be missed.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
HEADING = "## host/cuda, file by file"
ROW = re.compile(r"\| `(\w+\.c)` \| (.+?) \| (.+?) \|$")


def rows():
    """(file, its tests, why) of each row of the table."""
    text = (TESTS / "README.md").read_text()
    if HEADING not in text:
        sys.exit(f"tests/README.md has no '{HEADING}'")
    section = text.split(HEADING)[1].split("\n## ")[0]
    return [(m[1], re.findall(r"`([^`]+)`", m[2]), m[3])
            for m in map(ROW.match, section.splitlines()) if m]


def complaints(without):
    own = {p.name.removeprefix("test_cuda_")
           for p in (TESTS / "cuda").glob("test_cuda_*.c")
           if p.name != without}
    files = {p.name for p in (ROOT / "host/cuda").glob("*.c")}
    listed = [file for file, _, _ in rows()]
    for file in sorted(files - own - set(listed)):
        yield (f"host/cuda/{file} has no tests/cuda/test_cuda_{file} and no "
               "row in tests/README.md")
    for file, tests, _ in rows():
        if file not in files:
            yield f"tests/README.md has a row for {file}, host/cuda has not"
        if file in own:
            yield (f"tests/README.md has a row for {file}, which has a test "
                   "of its own")
        if listed.count(file) > 1:
            yield f"tests/README.md has two rows for {file}"
        if not tests:
            yield f"tests/README.md names no test for {file}"
        for test in tests:
            if test == without or not (TESTS / test).is_file():
                yield f"tests/README.md: {file} is proven by {test}, which " \
                    "is not there"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--without")
    found = list(complaints(parser.parse_args().without))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
