# SPDX-License-Identifier: Apache-2.0
"""Clocks of a kernel's main loop, counted in its machine code.

Used by resources.py, which keeps the table, and by bench/model.py, which reads
it.  What is counted: the loop (the code between a branch backwards and its
target) with the most mma among those that meet at a barrier; a loop inside of it
counts once.  A kernel without such a loop is counted as a whole.  Of branches every
path is counted.  A wgmma of N columns is N / 8 mma.m16n8k16 of each of its four
warps; kernels with wgmma are counted by the innermost loop of the warps that
multiply, and of the warpgroup that copies only the bytes that it brings count.  A
kernel's budget is three counts of clocks that a multiprocessor needs for one step of
one block:

  tensor   each mma.m16n8k16 of each warp, at the rate of the architecture
  shared   bytes through shared memory at 128 a clock: ldmatrix, loads, stores
           and what cp.async and tensor copies write; what each warpgroup's wgmma
           reads of its operands there; bank conflicts are not in it
  issue    instructions of all warps that multiply, four a clock

The largest binds.  What only memory or latency costs is in none of them.
"""
import collections
import re
import subprocess

# Clocks of a multiprocessor for one mma.m16n8k16 (2,048 multiply-adds).  sm_80:
# 1,024 multiply-adds a clock (A100's 312 TFLOP/s).  sm_90a: mma.sync reaches 62 %
# of the 2,048 that wgmma has (measured by others: arXiv:2402.13499).
MMA_CLOCKS = {"80": 2.0, "90a": 1 / 0.62}
WGMMA_MMA_CLOCKS = 1.0  # of an mma's share of a wgmma: m64nNk16 takes N / 2
MMA_FLOPS = 2 * 16 * 8 * 16
SHARED_BYTES, ISSUED, LANES = 128, 4, 32
GROUP_WARPS = 4
NAME_WIDTH = 35

HEAD = """\
# The main loop of each kernel, counted in its machine code by kernels/budgets.py:
# warps of a block that multiply, mma.m16n8k16 of a warp (a wgmma of N columns is
# N / 8 of them), and the clocks that a multiprocessor needs for a step of one block:
# tensor cores / shared memory / issue, and which of them is the most (t, s, i);
# - where it is not compiled.  "whole": there is no such loop, and all code counts
# once.  Of branches every path is counted, of a loop inside one turn, so issue may
# be more or less than what runs.
"""

Budget = collections.namedtuple("Budget", "kind warps mma tensor shared issue")


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


def wgmma_columns(instruction):
    """Of HGMMA.64xNx16; 0 of any other instruction."""
    found = re.match(r"HGMMA\.64x(\d+)x16\.", opcode(instruction))
    return int(found[1]) if found else 0


def mma_of(code):
    return sum(opcode(c).startswith("HMMA.16816") + wgmma_columns(c) // 8
               for c in code)


def by_wgmma(code):
    return any(map(wgmma_columns, code))


def main_loop(body):
    """"loop" or "whole", and the code."""
    found = [code for code in loops(body) if mma_of(code)]
    if any(map(by_wgmma, found)):
        # A wait's second try lies after the end and branches back: no loop.
        return "loop", min((code for code in found if not any(
            opcode(c) == "EXIT" for c in code)), key=len)
    meets = [code for code in found if any("BAR" in opcode(c) for c in code)]
    if meets:
        return "loop", max(meets, key=lambda code: (mma_of(code), -len(code)))
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


def wgmma_bytes(instruction):
    """Of a warpgroup, from shared memory: 64 rows of a and N of b, 16 deep; a may
    be in registers instead."""
    columns = wgmma_columns(instruction)
    operands = instruction.split(", ")[1:2]
    if not columns:
        return 0
    return columns * 32 + (2048 if operands[0].startswith("gdesc") else 0)


