#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/on-gpu.sh: the order of its steps, its report, and what a failure does.

    test_on_gpu.py stand-ins [TEST...]   its programs are stand-ins, as on a GPU
    test_on_gpu.py rehearsal BUILD       they are real, on the simulated GPU

A stand-in leaves the JSON that its program would and does nothing else: so the
way that the script takes on hardware is walked to its end without any, is cut
short and has its steps fail.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "on-gpu.sh"

TOOLS = ["memcheck", "racecheck", "synccheck", "initcheck"]
# Section by section; what decides between kernels of products comes first.
PRODUCTS = ["instructions", "instructions-hopper", "invariance-hopper",
            "invariance-ops", "checkpoint-tiny", "time-products",
            "products-table"]
PROOF = ["doctor", "verify"]
OTHERS = ["time-others", "time-frame"]
ENCODE = ["checkpoint-7b", "time-encode"]
GOLDEN = ["golden", "golden-hopper", "golden-cudnn", "parity-7b"]
KERNELS = ["kernel-rms_norm", "kernel-swiglu"]  # of a rehearsal
OF_HOPPER = ["kernel-hopper_full_attention", "kernel-hopper_products"]
TOWERS = ["invariance-tiny", "checks-tiny", "invariance-tiny-hopper",
          "checks-tiny-hopper", "invariance-tiny-cublaslt", "streams",
          "streams-hopper", "streams-cublaslt", "invariance-7b",
          "invariance-7b-hopper", "invariance-7b-cublaslt"]
PEERS = ["time-peers-products", "time-peers-others", "time-peers-frame",
         "time-torch"]
SANITIZERS = [f"{tool}-{program}" for program in (
    "encode_invariance", "encode_invariance-hopper", "hopper_products",
    "hopper_full_attention", "rms_norm") for tool in TOOLS]
ORDER = (PRODUCTS + PROOF + OTHERS + ENCODE + GOLDEN + ["approximations"] +
         OF_HOPPER + KERNELS + TOWERS + PEERS + SANITIZERS)

PROGRAMS = ("oriel golden encode_invariance instructions instructions_hopper ops "
            "invariance encode encode_streams kernel_hopper_products "
            "kernel_hopper_full_attention kernel_rms_norm kernel_swiglu "
            "sweep").split()
SECONDS = {"median": 2, "p10": 1, "p90": 3, "n": 5}
OP = {"size": "448x448", "step": "ATTN_IN", "op": "linear qkv", "by": "oriel",
      "rows": 1024, "columns": 3840, "depth": 1280, "bytes": 600, "flops": 800,
      "cache": "hot", "seconds": {"median": 2}}
RUN = {"device": {"name": "GPU", "capability": "9.0"},
       "roofline": {"bytes_per_s": 400, "flops_per_s": 1000}, "wrong": 0}
NORM = dict(OP, op="rms_norm")
FRAME = dict(OP, size="2044x2044", step="ATTEND", op="full_attention")
ROW = {"size": "448x448", "kernels": "own", "how": "direct", "images": 4,
          "flops": 80, "seconds": SECONDS}
CHECK = {"verdict": "passed", "kind": "occupancy", "name": "any",
         "implementation": "own kernels", "message": ""}
