# SPDX-License-Identifier: Apache-2.0
# bench.sh - oriel bench: what it runs, prints, writes and judges
. "$(dirname "$0")/lib.sh"

programs=$(dirname "$oriel")
run 0 synth --config tiny --seed 1 tiny

# A run on the CPU: each op is checked and timed; the files agree with it.
run 0 bench --device cpu --model tiny --op 'embed|attend|merge' --size 56x40 \
    --repeats 1 --python none --json run.json --csv run.csv --html run.html
prints "roofline: "
for op in embed "attend windows" "attend frames" merge; do
    prints "$op"
done
! grep -q mlp_in out || fail "--op does not choose"
check python3 "$here/bench.py" files run.json run.csv run.html
cp out first

# The file shows the same again; names of outputs that are taken are refused.
run 0 bench run.json
check cmp -s out first
run 2 bench run.json --csv run.csv
one_line
run 0 bench run.json --csv run.csv --force

# What there is, and one launch for a profiler.
run 0 bench --device cpu --model 72b --list
prints "attend windows          28 times an encode"
run 0 bench --device cpu --model tiny --op mlp_out --size 56x40 --once
prints "once"
! grep -q " us" out || fail "--once times"

# Rows become a picture; cold samples follow a sweep; fp32; no such python.
run 0 bench --device cpu --model tiny --op embed --rows 36 --repeats 1 \
    --cold --precision fp32 --python /nowhere/python
prints "24x24"
prints "cold"
prints "torch: absent, as there is no such python"

# Torch is a peer where it is, and one line where it is not.
run 0 bench --device cpu --model tiny --op attn_out --size 56x40 --repeats 1 \
    --python "${ORIEL_PYTHON:-python3}"
if "${ORIEL_PYTHON:-python3}" -c 'import torch' 2>/dev/null; then
    check grep -qE 'attn_out +torch +hot' out
else
    prints "torch: absent, as this python has no torch"
fi

# Verdicts, from made-up runs.
check python3 "$here/bench.py" make
run 1 bench now.json --compare old.json
one_line
says "ops that are slower than in old.json: 1"
check grep -qE 'slow .* 1\.500  slower' out
check grep -qE 'fast .* 0\.500  faster' out
check grep -qE 'spread .* 1\.200  within noise' out
check grep -qE 'near .* 1\.010  within noise' out
check grep -qE 'few .* 2\.000  too few samples' out
check grep -qE 'peer .* 3\.000  slower' out
prints "1 rows have none to be compared with"
run 0 bench old.json --compare old.json
run 1 bench old.json --compare now.json
prints "faster"

# Mistakes.
mistake()
{
    run "$1" bench "${@:3}"
    one_line
    says "$2"
}
mistake 2 "expected multiples of 28 pixels" --device cpu --size 100x100
mistake 2 "--size 448: expected" --device cpu --size 448
mistake 2 "--rows 6: expected" --device cpu --rows 6
mistake 2 "--op (: " --device cpu --op '('
mistake 2 "--kernels: the CPU has one kind" --device cpu --kernels own
mistake 2 "--precision fp32: expected bf16" --device cuda --precision fp32
mistake 2 "--once times nothing" --once --csv x.csv
mistake 2 "at most one file" old.json now.json
mistake 1 "no JSON" run.csv
mistake 1 "format is absent, expected \"oriel bench 1\"" other.json
mistake 1 "rows[0].seconds: expected p10 <= median <= p90" unordered.json
mistake 1 "rows[0].op: expected text" unprintable.json
mistake 1 "absent.json" absent.json
mistake 2 "No such file or directory" --device cpu --model nowhere
absent x.csv

# Without the programs it says in one line how to build them.
mkdir -p bare/bin bare/lib
cp "$oriel" bare/bin/
cp -a "$programs"/../lib/liboriel{,-image}.so* bare/lib/
bare/bin/oriel bench --device cpu >out 2>err
check test $? -eq 5
one_line
says "oriel_bench_cpu_ops is not installed; to build it"
says "--target oriel_benchmarks"

# Where they are installed they are found.
mkdir -p bare/libexec/oriel
cp "$programs/oriel_bench_cpu_ops" bare/libexec/oriel/
bare/bin/oriel bench --device cpu --list >out 2>err
check test $? -eq 0
prints "merge"

# A wrong op is told, and the others are shown; so is a program that dies.
stand_in()
{
    printf '#!/bin/bash\n%s\n' "$1" >bare/libexec/oriel/oriel_bench_cpu_ops
    bare/bin/oriel bench --device cpu --python none >out 2>err
    check test $? -eq "$2"
    one_line
    says "$3"
}
sed 's/"wrong": 0/"wrong": 2/' now.json >wrong.json
stand_in "cp $PWD/wrong.json \"\${!#}\"; exit 1" 7 \
    "ops that were wrong or failed, and were not timed: 2"
prints "spread"
stand_in 'kill -SEGV $$' 139 "was ended by signal 11"
stand_in 'exit 0' 7 "wrote no JSON"
finish
