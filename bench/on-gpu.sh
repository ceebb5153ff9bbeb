#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# on-gpu.sh - everything that only hardware can show, in one go
#
#   bench/on-gpu.sh build       here: compile all of it into build/on-gpu
#   bench/on-gpu.sh run         there: under nine minutes, JSON out
#   bench/on-gpu.sh rehearse    here: the same run on the simulated GPU
#
# 'build' wants nvcc and what the project's build wants.  The folder it fills
# (under 64 MiB) and the tree are all that 'run' needs beside an NVIDIA driver
# and a python3 with torch, transformers, safetensors and numpy; what is missing
# there is said and its steps are skipped.  'run' reads clocks, never sets them.
#
# The order: what must be right comes first, what is timed last.  Each step has
# a limit, a failed one does not stop the others, and the report is written anew
# after each: a run cut short is still of use.  It goes to $OUT if that is set,
# else to bench/results/<date>-<GPU>.json.  The exit status is 0 when no step
# failed or was cut.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
STAGE=${ORIEL_STAGE:-$ROOT/build/on-gpu}
TREE=$ROOT/build/on-gpu-tree
LIMIT_MIB=64
TOTAL=535 # seconds
KERNELS="attention linear linear_gelu linear_rows linear_swiglu patch_embed
    resample rms_norm rope store_bytes store_rows swiglu"

die() {
    echo "on-gpu.sh: $*" >&2
    exit 1
}

# ---- build -------------------------------------------------------------------

configure() { # FOLDER, then what differs
    local folder=$1
    shift
    cmake -S "$ROOT" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
        "-DCMAKE_INSTALL_RPATH=\$ORIGIN/../lib" \
        -DORIEL_GOLDEN_FOLDER=golden "$@" >"$folder.log" 2>&1 ||
        die "cmake could not configure: see $folder.log"
}

