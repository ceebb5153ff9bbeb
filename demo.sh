#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh - photographs through the full 7B vision encoder, from nothing
#
# On a fresh Debian 12, without downloaded weights: installs the packages that are
# missing, builds, makes a checkpoint with random weights in the official layout,
# encodes four photographs, and holds rows of the result against what
# transformers made of the same photographs and weights.  A GPU is used where
# there is one, and CUDA 13 to build for it; else the CPU.
# Idempotent: what is there already is used again.  All of it goes into
# build/release/, which the README's commands use too, and demo-out/.
set -eu
cd "$(dirname "$0")"
. scripts/debian.sh
. scripts/gpu.sh

BUILD=build/release
OUT=demo-out
MODEL=$OUT/model-7b
# What `oriel synth --config 7b --seed 1` makes, anywhere.
MODEL_DIGEST=0824e0f4e6a8c4c50b7c36034b71519d
PHOTOS="examples/photos/astronaut.jpg examples/photos/cat.png \
examples/photos/coffee.webp examples/photos/rocket.jpg"
EXPECTED=examples/photos/expected_rows.safetensors

# In MB: the checkpoint, the build, and some air.
DISK_MODEL=1500
DISK_BUILD=200

oriel() {
    "$BUILD/bin/oriel" "$@"
}

# Whether the processor multiplies bf16, as the encoder will find out too.
has_bf16() {
    grep -qE '^flags.*(avx512_bf16|amx_bf16)' /proc/cpuinfo
}

announce() {
    say "Oriel: four photographs, the 7B vision encoder, random weights"
    echo "Packages (half a minute, once), build (a minute or two, once),"
    echo "checkpoint of 1.4 GB (seconds, once), then the photographs: on two"
    if has_bf16; then
        echo "cores about fifteen seconds, in bf16, which this processor has."
    else
        echo "cores about half a minute, in fp32: this processor has no bf16."
    fi
    echo "This machine has $(nproc)."
    if [ -n "$(gpu_kinds)" ]; then
        echo "There is a GPU: it is used if CUDA 13 is here to build for it."
    fi
}

# A reason now is better than a failure in a minute.
check_room() {
    need=$DISK_BUILD
    [ -e "$MODEL/config.json" ] || need=$((need + DISK_MODEL))
    free=$(df -Pm . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$need" ] ||
        die "this folder's disk has $free MB left; the demo needs $need MB"
    need=2500
    has_bf16 || need=4500
    free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
    [ "$free" -ge "$need" ] ||
        die "$free MB of memory are available; the demo needs $need MB"
}

build() {
    say "Building ($BUILD)"
    options="-DBUILD_TESTING=OFF $(cuda_options)"
    # A build that is there keeps what it was configured for.
    [ ! -e "$BUILD/CMakeCache.txt" ] || options=""
    # shellcheck disable=SC2086
    cmake --preset release $options >/dev/null || die "cmake could not configure"
    targets="oriel_tool oriel_cpu oriel_image compare_rows"
    if cmake --build --preset release --target help | grep -q '^oriel_cuda:'; then
        targets="$targets oriel_cuda"
    fi
    # shellcheck disable=SC2086
    cmake --build --preset release --target $targets || die "the build failed"
}

digest_of_model() {
    oriel inspect --digest "$MODEL" 2>/dev/null |
        awk '$1 == "digest" { print $2 }'
}

make_model() {
    if [ -e "$MODEL/config.json" ]; then
        say "Checking the checkpoint that is there ($MODEL)"
        if [ "$(digest_of_model)" = "$MODEL_DIGEST" ]; then
            echo "intact"
            return
        fi
        echo "it is not what it should be: making it again"
    fi
    say "Making the checkpoint: oriel synth --config 7b --seed 1 $MODEL"
    mkdir -p "$OUT"
    oriel synth --config 7b --seed 1 --force "$MODEL" ||
        die "the checkpoint could not be made"
    [ "$(digest_of_model)" = "$MODEL_DIGEST" ] ||
        die "the checkpoint differs from the one that was meant (oriel" \
            "inspect --digest): expected $MODEL_DIGEST"
}

encode() {
    say "Encoding: oriel encode --model $MODEL -o $OUT/embeddings.safetensors" \
        "PHOTO..."
    # One photograph a batch, so that each has its own time.
    # shellcheck disable=SC2086
    {
        oriel encode --model "$MODEL" --dtype f32 --batch-patches 1 \
            --json --force -o "$OUT/embeddings.safetensors" $PHOTOS 2>&1
        echo $? >"$OUT/status.txt"
    } | tee "$OUT/events.jsonl" | show_progress
    [ "$(cat "$OUT/status.txt")" -eq 0 ] || {
        cat "$OUT/events.jsonl" >&2
        die "encoding failed"
    }
    # shellcheck disable=SC2086
    oriel plan $PHOTOS >"$OUT/plan.txt" || die "planning failed"
    sed -n 's/.*"description": *"\([^"]*\)".*/\1/p' "$OUT/events.jsonl" |
        sed 1q
    table
}

# 51 of "0.5199".
percent() {
    case $1 in
    *e-*) echo 0 ;;
    1*) echo 100 ;;
    0.*)
        digits=${1#0.}00
        digits=${digits%"${digits#??}"}
        echo "${digits#0}"
        ;;
    *) echo 0 ;;
    esac
}

