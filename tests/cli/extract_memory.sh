# SPDX-License-Identifier: Apache-2.0
# extract_memory.sh - allocations of oriel extract fail: what it says, what stays
#
# With the exit status of a good run the folder is the same, byte for byte; else
# --resume makes it so.  MEMORY_SAMPLES=200 tries more of them.
. "$(dirname "$0")/lib.sh"
preload=$4
if grep -q '__[at]san_init' "$oriel"; then
    echo "skipped: the sanitizers' allocator cannot be preloaded over"
    exit 77
fi
python=${ORIEL_PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || {
    echo "skipped: $python has no numpy"
    exit 77
}
run 0 synth --config tiny --seed 1 model
"$python" "$here/extract.py" make
rm f/p*.ppm

# As memory.sh does: without the CUDA backend and the formats' module, in whose
# libraries memory that is out ends the process.
mkdir -p bare/bin bare/lib
cp "$oriel" bare/bin/
for name in liboriel.so liboriel-image.so liboriel-cpu.so; do
    cp -a "$(dirname "$oriel")"/../lib/$name* bare/lib/
done
oriel=$work/bare/bin/oriel

job="extract f list.jsonl clip --model model --device cpu --threads 1
    --shard-bytes 3000 -q"
# shellcheck disable=SC2086
run 1 $job -o whole
# shellcheck disable=SC2086
LD_PRELOAD=$preload FAIL_COUNT=$work/count "$oriel" $job -o counted 2>/dev/null
total=$(cat count)
# The first ones are the loader's and the model's, which memory.sh looks at.
first=$((total * 2 / 5))
step=$(((total - first) / ${MEMORY_SAMPLES:-24} + 1))
refused=0
for ((n = first; n <= total; n += step)); do
    rm -rf o
    command_line="allocation $n of $total: oriel extract"
    # shellcheck disable=SC2086
    LD_PRELOAD=$preload FAIL_AT=$n "$oriel" $job -o o >out 2>err </dev/null
    status=$?
    case $status in
    1) diff -r whole o || fail "$command_line: another result" ;;
    6)
        refused=$((refused + 1))
        grep -q "memory\|cannot start" err ||
            fail "$command_line: says nothing of memory"
        ;;
    1?? | 3) grep -q "malformed JSON\|cannot allocate\|out of memory" err ||
        fail "$command_line: exit status $status: $(cat err)" ;;
    *) fail "$command_line: exit status $status: $(cat err)" ;;
    esac
    # shellcheck disable=SC2086
    run 1 $job -o o --resume
    diff -r whole o || fail "$command_line: resumed to another result"
done
echo "$total allocations, $refused of the tried ones refused"
check test $refused -gt 0
finish