JSON = {  # by program, or by the file that it is to write
    "instructions": [{"name": "mma", "wrong": 0}],
    "instructions_hopper": [{"name": "wgmma", "wrong": 0}],
    "sweep": [{"instruction": "ex2_approx"}],
    "golden": [{"case": "tiny"}],
    "doctor": {"devices": [{"device": "cpu"}, {"device": "cuda", "occupancy": [
        dict(CHECK, name="rope, 8 blocks a multiprocessor"),
        dict(CHECK, name="linear, 1 block a multiprocessor", verdict="failed",
             message="expected 2")]}]},
    "verify": {"devices": [], "verify": {"passed": 1, "failed": 1, "checks": [
        CHECK, dict(CHECK, kind="kernel", name="linear, 70 rows",
                    verdict="failed", message="row 3 column 5 is 1")]}},
    "encode": {"own": "a description", "rows": [
        ROW, dict(ROW, how="graphs", seconds=dict(SECONDS, median=1))]},
    "products": dict(RUN, rows=[OP] + [
        dict(OP, by=by, seconds={"median": median})
        for by, median in (("cublaslt", 1), ("cublaslt best", 0.5),
                           ("hopper", 1.6))]),
    "parity_hf.py": {"cases": [{"size": "448x448"}]},
    "others": dict(RUN, rows=[NORM]),
    "frame": dict(RUN, rows=[FRAME, dict(FRAME, by="cudnn")]),
    "peers-products": {"rows": [dict(OP, by="torch", seconds={"median": 4})],
                       "absent": ["flash-attn: absent"]},
    "peers-others": {"rows": [], "absent": ["flash-attn: absent"]},
    "peers-frame": {"rows": [dict(FRAME, by="torch cudnn",
                                  seconds={"median": 4})]},
    "towers": {"versions": {"torch": "2"}, "rows": [{"how": "sdpa"}]},
}

STAND_IN = """#!/bin/bash
what="${0##*/} $*"
# shellcheck disable=SC2254
case $what in ${FAIL:-none}) echo "told to fail"; exit 3 ;; esac
# shellcheck disable=SC2254
case $what in ${HANG:-none}) exec sleep 300 ;; esac
leave() { cp "$JSON_FOLDER/$1" "$2"; }
"""
BODIES = {
    "program": """
last="${*: -1}"
case $what in
instructions*) leave "${0##*/}" "$last" ;;
sweep*) cat "$JSON_FOLDER/sweep" ;;
"oriel doctor --verify"*) cat "$JSON_FOLDER/verify" ;;
"oriel doctor"*) cat "$JSON_FOLDER/doctor" ;;
ops*) leave "$(basename "$last" .json)" "$last" ;;
*" --json "*) leave "${0##*/}" "$last" ;;
esac
""",
    "nvidia-smi": """
case $what in
*clocks.max*) echo "NVIDIA H100, 580.1, 81559 MiB, 1980 MHz, 2619 MHz, 700 W" ;;
*) printf '1000, 2619, 500, 50\\n[N/A], 1, 1, 1\\n1500, 2619, 600, 60\\n1980, ' ;;
esac
""",
    "compute-sanitizer": "",
    "python3": """
last="${*: -1}"
case $what in
*"import numpy"*) ;;
*libcublasLt*) echo /nowhere/cublas/libcublasLt.so.13 ;;
*libcudnn*) echo /nowhere/cudnn/libcudnn.so.9 ;;
*report.py*) exec "$REAL_PYTHON" "$@" ;;
*parity_hf.py*) leave parity_hf.py "$last" ;;
*"peer_torch.py ops "*) leave "$(basename "$last" .json)" "$last" ;;
*peer_torch.py*) leave "$2" "$last" ;;
*) exit 4 ;;
esac
""",
}


class Place:
    """A stage of stand-ins, and what finds them."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.stage, self.path = root / "stage", root / "path"
        self.out, answers = root / "out", root / "json"
        for folder in (self.stage / "bin", self.path, self.out, answers):
            folder.mkdir(parents=True)
        for name in PROGRAMS:
            self.write(self.stage / "bin" / name, BODIES["program"])
        for name in ("nvidia-smi", "compute-sanitizer", "python3"):
            self.write(self.path / name, BODIES[name])
        for name, answer in JSON.items():
            (answers / name).write_text(json.dumps(answer))
        (self.stage / "kind").write_text("hardware\n")
        (self.stage / "commit").write_text("0123456789ab\n")
        self.environment = {
            "PATH": f"{self.path}:/usr/bin:/bin", "HOME": str(root),
            "OUT": str(self.out), "ORIEL_STAGE": str(self.stage),
            "TMPDIR": str(root), "JSON_FOLDER": str(answers),
            "REAL_PYTHON": sys.executable}

    @staticmethod
    def write(path, body):
        path.write_text(STAND_IN + body)
        path.chmod(0o755)

    def start(self, **environment):
        return subprocess.Popen(
            [str(SCRIPT), "run"], env={**self.environment, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)

    def run(self, **environment):
        """Exit status, what was printed, and the report."""
        process = self.start(**environment)
        printed, _ = process.communicate(timeout=120)
        return process.returncode, printed, self.report()

    def report(self):
        made = list(self.out.glob("*.json"))
        return json.loads(made[0].read_text()) if len(made) == 1 else None


def are_unique(rows):
    keys = [(row["size"], row["step"], row["op"], row["by"], row.get("cache"))
            for row in rows]
    return len(set(keys)) == len(keys)


def outcomes(report):
    return {step["step"]: step["outcome"] for step in report["steps"]}


def loader_knows():
    """The libraries that this machine's loader finds by itself, as a text."""
    try:
        return subprocess.run(["ldconfig", "-p"], check=False, text=True,
                              stdout=subprocess.PIPE,
                              env={"PATH": "/usr/bin:/bin"}).stdout
    except OSError:
        return ""