# How far the encoder's events say it is: redrawn on a terminal, else a line
# after each photograph.  The shell reads a line when it is there; awk may wait
# for more of them.
show_progress() {
    photos=$(echo "$PHOTOS" | wc -w)
    encoded=0
    while read -r line; do
        case $line in
        *'"event":"progress"'*'"part":'*)
            [ -t 1 ] || continue
            part=${line##*\"part\":}
            part=$(percent "${part%\}}")
            full=$((part * 32 / 100))
            printf "\r[%.${full}s%.$((32 - full))s] %3d %%" \
                "################################" \
                "................................" "$part"
            ;;
        *'"event":"encoded"'*)
            encoded=$((encoded + 1))
            [ -t 1 ] || echo "$encoded of $photos photographs"
            ;;
        esac
    done
    if [ -t 1 ]; then
        printf '\r\033[K'
    fi
}

# What planning said of each photograph, beside the seconds that it took.
table() {
    sed -n 's/.*"event": *"encoded".*"seconds": *\([0-9.e+-]*\).*/\1/p' \
        "$OUT/events.jsonl" >"$OUT/seconds.txt"
    awk '
        BEGIN {
            printf "\n%-16s %9s %9s %12s %7s %8s\n", "photograph", "size",
                   "resized", "grid t,h,w", "tokens", "seconds"
        }
        FNR == NR { seconds[NR] = $1; next }
        FNR > 1 && n < 4 {
            name = $NF
            sub(/.*\//, "", name)
            printf "%-16s %9s %9s %12s %7s %8.2f\n", name, $1, $2, $3, $5,
                   seconds[++n]
        }' "$OUT/seconds.txt" "$OUT/plan.txt"
}

compare() {
    say "Against transformers: rows made once with the same photographs and" \
        "weights"
    "$BUILD/bin/compare_rows" "$EXPECTED" "$OUT/embeddings.safetensors" ||
        die "the result is not transformers' result"
}

# As many pictures as there are, into a folder that a stopped run goes on with.
extract() {
    say "A data set: oriel extract examples/photos/ --max-tokens 256" \
        "--model $MODEL -o $OUT/features"
    rm -rf "$OUT/features"
    oriel extract examples/photos/ --max-tokens 256 --model "$MODEL" \
        -o "$OUT/features" || die "the photographs could not be extracted"
    ls "$OUT/features"
}

announce
check_room
# shellcheck disable=SC2086
install_packages $ORIEL_BUILD_PACKAGES
build
make_model
encode
compare
extract
echo
echo "The embeddings: $OUT/embeddings.safetensors.  With real weights:"
echo "  $BUILD/bin/oriel encode PHOTO... --model Qwen/Qwen2.5-VL-7B-Instruct" \
    "-o FILE"
