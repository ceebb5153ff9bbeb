#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What ptxas makes of the kernels, held against a committed table.

    python3 kernels/resources.py            compare with kernels/resources.txt
    python3 kernels/resources.py --write    write the table anew

Compiles every kernel for every architecture and fails on a spill, on local
memory, on any other warning of ptxas, and on a kernel whose registers differ
from the table: a change of these numbers is a change to be looked at.  nvcc is
taken from the path or from --nvcc.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "resources.txt"
ARCHITECTURES = ["80", "86", "89", "90a", "100", "120"]

# Threads a block, as each kernel's head says, and shared memory at head_dim 80.
# Registers are granted in units of 8 a thread, 65,536 a multiprocessor.
THREADS = {"window_attention": 128, "rms_norm": 128}
DEFAULT_THREADS = 256


def kernel_names():
    text = (HERE / "kernels.cmake").read_text()
    return re.search(r"ORIEL_KERNEL_NAMES\n(.*?)\)", text, re.S)[1].split()


def compile_kernel(nvcc, name, folder):
    command = [nvcc, "-std=c++17", "-I", str(HERE), "-fmad=false", "-c",
               str(HERE / f"{name}.cu"), "-o", os.path.join(folder, name),
               "-Xptxas", "-v,-warn-spills,-warn-lmem-usage",
               "-Xptxas", "-warn-double-usage", "-Xptxas", "-Werror"]
    for arch in ARCHITECTURES:
        command += ["-gencode", f"arch=compute_{arch},code=sm_{arch}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return name, done.returncode, done.stdout + done.stderr


def short_name(mangled):
    """The kernel's own name and its template arguments."""
    plain = subprocess.run(["c++filt", mangled], capture_output=True,
                           text=True).stdout.strip()
    plain = plain.replace("(anonymous namespace)::", "")
    plain = re.sub(r"^void ", "", plain)
    plain = re.sub(r"<\(int\)(\d+)>", r"<\1>", plain)
    return plain[:plain.rindex("(")]


def parse(output):
    """{(kernel, architecture): registers}"""
    found = {}
    for mangled, arch, rest in re.findall(
            r"Compiling entry function '(\S+)' for 'sm_(\w+)'(.*?)"
            r"(?=Compiling entry|\Z)", output, re.S):
        registers = re.search(r"Used (\d+) registers", rest)
        found[short_name(mangled), arch] = int(registers[1])
    return found


def blocks_by_registers(kernel, registers):
    threads = THREADS.get(kernel.split("<")[0], DEFAULT_THREADS)
    granted = (registers + 7) // 8 * 8
    return 65536 // (granted * threads)


def render(found):
    kernels = sorted({kernel for kernel, _ in found})
    lines = ["# Registers a thread / blocks a multiprocessor that they allow,",
             "# by nvcc 13.0.  Made by kernels/resources.py --write.",
             f"{'kernel':42}" + "".join(f"{'sm_' + a:>10}"
                                        for a in ARCHITECTURES)]
    for kernel in kernels:
        cells = []
        for arch in ARCHITECTURES:
            registers = found[kernel, arch]
            cells.append(f"{registers} / "
                         f"{blocks_by_registers(kernel, registers)}")
        lines.append(f"{kernel:42}" + "".join(f"{c:>10}" for c in cells))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, status, output in pool.map(
                lambda n: compile_kernel(options.nvcc, n, folder),
                kernel_names()):
            if status:
                print(output, file=sys.stderr)
                sys.exit(f"{name}.cu: nvcc or ptxas complains")
            found.update(parse(output))
    table = render(found)
    print(table, end="")
    if options.write:
        TABLE.write_text(table)
    elif table != TABLE.read_text():
        sys.exit(f"the resources differ from {TABLE.name}; when that is "
                 "meant, run with --write and commit the table")


if __name__ == "__main__":
    main()
