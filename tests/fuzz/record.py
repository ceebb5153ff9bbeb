#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""record.py RECORD TARGET LIBRARIES EXECUTIONS SECONDS EDGES - add a run to the
table of records/fuzz.md

A row is one target with one build of the libraries.  Executions and processor
time are added to those of earlier runs; the edges are those of the last run.  The
goal of a row is 1e8 executions where a core does 5,000 a second, else 2 hours of
a core.  Standard library only.
"""
import os
import pathlib
import sys

HEAD = ("| target | libraries | executions | core-hours | a core-second "
        "| edges | of the goal |")
RULE = "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
FAST, EXECUTIONS, HOURS = 5000, 1e8, 2


def row(target, libraries, executions, hours, edges):
    rate = executions / (3600 * hours)
    share = executions / EXECUTIONS if rate >= FAST else hours / HOURS
    goal = "1e8" if rate >= FAST else "2 h"
    return (f"| {target} | {libraries} | {executions} | {hours:.4f} "
            f"| {rate:.0f} | {edges} | {share:.1%} of {goal} |")


def fields(line):
    return [field.strip() for field in line.strip("|").split("|")]


def main(record, target, libraries, executions, seconds, edges):
    path = pathlib.Path(record)
    lines = path.read_text().splitlines()
    if HEAD not in lines or lines[lines.index(HEAD) + 1] != RULE:
        sys.exit(f"{record}: expected a table that begins with: {HEAD}")
    start = lines.index(HEAD) + 2
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    rows = {tuple(fields(line)[:2]): line for line in lines[start:end]}
    executions, hours = int(executions), float(seconds) / 3600
    if (target, libraries) in rows:
        earlier = fields(rows[target, libraries])
        executions += int(earlier[2])
        hours += float(earlier[3])
    if hours <= 0:
        sys.exit(f"{target}: a run of no time is no run")
    rows[target, libraries] = row(target, libraries, executions, hours, edges)
    lines[start:end] = [rows[key] for key in sorted(rows)]
    written = path.with_name(path.name + ".new")
    written.write_text("\n".join(lines) + "\n")
    os.replace(written, path)


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main(*sys.argv[1:])
