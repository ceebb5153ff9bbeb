#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_torch.sh [VERSION...] - on demand: the Python package beside the real torch
# and transformers of these versions, and what is recorded of it
#
#   scripts/test_torch.sh                  the versions below
#   scripts/test_torch.sh 5.24.0           this one
#   ORIEL_TORCH=/path/site-packages ...    with the torch that is there
#
# It builds nothing: the package is that of build/release.  Each version gets an
# environment under build/torch; torch (about 3 GB, since PyPI has no smaller one
# for Linux) is installed once.  The results go to bench/results/transformers.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
ROOT=$PWD/build/torch
RECORD=bench/results/transformers.md
export PIP_DISABLE_PIP_VERSION_CHECK=1 HF_HUB_OFFLINE=1
export PYTHONPATH=$PWD/build/release/python
VERSIONS=${*:-5.24.0 5.23.0 5.18.0 4.57.6}

[ -d "$PYTHONPATH/oriel" ] || die "build/release is missing: run ./test.sh first"

# torch, once; the environments of the versions see it by a .pth file.
torch_folder() {
    if [ -n "${ORIEL_TORCH:-}" ]; then
        echo "$ORIEL_TORCH"
        return
    fi
    [ -x "$ROOT/shared/bin/pip" ] || python3 -m venv "$ROOT/shared"
    "$ROOT/shared/bin/pip" install -q torch==2.15.0 torchvision==0.29.2
    echo "$ROOT"/shared/lib/python3*/site-packages
}

run_version() {
    local version=$1 folder=$ROOT/transformers-$1 log=$ROOT/$1.log totals
    [ -x "$folder/bin/pip" ] || python3 -m venv "$folder"
    "$folder/bin/pip" install -q "transformers==$version" pillow ml_dtypes numpy
    torch_folder >"$(echo "$folder"/lib/python3*/site-packages)/torch.pth"
    if ! "$folder/bin/python" python/tests encode transformers 2>"$log"; then
        cat "$log" >&2
        die "the tests failed with transformers $version"
    fi
    totals=$(grep -E '^(Ran|OK)' "$log" | paste -sd ' ')
    echo "transformers $version: $totals"
    "$folder/bin/python" python/tests/bench_processor.py "$version" "$totals" \
        >>"$ROOT/rows" 2>>"$log"
    # Exit status 1 says that this version deviates, and the table says where.
    {
        printf '\n## Conformance of transformers %s\n\n' "$version"
        "$folder/bin/python" -m oriel.conformance transformers 2>>"$log" ||
            [ $? = 1 ]
    } >"$ROOT/$version.conformance"
}

mkdir -p "$ROOT"
: >"$ROOT/rows"
for version in $VERSIONS; do
    run_version "$version"
done
{
    echo "# The Python package beside transformers"
    echo
    echo "Made by \`scripts/test_torch.sh $*\` on $(date -u +%F), two cores."
    echo "Image processor: milliseconds an image, 8 photographs of 1024 x 768,"
    echo "median of 7 turns, both in the same process on the same threads."
    echo "Load of the machine, without which the times mean little: $(cut -d ' ' -f 1-3 /proc/loadavg)."
    echo
    echo "| transformers | torch | tests | torchvision's | Oriel's | faster |"
    echo "| --- | --- | --- | ---: | ---: | ---: |"
    cat "$ROOT/rows"
    for version in $VERSIONS; do
        cat "$ROOT/$version.conformance"
    done
} >"$RECORD"
cat "$RECORD"
