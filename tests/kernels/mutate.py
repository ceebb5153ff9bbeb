#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generate mistakes in the kernels and count how many the tests catch.

    tests/kernels/mutate.py BUILD [--family NAME] [--only KERNEL] [--limit N]
                            [--seconds S] [--results FILE] [--table FILE]

BUILD is a configured build folder whose sim_* tests are built.  No mutant is
chosen by hand: every place of the device code that matches a kind gives one.

All mutants of a file are compiled at once; a number in the environment says
which one is alive.  A first run without any says which tests reach which mutant
and what they take, so each meets only tests that execute it, the quick ones
first.  What stands where C++ wants a constant is compiled alone.  A mutant is
killed when a test fails, crashes or takes twice the processor time of the
original.

Results go to FILE, one JSON line a mutant; mutants that are there already are
not run again, so a run may be cut and goes on.  The reasons why a survivor
changes nothing are in REASONS.

The kernels of a family are mutated together: those for every GPU, or those of
sm_90a, which have programs and a table of their own.
"""
import argparse
import atexit
import collections
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from mutate_generate import KERNELS, SKIPPED, apply, generate, switched
from mutate_reasons import known as known_of
from mutate_reasons import reason
from mutate_support import SUPPORT, SUPPORT_HEADER

# Of several kernels: they meet what the kernel's own program let live.
OVER_ALL = ["far", "attention"]
# These take long and see no value that the others do not, or launch nothing.
LEFT_OUT = ["attention_long", "counters", "invariance", "refusals"]
HERE = os.path.dirname(os.path.abspath(__file__))
OWN = sorted(f[len("test_"):-len(".c")] for f in os.listdir(HERE)
             if re.fullmatch(r"test_.+\.c", f))
# What is mutated together: the names of its files, of each program the names of the
# kernels that it launches, and the program that counts accesses, or None.  What that
# one counts depends on what the compiler makes of a kernel, so it meets a mutant
# without any switch, at the level of the build.
Family = collections.namedtuple("Family", "files programs counting")
FAMILIES = {
    "own": Family(r"(?!hopper_).*", {
        **{p: p for p in OWN if p not in OVER_ALL + LEFT_OUT},
        **{p: ".*" for p in OVER_ALL}}, "counters"),
    "hopper": Family(r"hopper_.*|tile_order", {
        "hopper_full_attention": "hopper_full_attention",
        "hopper_products": "hopper_linear.*"}, None),
}


# One turn of a test, the processor seconds it takes, and which mutants it reaches.
Unit = collections.namedtuple("Unit", "program test seconds reached")


class Build:
    def __init__(self, build, folder, family):
        self.build, self.folder, self.family = build, folder, family
        self.commands = subprocess.run(
            ["ninja", "-t", "commands"] + [
                f"bin/test_sim_{p}" for p in
                self.programs() + [family.counting] if p],
            cwd=build, capture_output=True, text=True, check=True).stdout
        self.base = os.path.join(folder, "kernels")
        shutil.copytree(KERNELS, self.base, dirs_exist_ok=True)
        for file in os.listdir(self.base):
            if file.endswith((".cu", ".cuh")):
                self.write(file, open(os.path.join(KERNELS, file)).read())
        open(os.path.join(folder, "mutant.hpp"), "w").write(SUPPORT_HEADER)
        open(os.path.join(folder, "support.cpp"), "w").write(SUPPORT)
        subprocess.run(["g++", "-O2", "-c", "support.cpp"], cwd=folder,
                       check=True)

    def write(self, file, text):
        """A function with two callers would join their loops: the simulator asks
        of each meeting of lanes how often each went round."""
        open(os.path.join(self.base, file), "w").write(text.replace(
            "__forceinline__", "inline __attribute__((always_inline))"))

    def programs(self):
        return [p for p in self.family.programs if os.path.exists(
            os.path.join(self.build, "bin", "test_sim_" + p))]

    def launches(self, program, kernels):
        """Whether a program launches one of these kernels."""
        return any(re.fullmatch(self.family.programs[program], k)
                   for k in kernels)

    def compile(self, kernel, objects, level="-O1"):
        """The object of one .cu; what g++ said."""
        line = next(l for l in self.commands.splitlines()
                    if l.endswith(f"/kernels/{kernel}.cu") and " -c " in l)
        out = os.path.join(objects, kernel + ".o")
        line = line.replace(KERNELS, self.base)
        line = re.sub(r" -o \S+", f" -o {out}", line)
        line = re.sub(r"-M[DTF]+( \S+\.o(\.d)?)?", "", line)
        line = re.sub(r" -O[23]", "", line) + \
            f" {level} -w -include {self.folder}/mutant.hpp"
        done = subprocess.run(line, shell=True, cwd=self.build,
                              capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stderr

    def alone(self, mutant, texts, kernels, level="-O1"):
        """A folder with the objects that this mutant changes, written into the
        sources; None where they do not compile."""
        objects = os.path.join(self.folder, "alone")
        shutil.rmtree(objects, ignore_errors=True)
        os.makedirs(objects)
        for file, text in texts.items():
            edits = [(a, b, a, b, t) for a, b, t in mutant.plain] \
                if file == mutant.file else []
            self.write(file, apply(text, edits))
        for k in users(mutant.file, kernels, texts):
            if self.compile(k, objects, level):
                return None
        return objects

    def link(self, program, objects, fallback):
        line = [l for l in self.commands.splitlines()
                if f"-o bin/test_sim_{program} " in l][-1]
        out = os.path.join(objects, "test_" + program)

        def ours(m):
            for place in (objects, fallback):
                path = os.path.join(place, m.group(1) + ".o")
                if os.path.exists(path):
                    return path
            return m.group()

        line = re.sub(r"\S*oriel_sim_kernels\.dir\S*/kernels/(\w+)\.cu\.o",
                      ours, line)
        line = line.replace(f"-o bin/test_sim_{program} ",
                            f"-Wl,--wrap=_ck_assert_failed "
                            f"-Wl,--wrap=_tcase_add_test "
                            f"{self.folder}/support.o -o {out} ")
        subprocess.run(line, shell=True, cwd=self.build, check=True,
                       capture_output=True)
        return out


def run(program, test, mutant, seconds, reached=None):
    """('killed'|'survived', how) of one turn of a test."""
    environment = dict(os.environ, CK_FORK="no", ORIEL_MUTANT=str(mutant),
                       ORIEL_MUTANT_TEST=test)
    if reached:
        environment["ORIEL_MUTANT_REACHED"] = reached
    limit = max(2, int(seconds + 1))

    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        done = subprocess.run([program], env=environment, preexec_fn=limits,
                              capture_output=True, text=True, errors="replace",
                              timeout=60 * limit)
    except subprocess.TimeoutExpired:
        return "killed", "never ends"
    if done.returncode == 0:
        return "survived", ""
    if done.returncode in (-24, -9):
        return "killed", "never ends"
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return "killed", (said[-1] if said else f"signal {-done.returncode}")[:160]


def list_tests(program, folder):
    path = os.path.join(folder, "tests")
    open(path, "w").close()
    subprocess.run([program], check=True, capture_output=True,
                   env=dict(os.environ, CK_FORK="no", ORIEL_MUTANT_LIST=path))
    return open(path).read().splitlines()


def measure(program, path, folder):
    """The units of a program, none of which may fail without any mutant."""
    units, at = [], os.path.join(folder, "reached")
    for test in list_tests(path, folder):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        verdict, how = run(path, test, -1, 300, at)
        if verdict != "survived":
            sys.exit(f"{program}: {test} fails without any mutant; are all "
                     f"test_sim_* built? {how}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        units.append(Unit(program, test, after.ru_utime + after.ru_stime -
                          before.ru_utime - before.ru_stime,
                          open(at, "rb").read()))
    return units


def meet(units, paths, mutant):
    """The verdict of the first that kills it, or of all."""
    for u in sorted(units, key=lambda u: u.seconds):
        verdict, how = run(paths[u.program], u.test, mutant, 2 * u.seconds)
        if verdict == "killed":
            return verdict, how
    return "survived", "" if units else "no test reaches it"


def users(file, kernels, texts):
    """The .cu files that include 'file', directly or not."""
    if file.endswith(".cu"):
        return [file[:-3]]
    found, grown = {file}, True
    while grown:
        grown = False
        for name, text in texts.items():
            if name not in found and any(f'"{f}"' in text for f in found):
                found.add(name)
                grown = True
    return sorted(f[:-3] for f in found if f.endswith(".cu"))


def heading(family):
    return "# Mutants of the kernels" if family == "own" else \
        f"# Mutants of the {family.capitalize()} kernels"


def command(family):
    return "tests/kernels/mutate.py" + \
        ("" if family == "own" else f" --family {family}")


def table(results, mutants, path, family):
    places, results = len(results), [r for r in results if
                                     r["verdict"] != "no program"]
    n_mutants = len(mutants) - (places - len(results))
    cells = collections.defaultdict(collections.Counter)
    kinds, files = sorted({r["kind"] for r in results}), \
        sorted({r["file"] for r in results})
    for r in results:
        verdict = r["verdict"]
        if verdict == "survived":
            verdict = "equivalent" if reason(r) else "alive"
        cells[r["file"], r["kind"]][verdict] += 1
        cells["total", r["kind"]][verdict] += 1
        cells[r["file"], "total"][verdict] += 1
        cells["total", "total"][verdict] += 1
    out = [heading(family), "",
           f"Written by `{command(family)}`. A cell is killed / mutants "
           "that change something;", "those that change nothing are counted "
           "after a plus sign and explained below.", "",
           "| file | " + " | ".join(kinds) + " | total |",
           "|---" * (len(kinds) + 2) + "|"]
    for f in files + ["total"]:
        row = []
        for k in kinds + ["total"]:
            c = cells[f, k]
            killed, alive, same = c["killed"], c["alive"], c["equivalent"]
            row.append("" if not sum(c.values()) else
                       f"{killed}/{killed + alive}" +
                       (f" + {same}" if same else ""))
        out.append(f"| {f} | " + " | ".join(row) + " |")
    c = cells["total", "total"]
    share = 100 * c["killed"] / max(1, c["killed"] + c["alive"])
    share_run = "all" if len(results) == n_mutants else \
        f"{len(results)}, drawn by chance after all barriers, copies and " \
        "fragments,"
    missing = sorted({m.file for m in mutants} - set(files))
    if missing:
        share_run += f" none yet of {' and '.join(missing)},"
    if n_mutants < len(mutants):
        out += ["", f"{len(mutants) - n_mutants} of {len(mutants)} mistakes "
                "do not compile and are no mutants."]
    out += ["", f"Of {n_mutants} mutants {share_run} were run: "
            f"{c['killed']} killed, "
            f"{c['alive']} alive, {c['equivalent']} change nothing; "
            f"{share:.1f} % of those that change something are killed.", ""]
    for title, wanted in (("Alive", False), ("Change nothing", True)):
        them = [r for r in results if r["verdict"] == "survived" and
                bool(reason(r)) == wanted]
        if them:
            out += [f"## {title}", ""] + [
                f"- `{r['name'].replace('`', '')}`: {reason(r) or known_of(r)}"
                for r in them] + [""]
    open(path, "w").write("\n".join(out).rstrip() + "\n")
    print(f"{c['killed']} killed, {c['alive']} alive, "
          f"{c['equivalent']} equivalent, {share:.1f} %")


def finish(mutants, known, n, args):
    present = [known[m.name] for m in mutants if m.name in known]
    print(f"{n} run now, {len(present)} of {len(mutants)} known")
    table(present, mutants, args.table or os.devnull, args.family)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--family", choices=FAMILIES, default="own")
    parser.add_argument("--only")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--results", default="mutants.jsonl")
    parser.add_argument("--table")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--from-end", action="store_true",
                        help="so that two runs meet in the middle")
    parser.add_argument("--again", action="store_true",
                        help="unexplained survivors, too")
    args = parser.parse_args()
    began = time.time()
    family = FAMILIES[args.family]
    files = sorted(f for f in os.listdir(KERNELS)
                   if f.endswith((".cu", ".cuh")) and f not in SKIPPED and
                   re.fullmatch(family.files, f.rsplit(".", 1)[0]))
    # A kernel that the build lacks has no test there.
    built = subprocess.run(["ninja", "-t", "targets", "all"], cwd=args.build,
                           capture_output=True, text=True, check=True).stdout
    files = [f for f in files if f.endswith(".cuh") or
             f"/kernels/{f}.o:" in built]
    made = {f: generate(f) for f in files}
    mutants = [m for f in files for m in made[f][1]]
    for i, m in enumerate(mutants):
        m.id = i
    print(len(mutants), "mutants:", dict(collections.Counter(
        m.kind for m in mutants)))
    if args.list:
        for m in mutants:
            print(m.line, m.name)
        return
    known = {}
    if os.path.exists(args.results):
        for line in open(args.results):
            r = json.loads(line)
            known[r["name"]] = r
    if args.limit == 0:
        finish(mutants, known, 0, args)
        return
    folder = tempfile.mkdtemp(prefix="oriel-mutants-")
    atexit.register(shutil.rmtree, folder)
    build = Build(os.path.abspath(args.build), folder, family)
    texts = {f: made[f][0] for f in files}
    kernels = [f[:-3] for f in files if f.endswith(".cu")]
    order = [m for m in mutants if not args.only or
             args.only in (m.file, m.file.rsplit(".", 1)[0])]
    if not order:
        sys.exit(f"--only {args.only}: no mutant is in such a file, expected "
                 f"one of {', '.join(files)}")
    if args.only:
        kernels = users(order[0].file, kernels, texts)
    objects = os.path.join(folder, "all")
    os.makedirs(objects)

    # Everything switched; what does not compile so is compiled alone.
    pending = list(kernels)
    for attempt in range(8):
        for f in files:
            build.write(f, switched(
                texts[f], [m for m in made[f][1] if not m.alone]))
        failed, dropped = [], 0
        for k in pending:
            said = build.compile(k, objects)
            if not said:
                continue
            failed.append(k)
            lines = {(os.path.basename(f), int(l)) for f, l in re.findall(
                r"(\S+\.cuh?):(\d+):\d+: error", said)}
            for m in mutants:
                text = open(os.path.join(build.base, m.file)).read()
                if not m.alone and any(
                        m.file == f and re.search(
                            rf"(on\({m.id}\)|\{{{m.id}\}})",
                            text.splitlines()[l - 1]) for f, l in lines):
                    m.alone = True
                    dropped += 1
            if not dropped:
                sys.exit(said[:3000])
        print(f"attempt {attempt}: {len(failed)} files failed, {dropped} "
              f"mutants set apart, {time.time() - began:.0f} s", flush=True)
        pending = failed
        if not failed:
            break
    programs = {p: build.link(p, objects, objects) for p in build.programs()
                if build.launches(p, kernels)}
    units = [u for p, path in programs.items()
             for u in measure(p, path, folder)]
    print(f"{len(units)} turns of tests, processor seconds without a mutant:", {
        p: round(sum(u.seconds for u in units if u.program == p), 1)
        for p in programs}, flush=True)

    important = {"sync": 0, "copy": 0, "fragment": 1, "zero-fill": 1}
    random.Random(1).shuffle(order)
    if args.from_end:
        order.reverse()
    # Those with a reason meet every test, which takes longest: at last.
    order.sort(key=lambda m: (m.name not in known, bool(reason(vars(m))),
                              m.alone, important.get(m.kind, 2)))
    log = open(args.results, "a")
    n = 0
    for m in order:
        before = known.get(m.name)
        if before and not (args.again and before["verdict"] == "survived" and
                           not reason(before)):
            continue
        if time.time() - began > args.seconds or \
                (args.limit is not None and n >= args.limit):
            break
        n += 1
        started = time.time()
        if m.alone:
            alone = build.alone(m, texts, kernels)
            verdict, how = "no program", "it does not compile"
            if alone is not None:
                paths = {p: build.link(p, alone, objects) for p in programs if
                         build.launches(p, users(m.file, kernels, texts))}
                verdict, how = meet([u for u in units if u.program in paths],
                                    paths, -1)
        else:
            verdict, how = meet([u for u in units if u.reached[m.id]], programs,
                                m.id)
        if verdict == "survived" and family.counting:
            alone = build.alone(m, texts, kernels, "-O2")
            if alone is not None:
                path = build.link(family.counting, alone, alone)
                for test in list_tests(path, folder):
                    verdict, said = run(path, test, -1, 10)
                    if verdict == "killed":
                        how = said
                        break
        result = {"name": m.name, "file": m.file, "line": m.line,
                  "kind": m.kind, "before": m.before, "after": m.after,
                  "verdict": verdict, "how": how,
                  "seconds": round(time.time() - started, 1)}
        known[m.name] = result
        log.write(json.dumps(result) + "\n")
        log.flush()
    finish(mutants, known, n, args)


if __name__ == "__main__":
    main()
