# SPDX-License-Identifier: Apache-2.0
# preprocess.sh - oriel preprocess: outputs, lists of names, failures
. "$(dirname "$0")/lib.sh"

picture a.ppm 64 48 first
picture b.ppm 300 200 second
picture c.ppm 33 500 third

run 0 preprocess a.ppm b.ppm c.ppm -o all.safetensors
one_line
json table all.safetensors
json sources all.safetensors a.ppm b.ppm c.ppm
json failed all.safetensors
json shape all.safetensors pixel_values F32 396 1176
json shape all.safetensors image_grid_thw I64 3 3

# The same bytes every time, whatever threads and batches.
for variant in "--threads 1" "--threads 3" "--batch-patches 1" \
    "--batch-patches 400" ""; do
    # shellcheck disable=SC2086
    run 0 preprocess a.ppm b.ppm c.ppm -o again.safetensors -f $variant
    check cmp all.safetensors again.safetensors
done
for name in a b c; do
    run 0 preprocess $name.ppm -o $name.safetensors
done
json items all.safetensors a.safetensors b.safetensors c.safetensors

# Flags reach the pixels.
run 0 preprocess b.ppm -o other.safetensors --resample pillow -q
check test ! -s err
! cmp -s b.safetensors other.safetensors || fail "--resample changes nothing"
run 0 preprocess b.ppm -o small.safetensors --max-pixels 12544
json shape small.safetensors pixel_values F32 48 1176

# Nothing is replaced unasked; what cannot be a file is none.
cp a.safetensors kept.safetensors
run 2 preprocess b.ppm -o kept.safetensors
one_line
says "kept.safetensors: exists already; --force replaces it"
check cmp a.safetensors kept.safetensors
run 0 preprocess b.ppm -o kept.safetensors --force
check cmp b.safetensors kept.safetensors
cp a.ppm a.copy
run 2 preprocess a.ppm -o a.ppm --force
says "is an input and the output"
ln a.ppm link.ppm
run 2 preprocess b.ppm a.ppm -o link.ppm --force
check cmp a.ppm a.copy
run 4 preprocess a.ppm -o missing/a.safetensors
one_line
says "missing/a.safetensors: "
says "No such file or directory"
mkdir folder
run 4 preprocess a.ppm -o folder
one_line
run 4 preprocess a.ppm -o /dev/full --force
one_line
if [ "$(id -u)" -ne 0 ]; then
    chmod a-w folder
    run 4 preprocess a.ppm -o folder/a.safetensors
    one_line
    says "Permission denied"
fi

run 2 preprocess a.ppm -o -
one_line

# A file that cannot grow further, as on a full disk: nothing is left of it.
mkdir full
(
    ulimit -f 8
    "$oriel" preprocess b.ppm -o full/b.safetensors 2>err
    echo $? >status
)
check test "$(cat status)" -eq 4
says "full/b.safetensors: cannot write: "
check test -z "$(ls -A full)"

# Inputs that fail are listed, on standard error and in the file.
head -c 1000 b.ppm >cut.ppm
echo "no picture" >text.txt
run 1 preprocess a.ppm cut.ppm missing.ppm b.ppm text.txt . -o part.safetensors
json sources part.safetensors a.ppm b.ppm
json failed part.safetensors cut.ppm missing.ppm text.txt .
json items part.safetensors a.safetensors b.safetensors
for name in cut.ppm missing.ppm text.txt .; do
    check test "$(grep -c "^oriel: $name: " err)" -eq 1
done
says "some inputs failed"
run 1 preprocess missing.ppm text.txt -o none.safetensors
says "nothing is written"
absent none.safetensors

# Many failures: their reasons share what room the header has.
for i in $(seq 400); do
    echo "missing-$i"
done >many
run 1 preprocess @many a.ppm -o many.safetensors -q
json sources many.safetensors a.ppm
check test "$(wc -l <err)" -eq 400

