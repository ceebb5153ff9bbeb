#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh INCLUDE_DIR SOURCE_DIR - the public headers offend no compiler
#
# Every compiler found, every standard promised, all warnings as errors.  Each
# header is also compiled alone, so that it includes what it needs.  oriel.hpp is
# for C++17 and later.
set -u
include=$1
source=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0
compiled=0

compile() { # compiler, language, standard, file
    flags="-pedantic -Wall -Wextra -Werror -Wmissing-field-initializers
        -Wconversion -Wshadow -Wundef"
    case $2 in
    c) flags="$flags -Wstrict-prototypes" ;;
    c++) flags="$flags -Wold-style-cast -Wzero-as-null-pointer-constant" ;;
    esac
    # shellcheck disable=SC2086
    if "$1" -x "$2" "-std=$3" $flags -I"$include" -fsyntax-only "$4"; then
        compiled=$((compiled + 1))
    else
        echo "FAILED: $1 -std=$3 $4"
        status=1
    fi
}

all() { # compiler, language, standards
    if ! command -v "$1" >/dev/null; then
        echo "SKIPPED: no $1 here"
        return
    fi
    for standard in $3; do
        compile "$1" "$2" "$standard" "$source/headers.c"
        headers="oriel.h oriel_image.h oriel_verify.h"
        case $standard in
        c++17 | c++20) headers="$headers oriel.hpp" ;;
        esac
        for header in $headers; do
            printf '#include "%s"\nint main(void);\n' "$header" >"$work/alone.c"
            compile "$1" "$2" "$standard" "$work/alone.c"
        done
    done
}

all gcc c "c99 c11 c17"
all clang c "c99 c11 c17"
all g++ c++ "c++11 c++14 c++17 c++20"
all clang++ c++ "c++11 c++14 c++17 c++20"

echo "$compiled compilations passed"
[ "$status" -eq 0 ] || exit 1
[ "$compiled" -gt 0 ] || exit 77
