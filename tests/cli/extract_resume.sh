# SPDX-License-Identifier: Apache-2.0
# extract_resume.sh - whatever stops oriel extract, what is done is kept
#
# 300 signals instead of 12: tests/cli/extract_kill.py TOOL --kills 300
. "$(dirname "$0")/lib.sh"
preload=$5
python=${ORIEL_PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || {
    echo "skipped: $python has no numpy"
    exit 77
}

folder()
{
    "$python" "$here/extract.py" "$@" || fail "extract.py $* ($command_line)"
}

extract()
{
    run "$1" extract "${@:3}" -o "$2" --model model --device cpu
}

same()
{
    diff -r "$1" "$2" >difference || {
        fail "$1 and $2 differ ($command_line)"
        cat difference
    }
}

# ---- Killed at any moment ----------------------------------------------------

mkdir kills
(cd kills && "$python" "$here/extract_kill.py" "$oriel" --kills 12) ||
    fail "extract_kill.py"

# ---- Signals: statuses, and a command that goes on ----------------------------

run 0 synth --config tiny --seed 1 model
folder make
# Enough work to be stopped in, whose name needs quotes.
mkdir "it's work"
for i in $(seq 24); do
    picture "it's work/$i.ppm" 300 300 "picture $i"
done
extract 0 whole "it's work" --shard-bytes 60000 --threads 1 --json
json lines err
for word in '"event":"progress".*"images_per_second"' '"bottleneck":"encoding"' \
    '"event":"done".*"stages":{"list"'; do
    grep -q "$word" err || fail "no event with $word"
done
for signal in INT:130 TERM:143; do
    rm -rf part
    timeout --preserve-status -s "${signal%:*}" 0.6 "$oriel" extract \
        "it's work" --shard-bytes 60000 --threads 1 --batch-patches 1000 \
        -o part --model model --device cpu 2>err
    check test $? -eq "${signal#*:}"
    command_line="SIG${signal%:*}"
    says "oriel: stopped by a signal after "
    again=$(sed -n 's/^oriel: to go on: oriel //p' err)
    check test -n "$again"
    eval "\"$oriel\" $again" 2>err || fail "$again"
    same whole part
done

# ---- Going on ------------------------------------------------------------------

extract 1 all f --shard-bytes 3000
cp -r all copy
# On a finished run it checks and says the same; on an empty folder it starts.
extract 1 copy f --shard-bytes 3000 --resume
same all copy
mkdir fresh
extract 1 fresh f --shard-bytes 3000 --resume
same all fresh
extract 1 absent f --shard-bytes 3000 --resume
same all absent

# What a crash may leave: run.json of the beginning, parts up to a point, more
# lines or torn ones, a part that no list names.
crash()
{
    rm -rf copy
    cp -r all copy
    "$python" - "$1" <<'PYTHON'
import json, sys, os

with open("copy/run.json") as file:
    run = json.load(file)
run["state"] = "incomplete"
del run["totals"]
with open("copy/run.json", "w") as file:
    json.dump(run, file)
os.remove("copy/failed.jsonl")
text = open("copy/manifest.jsonl", "rb").read()
what = sys.argv[1]
if what == "nothing":
    os.remove("copy/manifest.jsonl")
elif what == "torn":
    open("copy/manifest.jsonl", "wb").write(text[:len(text) * 2 // 3])
elif what == "hole":
    os.remove("copy/part-00002.safetensors")
elif what == "lines":
    for i in range(3, 100):
        if os.path.exists(f"copy/part-{i:05d}.safetensors"):
            os.remove(f"copy/part-{i:05d}.safetensors")
elif what == "cut":
    with open("copy/part-00001.safetensors", "r+b") as file:
        file.truncate(70000)
PYTHON
    touch copy/.oriel-0123456789abcdef.tmp # of a process that was killed
    extract 1 copy f --shard-bytes 3000 --resume
    same all copy
}
for what in nothing torn hole lines cut; do
    crash $what
done

# Another model, other options, other inputs: refused, and nothing is touched.
crash lines
"$python" -c '
import json
run = json.load(open("copy/run.json"))
run["state"] = "incomplete"
json.dump(run, open("copy/run.json", "w"))'
cp -r copy before
run 0 synth --config tiny --seed 2 other
run 2 extract f --shard-bytes 3000 -o copy --model other --device cpu --resume
says "copy: was made with another model_digest"
for flags in "--dtype f32:options.dtype" "--pool mean:options.pool" \
    "--max-pixels 50000:options.preprocessing" "--layer 1:options.rows_are" \
    "--shard 0/2:options.shard"; do
    # shellcheck disable=SC2086
    extract 2 copy f --shard-bytes 3000 --resume ${flags%:*}
    one_line
    says "copy: was made with another ${flags##*:}"
done
extract 2 copy f --shard-bytes 4000 --resume
says "another options.shard_bytes"
extract 2 copy f/b --shard-bytes 3000 --resume
says "copy: the inputs are not those of its run"
extract 2 copy f/a.ppm --shard-bytes 3000 --resume
says "copy: the inputs are not those of its run"
for part in before/part-*; do
    check cmp "$part" "copy/${part#before/}"
done
extract 2 copy f --shard-bytes 3000 --resume --retry-failed
says "expected one of them"
extract 2 copy f --shard-bytes 3000 --retry-failed
says "is not complete yet"
extract 1 copy f --shard-bytes 3000 --resume
same all copy

# A damaged folder that says it is complete.
rm -rf copy
cp -r all copy
rm copy/part-00001.safetensors
extract 4 copy f --shard-bytes 3000 --resume
says "part-00001.safetensors"

# ---- Failures that are tried again ----------------------------------------------

mkdir g
cp f/a.ppm g/1.ppm
cp f/broken.jpg g/2.ppm
cp f/p00.ppm g/3.ppm
cp f/broken.jpg g/4.ppm
extract 1 tried g
cp f/plain g/2.ppm
extract 1 tried g --retry-failed
folder folder tried
folder ids tried g/1.ppm g/2.ppm g/3.ppm '!g/4.ppm'
folder value tried g/2.ppm shard '"part-00001.safetensors"'
run 0 encode g/1.ppm g/2.ppm g/3.ppm -o g.safetensors --model model --device cpu
folder rows tried g.safetensors
extract 1 tried g --resume
cp f/cut.ppm g/5.ppm
extract 2 tried g --retry-failed
says "are not those of its run"
rm g/5.ppm
cp f/plain g/4.ppm
extract 0 tried g --retry-failed
folder folder tried
extract 0 tried g --resume

# ---- Two processes, a full disk ----------------------------------------------------

mkfifo slow
sleep 60 >slow &
writer=$!
"$oriel" extract @slow -o locked --model model --device cpu -q 2>first &
first=$!
for i in $(seq 100); do
    [ -e locked/run.json ] && break
    sleep 0.1
done
extract 2 locked f --resume
one_line
says "locked: process $first on "
disown $first
kill -KILL $first
while kill -0 $first 2>/dev/null; do sleep 0.1; done
kill $writer
extract 1 locked f --resume # the dead one's lock is taken over
folder folder locked

if grep -q '__[at]san_init' "$oriel"; then
    echo "not tested: nothing can be preloaded before a sanitizer"
else
    export LD_PRELOAD=$preload FAIL_CALL=pwrite FAIL_ERRNO=28 FAIL_AFTER=300000
    extract 4 full f --shard-bytes 3000
    unset LD_PRELOAD FAIL_CALL FAIL_ERRNO FAIL_AFTER
    says "No space left on device"
    says "to go on: oriel extract --resume --shard-bytes 3000 -o full"
    kept=$(ls full | grep -c '^part-')
    check test "$kept" -gt 1
    for part in full/part-*; do
        check cmp "$part" "all/${part#full/}"
    done
    extract 1 full f --shard-bytes 3000 --resume
    same all full
fi
finish