# Lists of names: @list, -, -0; names of any bytes.
odd=$'caf\xe9 \\ "x"\n\e.ppm'
cp a.ppm "$odd"
cp a.ppm "über.ppm"
run 0 preprocess "$odd" "über.ppm" -o odd.safetensors
json sources odd.safetensors "$odd" "über.ppm"
printf '%s\0%s\0' "$odd" b.ppm |
    "$oriel" preprocess -0 -o null.safetensors 2>err || fail "-0"
json sources null.safetensors "$odd" b.ppm
printf 'a.ppm\n\nb.ppm' |
    "$oriel" preprocess - c.ppm -o stdin.safetensors 2>err || fail "-"
json sources stdin.safetensors a.ppm b.ppm c.ppm
printf 'a.ppm\n' >list
run 0 preprocess c.ppm @list -o list.safetensors
json sources list.safetensors c.ppm a.ppm
cp a.ppm @list.ppm
run 0 preprocess ./@list.ppm -o at.safetensors
run 4 preprocess @missing -o x.safetensors
one_line
says "missing: cannot be opened"
: >empty
run 2 preprocess @empty -o x.safetensors
printf 'a.ppm\0b.ppm\0' >nulls
run 2 preprocess @nulls -o x.safetensors
says "--null"
run 1 preprocess "$(printf 'name\nwith\tcontrol')" -o x.safetensors
says '\x0a'
absent x.safetensors

# Pictures from a pipe; a limit on what is accepted.
run 0 preprocess <(cat a.ppm) -o pipe.safetensors 2>/dev/null || true
run 1 preprocess b.ppm -o x.safetensors --max-source-pixels 59999
says "b.ppm: "
run 0 preprocess b.ppm -o limit.safetensors --max-source-pixels 60000
check cmp b.safetensors limit.safetensors

# Pictures of each format longer than the first look at a pipe.
for photo in "$work/b.ppm" "$project"/examples/photos/{*.jpg,*.png,*.webp}; do
    { cat "$photo" && head -c 65536 /dev/zero; } >long
    run 0 preprocess long -o photo.safetensors -f --max-pixels 12544
    run 0 preprocess <(cat long) -o piped.safetensors -f --max-pixels 12544
    json items piped.safetensors photo.safetensors
done

# What is endless and no picture is not read to the limit.
run 1 preprocess <(exec cat /dev/zero) -o x.safetensors
says ": a file of zeros, not a picture: did a download or a copy fail?"
absent x.safetensors

# Events for machines; no colour, no progress bar for them.
run 1 preprocess a.ppm missing.ppm -o events.safetensors --json
json lines err
grep -q '"event":"failed"' err || fail "no event for the failure"
grep -q '"event":"done"' err || fail "no event at the end"
run 2 preprocess a.ppm -o events.safetensors --json
json lines err
grep -q '"exit":2' err || fail "no event for the error"

# Memory runs out: 6, one line, nothing written.  (The sanitizers' own memory
# does not fit under such a limit.)
if ! grep -q '__[at]san_init' "$oriel"; then
    picture large.ppm 8000 8000
    (
        ulimit -v 250000
        "$oriel" preprocess large.ppm -o x.safetensors --threads 1 2>err
        echo $? >status
    )
    check test "$(cat status)" -eq 6
    command_line="preprocess with little memory"
    one_line
    says "out of memory"
    absent x.safetensors

    # What lies after the pixels counts too: eight such files are never all in
    # memory.
    picture long.ppm 8 8
    truncate -s 100M long.ppm
    check test "$(
        ulimit -v 450000
        "$oriel" preprocess long.ppm{,,,,,,,} -o long.safetensors --threads 1 \
            -q >/dev/null 2>err
        echo $?
    )" -eq 0
    rm long.ppm
fi

# The largest header there is.
yes "$(printf '%0200d' 0)" | head -150000 >huge
run 2 preprocess @huge -o x.safetensors
one_line
says "150000 inputs are too many for one file"
absent x.safetensors
finish
