#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh - which lines and branches of host/ the tests reach, by gcov
#
#   scripts/coverage.sh [CTEST-ARGUMENT...]     all tests that reach it on the CPU
#   scripts/coverage.sh -R '^plan'              these tests
#
# About an hour on two cores.
#
# Prints a line of Markdown for each folder of host/, and the branches of image,
# model and plan that no test takes.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage
# The slow ones too.  Left out is what runs on a GPU, simulated or not, or measures
# speed; what looks at symbols and protections, which would be gcov's; and what takes
# more time than most others together.
left_out='^sim|_sim|cuda|cublaslt|cudnn|gpu|tool_verify|bench_|golden|roundings|^serve'
left_out+='|python_(ray|serv|parquet|wheel|conformance)|abi_(symbols|headers)|docs_model'
left_out+='|fault_sweep|synth_twin|^demo'
[ $# -gt 0 ] || set -- -LE '^device$' -E "$left_out"
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DORIEL_CUDA=OFF \
    -DCMAKE_C_FLAGS="--coverage -O1 -fprofile-update=atomic" \
    -DCMAKE_CXX_FLAGS="--coverage -O1 -fprofile-update=atomic" >/dev/null
# Not what runs on the simulated GPU: it reaches host/cuda, which is left out.
ninja -C $build -t targets all |
    sed -n 's,^\(bin/[a-z0-9_]*\|lib/liboriel[a-z-]*\.so\):.*,\1,p' |
    grep -vE 'sim|cuda|gpu|bench_(plan|encode|pixels|bounds|roundings)' |
    grep -vE 'golden|roundings|fuzz_|mutant' |
    xargs ninja -C $build oriel_fail_alloc oriel_fail_call
find $build -name '*.gcda' -delete
# What is killed for its time leaves no counts.
export CK_TIMEOUT_MULTIPLIER=10
ctest --test-dir $build -j "$(nproc)" "$@" >$build/tests.txt ||
    grep -E 'Failed|tests passed' $build/tests.txt >&2
python3 scripts/coverage.py $build
