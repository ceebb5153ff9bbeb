# SPDX-License-Identifier: Apache-2.0
"""``python -m oriel.conformance``: see the package's description."""
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .. import errors
from . import __doc__ as description
from . import _cases, _judge


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m oriel.conformance", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    files = commands.add_parser("files", help="write checkpoint and pictures")
    files.add_argument("folder", type=Path)
    check = commands.add_parser("check", help="judge what a stack dumped")
    check.add_argument("folder", type=Path, help="as given to files")
    check.add_argument("dumps", type=Path,
                       help="CASE.safetensors with pixel_values and rows, or "
                       "CASE.pixel_values.npy and CASE.rows.npy")
    for name, text in (("transformers", "run the installed transformers"),
                       ("vllm", "run the tower of the installed vLLM"),
                       ("sglang", "run the tower of the installed SGLang"),
                       ("oriel", "run this package")):
        stack = commands.add_parser(name, help=text)
        stack.add_argument("--dtype", choices=("float32", "bfloat16"),
                           default="float32")
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except errors.Error as error:
        print(f"oriel.conformance: {error}", file=sys.stderr)
        return 2


def run(arguments: argparse.Namespace) -> int:
    if arguments.command == "files":
        _cases.write(arguments.folder)
        print(f"{arguments.folder}: model, cases.json and pictures; docs/"
              "conformance.md says what to dump")
        return 0
    if arguments.command == "check":
        kit = _judge.Kit(arguments.folder)
        verdicts = [kit.judge(case, *_judge.read_dump(arguments.dumps, case))
                    for case in _cases.CASES]
        return report(str(arguments.dumps), verdicts)
    from ._stacks import STACKS

    with tempfile.TemporaryDirectory() as folder:
        kit = _judge.Kit(Path(folder))
        name, stack = STACKS[arguments.command](kit, arguments.dtype)
        verdicts = [kit.judge(case, *stack(case)) for case in _cases.CASES]
    return report(name, verdicts)


def report(name: str, verdicts: list[_judge.Verdict]) -> int:
    """Exit status 0: it agrees; 1: it deviates somewhere."""
    print(f"{name}\n\n{_judge.table(verdicts)}\n")
    wrong = [v.case for v in verdicts if not v.agrees]
    if wrong:
        print(f"deviates in {len(wrong)} of {len(verdicts)} cases: "
              + ", ".join(wrong))
        return 1
    print(f"agrees in all {len(verdicts)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
