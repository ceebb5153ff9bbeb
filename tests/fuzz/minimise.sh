#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# minimise.sh BUILD BYTES [NAME...] - what run.sh has found, made small, into
# corpus/NAME
#
# libFuzzer keeps one input for each feature; of these the smallest are taken, at
# most BYTES of a target.  Of a target with a SHARE
# two refused files are kept at most for each that is taken for good.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 bytes=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$here/seeds" && ls)

# take ROOM: the smallest files named on standard input that fit, into the corpus
take()
{
    local room=$1 size file
    while read -r size file; do
        [ $((room -= size)) -ge 0 ] || break
        cp "$file" "$here/corpus/$name/"
    done
}

for name; do
    merged=$build/merged/$name
    rm -rf "$merged"
    mkdir -p "$merged" "$here/corpus/$name"
    "$build/bin/fuzz_$name" -merge=1 -timeout=10 "$merged" \
        "$build/corpus/$name" "$here/corpus/$name" 2>"$build/merge.log" ||
        { tail -n 5 "$build/merge.log" >&2; exit 1; }
    rm -f "$here/corpus/$name"/*
    "$build/bin/replay_$name" "$merged" >"$build/verdicts"
    for verdict in good refused; do
        sed -n "s/^$verdict //p" "$build/verdicts" | xargs -r stat -c '%s %n' |
            sort -n >"$build/$verdict"
    done
    take $((bytes / 2)) <"$build/good"
    n=$(find "$here/corpus/$name" -type f | wc -l)
    grep -q "oriel_fuzz($name SHARE" "$here/CMakeLists.txt" || n=1000
    head -n $((2 * n)) "$build/refused" | take $((bytes / 2))
    echo "$name: $(find "$merged" -type f | wc -l) inputs after the merge," \
        "$(find "$here/corpus/$name" -type f | wc -l) kept," \
        "$(du -bs "$here/corpus/$name" | cut -f 1) bytes"
done
