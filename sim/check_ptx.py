#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold kernels/ptx.cuh, ptx_hopper.cuh and the kernels to their rules, and the PTX
of every wrapper to what its emulation assumes.

    check_ptx.py lint KERNELS          the sources, as text
    check_ptx.py ptx KERNELS [NVCC]    the PTX; exits 77 when there is no nvcc
    check_ptx.py self                  the checks themselves, on what breaks them

The simulator never sees an instruction, only the name of its wrapper.  So for
each wrapper EXPECTED states the instruction, its types and flags, and which
argument stands at which place: 0+4 is the word at byte 4 of argument 0, d0 the
first register that the instruction fills, out+4 what the result holds there.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import check_ptx_hopper

# Instructions of inline assembly that neither touch nor order memory, and what
# they must be all the same.  Whatever is not here needs both.
PURE = re.compile(r"(cvt|ex2|rcp|rsqrt)\.")
REGISTERS_ONLY = re.compile(r"(shfl|redux|mma)\.")  # volatile: all lanes must come


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*",
                  lambda m: re.sub(r"[^\n]", " ", m.group()), text,
                  flags=re.S)


def asm_statements(text):
    """(line, text) of every asm statement."""
    for m in re.finditer(r"\basm\b", text):
        end = text.find(");", m.start())
        yield text.count("\n", 0, m.start()) + 1, text[m.start():end + 2]


def lint_asm(name, text):
    for line, asm in asm_statements(text):
        literal = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"',
                                     asm.split(":")[0]))
        volatile = re.match(r"asm\s+volatile\b", asm)
        memory = re.search(r'"memory"\s*\)', asm)
        first = literal.split()[0] if literal.split() else ""
        if PURE.match(first):
            continue
        if not volatile:
            yield f"{name}:{line}: '{first}' is not volatile"
        if not memory and not REGISTERS_ONLY.match(first):
            yield f"{name}:{line}: '{first}' does not clobber memory"


def closing(text, at):
    """Where the bracket that opens at 'at' closes, or the text's end."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "({") - (text[i] in ")}")
        if depth == 0:
            return i
    return len(text)


def lint_bounds(name, text):
    """Every kernel says how many threads it has, and how many blocks a
    multiprocessor is to hold at least."""
    for m in re.finditer(r"\b__global__\b", text):
        line = text.count("\n", 0, m.start()) + 1
        bounds = re.match(r"\s+void\s+__launch_bounds__(?=\()", text[m.end():])
        if not bounds:
            yield f"{name}:{line}: a kernel without __launch_bounds__"
            continue
        at = m.end() + bounds.end()
        inside = re.sub(r"\([^()]*\)", "", text[at + 1:closing(text, at)])
        if "," not in inside:
            yield f"{name}:{line}: __launch_bounds__ without minimum blocks"


def lint_maps(name, text):
    """A tensor map is read where the launch put it, not from a thread's copy."""
    for m in re.finditer(r"\b__global__\b[^{;]*", text):
        line = text.count("\n", 0, m.start()) + 1
        for map_ in re.finditer(r"[^,(]*\bCUtensorMap\s+\w+", m.group()):
            if not re.search(r"\bconst\b.*__grid_constant__|"
                             r"__grid_constant__.*\bconst\b", map_.group()):
                yield f"{name}:{line}: a tensor map that is no " \
                    "const __grid_constant__"


def lint_launchers(name, text):
    """A kernel file is a namespace of its own with the kernels, and after it
    functions of C alone, the last of which launches what the file is named
    after.  Without a kernel there are the functions alone."""
    spaces = list(re.finditer(r"\bnamespace\s*(?=\{)", text))
    at = closing(text, spaces[-1].end()) + 1 if spaces else 0
    last = None
    while text[at:].strip():
        m = re.match(r'\s*extern "C" \w+\s+(\w+)(?=\()', text[at:])
        if not m:
            at += len(text[at:]) - len(text[at:].lstrip())
            line = text.count("\n", 0, at) + 1
            yield f"{name}:{line}: no function of C after the kernels"
            return
        last = m.group(1)
        at = closing(text, text.index("{", at + m.end())) + 1
    stem = name[:-len(".cu")]
    if not last or "__global__" in text and (
            not last.startswith(f"oriel_cuda_{stem}") or
            last.endswith("_prepare")):
        yield f"{name}: ends with {last}, not with a launcher of {stem}"


