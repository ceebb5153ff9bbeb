#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a report of oriel doctor --verify --json, on standard input, must say.

    verify_report.py whole PROJECT      nothing failed, and nothing is left out
    verify_report.py occupancy PROJECT  every kernel of resources.txt is as there
    verify_report.py skips NAME...      what was skipped is of these, and of each
    verify_report.py finds KIND:NAME... [answer]
                                        one check of each such kind and name failed;
                                        with "answer" a known-answer test too
"""
import json
import re
import sys
from pathlib import Path


def names(checks, kind):
    return [check["name"] for check in checks if check["kind"] == kind]


def whole(verify, project):
    """Each wrapper of ptx.cuh, each kernel of list.h, each implementation."""
    checks = verify["checks"]
    for check in checks:
        assert check["verdict"] == "passed", check
        assert check["error"] <= check["bound"], check
        assert check["message"] == "", check
    assert verify["failed"] == verify["skipped"] == 0
    assert verify["passed"] == len(checks) > 60, len(checks)

    said = " ".join(names(checks, "instruction"))
    source = "".join((Path(project) / "kernels" / name).read_text()
                     for name in ("ptx.cuh", "ptx_hopper.cuh"))
    # These are part of what every other instruction does.
    parts = {"dynamic_shared", "shared_address", "copy_commit", "bits_to_float",
             "float_to_bits", "dynamic_shared_1024", "fence_async_shared",
             "mbarrier_init", "mbarrier_fence", "mbarrier_expect", "opaque",
             "wgmma_fence", "wgmma_commit", "wgmma_wait", "wgmma_hold"}
    for wrapper in re.findall(r"^(\w+)\(", source, re.M):
        assert wrapper in parts or wrapper in said, wrapper

    said = " ".join(names(checks, "kernel"))
    listed = re.findall(r"X\((\w+)\)",
                        (Path(project) / "kernels/list.h").read_text())
    for kernel in listed:
        assert kernel == "name" or kernel in said, kernel
    listed = re.findall(r"X\((\w+)\)", (
        Path(project) / "kernels/hopper_list.h").read_text())
    few, pairs = "Hopper kernels of few rows", "Hopper kernels in pairs, with skew"
    for hopper in ("Hopper kernels", few, pairs):
        said = [check["name"] for check in checks if
                check["kind"] == "kernel" and check["implementation"] == hopper]
        for kernel in listed:
            if kernel == "hopper_full_attention" and hopper == pairs:
                continue  # it has none
            assert kernel == "name" or any(
                name.startswith(kernel.replace("hopper_", "") + ",")
                for name in said), (hopper, kernel)
    of_any = {"own kernels", "cuBLASLt", "cuDNN"}
    network = of_any | {"Hopper kernels"}
    kernels = network | {few, pairs}
    for kind, least in (("kernel", kernels), ("same bytes", kernels),
                        ("network", network),
                        ("known answer", of_any | {
                            "own products", "own kernels of a wide residual",
                            "Hopper products", "Hopper products of few rows",
                            "Hopper attention over frames"})):
        found = {check["implementation"] for check in checks
                 if check["kind"] == kind}
        assert found == least, (kind, found)


def occupancy(device, project):
    """The blocks of sm_90a, as the table says."""
    checks = device["occupancy"]
    table = (Path(project) / "kernels/resources.txt").read_text().split("\n\n")[0]
    lines = [line.split() for line in table.splitlines()
             if not line.startswith("#")]
    column = lines[0].index("sm_90a") - 3
    planned = {}
    for name, _, _, *cells in lines[1:]:
        cells = re.findall(r"(\d+) / (\d+) \w+|-", " ".join(cells))
        planned[name] = int(cells[column][1])
    told = {name: int(rest.split()[0]) for name, _, rest in
            (check["name"].partition(", ") for check in checks)}
    assert told == planned, (told, planned)
    assert {check["verdict"] for check in checks} == {"passed"}


def skips(verify, *implementations):
    skipped = [check for check in verify["checks"]
               if check["verdict"] == "skipped"]
    assert verify["failed"] == 0
    assert verify["skipped"] == len(skipped), skipped
    assert {check["implementation"] for check in skipped} == \
        set(implementations), skipped
    for check in skipped:
        assert check["message"], check


def finds(verify, *expected):
    failed = [check for check in verify["checks"]
              if check["verdict"] == "failed"]
    assert verify["failed"] == len(failed) > 0
    for check in failed:
        assert check["message"], check
    for each in expected:
        kind, _, name = each.partition(":")
        if each == "answer":
            kind, name = "known answer", "known-answer"
        assert any(check["kind"] == kind and check["name"].startswith(name)
                   for check in failed), (
            each, [(check["kind"], check["name"]) for check in failed])
    # No encoder is run that would write anywhere.
    exact = {"expand_plan", "store_rows", "store_bytes"}
    misplaced = any(check["kind"] == "kernel" and
                    re.split(r"\W", check["name"])[0] in exact
                    for check in failed)
    networks = {check["verdict"] for check in verify["checks"]
                if check["kind"] == "network"}
    assert misplaced == (networks == {"skipped"}), (misplaced, networks)


def main():
    document = json.load(sys.stdin)
    if sys.argv[1] == "occupancy":
        return occupancy(document["devices"][1], *sys.argv[2:])
    {"whole": whole, "skips": skips, "finds": finds}[sys.argv[1]](
        document["verify"], *sys.argv[2:])


main()
