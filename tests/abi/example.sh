#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# example.sh CC CFLAGS INCLUDE_DIR LIB_DIR TOOL - the header's program runs
#
# The example is cut out of the comment that begins oriel.h, compiled as it
# stands, and run on a tiny synthetic checkpoint.
set -u
cc=$1
cflags=$2
include=$3
libs=$4
tool=$5
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

die() {
    echo "FAILED: $1"
    exit 1
}

sed -n '/^ \* A whole program/,/^ \*  }$/s/^ \*  //p' "$include/oriel.h" \
    >"$work/example.c"
grep -q 'int main' "$work/example.c" || die "no program in oriel.h's comment"
# shellcheck disable=SC2086
"$cc" -std=c99 -pedantic -Wall -Wextra -Werror $cflags -I"$include" \
    "$work/example.c" -o "$work/example" -L"$libs" -loriel \
    -Wl,-rpath,"$libs" || die "the example does not compile"

# A program that ends may leave its memory to the system.
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS

# At most 65536 pixels, so that 640 x 480 becomes 288 x 216; 8 x 8 a token.
"$tool" synth --config tiny --seed 1 "$work/model" || die "no checkpoint"
sed -i -E 's/("(max_pixels|longest_edge)": *)[0-9]+/\165536/g' \
    "$work/model/preprocessor_config.json"
said=$("$work/example" "$work/model") || die "the example fails: $said"
[ "$said" = "972 tokens" ] || die "it says '$said', expected '972 tokens'"

said=$("$work/example" "$work/nowhere" 2>&1) &&
    die "it runs without a checkpoint"
case $said in
*nowhere*) ;;
*) die "without a checkpoint it says '$said'" ;;
esac
echo "the header's example compiles, runs and fails well"