def lint(files):
    """What is wrong with the sources: {name: text} to lines."""
    for name, raw in sorted(files.items()):
        text = strip_comments(raw)
        if "bra.uni" in text:
            yield f"{name}: bra.uni where threads may part"
        if name in {header for header, _, _ in HEADERS}:
            yield from lint_asm(name, text)
        elif re.search(r"\basm\b|__asm", text):
            yield f"{name}: inline assembly outside ptx.cuh and " \
                "ptx_hopper.cuh"
        if "<<<" in text:
            yield f"{name}: a launch with <<<>>>, not through launch.cuh"
        if not name.endswith((".cu", ".cuh")):
            continue
        yield from lint_bounds(name, text)
        yield from lint_maps(name, text)
        if name.endswith(".cu"):
            yield from lint_launchers(name, text)
        for line, code in enumerate(text.splitlines(), 1):
            # An instruction that older GPUs lack, and need not have.
            allowed = name == "ptx.cuh" and code == "#if __CUDA_ARCH__ >= 900"
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", code) and \
                    not allowed:
                yield f"{name}:{line}: a kernel asks what it is compiled for"
            if re.search(r"\b(double|long double)\b", code):
                yield f"{name}:{line}: double"
            if not re.match(r"\s*#", code):
                code = re.sub(r'"[^"]*"', "", code)
                for m in re.finditer(
                        r"(?<![\w.])(0x[\da-fA-F.]+p[-+]?\d+|"
                        r"\d+\.\d*(e[-+]?\d+)?|\d+e[-+]?\d+|\.\d+)(\w*)",
                        code):
                    if m.group(3) not in ("f", "F"):
                        yield f"{name}:{line}: {m.group()} is a double"


