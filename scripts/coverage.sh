#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh - which lines and branches of host/ the tests reach, by gcov
#
#   scripts/coverage.sh [CTEST-ARGUMENT...]     build/coverage, the quick tier
#   scripts/coverage.sh -R '^plan'              these tests
#
# Prints a line of Markdown for each folder of host/, and the branches of image,
# model and plan that no test takes.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage
# What looks at symbols and protections would find gcov's.
[ $# -gt 0 ] || set -- -LE '^(slow|device)$' \
    -E 'sim|cuda|gpu|bench|golden|roundings|abi_symbols|abi_hardening|serve'
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DORIEL_CUDA=OFF \
    -DCMAKE_C_FLAGS="--coverage -O1 -fprofile-update=atomic" \
    -DCMAKE_CXX_FLAGS="--coverage -O1 -fprofile-update=atomic" >/dev/null
# Not what runs on the simulated GPU: it reaches host/cuda, which is left out.
ninja -C $build -t targets all |
    sed -n 's,^\(bin/[a-z0-9_]*\|lib/liboriel[a-z-]*\.so\):.*,\1,p' |
    grep -vE 'sim|cuda|gpu|bench|golden|roundings|fuzz_|mutant' |
    xargs ninja -C $build oriel_fail_alloc oriel_fail_call
find $build -name '*.gcda' -delete
# What is killed for its time leaves no counts.
export CK_TIMEOUT_MULTIPLIER=10
ctest --test-dir $build -j "$(nproc)" "$@" >$build/tests.txt ||
    grep -E 'Failed|tests passed' $build/tests.txt >&2
python3 scripts/coverage.py $build
