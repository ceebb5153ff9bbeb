#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [--record] BUILD SECONDS [NAME...] - run the fuzz targets of a build
# folder, each so long, from seeds/NAME and corpus/NAME on; a line of Markdown for
# each
#
# With --record each run is added to the totals of tests/records/fuzz.md.
# What is found lies in BUILD/corpus/NAME and stays there for the next run;
# minimise.sh makes it small and puts it into corpus/NAME.  A fault ends it all,
# and its input is BUILD/crash-* or the like.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
record=
if [ "$1" = --record ]; then
    record=$here/../records/fuzz.md
    shift
fi
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$here/seeds" && ls)
# What was freed is kept apart for a while; more of it costs page faults alone,
# since an input frees less.
export ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}

number()
{
    sed -n "s/^stat::$1: *//p" "$build/log"
}

# Which libraries read hostile bytes in this build.
if grep -q '^CMAKE_PREFIX_PATH:.*/decoders$' "$build/CMakeCache.txt"; then
    libraries=sanitized
else
    libraries=Debian\'s
fi

echo "Libraries: $libraries"
echo
echo "| target | executions | core-seconds | edges reached | files |"
echo "| --- | ---: | ---: | ---: | ---: |"
TIMEFORMAT='%U %S'
for name; do
    new=$build/corpus/$name words=$build/dictionaries/$name.dict
    folders="$new $here/seeds/$name"
    [ ! -s "$words" ] || folders+=" -dict=$words"
    [ ! -d "$here/corpus/$name" ] || folders+=" $here/corpus/$name"
    mkdir -p "$new"
    # shellcheck disable=SC2086
    { time "$build/bin/fuzz_$name" -max_total_time="$seconds" -timeout=20 \
        -print_final_stats=1 -max_len=8192 \
        -artifact_prefix="$build/" $folders >"$build/log" 2>&1; } \
        2>"$build/time" || {
        grep -E 'ERROR|SUMMARY|runtime error|Test unit' "$build/log" >&2
        echo "fuzz_$name: found a fault" >&2
        exit 1
    }
    executions=$(number number_of_executed_units)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$build/log" | tail -n 1)
    spent=$(awk '{ print $1 + $2 }' "$build/time")
    echo "| $name | $executions | $spent | $edges |" \
        "$(find "$new" -type f | wc -l) |"
    [ -z "$record" ] || "$here/record.py" "$record" "$name" "$libraries" \
        "$executions" "$spent" "$edges"
done
