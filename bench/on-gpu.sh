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
SLOW=1    # how many times the limits a step may take

die() {
    echo "on-gpu.sh: $*" >&2
    exit 1
}

# ---- build -------------------------------------------------------------------

# The RPATH is the old kind, which holds for libraries of libraries too.
configure() { # FOLDER, then what differs
    local folder=$1 old=-Wl,--disable-new-dtags
    shift
    cmake -S "$ROOT" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
        "-DCMAKE_INSTALL_RPATH=\$ORIGIN/../lib" \
        -DCMAKE_EXE_LINKER_FLAGS=$old -DCMAKE_SHARED_LINKER_FLAGS=$old \
        -DCMAKE_MODULE_LINKER_FLAGS=$old \
        -DORIEL_GOLDEN_FOLDER=golden "$@" >"$folder.log" 2>&1 ||
        die "cmake could not configure: see $folder.log"
}

# What the programs load from elsewhere, and a bare machine may lack.
foreign_libraries() {
    ldd "$STAGE"/bin/* "$STAGE"/lib/liboriel*.so 2>/dev/null |
        awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
        grep -Ev '/(libc|libm|libdl|librt|libpthread|libgcc_s|ld-linux[^/]*)\.so|/libcuda\.so' |
        grep -Fv "$STAGE/"
}

# It goes along; a library may bring others, so until nothing is left.
carry_libraries() {
    local library
    for library in $(foreign_libraries); do
        cp -L "$library" "$STAGE/lib/"
    done
    library=$(foreign_libraries)
    [ -z "$library" ] || die "not carried, but loaded: $library"
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
    # Every test of tests/kernels; 'counters' counts what only the simulator sees.
    ninja -C "$TREE" -t targets all |
        sed -n "s|^bin/test_$1_\([a-z_]*\): .*|kernel_\1=test_$1_\1|p" |
        grep -v '^kernel_counters=' | sort -u
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
    DEADLINE=$((SECONDS + $1 * SLOW))
    [ $DEADLINE -lt $TOTAL ] || DEADLINE=$TOTAL
}

# step NAME SECONDS COMMAND...: within its limit and what its section has left.
step() {
    local name=$1 limit=$2 left begun
    shift 2
    limit=$((limit * SLOW))
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

# Where torch is, its wheels have a cuBLASLt that the loader does not know.
find_cublaslt() {
    local library
    PRODUCTS=both
    [ "$KIND" = hardware ] || return 0
    if ldconfig -p 2>/dev/null | grep -q 'libcublasLt\.so\.13'; then
        return
    fi
    library=$([ -z "$PYTHON" ] || "$PYTHON" -c '
import pathlib, sysconfig
found = pathlib.Path(sysconfig.get_paths()["purelib"], "nvidia").rglob(
    "libcublasLt.so.13")
print(next(iter(found), ""))')
    if [ -n "$library" ]; then
        export LD_LIBRARY_PATH="${library%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    else
        PRODUCTS=own
        skip cublaslt "no libcublasLt.so.13: our own products alone"
    fi
}

# A line of numbers goes to the screen too.
show() {
    grep -v '^$' "$PARTS/$1.log" | tail -n "${2:-40}" | sed 's/^/         /'
}

card() { # one line
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit \
        --format=csv,noheader --id=0 2>/dev/null || echo "no nvidia-smi"
}

# Clocks of a card at rest say nothing: they are read while it works.
watch_clocks() {
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu \
        --format=csv,noheader,nounits --id=0 --loop-ms=500 \
        >"$PARTS/clocks.csv" 2>/dev/null &
    WATCHER=$!
}

stop_watching() {
    [ -z "$WATCHER" ] || kill "$WATCHER" 2>/dev/null
    WATCHER=
}

about() { # what the report says of the machine and the tree
    printf '{"kind": "%s", "commit": "%s", "date": "%s", "card": "%s"}\n' \
        "$KIND" "$(cat "$STAGE/commit")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        "$CARD" >"$PARTS/about.json"
}

run_correct() { # everything that must be right
    section 160
    step instructions 30 bin/instructions compare instructions.bin \
        "$PARTS/instructions.json"
    [ "$status" != 77 ] || die "no GPU: there is nothing to show"
    if [ -x bin/sweep ]; then
        step approximations 30 bin/sweep
        cp "$PARTS/approximations.log" "$PARTS/sweep.json"
    fi
    for program in bin/kernel_*; do
        step "kernel-${program#bin/kernel_}" 40 "$program"
    done
    # shellcheck disable=SC2086
    step invariance-ops 80 bin/invariance $TINY --kernels $PRODUCTS
    step checkpoint-tiny 10 bin/oriel synth --config tiny --seed 1 --force \
        "$PARTS/tiny"
    step invariance-tiny 30 bin/encode_invariance "$PARTS/tiny" --small
    [ $PRODUCTS = own ] || step invariance-tiny-cublaslt 30 \
        bin/encode_invariance "$PARTS/tiny" --small --cublaslt
    # shellcheck disable=SC2086
    step golden 60 bin/golden $GOLDEN --only "cuda bf16" \
        --json "$PARTS/golden.json"
}

run_full_depth() { # 7B, made here
    section 130
    step checkpoint-7b 60 bin/oriel synth --config 7b --seed 1 --force \
        "$PARTS/7b"
    step invariance-7b 40 bin/encode_invariance "$PARTS/7b"
    [ $PRODUCTS = own ] || step invariance-7b-cublaslt 40 \
        bin/encode_invariance "$PARTS/7b" --cublaslt
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

# The tiny tower and single kernels: they are ten to a hundred times slower so.
# Every tool has its turn at a program before the next, should time be short.
run_sanitizers() {
    local tool program
    PATH=$PATH:/usr/local/cuda/bin
    if ! command -v compute-sanitizer >/dev/null; then
        skip sanitizers "no compute-sanitizer"
        return
    fi
    section 90
    for program in encode_invariance kernel_attention kernel_linear \
        kernel_linear_swiglu kernel_linear_rows kernel_patch_embed \
        kernel_resample; do
        set --
        [ $program != encode_invariance ] || set -- "$PARTS/tiny" --small
        for tool in memcheck racecheck synccheck initcheck; do
            step "$tool-${program#kernel_}" 15 compute-sanitizer --tool $tool \
                --error-exitcode 9 "bin/$program" "$@"
        done
    done
}

run_timings() {
    section $TOTAL
    watch_clocks
    step time-encode 40 bin/encode "$PARTS/7b" --json "$PARTS/encode.json"
    show time-encode
    step time-kernels 75 bin/ops --kernels $PRODUCTS --json "$PARTS/ops.json"
    show time-kernels 80
    if [ $PRODUCTS = both ] && [ -n "$PYTHON" ]; then
        step products-table 5 "$PYTHON" "$ROOT/bench/gpu/report.py" products \
            "$PARTS/ops.json"
        show products-table
    fi
    if [ -n "$TORCH" ]; then
        step time-cublas 50 "$PYTHON" "$ROOT/bench/gpu/peer_torch.py" matmul \
            "$PARTS/ops.json" "$PARTS/cublas.json"
        show time-cublas
        step time-torch $TOTAL "$PYTHON" "$ROOT/bench/gpu/peer_torch.py" \
            towers "$PARTS/7b" "$PARTS/towers.json"
        show time-torch
    else
        skip time-torch "no python3 with torch and transformers"
    fi
    stop_watching
}

run() {
    [ -e "$STAGE/kind" ] || die "$STAGE is not built: bench/on-gpu.sh build"
    SECONDS=0
    BAD=0
    KIND=$(cat "$STAGE/kind")
    PARTS=$(mktemp -d) || die "no temporary folder"
    WATCHER=
    trap 'stop_watching; rm -rf "$PARTS"' EXIT
    PYTHON=$(command -v python3 || true)
    TORCH=
    CARD=$(card)
    TINY=
    GOLDEN="tiny 7b 72b"
    if [ "$KIND" != hardware ]; then
        TINY=--tiny GOLDEN=tiny
        SLOW=4 TOTAL=$((TOTAL * 4)) # it simulates
    fi
    choose_report
    cd "$STAGE" || die "no $STAGE"
    about
    echo "$KIND, $(cat commit), $CARD"
    find_cublaslt
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
        step time-kernels 60 bin/ops --tiny --kernels $PRODUCTS
        show time-kernels
        echo "no hardware, nothing is timed"
    fi
    report
    echo "$REPORT: $BAD steps failed or were cut, $SECONDS s"
    [ $BAD = 0 ]
}

choose_report() {
    local folder=${OUT:-$ROOT/bench/results} gpu
    [ "$KIND" = hardware ] || folder=${OUT:-$STAGE}
    mkdir -p "$folder" || die "no $folder"
    gpu=$(echo "${CARD%%,*}" | tr -cs 'A-Za-z0-9\n' - | sed 's/-*$//')
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
