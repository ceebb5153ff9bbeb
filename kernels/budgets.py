# SPDX-License-Identifier: Apache-2.0
"""Clocks of a kernel's main loop, counted in its machine code.

Used by resources.py, which keeps the table, and by bench/model.py, which reads
it.  What is counted: the loop (the code between a branch backwards and its
target) with the most mma among those that meet at a barrier; a loop inside of it
counts once.  A kernel without such a loop is counted as a whole.  Of branches every
path is counted.  A kernel's budget is three counts of clocks that a
multiprocessor needs for one step of one block:

  tensor   each mma.m16n8k16 of each warp, at the rate of the architecture
  shared   bytes through shared memory at 128 a clock: ldmatrix, loads, stores
           and what cp.async writes; bank conflicts are not in it
  issue    instructions of all warps, four a clock

The largest binds.  What only memory or latency costs is in none of them.
"""
import collections
import re
import subprocess

# Clocks of a multiprocessor for one mma.m16n8k16 (2,048 multiply-adds).  sm_80:
# 1,024 multiply-adds a clock (A100's 312 TFLOP/s).  sm_90a: mma.sync reaches 62 %
# of the 2,048 that wgmma has (measured by others: arXiv:2402.13499).
MMA_CLOCKS = {"80": 2.0, "90a": 1 / 0.62}
MMA_FLOPS = 2 * 16 * 8 * 16
SHARED_BYTES, ISSUED, LANES = 128, 4, 32

HEAD = """\
# The main loop of each kernel, counted in its machine code by kernels/budgets.py:
# warps of a block, mma.m16n8k16 of a warp, and the clocks that a multiprocessor
# needs for a step of one block: tensor cores / shared memory / issue, and which of
# them is the most (t, s, i).  "whole": there is no such loop, and all code counts
# once.  Of branches every path is counted, of a loop inside one turn, so issue may
# be more or less than what runs.
"""

Budget = collections.namedtuple("Budget", "kind mma tensor shared issue")


def parse(text):
    """{symbol: [(label or None, instruction or None), ...]} of nvdisasm -c."""
    found, body = {}, None
    for line in text.splitlines():
        if line.startswith("\t.section\t.text."):
            body = None
        elif symbol := re.match(r"^(\w+):$", line):
            body = found.setdefault(symbol[1], [])
        elif body is None:
            continue
        elif label := re.match(r"^(\.L_x?_?\w+):", line):
            body.append((label[1], None))
        elif code := re.match(r"^\s+/\*[0-9a-f]+\*/\s+(.*?)\s*;", line):
            body.append((None, code[1]))
    return {symbol: body for symbol, body in found.items() if body}


def opcode(instruction):
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0]


def loops(body):
    """The code of every loop."""
    labels = {label: at for at, (label, _) in enumerate(body) if label}
    for at, (_, code) in enumerate(body):
        target = code and re.search(r"\bBRA\b.*`\((\.L\w+)\)", code)
        if target and labels.get(target[1], at) < at - 1:
            yield [c for _, c in body[labels[target[1]]:at + 1] if c]


def mma_of(code):
    return sum(opcode(c).startswith("HMMA.16816") for c in code)


def main_loop(body):
    """"loop" or "whole", and the code."""
    found = [code for code in loops(body)
             if mma_of(code) and any("BAR" in opcode(c) for c in code)]
    if found:
        return "loop", max(found, key=lambda code: (mma_of(code), -len(code)))
    return "whole", [code for _, code in body if code and code != "BRA"]


def shared_bytes(instruction):
    """Of a warp, through shared memory."""
    name = opcode(instruction)
    if name.startswith("LDSM"):
        return LANES * 4 * int(name[-1] if name[-1] in "124" else 1)
    if not re.match(r"(LDS|STS|LDGSTS|ATOMS)\b", name):
        return 0
    width = 16 if ".128" in name else 8 if ".64" in name else 4
    return LANES * width


def count(body, warps, arch):
    kind, code = main_loop(body)
    mma = mma_of(code)
    return Budget(kind, mma, mma * warps * MMA_CLOCKS[arch],
                  sum(map(shared_bytes, code)) * warps / SHARED_BYTES,
                  len(code) * warps / ISSUED)


def binds(budget):
    """"t", "s" or "i"."""
    return max(zip(budget[2:], "tsi"))[1]


def disassemble(nvdisasm, cubin):
    return subprocess.run([nvdisasm, "-c", str(cubin)], check=True,
                          capture_output=True, text=True).stdout


def render(bodies, threads, short):
    """The table; bodies: {(symbol, architecture): its code}."""
    lines = [HEAD.rstrip("\n"),
             f"{'kernel':28}{'step':>7}{'warps':>7}{'mma':>5}" +
             "".join(f"{'sm_' + a:>24}" for a in MMA_CLOCKS)]
    for symbol in sorted(threads, key=short.get):
        warps = threads[symbol] // LANES
        each = [count(bodies[symbol, arch], warps, arch)
                for arch in MMA_CLOCKS]
        cells = [f"{b.tensor:.0f} / {b.shared:.0f} / {b.issue:.0f} {binds(b)}"
                 for b in each]
        lines.append(f"{short[symbol]:28}{each[-1].kind:>7}{warps:>7}"
                     f"{each[-1].mma:>5}" + "".join(f"{c:>24}" for c in cells))
    return "\n".join(lines) + "\n"


def read(table, arch):
    """{kernel: (warps, Budget)} of the text of resources.txt."""
    column = list(MMA_CLOCKS).index(arch)
    made = {}
    for line in table[table.index(HEAD) + len(HEAD):].splitlines()[1:]:
        name, kind, warps, mma, *rest = line.split()
        clocks = re.findall(r"(\d+) / (\d+) / (\d+) \w", " ".join(rest))
        made[name] = (int(warps), Budget(kind, int(mma),
                                         *map(int, clocks[column])))
    return made


NAMES = {"t": "tensor cores", "s": "shared memory", "i": "issue"}


def sentence(each):
    """What a kernel's head says: {architecture: Budget} to one line."""
    if not any(budget.mma for budget in each.values()):
        return "memory binds: there is no product."
    by = {}
    for arch, budget in each.items():
        by.setdefault(NAMES[binds(budget)], []).append("sm_" + arch)
    return ", ".join(f"{name} on {' and '.join(where)}"
                     for name, where in by.items()) + " (resources.txt)."
