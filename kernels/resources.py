#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What ptxas makes of the kernels, held against a committed table.

    python3 kernels/resources.py            compare with kernels/resources.txt
    python3 kernels/resources.py --write    write the table anew

Compiles every kernel for every architecture, and those of hopper_list.h for sm_90a
alone, and fails on a spill, on local
memory, on any other warning of ptxas, on its advice about serialised products
and ignored register counts (C75..), and on a kernel whose resources differ from
the table: a change of these numbers is a change to be looked at.

Registers and static shared memory are what ptxas says, threads what
__launch_bounds__ says; a kernel's name and its dynamic shared memory are what the
launchers' own _prepare functions say and ask for: they run here, in front of a
runtime that only listens.  Of kernels whose warps give registers to each other the
registers are those at entry, which is what the hardware hands out.  nvcc is taken from the path or from --nvcc.

The second table has the clocks of each kernel's main loop (budgets.py), and the
heads of the kernels say which of them bind.  It takes nvdisasm, from the path,
from --nvdisasm or NVDISASM; without one it is left as it is, and that is said.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import budgets

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "resources.txt"

# Of a multiprocessor, from "Technical Specifications per Compute Capability" of
# the CUDA C++ Programming Guide.  65,536 registers in four parts everywhere.
Limits = collections.namedtuple("Limits", "threads blocks shared")
ARCHITECTURES = {
    "80": Limits(2048, 32, 164 << 10),
    "86": Limits(1536, 16, 100 << 10),
    "89": Limits(1536, 24, 100 << 10),
    "90a": Limits(2048, 32, 228 << 10),
    "100": Limits(2048, 32, 228 << 10),
    "120": Limits(1536, 24, 100 << 10),
}
PART_REGISTERS, PARTS = 16384, 4
REGISTER_UNIT = 256         # of a warp
SHARED_UNIT = 128           # of a block, and
SHARED_RESERVED = 1 << 10   # what the system takes besides
HEAD_DIMS = (16, 32, 64, 80, 128)   # one for each instance of a kernel
HOPPER = ("90a",)                   # all that the files of hopper_list.h are for
NAME_WIDTH = budgets.NAME_WIDTH

# A runtime that notes which kernel asks for how much shared memory.
LISTENER = r"""
#include "hopper_ops.h"
#include <cstdio>
#include <map>
#include <string>
#include <vector>
static std::map<const void *, std::string> names;
struct Asked { std::string symbol; int bytes; };
static std::vector<Asked> asked;
/* After a _prepare: the kernels in its order, "symbol name bytes". */
static bool tell(cudaError_t error, oriel_cuda_loaded &loaded, const char *instance)
{
    for (int i = 0; i < loaded.n; i++)
        printf("%s %s%s %d\n", asked[i].symbol.c_str(), loaded.kernel[i].name,
               instance, asked[i].bytes);
    const bool well = error == cudaSuccess && asked.size() == (size_t)loaded.n;
    asked.clear();
    loaded.n = 0;
    return well;
}
extern "C" {
void **__cudaRegisterFatBinary(void *) { static void *handle; return &handle; }
void __cudaRegisterFatBinaryEnd(void **) {}
void __cudaUnregisterFatBinary(void **) {}
char __cudaInitModule(void **) { return 1; }
void __cudaRegisterFunction(void **, const char *stub, char *, const char *name,
                            int, uint3 *, uint3 *, dim3 *, dim3 *, int *)
{ names[stub] = name; }
unsigned __cudaPushCallConfiguration(dim3, dim3, size_t, struct CUstream_st *)
{ return 1; }
cudaError_t __cudaPopCallConfiguration(dim3 *, dim3 *, size_t *, void *)
{ return cudaErrorUnknown; }
cudaError_t __cudaGetKernel(void *, const void *) { return cudaErrorUnknown; }
cudaError_t __cudaLaunchKernel(void *, dim3, dim3, void **, size_t,
                               cudaStream_t) { return cudaErrorUnknown; }
cudaError_t cudaLaunchKernel(const void *, dim3, dim3, void **, size_t,
                             cudaStream_t) { return cudaErrorUnknown; }
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *, const void *,
                                void **) { return cudaErrorUnknown; }
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *, const void *)
{ return cudaSuccess; }
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *, const void *,
                                                          int, size_t)
{ return cudaSuccess; }
cudaError_t cudaFuncSetAttribute(const void *stub, enum cudaFuncAttribute what,
                                 int n)
{
    if (what == cudaFuncAttributeMaxDynamicSharedMemorySize)
        asked.push_back({names[stub], n});
    return cudaSuccess;
}
}
int main() { oriel_cuda_loaded loaded = {}; bool well = true;
"""


def listed(text):
    return re.findall(r"X\((\w+)\)", text)