def copied_bytes(ptx):
    """What the innermost loop of a kernel's tensor copies expects; 0: none."""
    lines = [line.strip() for line in ptx.splitlines()]
    labels = {line[:-1]: at for at, line in enumerate(lines)
              if re.match(r"\$L\w+:$", line)}
    values = dict(re.findall(r"mov\.[bu]32\s+(%r\d+), (\d+);", ptx))
    found = []
    for at, line in enumerate(lines):
        target = re.search(r"\bbra(?:\.uni)?\s+(\$L\w+);", line)
        code = lines[labels.get(target[1], at):at] if target else []
        expected = [re.search(r", (%r\d+);", c)[1] for c in code
                    if "mbarrier.arrive.expect_tx" in c]
        if expected:
            found.append((len(code), [int(values[e]) for e in expected]))
    return sum(min(found)[1]) if found else 0


def multiplying(threads, code):
    """Warps; with wgmma the last warpgroup copies."""
    return threads // LANES - (GROUP_WARPS if by_wgmma(code) else 0)


def count(body, threads, arch, copied=0):
    """'copied': bytes that tensor copies bring for a step."""
    kind, code = main_loop(body)
    mma, warps = mma_of(code), multiplying(threads, code)
    clocks = WGMMA_MMA_CLOCKS if by_wgmma(code) else MMA_CLOCKS[arch]
    through = sum(map(shared_bytes, code)) * warps + copied + \
        sum(map(wgmma_bytes, code)) * warps // GROUP_WARPS
    return Budget(kind, warps, mma, mma * warps * clocks,
                  through / SHARED_BYTES, len(code) * warps / ISSUED)


def binds(budget):
    """"t", "s" or "i"."""
    return max(zip(budget[3:], "tsi"))[1]


def disassemble(nvdisasm, cubin):
    return subprocess.run([nvdisasm, "-c", str(cubin)], check=True,
                          capture_output=True, text=True).stdout


def render(bodies, threads, copied, names):
    """The table; bodies: {(symbol, architecture): its code}, the others by
    symbol."""
    lines = [HEAD.rstrip("\n"),
             f"{'kernel':{NAME_WIDTH}}{'step':>7}{'warps':>7}{'mma':>5}" +
             "".join(f"{'sm_' + a:>24}" for a in MMA_CLOCKS)]
    for symbol in sorted(names, key=names.get):
        each = {arch: count(bodies[symbol, arch], threads[symbol], arch,
                            copied[symbol])
                for arch in MMA_CLOCKS if (symbol, arch) in bodies}
        cells = [f"{b.tensor:.0f} / {b.shared:.0f} / {b.issue:.0f} {binds(b)}"
                 if b else "-" for b in map(each.get, MMA_CLOCKS)]
        last = each[max(each)]
        lines.append(f"{names[symbol]:{NAME_WIDTH}}{last.kind:>7}"
                     f"{last.warps:>7}{last.mma:>5}" +
                     "".join(f"{c:>24}" for c in cells))
    return "\n".join(lines) + "\n"


def read(table, arch):
    """{kernel: Budget} of the text of resources.txt; without those that are not
    for the architecture."""
    column = list(MMA_CLOCKS).index(arch)
    made = {}
    for line in table[table.index(HEAD) + len(HEAD):].splitlines()[1:]:
        name, kind, warps, mma, *rest = line.split()
        clocks = re.findall(r"(\d+) / (\d+) / (\d+) \w|-", " ".join(rest))
        if clocks[column][0]:
            made[name] = Budget(kind, int(warps), int(mma),
                                *map(int, clocks[column]))
    return made


def sentence(each):
    """What a kernel's head says: {architecture: Budget} to lines."""
    if not any(budget.mma for budget in each.values()):
        return ["memory binds: there is no product."]
    return ["clocks a step, tensor / shared / issue (resources.txt):",
            ", ".join(f"{b.tensor} / {b.shared} / {b.issue} on sm_{arch}"
                      for arch, b in each.items()) + "."]
