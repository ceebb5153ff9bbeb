#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# installed_tree.sh BUILD_DIR SOURCE_DIR CC CXX SANITIZER_FLAGS
#
# Install into a folder, move that folder, and use it as a stranger would: a C
# and a C++ program through pkg-config and through find_package(oriel), and the
# tool.  Nothing of the build is on any path.
set -u
build=$1
source=$2
cc=$3
cxx=$4
flags=$5
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# The build's own: a machine may have ninja and no make.
CMAKE_GENERATOR=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' \
    "$build/CMakeCache.txt")
export CMAKE_GENERATOR

die() {
    echo "FAILED: $1"
    [ -f "$work/log" ] && tail -n 30 "$work/log"
    exit 1
}

quietly() {
    "$@" >"$work/log" 2>&1 || die "$*"
}

# Output of a program must match a pattern.
expect() { # pattern, command...
    pattern=$1
    shift
    said=$("$@" 2>&1) || die "$* fails: $said"
    # shellcheck disable=SC2254
    case $said in
    $pattern) ;;
    *) die "$* says '$said', expected '$pattern'" ;;
    esac
}

quietly cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
lib=$(dirname "$(find "$prefix" -name 'liboriel.so.0')")

[ -d "$lib" ] || die "no liboriel.so.0"
for file in liboriel.so liboriel-image.so liboriel-image.so.0 liboriel-cpu.so \
    pkgconfig/oriel.pc pkgconfig/oriel-image.pc \
    cmake/oriel/orielConfig.cmake cmake/oriel/orielConfigVersion.cmake; do
    [ -e "$lib/$file" ] || die "$file is not installed"
done
for file in include/oriel.h include/oriel_image.h include/oriel_verify.h \
    include/oriel.hpp share/oriel/abi.json \
    bin/oriel; do
    [ -e "$prefix/$file" ] || die "$file is not installed"
done
grep -q '^complete .* oriel$' "$prefix/share/bash-completion/completions/oriel" ||
    die "the completion is not installed"
if command -v scdoc >/dev/null; then
    head -n 20 "$prefix/share/man/man1/oriel.1" | grep -q '^\.TH "ORIEL" "1"' ||
        die "the man page is not installed"
fi
find "$prefix" -name LICENSE | grep -q . || die "LICENSE is not installed"
[ "$(readlink "$lib/liboriel.so")" = liboriel.so.0 ] ||
    die "liboriel.so does not lead to liboriel.so.0"
# No text file of the tree may speak of where it was built or installed.
grep -rIl -e "$work/first" -e "$build" -e "$source" "$prefix" >"$work/found"
[ -s "$work/found" ] && die "paths of the build in: $(cat "$work/found")"
quietly sh "$(dirname "$0")/run_path.sh" "$prefix"
for object in "$prefix/bin/oriel" "$lib"/*.so; do
    # shellcheck disable=SC2016
    readelf -d "$object" | grep -E 'R(UN)?PATH' | grep -v '\[\$ORIGIN' &&
        die "$object looks for libraries outside the tree"
done

# A picture, and a checkpoint of a tiny network.
head -c 27648 "$source/include/oriel.h" >"$work/pixels"
{
    printf 'P6 128 72 255 '
    head -c 27648 "$work/pixels" "$work/pixels" | head -c 27648
} >"$work/picture.ppm"
quietly "$prefix/bin/oriel" synth --config tiny --seed 1 "$work/model"
version=$(sed -n 's/^#define ORIEL_VERSION_M[A-Z]* //p' \
    "$prefix/include/oriel.h" | paste -sd.)
expect "*$version*" "$prefix/bin/oriel" version

use() { # folder with count_tokens, embed and serve
    expect '*: 128 x 72, 15 tokens of 10 x 6 patches' \
        "$1/count_tokens" "$work/picture.ppm"
    expect '144 tokens of * values, root mean square [0-9]*' \
        "$1/embed" "$work/model" "$work/picture.ppm"
    expect '*requests in * rows, * runs' "$1/serve" "$work/model"
}

# pkg-config, C99 and C++17.
PKG_CONFIG_LIBDIR=$lib/pkgconfig:$(pkg-config --variable pc_path pkg-config)
PKG_CONFIG_PATH=
export PKG_CONFIG_LIBDIR PKG_CONFIG_PATH
names="oriel oriel-image"
# shellcheck disable=SC2086
found=$(pkg-config --cflags --libs $names) || die "pkg-config $names"
expect "$version.*" pkg-config --modversion oriel
mkdir "$work/pc"
# shellcheck disable=SC2086
{
    quietly "$cc" -std=c99 -Wall -Wextra -Werror $flags \
        "$source/examples/count_tokens.c" -o "$work/pc/count_tokens" $found \
        -Wl,-rpath,"$lib"
    quietly "$cc" -std=c99 -Wall -Wextra -Werror $flags \
        "$source/examples/serve.c" -o "$work/pc/serve" $found \
        -Wl,-rpath,"$lib"
    quietly "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror $flags \
        "$source/examples/embed.cpp" -o "$work/pc/embed" $found \
        -Wl,-rpath,"$lib"
}
use "$work/pc"

# find_package; an older version asked for is served, a newer one refused.
quietly cmake -S "$source/examples" -B "$work/cmake" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_CXX_FLAGS="$flags"
quietly cmake --build "$work/cmake"
use "$work/cmake"
mkdir "$work/newer"
printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(newer NONE)' \
    'find_package(oriel 99.0 REQUIRED)' >"$work/newer/CMakeLists.txt"
cmake -S "$work/newer" -B "$work/newer/build" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$work/log" 2>&1 && die "find_package(oriel 99.0) is served"

echo "installed, moved, compiled against and run: $(find "$prefix" -type f |
    wc -l) files"
