#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# toolkit.sh SOURCE_DIR GENERATOR - what CMake makes of nvcc, or of none
#
# An nvcc that is only a script tells a version; host/cuda/CMakeLists.txt is
# configured alone.  No toolkit is needed.
set -u
source=$1
generator=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(mini C CXX)' \
    "add_subdirectory($source/host/cuda cuda)" \
    'message(STATUS "the rest is built")' >"$work/CMakeLists.txt"
# Without any nvcc but ours on the path.
PATH=$(printf %s "$PATH" | tr : '\n' | while read -r folder; do
    [ -x "$folder/nvcc" ] || printf '%s:' "$folder"
done)
export PATH
unset CUDACXX

nvcc() { # what it says
    printf '#!/bin/sh\n[ "$1" = --version ] || exit 1\necho "%s"\n' "$1" \
        >"$work/nvcc"
    chmod +x "$work/nvcc"
    export CUDACXX="$work/nvcc -ccbin g++"
}

# expect STATUS WORDS ARGUMENT...; WORDS may stand on several lines.
expect() {
    expected=$1
    words=$2
    shift 2
    rm -rf "$work/build"
    cmake -S "$work" -B "$work/build" -G "$generator" "$@" >"$work/log" 2>&1
    status=$?
    [ "$status" -ne 0 ] && status=1
    said=$(tr -s ' \n' '  ' <"$work/log")
    case $said in
    *"$words"*) ;;
    *) status=words ;;
    esac
    if [ "$expected" -eq 0 ]; then
        case $said in
        *"the rest is built"*) ;;
        *) status=stopped ;;
        esac
    fi
    [ "$status" = "$expected" ] || {
        echo "FAILED ($status): cmake $*: expected $expected and '$words':"
        cat "$work/log"
        failures=$((failures + 1))
    }
}

expect 0 "cuda backend is left out: there is no nvcc"
expect 1 "ORIEL_CUDA is ON, but there is no nvcc" -DORIEL_CUDA=ON
expect 1 "ORIEL_CUDA is yes, expected AUTO, ON or OFF" -DORIEL_CUDA=yes
nvcc "Cuda compilation tools, release 12.4, V12.4.131"
expect 0 "CMake Warning"
expect 0 "is left out: $work/nvcc is of CUDA 12.4, expected 13.0 or later"
expect 1 "ORIEL_CUDA is ON, but $work/nvcc is of CUDA 12.4" -DORIEL_CUDA=ON
expect 0 "the rest is built" -DORIEL_CUDA=OFF
grep -q "cuda backend" "$work/log" && {
    echo "FAILED: speaks of a backend that was not asked for"
    failures=1
}
nvcc "a wrapper"
expect 0 "is left out: $work/nvcc does not tell its version"
# New enough, and broken.
nvcc "Cuda compilation tools, release 13.0, V13.0.88"
expect 0 "is left out: $work/nvcc cannot compile here"
expect 1 "ORIEL_CUDA is ON, but $work/nvcc cannot compile here" -DORIEL_CUDA=ON
[ "$failures" -eq 0 ] && echo "nvcc: absent, old, odd and broken"
exit "$failures"