# What a program loads that a bare machine may lack goes along.
carry_libraries() {
    ldd "$STAGE"/bin/* "$STAGE"/lib/*.so* 2>/dev/null |
        awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
        grep -Ev '/(libc|libm|libdl|librt|libpthread|libgcc_s|ld-linux[^/]*)\.so|/libcuda\.so' |
        grep -Fv "$STAGE/" |
        while read -r library; do
            cp -L "$library" "$STAGE/lib/"
        done
}

stage() { # FOLDER, module, then NAME=PROGRAM...
    local folder=$1 module=$2 pair
    shift 2
    rm -rf "$STAGE"
    mkdir -p "$STAGE/bin" "$STAGE/lib" "$STAGE/golden"
    for pair in "$@"; do
        cp -L "$folder/bin/${pair#*=}" "$STAGE/bin/${pair%%=*}" ||
            die "no $folder/bin/${pair#*=}"
    done
    cp -P "$folder"/lib/liboriel.so* "$folder"/lib/liboriel-image.so* \
        "$STAGE/lib/" || die "no liboriel.so"
    cp "$module" "$STAGE/lib/liboriel-cuda.so" || die "no liboriel-cuda.so"
    cp "$ROOT"/tests/golden/*.safetensors "$STAGE/golden/"
    strip --strip-debug "$STAGE"/bin/* 2>/dev/null
    carry_libraries
    git -C "$ROOT" describe --always --dirty --abbrev=12 \
        >"$STAGE/commit" 2>/dev/null || echo unknown >"$STAGE/commit"
}

record_instructions() { # FOLDER
    if ! "$1/bin/sim_instructions" record "$STAGE/instructions.bin" ||
        ! "$1/bin/sim_instructions" self "$STAGE/instructions.bin"; then
        die "the simulator's instructions were not recorded"
    fi
}

programs() { # what tests are called, what benchmarks are called
    echo oriel=oriel golden=test_golden
    echo encode_invariance=oriel_gpu_encode_invariance
    echo instructions="$1"_instructions
    echo ops=oriel_"$2"_ops invariance=oriel_"$2"_invariance
    for name in $KERNELS; do
        echo kernel_"$name"=test_"$1"_"$name"
    done
}

build() {
    mkdir -p "$TREE"
    configure "$TREE" -DORIEL_CUDA=ON \
        "-DORIEL_CUDA_ARCHITECTURES=90a-real;80-virtual"
    # shellcheck disable=SC2046
    set -- $(programs device gpu) encode=oriel_gpu_encode sweep=device_sweep
    # shellcheck disable=SC2046
    ninja -C "$TREE" oriel_cuda oriel_image oriel_tool sim_instructions \
        $(for pair; do echo "${pair#*=}"; done | sed 's/^oriel$/oriel_tool/') \
        >"$TREE/ninja.log" 2>&1 || die "the build failed: see $TREE/ninja.log"
    stage "$TREE" "$TREE/lib/liboriel-cuda.so" "$@"
    echo hardware >"$STAGE/kind"
    record_instructions "$TREE"
    local mib
    mib=$(du -sm "$STAGE" | cut -f1)
    echo "$STAGE: $mib MiB, $(cat "$STAGE/commit")"
    [ "$mib" -lt $LIMIT_MIB ] || die "it must be below $LIMIT_MIB MiB to travel"
}

# ---- run ---------------------------------------------------------------------

# What follows has so many seconds, however many steps it is.
section() {
    DEADLINE=$((SECONDS + $1))
    [ $DEADLINE -lt $TOTAL ] || DEADLINE=$TOTAL
}

# step NAME SECONDS COMMAND...: within its limit and what its section has left.
step() {
    local name=$1 limit=$2 left begun
    shift 2
    left=$((DEADLINE - SECONDS))
    [ "$limit" -lt "$left" ] || limit=$left
    begun=$SECONDS
    if [ "$limit" -lt 2 ]; then
        status=124
        echo "no time was left" >"$PARTS/$name.log"
    else
        timeout -k 5 "$limit" "$@" >"$PARTS/$name.log" 2>&1
        status=$?
    fi
    case $status in
    0) echo "passed   $name ($((SECONDS - begun)) s)" ;;
    77) echo "SKIPPED  $name: $(tail -n 1 "$PARTS/$name.log")" ;;
    *)
        if [ $status = 124 ] || [ $status = 137 ]; then
            echo "CUT      $name after $((SECONDS - begun)) s"
        else
            echo "FAILED   $name: exit status $status"
        fi
        tail -n 12 "$PARTS/$name.log" | sed 's/^/         /'
        BAD=$((BAD + 1))
        ;;
    esac
    printf '%s\t%s\t%s\n' "$name" $status $((SECONDS - begun)) \
        >>"$PARTS/steps.tsv"
    report
}

report() {
    cat "$PARTS"/*.log >"${REPORT%.json}.log" 2>/dev/null
    [ -z "$PYTHON" ] || "$PYTHON" "$ROOT/bench/gpu/report.py" "$PARTS" "$REPORT"
}

skip() { # NAME WHY
    echo "SKIPPED  $1: $2"
    printf '%s\t77\t0\n' "$1" >>"$PARTS/steps.tsv"
}

# A line of numbers goes to the screen too.
show() {
    grep -v '^$' "$PARTS/$1.log" | tail -n "${2:-40}" | sed 's/^/         /'
}

clocks() {
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.draw,temperature.gpu \
        --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
}

about() { # what the report says of the machine and the tree
    printf '{"kind": "%s", "commit": "%s", "date": "%s", "clocks_before": "%s", "clocks_after": "%s"}\n' \
        "$KIND" "$(cat "$STAGE/commit")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        "$CLOCKS" "${1:-}" >"$PARTS/about.json"
}

run_correct() { # everything that must be right
    section 150
    step instructions 30 bin/instructions compare instructions.bin \
        "$PARTS/instructions.json"
    [ "$status" != 77 ] || die "no GPU: there is nothing to show"
    if [ -x bin/sweep ]; then
        step approximations 30 bin/sweep
        cp "$PARTS/approximations.log" "$PARTS/sweep.json"
    fi
    for name in $KERNELS; do
        step "kernel-$name" 40 "bin/kernel_$name"
    done
    step invariance-ops 60 bin/invariance $TINY
    step checkpoint-tiny 10 bin/oriel synth --config tiny --seed 1 --force \
        "$PARTS/tiny"
    step invariance-tiny 30 bin/encode_invariance "$PARTS/tiny" --small
    # shellcheck disable=SC2086
    step golden 60 bin/golden $GOLDEN --only "cuda bf16" \
        --json "$PARTS/golden.json"
}

run_full_depth() { # 7B, made here
    section 130
    step checkpoint-7b 60 bin/oriel synth --config 7b --seed 1 --force \
        "$PARTS/7b"
    step invariance-7b 40 bin/encode_invariance "$PARTS/7b"
    if [ -n "$TORCH" ]; then
        step parity-7b 80 "$PYTHON" "$ROOT/bench/parity_hf.py" --tool \
            bin/oriel --model "$PARTS/7b" --device cuda --precisions bf16 \
            --torch-device cuda --commit "$(cat commit)" \
            --json "$PARTS/parity.json"
        show parity-7b 10
    else
        skip parity-7b "no python3 with torch and transformers"
    fi
}

# Small shapes alone: they are ten to a hundred times slower so.
run_sanitizers() {
    local tool
    if ! command -v compute-sanitizer >/dev/null; then
        skip sanitizers "no compute-sanitizer"
        return
    fi
    section 80
    for tool in memcheck racecheck synccheck initcheck; do
        for name in attention linear linear_swiglu linear_rows patch_embed \
            resample; do
            step "$tool-$name" 12 compute-sanitizer --tool $tool \
                --error-exitcode 9 "bin/kernel_$name"
        done
        step "$tool-tiny" 15 compute-sanitizer --tool $tool \
            --error-exitcode 9 bin/encode_invariance "$PARTS/tiny" --small
    done
}

run_timings() {
    section $TOTAL
    step time-encode 40 bin/encode "$PARTS/7b" --json "$PARTS/encode.json"
    show time-encode
    step time-kernels 60 bin/ops --json "$PARTS/ops.json"
    show time-kernels
    if [ -z "$TORCH" ]; then
        skip time-torch "no python3 with torch and transformers"
        return
    fi
    step time-cublas 50 "$PYTHON" "$ROOT/bench/gpu/peer_torch.py" matmul \
        "$PARTS/ops.json" "$PARTS/cublas.json"
    show time-cublas
    for size in 448x448 1036x1036 64x448x448; do
        for how in sdpa eager compile; do
            step "time-torch-$how-$size" 35 "$PYTHON" \
                "$ROOT/bench/gpu/peer_torch.py" tower "$PARTS/7b" $how $size \
                "$PARTS/tower-$how-$size.json"
            show "time-torch-$how-$size" 1
        done
    done
}

run() {
    [ -e "$STAGE/kind" ] || die "$STAGE is not built: bench/on-gpu.sh build"
    SECONDS=0
    BAD=0
    KIND=$(cat "$STAGE/kind")
    PARTS=$(mktemp -d) || die "no temporary folder"
    trap 'rm -rf "$PARTS"' EXIT
    PYTHON=$(command -v python3 || true)
    TORCH=
    CLOCKS=$(clocks)
    TINY=
    GOLDEN="tiny 7b 72b"
    [ "$KIND" = hardware ] || TINY=--tiny GOLDEN=tiny
    choose_report
    cd "$STAGE" || die "no $STAGE"
    about
    echo "$KIND, $(cat commit), $CLOCKS"
    run_correct
    if [ "$KIND" = hardware ]; then
        # Some seconds: only now.
        [ -z "$PYTHON" ] ||
            "$PYTHON" -c 'import numpy, safetensors, torch, transformers' \
                2>/dev/null && TORCH=yes
        run_full_depth
        run_sanitizers
        run_timings
    else
        section 60
        step time-kernels 60 bin/ops --tiny
        show time-kernels
        echo "no hardware, nothing is timed"
    fi
    about "$(clocks)"
    report
    echo "$REPORT: $BAD steps failed or were cut, $SECONDS s"
    [ $BAD = 0 ]
}

choose_report() {
    local folder=${OUT:-$ROOT/bench/results} gpu
    [ "$KIND" = hardware ] || folder=${OUT:-$STAGE}
    mkdir -p "$folder" || die "no $folder"
    gpu=$(echo "${CLOCKS%%,*}" | tr -cs 'A-Za-z0-9\n' - | sed 's/-*$//')
    [ "$KIND" = hardware ] || gpu=rehearsal
    REPORT=$folder/$(date -u +%Y-%m-%d)-$gpu.json
}

# ---- rehearse ----------------------------------------------------------------

rehearse() {
    TREE=$ROOT/build/rehearsal-tree
    STAGE=$ROOT/build/rehearsal
    mkdir -p "$TREE"
    configure "$TREE" -DORIEL_CUDA=OFF
    # shellcheck disable=SC2046
    set -- $(programs sim sim)
    # shellcheck disable=SC2046
    ninja -C "$TREE" oriel_cuda_rehearsal oriel_image \
        $(for pair; do echo "${pair#*=}"; done | sed 's/^oriel$/oriel_tool/') \
        >"$TREE/ninja.log" 2>&1 || die "the build failed: see $TREE/ninja.log"
    stage "$TREE" "$TREE/bench/gpu/rehearsal/liboriel-cuda.so" "$@"
    echo rehearsal >"$STAGE/kind"
    record_instructions "$TREE"
    run
}

case ${1:-} in
build) build ;;
run) run ;;
rehearse) rehearse ;;
*) die "usage: bench/on-gpu.sh build|run|rehearse" ;;
esac
