# SPDX-License-Identifier: Apache-2.0
"""The mutants of a kernel file: where each stands, and what it puts there.

Operators become calls on a proxy of the same precedence, literals a choice,
conditions and statements are wrapped; the numbers in them are the switches of
mutate_support.py.  The sources are formatted: binary operators stand between
blanks, template arguments do not.
"""
import collections
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
KERNELS = os.path.join(ROOT, "kernels")
# The seam itself: check_ptx.py and tests/sim/mma_desc_tables.cu hold it.
SKIPPED = {"ptx.cuh", "ptx_hopper.cuh", "mma_desc.cuh", "launch.cuh"}

OPERATORS = {"+": ("Plus", "-"), "-": ("Minus", "+"), "*": ("Times", "+"),
             "/": ("Over", "%"), "%": ("Modulo", "/"), "&": ("And", None),
             "|": ("Or", None), "^": ("Xor", None), "<<": ("Left", ">>"),
             ">>": ("Right", "<<"), "<": ("Less", "<="),
             "<=": ("LessEqual", "<"), ">": ("Greater", ">="),
             ">=": ("GreaterEqual", ">"), "==": ("Equal", "!="),
             "!=": ("Unequal", "==")}
# What an instruction is for, where deleting it is no mistake of values alone.
KINDS = {"sync": r"sync_\w+|mbarrier_\w+|fence_\w+|wgmma_(?:fence|commit|wait|hold)"
                 r"|registers_\w+",
         "copy": r"copy_\w+|tensor_load_\w+"}
COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}


class Mutant:
    """edits: (start, end, text) with start == end for what is put between;
    plain: the same mistake without a switch."""

    def __init__(self, file, start, end, kind, before, after):
        self.file, self.start, self.end = file, start, end
        self.kind, self.before, self.after = kind, before, after
        self.edits, self.plain, self.id, self.name = [], [], None, None


def blank(text, pattern, flags=0):
    """The same text with what matches replaced by spaces."""
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text,
                  flags=flags)


def closing(text, at):
    """Where the bracket that opens at 'at' closes."""
    pairs, depth = {"(": ")", "{": "}", "[": "]"}, 0
    for i in range(at, len(text)):
        if text[i] in pairs:
            depth += 1
        elif text[i] in pairs.values():
            depth -= 1
            if depth == 0:
                return i
    raise ValueError("unbalanced")


def split_top(text, start, end, separator):
    """(start, end) of the parts of text[start:end] between separators that no
    bracket encloses, stripped."""
    parts, depth, at = [], 0, start
    i = start
    while i < end:
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(separator, i):
            parts.append((at, i))
            i += len(separator) - 1
            at = i + 1
        i += 1
    parts.append((at, end))
    return [(a + len(text[a:b]) - len(text[a:b].lstrip()),
             b - len(text[a:b]) + len(text[a:b].rstrip())) for a, b in parts]


def device_bodies(code):
    """(start, end, constant) of the bodies of functions that run on the GPU."""
    for m in re.finditer(r"__(?:device|global)__", code):
        semicolon, brace = code.find(";", m.end()), code.find("{", m.end())
        if brace < 0 or 0 <= semicolon < brace:
            continue
        yield brace + 1, closing(code, brace), \
            "constexpr" in code[m.end():brace]


def statements(code, start, end):
    """Expression statements: (start, end), the semicolon included."""
    i = start
    while i < end:
        stop = i
        while stop < end and not (code[stop] in ";}" or code[stop] == "{" and
                                  not code[stop - 1].isalnum()):
            # What is in brackets, 'for (;;)' and values{...}, has none.
            stop = (closing(code, stop) if code[stop] in "({" else stop) + 1
        begin = i
        while True:
            text = code[begin:stop]
            begin += len(text) - len(text.lstrip())
            text = text.lstrip()
            head = re.match(r"(if|for|while) \(", text)
            if head:
                begin = closing(code, begin + head.end() - 1) + 1
            elif re.match(r"else\b", text):
                begin += 4
            else:
                break
        declaration = re.match(
            r"(const|constexpr|using|struct|static|typename|decltype|return|break|"
            r"continue|extern)\b|[\w:]+(<[\w:, ]+>)? [*&]?(const )?\w+( =|;|\[|\{|\(|$)",
            text)
        if stop < end and code[stop] == ";" and text and not declaration:
            yield begin, stop + 1
        i = stop + 1


def bump(value, before):
    """Another integer for a literal; 'before' is what stands before it."""
    if before.endswith("& "):
        return {15: 7, 7: 15, 1: 3}.get(value)
    return value ^ 1


