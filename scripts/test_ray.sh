#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_ray.sh - on demand: oriel.ray on a real Ray of this machine, with actors that
# are killed, and the Parquet twin of the manifest
#
# It builds nothing: the package is that of build/release.  The environment is
# build/ray, or the interpreter ORIEL_RAY_PYTHON.  The record is
# bench/results/ray.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
ROOT=$PWD/build/ray
RECORD=bench/results/ray.md
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONPATH=$PWD/build/release/python
PYTHON=${ORIEL_RAY_PYTHON:-$ROOT/environment/bin/python}

[ -d "$PYTHONPATH/oriel" ] || die "build/release is missing: run ./test.sh first"
mkdir -p "$ROOT"
if [ -z "${ORIEL_RAY_PYTHON:-}" ]; then
    [ -x "$PYTHON" ] || "$ORIEL_PYTHON" -m venv "$ROOT/environment"
    "$PYTHON" -m pip install -q 'ray[data]==2.60.0' pyarrow numpy
fi
"$PYTHON" python/tests ray parquet -v >"$ROOT/log" 2>&1 || {
    cat "$ROOT/log" >&2
    die "the tests failed"
}
{
    echo "# Ray Data on one machine"
    echo
    echo "Made by \`scripts/test_ray.sh\` on $(date -u +%F): the tests of"
    echo "python/tests/test_ray.py and test_parquet.py, three processors as Ray"
    echo "counts, a tiny model. Load of the machine:" \
        "$(cut -d ' ' -f 1-3 /proc/loadavg)."
    echo
    "$PYTHON" -c 'from importlib import metadata as m
print(", ".join(f"{n} {m.version(n)}" for n in ("ray", "pyarrow", "numpy")))'
    echo
    grep -E '^(killed one|a batch that kills)' "$ROOT/log" | sed 's/^/- /'
    echo
    grep -E '^(Ran|OK)' "$ROOT/log" | paste -sd ' '
} >"$RECORD"
cat "$RECORD"