# name: (parameters of a kernel, its body, what must come out)
OUT4 = "for (int i = 0; i < 4; i++) out->v[i] = r[i];"
OUT2 = "for (int i = 0; i < 2; i++) out->v[i] = r[i];"
QUAD = ["out = d0", "out+4 = d1", "out+8 = d2", "out+12 = d3"]
EXPECTED = {
    "thread_index": ("uint32_t *out", "*out = ptx::thread_index();",
                     ["out = %tid.x"]),
    "block_index": ("uint32_t *out", "*out = ptx::block_index();",
                    ["out = %ctaid.x"]),
    "grid_blocks": ("uint32_t *out", "*out = ptx::grid_blocks();",
                    ["out = %nctaid.x"]),
    "opaque": ("uint32_t a, uint32_t *out", "*out = ptx::opaque(a);",
                ["out = 0"]),
    "dynamic_shared": ("uint32_t *out",
                       "*out = ptx::shared_address(ptx::dynamic_shared());",
                       ["out = _ZN3ptx20oriel_dynamic_sharedE"]),
    "shared_address": ("const void *a, uint32_t *out",
                       "*out = ptx::shared_address(a);",
                       ["out = cvta.to.shared(0)"]),
    # One barrier for all threads of the block, all warps whole.
    "sync_block": ("", "ptx::sync_block();", ["barrier.sync.aligned 0"]),
    "sync_warp": ("", "ptx::sync_warp();", ["bar.warp.sync 0xffffffff"]),
    # Barrier first, then how many threads.
    "sync_named": ("uint32_t a, uint32_t b", "ptx::sync_named(a, b);",
                   ["barrier.sync.aligned 0, 1"]),
    # Whole warps: no segments (0x1f), no lane left out.
    "shuffle_xor": ("uint32_t a, uint32_t b, uint32_t *out",
                    "*out = ptx::shuffle_xor(a, b);",
                    ["shfl.sync.bfly.b32 d0, 0, 1, 0x1f, 0xffffffff",
                     "out = d0"]),
    "shuffle_xor float": ("float a, uint32_t b, float *out",
                          "*out = ptx::shuffle_xor(a, b);",
                          ["shfl.sync.bfly.b32 d0, 0, 1, 0x1f, 0xffffffff",
                           "out = d0"]),
    "shuffle": ("uint32_t a, uint32_t b, uint32_t *out",
                "*out = ptx::shuffle(a, b);",
                ["shfl.sync.idx.b32 d0, 0, 1, 0x1f, 0xffffffff", "out = d0"]),
    "reduce_or": ("uint32_t a, uint32_t *out", "*out = ptx::reduce_or(a);",
                  ["redux.sync.or.b32 d0, 0, 0xffffffff", "out = d0"]),
    # Register i is of the matrix whose rows lanes 8i to 8i + 7 name.
    "ldmatrix_x4": ("uint32_t a, Of<uint32_t, 4> *out",
                    "uint32_t r[4]; ptx::ldmatrix_x4(r, a);" + OUT4,
                    ["ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                     "{d0, d1, d2, d3}, [0]"] + QUAD),
    "ldmatrix_x4_trans": ("uint32_t a, Of<uint32_t, 4> *out",
                          "uint32_t r[4]; ptx::ldmatrix_x4_trans(r, a);" + OUT4,
                          ["ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
                           "{d0, d1, d2, d3}, [0]"] + QUAD),
    "ldmatrix_x2": ("uint32_t a, Of<uint32_t, 2> *out",
                    "uint32_t r[2]; ptx::ldmatrix_x2(r, a);" + OUT2,
                    ["ldmatrix.sync.aligned.m8n8.x2.shared.b16 {d0, d1}, [0]",
                     "out = d0", "out+4 = d1"]),
    "ldmatrix_x2_trans": ("uint32_t a, Of<uint32_t, 2> *out",
                          "uint32_t r[2]; ptx::ldmatrix_x2_trans(r, a);" + OUT2,
                          ["ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 "
                           "{d0, d1}, [0]", "out = d0", "out+4 = d1"]),
    # a by rows, b by columns, both bf16; sums in fp32, in place.
    "mma_m16n8k16_bf16": (
        "Of<float, 4> d, Of<uint32_t, 4> a, Of<uint32_t, 2> b, "
        "Of<float, 4> *out",
        "ptx::mma_m16n8k16_bf16(d.v, a.v, b.v); *out = d;",
        ["mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
         "{0, 0+4, 0+8, 0+12}, {1, 1+4, 1+8, 1+12}, {2, 2+4}, "
         "{0, 0+4, 0+8, 0+12}",
         "out = 0", "out+4 = 0+4", "out+8 = 0+8", "out+12 = 0+12"]),
    # 16 bytes always arrive; the last operand says how many are read.
    "copy_async_16": ("uint32_t a, const void *b",
                      "ptx::copy_async_16(a, b, true);",
                      ["cp.async.cg.shared.global [0], [1], 16, 16"]),
    "copy_async_16 invalid": ("uint32_t a, const void *b",
                              "ptx::copy_async_16(a, b, false);",
                              ["cp.async.cg.shared.global [0], [1], 16, 0"]),
    "copy_commit": ("", "ptx::copy_commit();", ["cp.async.commit_group"]),
    "copy_wait": ("", "ptx::copy_wait<3>();", ["cp.async.wait_group 3"]),
    "bits_to_float": ("uint32_t a, float *out",
                      "*out = ptx::bits_to_float(a);", ["out = 0"]),
    "float_to_bits": ("float a, uint32_t *out",
                      "*out = ptx::float_to_bits(a);", ["out = 0"]),
    # The first operand is the high half.
    "pack_bf16": ("float a, float b, uint32_t *out",
                  "*out = ptx::pack_bf16(a, b);",
                  ["cvt.rn.bf16x2.f32 d0, 1, 0", "out = d0"]),
    "pack_f16": ("float a, float b, uint32_t *out",
                 "*out = ptx::pack_f16(a, b);",
                 ["cvt.rn.f16x2.f32 d0, 1, 0", "out = d0"]),
    "f16_to_float": ("uint32_t a, float *out", "*out = ptx::f16_to_float(a);",
                     ["cvt.f32.f16 d0, 0", "out = d0"]),
    "ex2_approx": ("float a, float *out", "*out = ptx::ex2_approx(a);",
                   ["ex2.approx.ftz.f32 d0, 0", "out = d0"]),
    "rcp_approx": ("float a, float *out", "*out = ptx::rcp_approx(a);",
                   ["rcp.approx.ftz.f32 d0, 0", "out = d0"]),
    "rsqrt_approx": ("float a, float *out", "*out = ptx::rsqrt_approx(a);",
                     ["rsqrt.approx.ftz.f32 d0, 0", "out = d0"]),
}

# No kernel overlaps another before 9.0.
FROM_90 = {
    "grid_wait": ("", "ptx::grid_wait();", ["griddepcontrol.wait"]),
    "grid_launch_dependents": ("", "ptx::grid_launch_dependents();",
                               ["griddepcontrol.launch_dependents"]),
}
BEFORE_90 = {name: (parameters, body, [])
             for name, (parameters, body, _) in FROM_90.items()}

# (header, what it is compiled for, what is expected of it)
HEADERS = [("ptx.cuh", "sm_80", {**EXPECTED, **BEFORE_90}),
           ("ptx.cuh", "sm_90", {**EXPECTED, **FROM_90}),
           ("ptx_hopper.cuh", "sm_90a", check_ptx_hopper.EXPECTED)]


def wrapper_names(text):
    """The functions of such a header."""
    return re.findall(r"__device__ __forceinline__ [^\n]+\n(\w+)\(",
                      strip_comments(text))


def entry(name):
    return "w_" + name.replace(" ", "_")


def source(header, wrappers):
    lines = [f"#include <{header}>",
             "template <class T, int N> struct Of { T v[N]; };"]
    for name, (parameters, body, _) in wrappers.items():
        lines.append(f'extern "C" __global__ void {entry(name)}({parameters}) '
                     f"{{ {body} }}")
    return "\n".join(lines) + "\n"


class Reader:
    """Follows the registers of one entry from its parameters on."""

    def __init__(self):
        self.values, self.lines, self.filled = {}, [], 0

    def operand(self, text):
        text = text.strip()
        m = re.fullmatch(r"\[(\S+?)(\+\d+)?\]", text)
        if m:
            return f"[{self.operand(m.group(1))}{m.group(2) or ''}]"
        if text in self.values:
            return self.values[text]
        if re.fullmatch(r"%(r|f|rd|rs|p|h)\d+", text):
            self.values[text] = f"d{self.filled}"
            self.filled += 1
            return self.values[text]
        return text

    def instruction(self, op, rest):
        """One that the compiler chose."""
        parts = [p.strip() for p in rest.split(",")]
        if op.startswith("ld.param"):
            m = re.search(r"_param_(\d+)(\+\d+)?\]", rest)
            targets = re.findall(r"%\w+", rest.split("[")[0])
            start = int(m.group(2) or 0)
            size = int(re.search(r"(\d+)$", op).group(1)) // 8
            for i, target in enumerate(targets):
                at = start + i * size
                self.values[target] = m.group(1) + (f"+{at}" if at else "")
        elif op.startswith("mov.") or op.startswith("cvta.to.global"):
            self.values[parts[0]] = self.operand(parts[1])
        elif op == "cvta.to.shared.u64":
            self.values[parts[0]] = f"cvta.to.shared({self.operand(parts[1])})"
        elif op.startswith("cvt.u32.u64"):
            self.values[parts[0]] = self.operand(parts[1])
        elif op.startswith("st.global"):
            m = re.match(r"\[(%\w+)(\+\d+)?\]", rest)
            size = int(re.search(r"(\d+)$", op).group(1)) // 8
            sources = re.findall(r"%[\w.]+", rest.split("]", 1)[1])
            for i, register in enumerate(sources):
                at = int(m.group(2) or 0) + i * size
                self.lines.append(f"out{f'+{at}' if at else ''} = "
                                  f"{self.operand(register)}")
        elif op != "ret":
            self.lines.append(f"unexpected: {op} {rest}")

    def assembly(self, text):
        """One of ours: its operands, by where they come from."""
        op, _, rest = text.rstrip(";").partition(" ")
        pieces = re.split(r"([{},\[\]\s]+)", rest)
        found = "".join(p if re.fullmatch(r"[{},\[\]\s]*", p)
                        else self.operand(p) for p in pieces)
        self.lines.append(f"{op} {found}".strip())


def read_entry(body):
    reader, inline = Reader(), False
    for line in body.splitlines():
        line = line.strip()
        if line.startswith("//"):
            inline = "begin inline asm" in line or \
                inline and "end inline asm" not in line
        elif inline and line:
            reader.assembly(line)
        elif line and not line.startswith((".", "{", "}", ")")):
            op, rest = line.rstrip("; }").split(None, 1) \
                if " " in line or "\t" in line else (line.rstrip("; }"), "")
            reader.instruction(op, rest.strip())
    return reader.lines


def compare(ptx, wrappers):
    """What differs between PTX and what is expected."""
    for name, (_, _, expected) in wrappers.items():
        m = re.search(rf"\.entry {entry(name)}\((.*?)\n\n\}}", ptx,
                      re.S)
        found = read_entry(m.group(1)[m.group(1).find("{") + 1:]) if m else []
        if found != expected:
            yield f"{name}: expected {expected}, found {found}"


def check_ptx(kernels, nvcc):
    nvcc = nvcc or shutil.which("nvcc")
    if not nvcc or not os.access(nvcc, os.X_OK):
        print("SKIPPED: no nvcc, so the PTX of the wrappers was not compared")
        return 77
    wrong, n = [], 0
    for header, architecture, wrappers in HEADERS:
        names = set(wrapper_names(open(os.path.join(kernels, header)).read()))
        wrong += [f"{name}: in one of {header} and what is expected only"
                  for name in sorted(names ^ {w.split()[0] for w in wrappers})]
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "wrappers.cu")
            open(file, "w").write(source(header, wrappers))
            subprocess.run([nvcc, "-std=c++17", f"-arch={architecture}",
                            "-fmad=false", "-I", kernels, "-ptx", file,
                            "-o", file + ".ptx"], check=True)
            wrong += compare(open(file + ".ptx").read(), wrappers)
        n += len(wrappers)
    return report(wrong, f"PTX of {n} wrappers")


def report(wrong, what):
    for line in wrong:
        print(line)
    print(f"{what}: {'%d wrong' % len(wrong) if wrong else 'as it should be'}")
    return 1 if wrong else 0


def check_lint(kernels):
    files = {f: open(os.path.join(kernels, f)).read()
             for f in os.listdir(kernels) if f.endswith((".cu", ".cuh", ".h"))}
    return report(list(lint(files)), f"{len(files)} files of kernels")


KERNEL = "namespace\n{\n__global__ void __launch_bounds__(f(1), 2)\nk()\n{\n}\n}\n"
MISTAKES = {  # a source and a word of the complaint it must cause
    "asm(\"ldmatrix.sync [%0];\" : : \"r\"(x) : \"memory\");": "not volatile",
    "asm volatile(\"cp.async.commit_group;\");": "clobber",
    "asm volatile(\"barrier.sync 0;\" ::\"r\"(memory));": "clobber",
    "asm(\"mma.sync %0;\" : \"+f\"(x));": "not volatile",
    "asm volatile(\"bra.uni wait;\" ::: \"memory\");": "bra.uni",
}
MISTAKES_ELSEWHERE = {
    "asm volatile(\"bar.sync 0;\" ::: \"memory\");": "outside",
    "#ifdef __CUDA_ARCH__\n#endif": "compiled for",
    "kernel<<<1, 2>>>();": "<<<",
    "double x;": "double",
    "float x = 0.5;": "is a double",
    "float x = y * 1e-6;": "is a double",
    "__global__ void\nk(const CUtensorMap a)\n{\n}": "grid_constant",
    "__global__ void\nk(int i, __grid_constant__ CUtensorMap a)\n{\n}":
        "grid_constant",
    "__global__ void\nk(int i)\n{\n}": "without __launch_bounds__",
    "__global__ __launch_bounds__(1, 2) void\nk()\n{\n}":
        "without __launch_bounds__",
    "__global__ void __launch_bounds__(THREADS) k()\n{\n}": "minimum blocks",
    "__global__ void __launch_bounds__(f(1, 2)) k()\n{\n}": "minimum blocks",
    "namespace\n{\n}": "ends with None",
    "namespace\n{\n}\nint x;": "no function of C",
    "namespace\n{\n}\nextern \"C\" cudaError_t\noriel_cuda_a()\n{\n}\nint x;":
        "no function of C",
    f"{KERNEL}extern \"C\" cudaError_t\noriel_cuda_a_prepare()\n{{\n}}":
        "not with a launcher of a",
    f"{KERNEL}extern \"C\" cudaError_t\noriel_cuda_b()\n{{\n}}":
        "not with a launcher of a",
}
FINE = """namespace
{
__global__ void __launch_bounds__(f(1), N <= 80 ? 2 : 1)
    kernel(int x, const __grid_constant__ CUtensorMap map)
{
}
}

extern "C" cudaError_t
oriel_cuda_a_prepare(void)
{
    return prepare({});
}

extern "C" cudaError_t
oriel_cuda_a(const args *a, cudaStream_t stream)
{
    if (a) {
    }
    return launch(kernel);
}
"""


def check_self():
    wrong = []
    for name, mistakes in (("ptx.cuh", MISTAKES), ("a.cu", MISTAKES_ELSEWHERE)):
        for text, word in mistakes.items():
            if not any(word in line for line in lint({name: text})):
                wrong.append(f"not seen in {name}: {text}")
    fine = "asm(\"cvt.rn.f32 %0;\"); x = 0.5f * 0x1p-3f + v.x; /* double */"
    wrong += [f"seen in vain: {line}"
              for line in lint({"ptx.cuh": fine, "a.cu": FINE})]
    swapped = (".visible .entry w_pack_bf16(\n)\n{\n"
               "ld.param.f32 \t%f1, [w_param_0];\nld.param.f32 "
               "\t%f2, [w_param_1];\n// begin inline asm\n"
               "cvt.rn.bf16x2.f32 %r1, %f1, %f2;\n// end inline asm\n"
               "st.global.u32 \t[%rd1], %r1;\nret;\n\n}\n")
    said = [l for l in compare(swapped, EXPECTED) if l.startswith("pack_bf16")]
    right = [l for l in compare(swapped.replace("%f1, %f2", "%f2, %f1"),
                                EXPECTED)
             if l.startswith("pack_bf16")]
    if not said or right:
        wrong.append(f"swapped halves: {said}, and right ones: {right}")
    return report(wrong, "the checks")


def main():
    if sys.argv[1:] == ["self"]:
        return check_self()
    if len(sys.argv) == 3 and sys.argv[1] == "lint":
        return check_lint(sys.argv[2])
    if len(sys.argv) in (3, 4) and sys.argv[1] == "ptx":
        return check_ptx(sys.argv[2], *sys.argv[3:] or [None])
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
