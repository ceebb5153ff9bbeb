#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_cpu.sh - every CPU number of the whole encoder, in one go
#
#   bench/run_cpu.sh [PYTHON]
#
# Builds, makes the synthetic 7B checkpoint if it is missing, holds the encoder
# against transformers' committed rows, then times it beside oneDNN's own rate
# and, with a PYTHON that has torch and transformers, in turns with
# transformers.  Results go to bench/results/.  Ten to twenty minutes on two
# cores; nothing else should run meanwhile.
if [ "${1:-}" = --help ]; then
    sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
fi
set -eu
cd "$(dirname "$0")/.."
. scripts/debian.sh

PYTHON=${1:-}
BUILD=build/release
MODEL=demo-out/model-7b
RESULTS=bench/results
COMMIT=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)

say "Building ($BUILD)"
cmake --preset release >/dev/null || die "cmake could not configure"
cmake --build --preset release --target oriel_tool oriel_cpu oriel_image \
    compare_rows oriel_bench_encode oriel_bench_encode_turns ||
    die "the build failed"

if [ ! -e "$MODEL/config.json" ]; then
    say "Making the checkpoint ($MODEL)"
    mkdir -p "${MODEL%/*}"
    "$BUILD/bin/oriel" synth --config 7b --seed 1 "$MODEL"
fi

for precision in bf16 fp32; do
    say "Checking: the photographs of the demo in $precision"
    "$BUILD/bin/oriel" encode --model "$MODEL" --device cpu --dtype f32 \
        --precision "$precision" --force -o demo-out/check.safetensors \
        examples/photos/astronaut.jpg examples/photos/cat.png \
        examples/photos/coffee.webp examples/photos/rocket.jpg
    "$BUILD/bin/compare_rows" examples/photos/expected_rows.safetensors \
        demo-out/check.safetensors || die "wrong: nothing is timed"
done

mkdir -p "$RESULTS"
say "Oriel beside oneDNN"
"$BUILD/bin/oriel_bench_encode" --model "$MODEL" --repeats 5 \
    --commit "$COMMIT" --json "$RESULTS/encode_cpu.json"

if [ -n "$PYTHON" ]; then
    say "Oriel and transformers in turns"
    "$PYTHON" bench/compare_transformers.py \
        "$BUILD/bin/oriel_bench_encode_turns" "$MODEL" --repeats 4 \
        --commit "$COMMIT" --json "$RESULTS/encode_cpu_transformers.json"
else
    say "No PYTHON given: the comparison with transformers is SKIPPED"
fi
