#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# example.sh CC CFLAGS INCLUDE_DIR LIB_DIR TOOL README - documents' programs run
#
# The examples are cut out of the comment that begins oriel.h and out of README,
# compiled as they stand, and run on a tiny synthetic checkpoint.
set -u
cc=$1
cflags=$2
include=$3
libs=$4
tool=$5
readme=$6
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

die() {
    echo "FAILED: $1"
    exit 1
}

sed -n '/^ \* A whole program/,/^ \*  }$/s/^ \*  //p' "$include/oriel.h" \
    >"$work/example.c"
grep -q 'int main' "$work/example.c" || die "no program in oriel.h's comment"
# compile NAME
compile() {
    # shellcheck disable=SC2086
    "$cc" -std=c99 -pedantic -Wall -Wextra -Werror $cflags -I"$include" \
        "$work/$1.c" -o "$work/$1" -L"$libs" -loriel \
        -Wl,-rpath,"$libs" || die "$1.c does not compile"
}
compile example

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
# README has a function; the result is the same matrix as the tool's.
{
    printf '#include <oriel.h>\n#include <stdio.h>\n#include <stdlib.h>\n'
    sed -n '/^## Ten lines of C/,/^## /{/^```c$/,/^```$/{/^```/!p}}' "$readme"
    cat <<'END'
int
main(int argc, char **argv)
{
    enum { BYTES = 972 * 24 * 4 };
    unsigned char *rgb = calloc(480, 640 * 3);
    float *rows = malloc(BYTES);
    oriel_error err;

    if (!rgb || !rows || embed(argv[argc - 1], rgb, 640, 480, rows, BYTES, &err))
        return fprintf(stderr, "%s\n", err.message), 1;
    return fwrite(rows, BYTES, 1, stdout) != 1;
}
END
} >"$work/readme.c"
grep -q 'oriel_encode(' "$work/readme.c" || die "no function in $readme"
compile readme
"$work/readme" "$work/model" >"$work/rows" || die "README's function fails"
{
    printf 'P6 640 480 255\n'
    head -c $((640 * 480 * 3)) /dev/zero
} >"$work/black.ppm"
"$tool" encode "$work/black.ppm" --model "$work/model" --device cpu --dtype f32 \
    -q -o "$work/rows.safetensors" || die "the tool cannot encode"
python3 - "$work" <<'END' || die "README's function does not give the tool's rows"
import json, struct, sys
work = sys.argv[1]
data = open(work + "/rows.safetensors", "rb").read()
n, = struct.unpack_from("<Q", data)
begin, end = json.loads(data[8:8 + n])["embeddings"]["data_offsets"]
assert data[8 + n + begin:8 + n + end] == open(work + "/rows", "rb").read()
END
"$work/readme" "$work/nowhere" >/dev/null 2>&1 &&
    die "README's function finds a checkpoint that is not there"
echo "the examples compile, run and fail well"
