#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""abi_json.py sees every kind of difference between headers and abi.json.

Usage: test_abi_json.py SOURCE_DIR COMPILER

Edits a copy of the headers in one way after another.  What is added is reported
by 'check' and taken by 'update'; what is changed or gone is refused by both.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, COMPILER = Path(sys.argv[1]), sys.argv[2]
PROMISED = SOURCE / "share/oriel/abi.json"

# Name, file, old text, new text, what 'check' says, whether 'update' takes it.
EDITS = [
    ("a field is added at the end", "oriel.h",
     "max_tokens, max_flops;", "max_tokens, max_flops, max_later;",
     "oriel_budget.max_later is not in abi.json", True),
    ("a field is put in between", "oriel.h",
     "max_tokens, max_flops;", "max_tokens, max_between, max_flops;",
     "oriel_budget.max_flops: abi.json says 8 bytes at 24, ", False),
    ("a field is renamed", "oriel.h",
     "max_tokens, max_flops;", "max_tokens, max_work;",
     "oriel_budget.max_flops: abi.json says 8 bytes at 24, ", False),
    ("an array is longer", "oriel_image.h",
     "int64_t decode_bytes;", "int64_t decode_bytes[3];",
     "oriel_image_info.decode_bytes: abi.json says 8 bytes at 32, ", False),
    ("a type is narrower", "oriel_image.h",
     "int64_t decode_bytes;", "int32_t decode_bytes, more;",
     "oriel_image_info.decode_bytes: abi.json says 8 bytes at 32, ", False),
    ("a struct is added", "oriel_image.h",
     "#ifdef __cplusplus\n}",
     "typedef struct oriel_later { double values[3]; } oriel_later;\n"
     "#ifdef __cplusplus\n}",
     "oriel_later.values is not in abi.json", True),
    ("a constant is added", "oriel.h",
     "ORIEL_CHECKS_ON = 1", "ORIEL_CHECKS_ON = 1, ORIEL_CHECKS_LATER = 2",
     "ORIEL_CHECKS_LATER is not in abi.json", True),
    ("a constant has another number", "oriel.h",
     "ORIEL_CHECKS_ON = 1", "ORIEL_CHECKS_ON = 7",
     "ORIEL_CHECKS_ON: abi.json says 1, ", False),
    ("a constant is gone", "oriel.h",
     "ORIEL_CHECKS_OFF = 0, ", "",
     "ORIEL_CHECKS_OFF: abi.json says 0, ", False),
]


def run(mode, include, path):
    done = subprocess.run(
        [sys.executable, SOURCE / "scripts/abi_json.py", mode, include, path,
         COMPILER], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def fail(name, mode, status, said):
    sys.exit(f"FAILED: {name}: {mode} exits with {status} and says:\n{said}")


def try_edit(folder, name, file, old, new, words, taken):
    include, path = folder / "include", folder / "abi.json"
    shutil.copytree(SOURCE / "include", include)
    shutil.copy(PROMISED, path)
    text = (include / file).read_text()
    if text.count(old) != 1:
        sys.exit(f"FAILED: {name}: {file} has '{old}' {text.count(old)} times")
    (include / file).write_text(text.replace(old, new))

    status, said = run("check", include, path)
    if status != 1 or words not in said:
        fail(name, "check", status, said)
    status, said = run("update", include, path)
    unchanged = json.loads(path.read_text()) == json.loads(PROMISED.read_text())
    if (status == 0) != taken or unchanged == taken:
        fail(name, "update", status, said)
    if taken and run("check", include, path)[0] != 0:
        fail(name, "check after update", *run("check", include, path))


def main():
    for edit in EDITS:
        with tempfile.TemporaryDirectory() as folder:
            try_edit(Path(folder), *edit)
    print(f"{len(EDITS)} edits seen")


if __name__ == "__main__":
    main()