class StandIns(unittest.TestCase):
    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.folder.cleanup)

    def test_the_order_of_all_steps(self):
        status, printed, report = self.place.run()
        self.assertEqual(status, 0, printed)
        self.assertEqual([step["step"] for step in report["steps"]], ORDER)
        self.assertEqual(set(outcomes(report).values()), {"passed"})
        self.assertNotIn("SKIPPED", printed)
        self.assertEqual(list(self.place.out.glob("*.part")), [])

    def test_the_report_says_on_what(self):
        about = self.place.run()[2]["about"]
        self.assertEqual(about["kind"], "hardware")
        self.assertEqual(about["commit"], "0123456789ab")
        self.assertRegex(about["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(about["card"], {
            "name": "NVIDIA H100", "driver": "580.1", "memory": "81559 MiB",
            "most_sm_clock": "1980 MHz", "most_memory_clock": "2619 MHz",
            "power_limit": "700 W"})
        self.assertEqual(about["clocks_while_timed"]["sm_mhz"],
                         {"least": 1000, "median": 1500, "most": 1500, "n": 6})

    def test_what_each_step_left_is_in_the_report(self):
        report = self.place.run()[2]
        for part, program in (("instructions", "instructions"),
                              ("instructions_hopper", "instructions_hopper"),
                              ("approximations", "sweep"), ("golden", "golden"),
                              ("doctor", "doctor"),
                              ("parity", "parity_hf.py"), ("torch", "towers")):
            self.assertEqual(report[part], JSON[program])
        self.assertEqual(report["verify"], JSON["verify"]["verify"])
        rows = report["kernels"]["rows"]  # of products, of others, of peers
        self.assertEqual([row["by"] for row in rows],
                         ["oriel", "cublaslt", "cublaslt best", "hopper",
                          "oriel", "oriel", "cudnn", "torch", "torch cudnn"])
        self.assertTrue(are_unique(rows))
        self.assertEqual(rows[0]["of_roofline"], 600 / 400 / 2)
        self.assertEqual(rows[-1]["of_roofline"], 600 / 400 / 4)
        self.assertEqual(report["kernels"]["absent"], ["flash-attn: absent"])
        self.assertEqual(report["matrix_flops_per_s"], 1000)
        self.assertEqual(report["products"]["qkv"]["proposal"], "cublaslt")
        self.assertEqual(report["products"]["qkv"]["own_over_hopper"], [1.25])
        self.assertEqual(report["encode"]["own"], "a description")
        direct, graphs = report["encode"]["rows"]
        self.assertEqual((direct["over_own_direct"], graphs["over_own_direct"]),
                         (1, 0.5))
        self.assertEqual(direct["share_of_matrix_rate"], 80 / 2 / 1000)
        self.assertEqual(direct["images_per_s"], 2)

    def test_checks_that_failed_are_shown(self):
        printed = self.place.run()[1]
        for line in ("occupancy: linear, 1 block a multiprocessor, own kernels: "
                     "expected 2",
                     "kernel: linear, 70 rows, own kernels: row 3 column 5 is 1"):
            self.assertEqual(printed.count(line), 1, printed)
        self.assertNotIn("rope", printed)

    def test_libraries_of_pythons_wheels_are_found(self):
        self.place.write(self.place.stage / "bin" / "golden",
                         'echo "$LD_LIBRARY_PATH" >"$TMPDIR/loader"\n')
        self.place.run()
        path = Path(self.place.folder.name, "loader").read_text()
        for name in ("libcudnn.so.9", "libcublasLt.so.13"):
            if name in loader_knows():
                continue
            self.assertIn("/nowhere/" + ("cudnn" if "cudnn" in name
                                         else "cublas"), path)

    def test_what_no_wheel_has_is_said(self):
        self.place.write(self.place.path / "python3", re.sub(
            r"\*lib.*\n", "*lib*) echo ;;\n", BODIES["python3"]))
        status, printed, report = self.place.run()
        self.assertEqual(status, 0, printed)
        for name, library, steps in (
                ("cublaslt", "libcublasLt.so.13", ["streams-cublaslt"]),
                ("cudnn", "libcudnn.so.9", ["golden-cudnn"])):
            if library in loader_knows():
                continue
            self.assertEqual(outcomes(report)[name], "skipped")
            self.assertIn(f"SKIPPED  {name}: no {library}", printed)
            for step in steps:
                self.assertNotIn(step, outcomes(report))

    def test_a_failure_is_told_and_stops_nothing(self):
        # Some in the middle of a section, some at its end.
        for what, step in (("kernel_rms_norm *", "kernel-rms_norm"),
                           ("golden *bf16*", "golden"),
                           ("python3 *parity_hf.py*", "parity-7b"),
                           ("*racecheck*rms_norm*", "racecheck-rms_norm"),
                           ("encode *", "time-encode")):
            with self.subTest(step):
                status, printed, report = self.place.run(FAIL=what)
                self.assertEqual(status, 1)
                self.assertIn(f"FAILED   {step}: exit status 3", printed)
                self.assertIn("told to fail", printed)
                self.assertIn("1 steps failed", printed)
                self.assertEqual(outcomes(report),
                                 {name: "failed" if name == step else "passed"
                                  for name in ORDER})

    def test_what_takes_too_long_is_cut(self):
        status, printed, report = self.place.run(
            HANG="python3 *report.py products*")
        self.assertEqual(status, 1)
        self.assertIn("CUT      products-table", printed)
        self.assertEqual(outcomes(report),
                         {name: "cut" if name == "products-table" else "passed"
                          for name in ORDER})

    def test_a_run_that_is_killed_leaves_its_report(self):
        early = PRODUCTS + PROOF + OTHERS
        for what, done in (("ops *", PRODUCTS[:5]),
                           ("oriel synth --config 7b *", early),
                           ("golden *bf16*", early + ENCODE)):
            with self.subTest(what):
                for old in self.place.out.iterdir():
                    old.unlink()
                process = self.place.start(HANG=what)
                end = time.monotonic() + 60
                report = None
                while time.monotonic() < end and not (
                        report and len(report["steps"]) == len(done)):
                    time.sleep(0.05)
                    report = self.place.report()
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                report = self.place.report()
                self.assertEqual([s["step"] for s in report["steps"]], done)
                self.assertEqual(report["instructions_hopper"],
                                 JSON["instructions_hopper"])
                self.assertEqual(report["encode"] is None, "golden" not in what)

    def test_what_is_missing_is_said(self):
        (self.place.path / "compute-sanitizer").unlink()
        (self.place.path / "python3").write_text(
            STAND_IN + BODIES["python3"].replace('"import numpy"*) ;;',
                                                 '"import numpy"*) exit 1 ;;'))
        status, printed, report = self.place.run()
        self.assertEqual(status, 0, printed)
        for name, why in (("parity-7b", "torch"), ("time-torch", "torch"),
                          ("sanitizers", "compute-sanitizer")):
            if name == "sanitizers" and outcomes(report).get(name) is None:
                continue  # this machine has one of its own
            self.assertEqual(outcomes(report)[name], "skipped")
            self.assertRegex(printed, f"SKIPPED  {name}: .*{why}")

    @unittest.skipUnless(shutil.which("xz"), "python3, a stand-in, unpacks here")
    def test_the_packed_stage_is_enough(self):
        stage = self.place.stage
        with tarfile.open(f"{stage}.tar.xz", "w:xz", preset=0) as packed:
            packed.add(stage, ".")
        shutil.rmtree(stage)
        status, printed, report = self.place.run()
        self.assertEqual(status, 0, printed)
        self.assertEqual(len(report["steps"]), len(ORDER))
        shutil.rmtree(stage)
        Path(f"{stage}.tar.xz").write_text("no archive")
        status, printed, report = self.place.run()
        self.assertEqual(status, 1)
        self.assertIn("stage.tar.xz could not be unpacked", printed)

    def test_without_a_gpu_it_says_so_and_ends(self):
        self.place.write(self.place.stage / "bin" / "instructions",
                         "echo 'skipped: no CUDA device'; exit 77\n")
        status, printed, report = self.place.run()
        self.assertEqual(status, 1)
        self.assertIn("no GPU: there is nothing to show", printed)
        self.assertIsNone(report)
        self.assertEqual(list(self.place.out.iterdir()), [])