def kernel_names():
    """{file: the architectures it is for}, and the ones that have an instance a
    head_dim."""
    plain, of_head_dim = map(listed, (HERE / "list.h").read_text().split(
        "define ORIEL_HEAD_DIM_KERNELS"))
    hopper = listed((HERE / "hopper_list.h").read_text())
    names = {name: tuple(ARCHITECTURES) for name in plain + of_head_dim}
    names.update({name: HOPPER for name in hopper})
    return dict(sorted(names.items())), of_head_dim


def compile_kernel(nvcc, name, architectures, folder):
    """Its object is left in 'folder', the PTX in a folder of its own there."""
    kept = os.path.join(folder, name + ".kept")
    os.mkdir(kept)
    command = [nvcc, "-std=c++17", "-I", str(HERE), "-fmad=false", "-c",
               str(HERE / f"{name}.cu"), "-o",
               os.path.join(folder, name + ".o"), "--keep", "--keep-dir", kept,
               "-Xptxas", "-v,-warn-spills,-warn-lmem-usage",
               "-Xptxas", "-warn-double-usage", "-Xptxas", "-Werror"]
    for arch in architectures:
        command += ["-gencode", f"arch=compute_{arch},code=sm_{arch}"]
    done = subprocess.run(command, capture_output=True, text=True)
    output = done.stdout + done.stderr
    advice = re.findall(r".*\(C75\d\d\).*", output)
    if done.returncode or advice:
        print("\n".join(advice) or output, file=sys.stderr)
        sys.exit(f"{name}.cu: nvcc or ptxas complains")
    return output


def parse_output(output):
    """{(symbol, architecture): (registers, static shared bytes)}"""
    found = {}
    for symbol, arch, rest in re.findall(
            r"Compiling entry function '(\S+)' for 'sm_(\w+)'(.*?)"
            r"(?=Compiling entry|\Z)", output, re.S):
        registers = re.search(r"Used (\d+) registers", rest)
        shared = re.search(r"(\d+) bytes smem", rest)
        found[symbol, arch] = (int(registers[1]),
                               int(shared[1]) if shared else 0)
    return found


def entries(folder):
    """(symbol, threads a block, PTX) of each kernel of the files, from the PTX of
    their last architecture: it differs in neither."""
    for kept in pathlib.Path(folder).glob("*.kept"):
        text = max(kept.glob("*.ptx")).read_text()
        for entry in text.split(".entry ")[1:]:
            yield (re.match(r"\w+", entry)[0],
                   int(re.search(r"\.maxntid (\d+)", entry)[1]), entry)


def listen(nvcc, names, of_head_dim, folder):
    """{symbol: (the kernel's name, dynamic shared bytes)}"""
    calls = []
    for name in names:
        for value in HEAD_DIMS if name in of_head_dim else [None]:
            given, instance = ("", "") if value is None else (
                f"{value}, ", f"<{value}>")
            calls.append(f'''    loaded.op = "{name}";
    well &= tell(oriel_cuda_{name}_prepare({given}&loaded), loaded, "{instance}");''')
    source = os.path.join(folder, "listener.cpp")
    pathlib.Path(source).write_text(
        LISTENER + "\n".join(calls) + "\n    return !well;\n}\n")
    program = os.path.join(folder, "listener")
    subprocess.run([nvcc, "-std=c++17", "-I", str(HERE), "-arch=sm_80",
                    "-cudart", "none", source, "-o", program] +
                   [os.path.join(folder, n + ".o") for n in names], check=True)
    said = subprocess.run([program], check=True, capture_output=True,
                          text=True).stdout
    return {s: (name, int(n))
            for s, name, n in (l.split() for l in said.splitlines())}


def blocks(limits, registers, threads, shared):
    """How many a multiprocessor holds, and what keeps it from more."""
    warps = (threads + 31) // 32
    a_warp = (registers * 32 + REGISTER_UNIT - 1) // REGISTER_UNIT \
        * REGISTER_UNIT
    a_block = (shared + SHARED_UNIT - 1) // SHARED_UNIT * SHARED_UNIT \
        + SHARED_RESERVED
    by = {"r": PART_REGISTERS // a_warp * PARTS // warps,
          "s": limits.shared // a_block,
          "t": limits.threads // (warps * 32),
          "b": limits.blocks}
    least = min(by.values())
    return least, "".join(k for k, n in by.items() if n == least)


