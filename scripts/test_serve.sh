#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_serve.sh [VERSION...] - on demand: the encode worker by HTTP, with these
# versions of aiohttp, and its load test
#
#   scripts/test_serve.sh                  the versions below
#   scripts/test_serve.sh 3.8.4            this one
#
# It builds nothing: the package is that of build/release.  Each version gets an
# environment under build/serve.  The record is bench/results/serve.md: the load
# test, bench/serve_load.py, runs with the first version, and takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
ROOT=$PWD/build/serve
RECORD=bench/results/serve.md
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONPATH=$PWD/build/release/python
VERSIONS=${*:-3.14.5 3.8.4}

[ -d "$PYTHONPATH/oriel" ] || die "build/release is missing: run ./test.sh first"
mkdir -p "$ROOT"
: >"$ROOT/rows"
for version in $VERSIONS; do
    folder=$ROOT/aiohttp-$version
    [ -x "$folder/bin/pip" ] || "$ORIEL_PYTHON" -m venv "$folder"
    "$folder/bin/pip" install -q "aiohttp==$version" prometheus_client numpy
    "$folder/bin/python" python/tests serve >"$ROOT/$version.log" 2>&1 || {
        cat "$ROOT/$version.log" >&2
        die "the tests failed with aiohttp $version"
    }
    totals=$(grep -E '^(Ran|OK)' "$ROOT/$version.log" | paste -sd ' ')
    echo "| $version | $totals |" | tee -a "$ROOT/rows"
done
first=${VERSIONS%% *}
"$ROOT/aiohttp-$first/bin/python" bench/serve_load.py >"$ROOT/load"
{
    echo "# The encode worker"
    echo
    echo "Made by \`scripts/test_serve.sh${*:+ $*}\` on $(date -u +%F)."
    echo
    echo "| aiohttp | tests |"
    echo "| --- | --- |"
    cat "$ROOT/rows" "$ROOT/load"
} >"$RECORD"
cat "$RECORD"
