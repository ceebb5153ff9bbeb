# SPDX-License-Identifier: Apache-2.0
# faults.sh - what is the machine's fault is not called the input's
. "$(dirname "$0")/lib.sh"
preload=$5

if grep -q '__[at]san_init' "$oriel"; then
    echo "skipped: nothing can be preloaded before a sanitizer"
    exit 77
fi
run 0 synth --config tiny --seed 1 model
for name in a b c; do
    picture $name.ppm 64 48 "$name"
done
printf 'a.ppm\nb.ppm\n' >list

# fault STATUS CALL ERRNO NAME ARGUMENT...: the tool, while that call fails for
# files of that name.
fault()
{
    local expected=$1
    export LD_PRELOAD=$preload FAIL_CALL=$2 FAIL_ERRNO=$3 FAIL_NAME=$4
    run "$expected" "${@:5}"
    unset LD_PRELOAD FAIL_CALL FAIL_ERRNO FAIL_NAME
}

# Numbers of Linux: EIO 5, ENOMEM 12, EACCES 13, ENFILE 23, EMFILE 24.
for case in "open 24 4" "open 23 4" "open 5 4" "read 5 4" "open 12 6" \
    "read 12 6"; do
    set -- $case
    for command in "preprocess a.ppm b.ppm c.ppm -o x" \
        "encode a.ppm b.ppm c.ppm --model model --device cpu -o x" \
        "plan a.ppm b.ppm c.ppm" "preprocess @list.ppm -o x"; do
        [ "$command" = "preprocess @list.ppm -o x" ] && cp list list.ppm
        fault $3 $1 $2 .ppm $command
        one_line
        says ".ppm: cannot be "
        absent x
        # The first one ends it all: the second would fail as well.
        ! grep -q "b.ppm" err || fail "$command_line: goes on"
    done
done
# What is one file's own fault stops no other.
fault 1 open 13 b.ppm preprocess a.ppm b.ppm c.ppm -o x
json sources x a.ppm c.ppm
rm x

# A list of extract that cannot be read through the machine's fault ends the run, as
# all else would fail too; one that is only forbidden is an input that failed.
for case in "open 24 4" "open 23 4" "open 5 4" "read 5 4" "open 12 6" \
    "open 13 8"; do
    set -- $case
    fault $3 $1 $2 list extract @list -o e --model model --device cpu -q
    says "list: cannot be "
    [ $3 -eq 8 ] || check test ! -s e/manifest.jsonl
    rm -r e
done

# No more descriptors, without any help.
(
    ulimit -n 5
    exec "$oriel" preprocess a.ppm b.ppm -o x
) >out 2>err </dev/null
check test $? -eq 4
command_line="with five descriptors: oriel preprocess"
one_line
says "Too many open files"
absent x

# A folder that cannot be put on the disk: the file is there, and that is said.
for quiet in "" -q; do
    fault 0 fsync 5 "" preprocess a.ppm -o x -f $quiet
    says "x: written, perhaps not durable: "
    says "Input/output error"
    json sources x a.ppm
done
fault 0 fsync 5 "" preprocess a.ppm -o x -f --json
says '{"event":"warning","message":"x: written, perhaps not durable: '
fault 0 fsync 5 "" synth --config tiny -q made
says "config.json: written, perhaps not durable: "
run 0 inspect made
fault 0 fsync 5 "" pack made -q -o packed
says "packed: written, perhaps not durable: "
run 0 inspect packed
fault 4 open 5 .safetensors pack made -o unread
one_line
absent unread
finish