def render(found, threads, said):
    lines = [
        "# Threads and shared memory of a block; and for each architecture the",
        "# registers of a thread / blocks that a multiprocessor holds, limited",
        "# by r registers, s shared memory, t threads, b blocks; - where it is not",
        "# compiled.  By nvcc 13.0.  Made by kernels/resources.py --write.",
        f"{'kernel':{NAME_WIDTH}}{'threads':>8}{'shared':>8}" +
        "".join(f"{'sm_' + a:>11}" for a in ARCHITECTURES)]
    for symbol, (name, dynamic) in sorted(said.items(),
                                          key=lambda item: item[1]):
        static = {shared for (of, _), (_, shared) in found.items()
                  if of == symbol}
        shared = max(static) + dynamic
        cells = []
        for arch, limits in ARCHITECTURES.items():
            if (symbol, arch) not in found:
                cells.append("-")
                continue
            registers = found[symbol, arch][0]
            n, by = blocks(limits, registers, threads[symbol], shared)
            if n == 0:
                sys.exit(f"{name}: no block fits sm_{arch}")
            cells.append(f"{registers} / {n} {by}")
        lines.append(f"{name:{NAME_WIDTH}}{threads[symbol]:8}{shared:8}" +
                     "".join(f"{c:>11}" for c in cells))
    return "\n".join(lines) + "\n"


def read_code(nvdisasm, name, architectures, folder):
    """{(symbol, architecture): its machine code}"""
    found = {}
    for arch in set(architectures) & set(budgets.MMA_CLOCKS):
        kept = pathlib.Path(folder, name + ".kept")
        # nvcc leaves the architecture out where there is one.
        file, = kept.glob("*.cubin" if len(architectures) == 1 else
                          f"*_{arch}.cubin")
        for symbol, body in budgets.parse(
                budgets.disassemble(nvdisasm, file)).items():
            found[symbol, arch] = body
    return found


# The instance that speaks for a kernel of several: what published models run.
SPEAKS = {"full_attention": "full_attention<80>", "patch_embed":
          "patch_embed<Pixels,false>", "resample": "resample_first",
          "hopper_linear": "hopper_linear<large>",
          "hopper_linear_gelu": "hopper_linear_gelu<large>",
          "hopper_linear_rows": "hopper_linear_rows<large,floats>",
          "rms_norm": "rms_norm<false>", "store_rows": "store_rows<false>",
          "rope": "turn_rows",
          "window_attention": "window_attention<80>"}


def check_heads(table, names):
    """Each kernel's head has its budget, as the table has it."""
    read = {arch: budgets.read(table, arch) for arch in budgets.MMA_CLOCKS}
    wrong = []
    for name in names:
        kernel = SPEAKS.get(name, name)
        said = "Budget   " + "\n *          ".join(budgets.sentence(
            {arch: rows[kernel] for arch, rows in read.items()
             if kernel in rows}))
        if said not in (HERE / f"{name}.cu").read_text():
            wrong.append(f"{name}.cu: its head must say: {said}")
    if wrong:
        sys.exit("\n".join(wrong))


def check_complete(found, threads, said):
    symbols = {symbol for symbol, _ in found}
    for what, names in (("__launch_bounds__", threads), ("_prepare", said)):
        for symbol in symbols ^ set(names):
            sys.exit(f"{symbol}: not among the kernels with {what}, or a "
                     "kernel that is not there")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--nvdisasm", default=os.environ.get("NVDISASM",
                                                             "nvdisasm"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    (names, of_head_dim), started = kernel_names(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = {}
        for output in pool.map(
                lambda n: compile_kernel(options.nvcc, n, names[n], folder),
                names):
            found.update(parse_output(output))
        threads, copied = {}, {}
        for symbol, count, ptx in entries(folder):
            threads[symbol] = count
            copied[symbol] = budgets.copied_bytes(ptx)
        bodies = {}
        has_nvdisasm = shutil.which(options.nvdisasm)
        for found_code in pool.map(
                lambda n: read_code(options.nvdisasm, n, names[n], folder),
                names if has_nvdisasm else []):
            bodies.update(found_code)
        said = listen(options.nvcc, names, of_head_dim, folder)
    check_complete(found, threads, said)
    table = render(found, threads, said) + "\n"
    committed = TABLE.read_text()
    if has_nvdisasm:
        table += budgets.render(bodies, threads, copied,
                                {symbol: name for symbol, (name, _)
                                 in said.items()})
    else:
        print("SKIPPED: there is no nvdisasm, so no main loop was counted")
        table += committed[committed.index(budgets.HEAD):]
    print(table, end="")
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"nvcc: {len(names)} files for up to {len(ARCHITECTURES)} architectures in "
          f"{time.monotonic() - started:.0f} s, "
          f"{cpu.ru_utime + cpu.ru_stime:.0f} s of processor time "
          "(budget: 480 s on 2 cores)")
    if options.write:
        TABLE.write_text(table)
    elif table != committed:
        sys.exit(f"the resources differ from {TABLE.name}; when that is "
                 "meant, run with --write and commit the table")


    check_heads(table, names)


if __name__ == "__main__":
    main()
