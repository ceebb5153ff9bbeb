#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""share/oriel/abi.json holds the layout of every public struct and the number
of every public enum constant, so that bindings can be tested against it.

Usage: abi_json.py check INCLUDE_DIR ABI_JSON [COMPILER...]
       abi_json.py update INCLUDE_DIR ABI_JSON [COMPILER]

Both compile the public headers and read what the compiler says about them
in its debug information (DWARF).  'check' tells where the file differs from
that, for every compiler that is there.  'update' adds what the headers have
gained.  It refuses to change or drop an entry: entries are promises, and who
breaks one deletes it from the file first.

Only Python's standard library and readelf are needed.  The tests call 'check'.
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DIE = re.compile(r"^ *<(\d+)><([0-9a-f]+)>: Abbrev Number: \d+ \((DW_TAG_\w+)\)")
ATTRIBUTE = re.compile(r"^ +<[0-9a-f]+> +DW_AT_(\w+) *: (.*?)\s*$")
POINTER_BYTES = 8
HEADERS = ("oriel.h", "oriel_image.h", "oriel_verify.h")


def read_debug_information(compiler, include):
    """The entries (DIE) of a file that only includes the headers."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "abi.c", Path(folder) / "abi.o"
        source.write_text(''.join(f'#include "{name}"\n' for name in HEADERS))
        subprocess.run([compiler, "-std=c11", "-g", "-gdwarf-4",
                        "-fno-eliminate-unused-debug-types", "-I", include,
                        "-c", source, "-o", made], check=True)
        text = subprocess.run(["readelf", "--debug-dump=info", made],
                              check=True, capture_output=True, text=True).stdout
    entries, open_entries = {}, []
    for line in text.splitlines():
        if found := DIE.match(line):
            depth, offset, tag = int(found[1]), found[2], found[3]
            entry = {"tag": tag, "children": []}
            entries[offset] = entry
            del open_entries[depth:]
            if open_entries:
                open_entries[-1]["children"].append(entry)
            open_entries.append(entry)
        elif (found := ATTRIBUTE.match(line)) and open_entries:
            # "(indirect string, offset: 0x5): oriel_error", "(data1) 8", or
            # of a type "<0x2d>, unsigned int".
            value = re.sub(r"^(\([^)]*\):? )+", "", found[2])
            reference = re.match("<0x([0-9a-f]+)>", value)
            open_entries[-1][found[1]] = reference[1] if reference else value
    return entries


def size_of(entry, entries):
    """Bytes of a type."""
    if "byte_size" in entry:
        return int(entry["byte_size"])
    if entry["tag"] == "DW_TAG_pointer_type":
        return POINTER_BYTES
    size = size_of(entries[entry["type"]], entries)
    for child in entry["children"]:
        if child["tag"] == "DW_TAG_subrange_type":
            size *= (int(child["count"]) if "count" in child
                     else int(child["upper_bound"]) + 1)
    return size


def describe(compiler, include):
    """What abi.json is to hold, in the order of the headers."""
    entries = read_debug_information(compiler, include)
    structs, enums = {}, {}
    for entry in entries.values():
        name = entry.get("name", "")
        if (entry["tag"] == "DW_TAG_structure_type" and "byte_size" in entry
                and name.startswith("oriel_")):
            fields = {field["name"]: [int(field["data_member_location"]),
                                      size_of(entries[field["type"]], entries)]
                      for field in entry["children"]}
            structs[name] = {"size": int(entry["byte_size"]), "fields": fields}
        if entry["tag"] == "DW_TAG_enumerator" and name.startswith("ORIEL_"):
            enums[name] = int(entry["const_value"])
    return {"structs": structs, "enums": enums}


def flatten(abi):
    """One line an entry, for comparing."""
    flat = {}
    for name, struct in abi["structs"].items():
        flat[f"sizeof {name}"] = struct["size"]
        for field, (offset, size) in struct["fields"].items():
            flat[f"{name}.{field}"] = f"{size} bytes at {offset}"
    for name, number in abi["enums"].items():
        flat[name] = number
    return flat


def to_text(abi):
    """JSON with a line for each field and constant."""
    structs = ",\n".join(
        f'    "{name}": {{"size": {struct["size"]}, "fields": {{\n'
        + ",\n".join(f'      "{field}": {json.dumps(place)}'
                     for field, place in struct["fields"].items())
        + "\n    }}" for name, struct in abi["structs"].items())
    enums = ",\n".join(f'    "{name}": {number}'
                       for name, number in abi["enums"].items())
    return (f'{{\n  "structs": {{\n{structs}\n  }},\n'
            f'  "enums": {{\n{enums}\n  }}\n}}\n')


def compare(promised, actual, said_by):
    """Complaints about entries that changed or are gone, and what is new."""
    promised, actual = flatten(promised), flatten(actual)
    broken = [f"{name}: abi.json says {value}, {said_by} says "
              f"{actual.get(name, 'nothing')}"
              for name, value in promised.items() if actual.get(name) != value]
    return broken, [name for name in actual if name not in promised]


def check(include, path, compilers):
    failed, present = 0, [c for c in compilers if shutil.which(c)]
    promised = json.loads(path.read_text())
    for compiler in present:
        actual = describe(compiler, include)
        broken, new = compare(promised, actual, compiler)
        broken += [f"{name} is not in abi.json" for name in new]
        for complaint in broken:
            print(f"FAILED: {complaint}", file=sys.stderr)
        failed += bool(broken)
        print(f"{compiler}: {len(actual['structs'])} structs, "
              f"{len(flatten(actual))} numbers")
    for compiler in set(compilers) - set(present):
        print(f"SKIPPED: no {compiler} here")
    if failed:
        print("To add what is new: scripts/abi_json.py update include "
              "share/oriel/abi.json", file=sys.stderr)
    return 1 if failed or not present else 0


def update(include, path, compiler):
    actual = describe(compiler, include)
    if path.exists():
        promised = json.loads(path.read_text())
        broken, new = compare(promised, actual, compiler)
        grown = {f"sizeof {name.split('.')[0]}" for name in new if "." in name}
        broken = [b for b in broken if b.split(":")[0] not in grown]
        for complaint in broken:
            print(f"REFUSED: {complaint}", file=sys.stderr)
        if broken:
            return 1
        print("\n".join(f"added {name}" for name in new) or "nothing is new")
    path.write_text(to_text(actual))
    return 0


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("check", "update"):
        sys.exit(__doc__)
    include, path = sys.argv[2], Path(sys.argv[3])
    compilers = sys.argv[4:] or ["cc"]
    if sys.argv[1] == "check":
        sys.exit(check(include, path, compilers))
    sys.exit(update(include, path, compilers[0]))


if __name__ == "__main__":
    main()
