#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# on-gpu.sh - everything that only hardware can show, in one go
#
#   bench/on-gpu.sh build             here: compile all of it into build/on-gpu
#   bench/on-gpu.sh run               there: under eight minutes, JSON out
#   bench/on-gpu.sh rehearse [BUILD]  here: the same run on the simulated GPU
#
# 'build' wants nvcc and what the project's build wants.  It fills a folder and
# packs it into build/on-gpu.tar.xz: that file and the tree (under 48 MiB together)
# are all that 'run' needs, which unpacks it where the folder is absent, beside an
# NVIDIA driver and a python3 with torch, transformers, safetensors and numpy; what is
# missing there is said and its steps are skipped.  'run' reads clocks, never
# sets them.  'rehearse' builds a tree of its own and runs every test of the
# kernels; with BUILD it takes the programs of that build folder and two of the
# tests, as ctest has them all.
#
# The order: what decides between the kernels of products (each instruction as the
# simulator has it, rows that are their own, rates), then "oriel doctor --verify",
# rates of memory and of attention, the whole encoder, golden values and parity, all
# else that must be right, peers, sanitizers.
# Each step has a limit, a failed one does not stop the others, and the report is
# written anew after each: a run cut short is still of use.  It goes to $OUT if that is set,
# else to bench/results/<date>-<GPU>.json.  The exit status is 0 when no step
# failed or was cut.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
STAGE=${ORIEL_STAGE:-$ROOT/build/on-gpu}
TREE=$ROOT/build/on-gpu-tree
LIMIT_MIB=48
TOTAL=470 # seconds
SLOW=1    # how many times the limits a step may take
PRODUCT_OPS='linear|patch_embed'
OTHER_OPS='norm|rope| swiglu|attention'

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
    LD_LIBRARY_PATH=$STAGE/lib ldd "$STAGE"/bin/* "$STAGE"/lib/liboriel*.so 2>/dev/null |
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
    # "oriel doctor --verify" holds a network of the GPU's against it.
    cp "$folder/lib/liboriel-cpu.so" "$STAGE/lib/" || die "no liboriel-cpu.so"
    cp "$ROOT"/tests/golden/*.safetensors "$STAGE/golden/"
    strip --strip-debug "$STAGE"/bin/* 2>/dev/null
    carry_libraries
    git -C "$ROOT" describe --always --dirty --abbrev=12 \
        >"$STAGE/commit" 2>/dev/null || echo unknown >"$STAGE/commit"
}

# What travels: the stage, and the tree as git sees it.
tree_kib() {
    (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard |
        du -ck --apparent-size --files0-from=- 2>/dev/null | tail -n 1 | cut -f1)
}

record_instructions() { # FOLDER, and how many of the cases of sm_90a's: default all
    local name cases
    for name in instructions instructions_hopper; do
        cases=
        [ $name = instructions ] || cases=${2:-}
        # shellcheck disable=SC2086
        if ! "$1/bin/sim_$name" record "$STAGE/$name.bin" $cases ||
            ! "$1/bin/sim_$name" self "$STAGE/$name.bin"; then
            die "the simulator's $name were not recorded"
        fi
    done
}

# NAME=PROGRAM of all that both kinds have; 'counters' counts what only the
# simulator sees.
programs() { # what tests are called, what benchmarks are called, kernels' tests
    local tests=$1 benches=$2 name
    shift 2
    echo oriel=oriel golden=test_golden
    echo encode_invariance=oriel_gpu_encode_invariance
    echo instructions="${tests}_instructions"
    echo instructions_hopper="${tests}_instructions_hopper"
    for name in ops invariance encode encode_streams; do
        echo $name="oriel_${benches}_$name"
    done
    [ $# -gt 0 ] ||
        set -- $(cd "$ROOT/tests" && ls kernels/test_*.c hopper/test_*.c |
            sed 's,^kernels/,,; s,^hopper/test_,test_hopper_,
                s/^test_//; s/\.c$//; /counters$/d')
    for name in "$@"; do
        echo "kernel_$name=test_${tests}_$name"
    done
}

targets() { # NAME=PROGRAM...: what ninja calls them
    local pair
    for pair in "$@"; do
        echo "${pair#*=}"
    done | sed 's/^oriel$/oriel_tool/'
}

build() {
    local kib
    mkdir -p "$TREE"
    configure "$TREE" -DORIEL_CUDA=ON \
        "-DORIEL_CUDA_ARCHITECTURES=90a-real;80-virtual"
    # shellcheck disable=SC2046
    set -- $(programs device gpu) sweep=device_sweep
    # shellcheck disable=SC2046
    ninja -C "$TREE" oriel_cuda oriel_cpu oriel_image sim_instructions \
        sim_instructions_hopper $(targets "$@") \
        >"$TREE/ninja.log" 2>&1 || die "the build failed: see $TREE/ninja.log"
    stage "$TREE" "$TREE/lib/liboriel-cuda.so" "$@"
    echo hardware >"$STAGE/kind"
    record_instructions "$TREE"
    # xz sees what its programs have in common, gzip does not: half the bytes.
    python3 -c 'import sys, tarfile
with tarfile.open(sys.argv[2], "w:xz", preset=3) as packed:
    packed.add(sys.argv[1], ".")' "$STAGE" "$STAGE.tar.xz" ||
        die "$STAGE could not be packed"
    kib=$(($(du -sk --apparent-size "$STAGE.tar.xz" | cut -f1) + $(tree_kib)))
    echo "$STAGE.tar.xz and the tree: $((kib / 1024)) MiB, $(cat "$STAGE/commit")"
    [ $((kib / 1024)) -lt $LIMIT_MIB ] ||
        die "they must be below $LIMIT_MIB MiB to travel"
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

# Where torch is, its wheels have libraries that the loader does not know.
find_library() { # NAME: whether it can be loaded from now on
    local library
    [ "$KIND" = hardware ] || return 0 # the simulated GPU has its own
    ! ldconfig -p 2>/dev/null | grep -qF "$1" || return 0
    [ -n "$PYTHON" ] || return 1
    library=$("$PYTHON" -c '
import pathlib, sys, sysconfig
found = pathlib.Path(sysconfig.get_paths()["purelib"], "nvidia").rglob(sys.argv[1])
print(next(iter(found), ""))' "$1")
    [ -n "$library" ] || return 1
    export LD_LIBRARY_PATH="${library%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

find_libraries() {
    PRODUCTS=both CUDNN=yes
    if ! find_library libcublasLt.so.13; then
        PRODUCTS=own
        skip cublaslt "no libcublasLt.so.13: our own products alone"
    fi
    if ! find_library libcudnn.so.9; then
        CUDNN=no
        skip cudnn "no libcudnn.so.9: our own attention alone"
    fi
}

# A line of numbers goes to the screen too.
show() {
    grep -v '^$' "$PARTS/$1.log" | tail -n "${2:-40}" | sed 's/^/         /'
}

# Checks that failed, of "oriel doctor", a line each.
show_failed() { # NAME
    [ -z "$PYTHON" ] || "$PYTHON" "$ROOT/bench/gpu/report.py" failed \
        "$PARTS/$1.json" | sed 's/^/         /'
}

card() { # one line
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit \
        --format=csv,noheader --id=0 2>/dev/null || echo "no nvidia-smi"
}

# Clocks of a card at rest say nothing: they are read while it works.
watch_clocks() {
    echo >>"$PARTS/clocks.csv" # the last line of the watch before may be cut
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu \
        --format=csv,noheader,nounits --id=0 --loop-ms=500 \
        >>"$PARTS/clocks.csv" 2>/dev/null &
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

# What decides between the kernels of products: whether instructions are what the
# simulator takes them for, whether rows are their own, and rates.
run_products() {
    section 190
    step instructions 30 bin/instructions compare instructions.bin \
        "$PARTS/instructions.json"
    if [ "$status" = 77 ]; then
        rm -f "$REPORT" "${REPORT%.json}.log"
        die "no GPU: there is nothing to show"
    fi
    step instructions-hopper 20 bin/instructions_hopper compare \
        instructions_hopper.bin "$PARTS/instructions-hopper.json"
    HOPPER=yes
    [ "$status" != 77 ] || HOPPER=no # another GPU
    # shellcheck disable=SC2086
    step invariance-hopper 60 bin/invariance $TINY --kernels hopper
    # shellcheck disable=SC2086
    step invariance-ops 60 bin/invariance $TINY --kernels $PRODUCTS
    step checkpoint-tiny 10 bin/oriel synth --config tiny --seed 1 --force \
        "$PARTS/tiny"
    watch_clocks
    # shellcheck disable=SC2086
    step time-products 110 bin/ops $OPS --op "$PRODUCT_OPS" --kernels auto \
        --json "$PARTS/products.json"
    show time-products 120
    if [ "$KIND" = hardware ] && [ $PRODUCTS = both ] && [ -n "$PYTHON" ]; then
        step products-table 5 "$PYTHON" "$ROOT/bench/gpu/report.py" products \
            "$PARTS/products.json"
        show products-table
    fi
    stop_watching
}

# The user's own proof: each instruction, kernel and library against known results.
run_proof() {
    section 70
    step doctor 30 bash -c 'bin/oriel doctor --json >"$1"' - "$PARTS/doctor.json"
    show_failed doctor # an occupancy other than planned; verify fails for it
    step verify 60 bash -c 'bin/oriel doctor --verify --json >"$1"' - \
        "$PARTS/verify.json"
    show_failed verify
}

# Rates of memory and of attention, a frame of 21,316 patches among them.
run_others() {
    section 60
    watch_clocks
    # shellcheck disable=SC2086
    step time-others 40 bin/ops $OPS --op "$OTHER_OPS" --kernels auto --json \
        "$PARTS/others.json"
    show time-others
    # shellcheck disable=SC2086
    step time-frame 20 bin/ops $FRAME --op full_attention --kernels auto --json \
        "$PARTS/frame.json"
    show time-frame
    stop_watching
}

run_encode() { # 7B, made here; in a rehearsal the tiny one stands for it
    section 100
    if [ "$KIND" = hardware ]; then
        step checkpoint-7b 60 bin/oriel synth --config 7b --seed 1 --force \
            "$PARTS/7b"
    else
        ln -s tiny "$PARTS/7b"
        skip checkpoint-7b "the tiny one stands for it"
    fi
    watch_clocks
    # shellcheck disable=SC2086
    step time-encode 75 bin/encode "$PARTS/7b" $TINY --kernels $PRODUCTS \
        --json "$PARTS/encode.json"
    show time-encode
    stop_watching
}

run_golden() { # and parity
    section 110
    # shellcheck disable=SC2086
    step golden 60 bin/golden $GOLDEN --only "cuda bf16" \
        --json "$PARTS/golden.json"
    # shellcheck disable=SC2086
    [ $HOPPER = no ] || step golden-hopper 60 bin/golden $GOLDEN \
        --only "cuda hopper"
    # shellcheck disable=SC2086
    [ $CUDNN = no ] || step golden-cudnn 60 bin/golden $GOLDEN \
        --only "cuda cudnn"
    find_torch
    if [ -n "$TORCH" ]; then
        # shellcheck disable=SC2086
        step parity-7b 80 "$PYTHON" "$ROOT/bench/parity_hf.py" --tool \
            bin/oriel --model "$PARTS/7b" --device cuda --precisions bf16 \
            $PARITY --commit "$(cat commit)" --json "$PARTS/parity.json"
        show parity-7b 10
    else
        skip parity-7b "no python3 with torch and transformers"
    fi
}

run_correct() { # all else that must be right
    section 110
    if [ -x bin/sweep ]; then
        step approximations 30 bin/sweep
        cp "$PARTS/approximations.log" "$PARTS/sweep.json"
    else
        skip approximations "the simulator rounds correctly"
    fi
    for program in bin/kernel_*; do
        step "kernel-${program#bin/kernel_}" 40 "$program"
    done
    step invariance-tiny 30 bin/encode_invariance "$PARTS/tiny" --small
    step checks-tiny 30 bin/encode_invariance "$PARTS/tiny" --small --checks
    [ $HOPPER = no ] || step invariance-tiny-hopper 30 \
        bin/encode_invariance "$PARTS/tiny" --small --hopper
    [ $HOPPER = no ] || step checks-tiny-hopper 30 \
        bin/encode_invariance "$PARTS/tiny" --small --hopper --checks
    [ $PRODUCTS = own ] || step invariance-tiny-cublaslt 30 \
        bin/encode_invariance "$PARTS/tiny" --small --cublaslt
    step streams 30 bin/encode_streams "$PARTS/tiny"
    [ $HOPPER = no ] || step streams-hopper 30 \
        bin/encode_streams "$PARTS/tiny" --hopper
    [ $PRODUCTS = own ] || step streams-cublaslt 30 \
        bin/encode_streams "$PARTS/tiny" --cublaslt
    # shellcheck disable=SC2086
    step invariance-7b 40 bin/encode_invariance "$PARTS/7b" $SMALL
    # shellcheck disable=SC2086
    [ $HOPPER = no ] || step invariance-7b-hopper 40 \
        bin/encode_invariance "$PARTS/7b" $SMALL --hopper
    # shellcheck disable=SC2086
    [ $PRODUCTS = own ] || step invariance-7b-cublaslt 40 \
        bin/encode_invariance "$PARTS/7b" $SMALL --cublaslt
}

run_peers() {
    local part
    section 100
    if [ "$KIND" = hardware ] && [ -n "$TORCH" ]; then
        for part in products others frame; do
            step time-peers-$part 25 "$PYTHON" "$ROOT/bench/gpu/peer_torch.py" \
                ops "$PARTS/$part.json" "$PARTS/peers-$part.json"
            show time-peers-$part
        done
        step time-torch 60 "$PYTHON" "$ROOT/bench/gpu/peer_torch.py" \
            towers "$PARTS/7b" "$PARTS/towers.json"
        show time-torch
    elif [ "$KIND" = hardware ]; then
        skip time-torch "no python3 with torch and transformers"
    else
        skip time-torch "no hardware, nothing is timed"
    fi
}

# Where a toolkit or its wheels have it.
find_sanitizer() {
    local folder
    for folder in $(echo "$PATH" | tr : ' ') /usr/local/cuda/bin \
        /usr/local/cuda/compute-sanitizer /usr/local/cuda-*/bin \
        /usr/local/cuda-*/compute-sanitizer /opt/nvidia/*/compute-sanitizer \
        /opt/cuda/bin; do
        if [ -x "$folder/compute-sanitizer" ]; then
            SANITIZER=$folder/compute-sanitizer
            return
        fi
    done
    SANITIZER=
}

# The tiny tower and single kernels: they are ten to a hundred times slower so.
# Every tool has its turn at a program before the next, should time be short.
run_sanitizers() {
    local tool name program hopper=
    find_sanitizer
    if [ -z "$SANITIZER" ]; then
        skip sanitizers "no compute-sanitizer"
        return
    fi
    section $TOTAL
    [ $HOPPER = no ] || hopper="encode_invariance-hopper kernel_hopper_products
        kernel_hopper_full_attention"
    for name in encode_invariance $hopper kernel_rms_norm \
        kernel_linear_swiglu kernel_attention kernel_linear kernel_linear_rows \
        kernel_patch_embed kernel_resample; do
        program=${name%-hopper}
        [ -x "bin/$program" ] || continue
        for tool in memcheck racecheck synccheck initcheck; do
            set --
            [ $program != encode_invariance ] || set -- "$PARTS/tiny" --small
            [ "$name" = "$program" ] || set -- "$@" --hopper
            # Each part of the scratch is then memory of its own, but filled:
            # initcheck would take it for written.
            case $tool-$program in
            memcheck-encode_invariance) set -- "$@" --checks ;;
            esac
            step "$tool-${name#kernel_}" 15 "$SANITIZER" --tool $tool \
                --error-exitcode 9 "bin/$program" "$@"
        done
    done
}

# It may take some seconds, or never end where a machine lacks what it wants: no
# longer than its section has.
find_torch() {
    local left=$((DEADLINE - SECONDS))
    TORCH=
    if [ -n "$PYTHON" ] && [ $left -gt 1 ] && timeout -k 5 $left "$PYTHON" -c \
        'import numpy, safetensors, torch, transformers' >/dev/null 2>&1; then
        TORCH=yes
    fi
}

# Where only the packed folder came along.
unpack() {
    [ ! -e "$STAGE/kind" ] || return
    [ -e "$STAGE.tar.xz" ] || die "$STAGE is not built: bench/on-gpu.sh build"
    mkdir -p "$STAGE" || die "$STAGE cannot be made"
    # Where there is no xz, python3 has it.
    tar -C "$STAGE" -xJf "$STAGE.tar.xz" || python3 -c 'import sys, tarfile
tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$STAGE.tar.xz" "$STAGE"
    [ -e "$STAGE/kind" ] || die "$STAGE.tar.xz could not be unpacked"
}

run() {
    SECONDS=0
    unpack
    BAD=0
    KIND=$(cat "$STAGE/kind")
    PARTS=$(mktemp -d) || die "no temporary folder"
    WATCHER=
    trap 'stop_watching; rm -rf "$PARTS"' EXIT
    PYTHON=$(command -v python3 || true)
    CARD=$(card)
    TINY='' SMALL='' OPS='' FRAME="--size 2044x2044"
    GOLDEN="tiny 7b 72b"
    PARITY="--torch-device cuda"
    if [ "$KIND" != hardware ]; then
        OPS="--model $PARTS/tiny --size 40x56"
        FRAME="--model $PARTS/tiny --size 56x56"
        TINY=--tiny SMALL=--small GOLDEN=tiny PARITY="--sizes 112x84"
        SLOW=4 TOTAL=$((TOTAL * 4)) # it simulates
        # RUNPATHs of a build folder yield to it.
        export LD_LIBRARY_PATH="$STAGE/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
    choose_report
    cd "$STAGE" || die "no $STAGE"
    about
    echo "$KIND, $(cat commit), $CARD"
    find_libraries
    run_products
    run_proof
    run_others
    run_encode
    run_golden
    run_correct
    run_peers
    run_sanitizers
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

rehearse() { # a build folder, or nothing
    if [ $# -gt 0 ]; then
        TREE=$(cd "$1" && pwd) || die "no folder $1"
        STAGE=${ORIEL_STAGE:-$TREE/rehearsal}
        # shellcheck disable=SC2046
        set -- $(programs sim sim rms_norm swiglu)
    else
        TREE=$ROOT/build/rehearsal-tree
        STAGE=${ORIEL_STAGE:-$ROOT/build/rehearsal}
        # shellcheck disable=SC2046
        set -- $(programs sim sim)
        mkdir -p "$TREE"
        configure "$TREE" -DORIEL_CUDA=OFF
        # shellcheck disable=SC2046
        ninja -C "$TREE" oriel_cuda_rehearsal oriel_cpu oriel_image \
            $(targets "$@") >"$TREE/ninja.log" 2>&1 ||
            die "the build failed: see $TREE/ninja.log"
    fi
    stage "$TREE" "$TREE/bench/gpu/rehearsal/liboriel-cuda.so" "$@"
    echo rehearsal >"$STAGE/kind"
    record_instructions "$TREE" 8
    run
}

case ${1:-} in
build) build ;;
run) run ;;
rehearse)
    shift
    rehearse "$@"
    ;;
--help) sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0" ;;
*) die "usage: bench/on-gpu.sh build|run|rehearse [BUILD]" ;;
esac
