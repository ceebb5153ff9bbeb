#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [NAME...] - run the fuzz targets of a build folder, each so
# long, from seeds/NAME and corpus/NAME on; a line of Markdown for each
#
# What is found lies in BUILD/corpus/NAME and stays there for the next run;
# minimise.sh makes it small and puts it into corpus/NAME.  A fault ends it all,
# and its input is BUILD/crash-* or the like.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$here/seeds" && ls)

number()
{
    sed -n "s/^stat::$1: *//p" "$build/log"
}

echo "| target | executions | seconds | a second | edges reached | new files |"
echo "| --- | ---: | ---: | ---: | ---: | ---: |"
for name; do
    new=$build/corpus/$name words=$build/dictionaries/$name.dict
    folders="$new $here/seeds/$name"
    [ ! -s "$words" ] || folders+=" -dict=$words"
    [ ! -d "$here/corpus/$name" ] || folders+=" $here/corpus/$name"
    mkdir -p "$new"
    started=$SECONDS
    # shellcheck disable=SC2086
    "$build/bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 \
        -print_final_stats=1 -max_len=8192 \
        -artifact_prefix="$build/" $folders >"$build/log" 2>&1 || {
        grep -E 'ERROR|SUMMARY|runtime error|Test unit' "$build/log" >&2
        echo "fuzz_$name: found a fault" >&2
        exit 1
    }
    executions=$(number number_of_executed_units)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$build/log" | tail -n 1)
    echo "| $name | $executions | $((SECONDS - started)) |" \
        "$(number average_exec_per_sec) | $edges |" \
        "$(find "$new" -type f | wc -l) |"
done
