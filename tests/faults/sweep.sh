#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sweep.sh BUILD [PERCENT [SEED [SCENARIO...]]] - fault_sweep in a folder of its own
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if grep -q '__[at]san_init' "$build/bin/oriel"; then
    echo "skipped: nothing can be preloaded before a sanitizer"
    exit 77
fi
# Without the CUDA backend, whose runtime crashes as it is loaded.
mkdir -p bin lib
cp "$build/bin/oriel" bin/
cp -a "$build"/lib/liboriel.so* "$build"/lib/liboriel-image.so* \
    "$build"/lib/liboriel-cpu.so "$build"/lib/liboriel-formats.so lib/
bin/oriel synth --config tiny --seed 1 -q model
status=0
"$build/bin/fault_sweep" "$work/bin/oriel" \
    "$build/tests/cli/liboriel_fail_alloc.so" "$here/../fuzz/seeds" "$@" ||
    status=$?
exit $status
