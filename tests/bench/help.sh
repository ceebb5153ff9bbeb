#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# help.sh - every program and script of bench/ says what it is for
#
#   help.sh FOLDER_OF_PROGRAMS FOLDER_OF_SOURCES PYTHON
#
# --help needs no model, no GPU and none of a peer's packages.
set -u
bin=$1 sources=$2 python=$3
failures=0

check() {
    name=$1
    shift
    out=$("$@" --help 2>&1 </dev/null)
    status=$?
    if [ $status -ne 0 ] || [ ${#out} -lt 40 ]; then
        echo "FAIL: $name --help: exit status $status: $out"
        failures=$((failures + 1))
    fi
}

before=$(cd "$sources" && git diff --stat results 2>/dev/null)
n=0
for program in "$bin"/oriel_bench_* "$bin"/oriel_soak "$bin"/oriel_gpu_* \
    "$bin"/oriel_sim_ops "$bin"/oriel_sim_invariance "$bin"/oriel_sim_encode*; do
    [ -x "$program" ] || continue
    check "${program##*/}" "$program"
    n=$((n + 1))
done
[ $n -ge 8 ] || {
    echo "FAIL: only $n programs in $bin"
    exit 1
}
for script in "$sources"/*.py "$sources"/gpu/*.py; do
    case $script in */test_*) continue ;; esac
    check "${script##*/}" "$python" "$script"
done
for script in "$sources"/*.sh; do
    check "${script##*/}" bash "$script"
done
# And does nothing else.
if changed=$(cd "$sources" && git diff --stat results 2>/dev/null) &&
    [ "$changed" != "$before" ]; then
    echo "FAIL: --help changed a result:" "$changed"
    failures=$((failures + 1))
fi
[ $failures -eq 0 ]
