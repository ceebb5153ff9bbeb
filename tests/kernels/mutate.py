#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generate mistakes in the kernels and count how many the tests catch.

    tests/kernels/mutate.py BUILD [--only KERNEL] [--limit N] [--seconds S]
                            [--results FILE] [--table FILE]

BUILD is a configured build folder whose sim_* tests are built.  No mutant is
chosen by hand: every place of the device code that matches a kind gives one.

All mutants of a file are compiled at once; a number in the environment says
which one is alive.  A first run without any says which programs reach which
mutant, so each meets only tests that execute it.  What stands where C++ wants a
constant is compiled alone.  A mutant is killed when a test fails, crashes or
takes twice the processor time of the original.

Results go to FILE, one JSON line a mutant; mutants that are there already are
not run again, so a run may be cut and goes on.  The reasons why a survivor
changes nothing are in REASONS.
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
PROGRAMS = sorted(f[len("test_"):-len(".c")] for f in os.listdir(HERE)
                  if re.fullmatch(r"test_.+\.c", f))
PROGRAMS = [p for p in PROGRAMS if p not in OVER_ALL + LEFT_OUT] + OVER_ALL
# What it counts depends on what the compiler makes of a kernel, so it meets a
# mutant without any switch, at the level of the build.
COUNTING = "counters"


class Build:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.commands = subprocess.run(
            ["ninja", "-t", "commands"] + [f"bin/test_sim_{p}" for p in
                                           self.programs() + [COUNTING]],
            cwd=build, capture_output=True, text=True, check=True).stdout
        self.base = os.path.join(folder, "kernels")
        shutil.copytree(KERNELS, self.base, dirs_exist_ok=True)
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
        return [p for p in PROGRAMS if os.path.exists(
            os.path.join(self.build, "bin", "test_sim_" + p))]

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
                            f"{self.folder}/support.o -o {out} ")
        subprocess.run(line, shell=True, cwd=self.build, check=True,
                       capture_output=True)
        return out


def run(program, mutant, seconds, reached=None):
    """('killed'|'survived', how)."""
    environment = dict(os.environ, CK_FORK="no", ORIEL_MUTANT=str(mutant))
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


def table(results, mutants, path):
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
    out = ["# Mutants of the kernels", "",
           "Written by `tests/kernels/mutate.py`. A cell is killed / mutants "
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
    table(present, mutants, args.table or os.devnull)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
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
    files = sorted(f for f in os.listdir(KERNELS)
                   if f.endswith((".cu", ".cuh")) and f not in SKIPPED)
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
    build = Build(os.path.abspath(args.build), folder)
    texts = {f: made[f][0] for f in files}
    kernels = [f[:-3] for f in files if f.endswith(".cu")]
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
    programs = {p: build.link(p, objects, objects) for p in build.programs()}
    seconds, reached = {}, {}
    for p, path in programs.items():
        t = resource.getrusage(resource.RUSAGE_CHILDREN)
        verdict, how = run(path, -1, 300, os.path.join(folder, "reached"))
        if verdict != "survived":
            sys.exit(f"{p} fails without any mutant; are all test_sim_* "
                     f"built? {how}")
        u = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds[p] = u.ru_utime + u.ru_stime - t.ru_utime - t.ru_stime
        reached[p] = open(os.path.join(folder, "reached"), "rb").read()
    print("processor seconds without a mutant:", {
        p: round(s, 2) for p, s in seconds.items()}, flush=True)

    important = {"sync": 0, "copy": 0, "fragment": 1, "zero-fill": 1}
    order = [m for m in mutants if not args.only or
             args.only in (m.file, m.file.rsplit(".", 1)[0])]
    if not order:
        sys.exit(f"--only {args.only}: no mutant is in such a file, expected "
                 f"one of {', '.join(files)}")
    random.Random(1).shuffle(order)
    if args.from_end:
        order.reverse()
    order.sort(key=lambda m: (m.name not in known, m.alone,
                              important.get(m.kind, 2)))
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
        verdict, how, met = "survived", "", []
        if m.alone:
            alone = build.alone(m, texts, kernels)
            if alone is None:
                verdict, how = "no program", "it does not compile"
            for p in programs if alone else []:
                if p in users(m.file, kernels, texts) + OVER_ALL:
                    met.append(p)
                    verdict, how = run(build.link(p, alone, objects), -1,
                                       2 * seconds[p])
                    if verdict == "killed":
                        break
        else:
            for p in sorted(programs, key=lambda p: seconds[p]):
                if reached[p][m.id]:
                    met.append(p)
                    verdict, how = run(programs[p], m.id, 2 * seconds[p])
                    if verdict == "killed":
                        break
        if verdict == "survived":
            alone = build.alone(m, texts, kernels, "-O2")
            if alone is not None:
                verdict, how = run(build.link(COUNTING, alone, alone), -1, 10)
        if verdict == "survived" and not met:
            how = "no test reaches it"
        result = {"name": m.name, "file": m.file, "line": m.line,
                  "kind": m.kind, "before": m.before, "after": m.after,
                  "verdict": verdict, "how": how}
        known[m.name] = result
        log.write(json.dumps(result) + "\n")
        log.flush()
    finish(mutants, known, n, args)


if __name__ == "__main__":
    main()