def generate(file):
    text = open(os.path.join(KERNELS, file)).read()
    code = blank(text, r"/\*.*?\*/", re.S)
    code = blank(code, r"^#.*$", re.M)
    mutants = []

    def add(kind, start, end, before, after):
        m = Mutant(file, start, end, kind, " ".join(before.split()),
                   " ".join(after.split()))
        mutants.append(m)
        return m

    def replace(kind, start, end, switched, plain):
        m = add(kind, start, end, text[start:end], plain)
        m.edits, m.plain = [(start, end, switched)], [(start, end, plain)]
        return m

    def wrap(kind, start, end, opener, closer, after, plain):
        m = add(kind, start, end, text[start:end], after)
        m.edits = [(start, start, opener), (end, end, closer)]
        m.plain = [(start, end, plain)]
        return m

    seen = set()
    for start, end, constant in device_bodies(code):
        if start in seen:
            continue
        seen.add(start)
        first = len(mutants)
        body = code[:end]
        # Template arguments, sizes of arrays and constants take no switch.
        body = blank(body, r"(?<=\w)<[^<>;{}]*?>(?=[\(\[{>, ])")
        body = blank(body, r"\b(?:float|uint32_t) \w+(?:\[[^\]]*\])+"
                           r"(?:, \w+(?:\[[^\]]*\])+)*;")
        body = blank(body, r"\b(?:float|uint32_t|int32_t) \(?&?\w+\)?"
                           r"(?:\[[^\]]*\])+")
        body = blank(body, r"\b\w+(?:\[[^\]]*\])+(?= = \{)")
        body = blank(body, r"using \w+ = [^;]*;")

        for s, e in statements(code, start, end):
            plain = text[s:e]
            if re.match(r"ptx::(wgmma_hold|registers_up)\b", plain):
                continue  # for ptxas, which says C75xx or spills without it
            kind = "statement"
            for kind_, names in KINDS.items():
                if re.match(rf"ptx::(?:{names})\b", plain):
                    kind = kind_
            wrap(kind, s, e, "{ if (!oriel_mutant_on(@)) ", " }", "deleted",
                 ";")
            variants = []
            if re.search(r"copy_wait<|wgmma_wait<", plain):
                variants.append((kind, re.sub(r"<([^>]*)>", r"<(\1) + 1>",
                                              plain)))
            turned = re.match(r"ptx::wgmma_[rs]s<", plain)
            for m in re.finditer(r"\b(true|false)\b", plain) if turned else []:
                if m.start() < plain.index(">("):
                    other = {"true": "false", "false": "true"}[m.group()]
                    variants.append(("fragment", plain[:m.start()] + other +
                                     plain[m.end():]))
            if "ldmatrix_x4_trans" in plain:
                variants.append(("fragment", plain.replace("_trans", "")))
            elif "ldmatrix_x4" in plain:
                variants.append(("fragment",
                                 plain.replace("_x4", "_x4_trans")))
            if re.match(r"ptx::mma", plain):
                for a, b in (("even", "odd"), ("odd", "even")):
                    if re.search(rf"\b{a}\b", plain):
                        variants.append(("fragment",
                                         re.sub(rf"\b{a}\b", b, plain)))
            if re.search(r",\s*inside\)", plain):
                variants.append(("zero-fill", re.sub(r",\s*inside\)", ", true)",
                                                     plain)))
            for kind, variant in variants:
                m = wrap(kind, s, e, "{ if (oriel_mutant_on(@)) { " + variant +
                         " } else ", " }", variant, variant)

        for m in re.finditer(r"\bif \(", body[start:end]):
            open_ = start + m.end() - 1
            s, e = open_ + 1, closing(code, open_)
            wrap("condition", s, e, "oriel_mutant_on(@) || (", ")", "true",
                 "true")
            wrap("condition", s, e, "!oriel_mutant_on(@) && (", ")", "false",
                 "false")
            parts = split_top(code, s, e, "&&")
            for a, b in parts if len(parts) > 1 else []:
                wrap("condition", a, b, "(oriel_mutant_on(@) || (", "))",
                     "true", "true")
        for m in re.finditer(r"const bool inside = ([^;]*);", body[start:end]):
            for a, b in split_top(code, start + m.start(1), start + m.end(1),
                                  "&&"):
                wrap("condition", a, b, "(oriel_mutant_on(@) || (", "))",
                     "true", "true")
        for m in re.finditer(r"(?<![\w.\])])([a-z][\w.]*(?:\[\w+\])?)\s+\?\s",
                             body[start:end]):
            s, e = start + m.start(1), start + m.end(1)
            if not re.search(r"[=(,{;:]\s*$|return\s*$", body[:s]) or \
                    re.search(r"[<>=!]=\s*$", body[:s]):
                continue
            wrap("condition", s, e, "(oriel_mutant_on(@) != (bool)(", "))",
                 "!" + text[s:e], "!" + text[s:e])

        for m in re.finditer(r"(?<= )(<<|>>|<=|>=|==|!=|[-+*/%&|^<>])(?=[ \n])",
                             body[start:end]):
            s, e = start + m.start(), start + m.end()
            name, other = OPERATORS[m.group()]
            kind = "comparison" if m.group() in COMPARISONS else "operator"
            r = replace(kind, s, e, f"{m.group()} mutant::{name}{{@}} "
                        f"{m.group()}", other or "dropped")
            if other is None:  # the left side alone
                r.plain = [(s, e, "+ 0 *")]
            line = text[text.rfind("\n", 0, s) + 1:text.find("\n", s)]
            r.before = line.strip()
        for m in re.finditer(r"(?<![\w.'])(\d+)(u?)(?![\w.'])",
                             body[start:end]):
            s, e = start + m.start(), start + m.end()
            other = bump(int(m.group(1)), body[:s])
            outer = text[text.rfind("\n", 0, s) + 1:text.find("\n", s)].strip()
            if other is not None:
                r = replace("literal", s, e,
                            f"(oriel_mutant_on(@) ? {other}{m.group(2)} : "
                            f"{m.group()})", f"{other}{m.group(2)}")
                r.before = f"{m.group()} in {outer}"
            if body[:s].endswith("+ ") and int(m.group(1)) > 1:
                r = wrap("literal", s, e, "(oriel_mutant_on(@) ? 0 : ", ")",
                         "0", "0")
                r.before = f"{m.group()} in {outer}"
        for m in re.finditer(r"(?:= |return |pack_bf16|pack_f16)([{(])",
                             body[start:end]):
            open_ = start + m.end() - 1
            parts = split_top(code, open_ + 1, closing(code, open_), ",")
            if len(parts) < 2 or not all(a < b for a, b in parts) or \
                    (m.group(1) == "(" and "pack" not in m.group()):
                continue
            for (a, b), (c, d) in zip(parts, parts[1:]):
                if text[a:b] == text[c:d]:
                    continue
                x = add("swap", a, d, text[a:d],
                        text[c:d] + ", " + text[a:b])
                x.edits = [(a, a, f"(oriel_mutant_on(@) ? ({text[c:d]}) : ("),
                           (b, b, "))"),
                           (c, c, f"(oriel_mutant_on(@) ? ({text[a:b]}) : ("),
                           (d, d, "))")]
                x.plain = [(a, d, text[c:d] + ", " + text[a:b])]
        for m in mutants[first:]:
            m.alone = constant or "constexpr" in code[
                max(code.rfind(";", 0, m.start), code.rfind("{", 0, m.start)):
                m.start]
    names = collections.Counter()
    for m in mutants:
        line = text.count("\n", 0, m.start) + 1
        m.line = line
        key = f"{file}: {m.kind}: {m.before} -> {m.after}"
        names[key] += 1
        m.name = f"{key} #{names[key]}"
    return text, mutants


def apply(text, edits):
    """Nested insertions: at one place closers first, wide openers outside."""
    spans = []
    for m_start, m_end, start, end, new in edits:
        opener = start == end == m_start
        closer = start == end == m_end
        rank = (0, -m_start) if closer and not opener else (1, -m_end) \
            if start == end else (2, 0)
        spans.append((start, rank, end, new))
    spans.sort(key=lambda s: (s[0], s[1]))
    out, at = [], 0
    for start, _, end, new in spans:
        out.append(text[at:start])
        out.append(new)
        at = max(at, end)
    out.append(text[at:])
    return "".join(out)


def switched(text, mutants):
    """The text with every mutant in it, each under its switch."""
    edits = []
    for m in mutants:
        for n, (start, end, new) in enumerate(m.edits):
            new = new.replace("@", str(m.id))
            if start == end:  # an opener and its closer, two by two
                first = n - n % 2
                edits.append((m.edits[first][0], m.edits[first + 1][0],
                              start, end, new))
            else:
                edits.append((start, end, start, end, new))
    return apply(text, edits)
