#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Add up what gcov says of every object of a build folder, and print a table of
host/ and the branches that were never taken; host/cuda, which runs on the
simulated GPU, is left out.

    coverage.py BUILD

A source that is compiled into several libraries is counted once: a line or a
branch is reached if it is in any.  Standard library only."""
import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BRANCHES = ("image", "model", "plan")


def reports(build):
    """What gcov says of each object that has run."""
    notes = [p for p in sorted(build.rglob("*.gcno"))
             if "/host/" in str(p)]
    for at in range(0, len(notes), 50):
        output = subprocess.run(
            ["gcov", "--json-format", "--stdout", "--branch-probabilities",
             *map(str, notes[at:at + 50])],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=build)
        for line in output.stdout.splitlines():
            report = json.loads(line)
            yield pathlib.Path(report["current_working_directory"]), report


def collect(build):
    """Files of host/: line -> count, and (line, branch) -> count."""
    lines = collections.defaultdict(collections.Counter)
    branches = collections.defaultdict(collections.Counter)
    for folder, report in reports(build):
        for file in report["files"]:
            path = (folder / file["file"]).resolve()
            if (not path.is_relative_to(ROOT / "host")
                    or path.is_relative_to(ROOT / "host" / "cuda")):
                continue
            name = str(path.relative_to(ROOT))
            for line in file["lines"]:
                number = line["line_number"]
                lines[name][number] += line["count"]
                for i, branch in enumerate(line["branches"]):
                    if not branch["throw"]:
                        branches[name][number, i] += branch["count"]
    return lines, branches


def share(counters):
    total = sum(len(c) for c in counters)
    reached = sum(1 for c in counters for n in c.values() if n > 0)
    return f"{reached} of {total} | {100 * reached / max(total, 1):.1f} %"


def main():
    lines, branches = collect(pathlib.Path(sys.argv[1]).resolve())
    folders = sorted({name.split("/")[1] for name in lines})
    print("| folder | lines | | branches | |\n| --- | ---: | ---: | ---: | "
          "---: |")
    for folder in folders + [""]:
        inside = [n for n in lines if n.startswith(f"host/{folder}")]
        print(f"| host/{folder} | {share([lines[n] for n in inside])} | "
              f"{share([branches[n] for n in inside])} |")
    print("\nBranches that no test takes:\n")
    for name in sorted(lines):
        missing = sorted({line for (line, _), n in branches[name].items()
                          if n == 0})
        if missing and name.split("/")[1] in BRANCHES:
            print(f"- {name}: {', '.join(map(str, missing))}")


if __name__ == "__main__":
    main()