# What a rehearsal cannot have, and what depends on the machine's python3.
SIMULATED = {"approximations", "checkpoint-7b", "time-torch", "sanitizers"}
PERHAPS = {"parity-7b"}
REHEARSED = (PRODUCTS[:-1] + PROOF + OTHERS + ENCODE + GOLDEN +
             ["approximations"] + KERNELS + TOWERS +
             ["time-torch", "sanitizers"])


def rehearse(build):
    """The script's own exit status, and whether its report is what it should be."""
    environment = dict(os.environ)
    environment.pop("OUT", None)
    with tempfile.TemporaryDirectory() as folder:
        environment["ORIEL_STAGE"] = folder + "/stage"
        done = subprocess.run([str(SCRIPT), "rehearse", build], text=True,
                              env=environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(done.stdout)
        made = list(Path(folder, "stage").glob("*.json"))
        assert done.returncode == 0, done.returncode
        assert len(made) == 1, made
        report = json.loads(made[0].read_text())
    assert [s["step"] for s in report["steps"]] == REHEARSED, report["steps"]
    for name, outcome in outcomes(report).items():
        assert outcome == ("skipped" if name in SIMULATED else "passed") or (
            name in PERHAPS and outcome == "skipped"), (name, outcome)
    assert report["about"]["kind"] == "rehearsal"
    assert report["about"]["commit"] != "unknown" or not shutil.which("git")
    for part in ("instructions", "instructions_hopper"):
        assert report[part] and all(row["wrong"] == 0 for row in report[part])
    gpu = next(d for d in report["doctor"]["devices"] if d["device"] == "cuda")
    assert gpu["kernels"].endswith(" kernels: sm_90a machine code"), gpu
    verify = report["verify"]
    assert verify["failed"] == verify["skipped"] == 0 < verify["passed"], verify
    assert report["golden"] and report["golden"] != {"unreadable": "golden.json"}
    assert are_unique(report["kernels"]["rows"])
    ops = {row["op"] for row in report["kernels"]["rows"]}
    assert len(ops) >= 10 and report["kernels"]["wrong"] == 0, ops
    assert "hopper" in {row["by"] for row in report["kernels"]["rows"]}
    ways = {(row["kernels"], row["how"]) for row in report["encode"]["rows"]}
    assert ways == {(kernels, how) for kernels in ("own", "hopper", "cublaslt")
                    for how in ("direct", "captured", "graphs")}, ways
    # Nothing that was not measured.
    assert "seconds" not in json.dumps(report["encode"])
    assert "seconds" not in json.dumps(report["kernels"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["stand-ins"]:
        unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] == "rehearsal":
        rehearse(sys.argv[2])
    else:
        sys.exit(__doc__)
