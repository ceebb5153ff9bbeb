#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# hardening.sh CC [pads|no-pads] FILE OBJECT...: the shipped object FILE, made of
# our OBJECTs, has each protection of cmake/hardening.cmake
#
# no-pads: something in FILE that is not ours has no landing pads for indirect
# calls, so the note must not promise them.
set -u
cc=$1
pads=$2
file=$3
shift 3
missing=

lacks() {
    missing="$missing${missing:+, }$1"
}

dynamic=$(readelf -dW "$file") || exit 1
segments=$(readelf -lW "$file")
symbols=$(readelf -W --dyn-syms "$file")
notes=$(readelf -nW "$file")

# has TEXT PATTERN
has() {
    printf '%s\n' "$1" | grep -qE "$2"
}

has "$dynamic" 'BIND_NOW|FLAGS_1.*NOW' || lacks "symbols bound at start"
has "$segments" GNU_RELRO || lacks "read-only relocations"
has "$dynamic" TEXTREL && lacks "code without relocations"
has "$segments" 'GNU_STACK.* RW ' || lacks "a stack that is not executable"
has "$segments" ' RWE ' && lacks "no segment both writable and executable"
has "$symbols" __stack_chk_fail || lacks "the stack protector"
has "$symbols" '__[a-z]+_chk(@|$)' || lacks "the C library's checks of sizes"
if has "$segments" INTERP; then
    has "$dynamic" 'FLAGS_1.*PIE' || lacks "a random address of the program"
fi

case $("$cc" -dumpmachine) in
x86_64*) kinds="IBT SHSTK" ;;
aarch64*) kinds="BTI" ;;
*) kinds= ;;
esac
for kind in $kinds; do
    if [ "$kind" != SHSTK ] && [ "$pads" = no-pads ]; then
        has "$notes" "Properties:.*$kind" && lacks "the truth about $kind"
        continue
    fi
    has "$notes" "Properties:.*$kind" || lacks "the note of $kind"
done
# The linker was told to write that note, so look at what went in.
for object in "$@"; do
    for kind in $kinds; do
        readelf -nW "$object" | grep -q "Properties:.*$kind" ||
            lacks "$kind in ${object##*/}"
    done
done

[ -z "$missing" ] || {
    echo "FAILED: $file lacks: $missing"
    exit 1
}
echo "$file, made of $# objects, has them all"
