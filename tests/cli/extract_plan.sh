# SPDX-License-Identifier: Apache-2.0
# extract_plan.sh - oriel extract --dry-run: totals, giants, lists of equal cost
. "$(dirname "$0")/lib.sh"
python=${ORIEL_PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || {
    echo "skipped: $python has no numpy"
    exit 77
}

folder()
{
    "$python" "$here/extract.py" "$@" || fail "extract.py $* ($command_line)"
}

run 0 synth --config tiny --seed 1 model
folder make
rm f/cut.ppm # --dry-run reads headers, and cannot know

# The totals equal the run's own.
run 1 extract f -o whole --model model --device cpu
run 1 extract f --model model --device cpu --dry-run --json
cp out plan.json
"$python" - <<'PYTHON' || fail "totals of --dry-run"
import json
plan = json.load(open("plan.json"))
totals = json.load(open("whole/run.json"))["totals"]
for key in ("inputs", "failed", "other_files", "tokens", "rows", "bytes",
            "flops"):
    assert plan[key] == totals[key], (key, plan[key], totals[key])
assert plan["seconds"] > 0
PYTHON
run 1 extract f --model model --device cpu --dry-run
prints "inputs   23, 2 of them failed"
run 0 extract f/a.ppm --model model --device cpu --dry-run --pool grid:2x3 --json
json values out rows 6
run 8 extract missing --model model --device cpu --dry-run

# A few giants: their share, and what the advised limit saves, by plan's count.
mkdir many
for i in $(seq 19); do
    picture many/$i.ppm 56 56
done
picture many/giant.ppm 600 600
run 0 extract many --model model --device cpu --dry-run --json
cp out plan.json
run 0 plan many/*.ppm --model model --json
cp out before.json
limit=$("$python" -c '
import json
print(json.load(open("plan.json"))["advised_max_tokens"])')
check test "$limit" -gt 0
run 0 plan many/*.ppm --model model --json --max-tokens "$limit"
"$python" - <<'PYTHON' || fail "what the limit saves"
import json
plan = json.load(open("plan.json"))
before, after = (
    sum(item["flops"] for item in json.load(open(name))["items"])
    for name in ("before.json", "out"))
assert plan["flops"] == before
assert abs(plan["share_saved"] - (1 - after / before)) < 1e-9
assert plan["share_of_largest_tenth"] > 0.5
PYTHON
run 0 extract many --model model --device cpu --dry-run
prints "giants   a tenth of the pictures takes"

# Lists of equal cost; their jobs, joined, hold the rows of one run.
run 1 extract f list.jsonl --model model --device cpu --dry-run --split 2 \
    -o lists
says "2 lists, the dearest"
run 2 extract f list.jsonl --model model --device cpu --dry-run --split 2 \
    -o lists
says "exists already"
rm -r lists
run 1 extract f clip --model model --device cpu --dry-run --split 3 -o lists
run 1 extract f clip -o one --model model --device cpu
for i in 0 1 2; do
    run "$(grep -c 'broken\|t.tar' lists/list-0000$i.jsonl)" \
        extract lists/list-0000$i.jsonl -o job-$i --model model --device cpu
done
run 0 merge job-0 job-1 job-2 -o joined --repack
for file in one/part-* one/manifest.jsonl one/failed.jsonl; do
    check cmp "$file" "joined/${file#one/}"
done
"$python" - <<'PYTHON' || fail "equal cost"
import json
costs = [json.load(open(f"job-{i}/run.json"))["totals"]["flops"]
         for i in range(3)]
units = [len(open(f"lists/list-{i:05d}.jsonl").readlines()) for i in range(3)]
# What is one unit cannot be shared.
assert all(cost <= 4 / 3 * sum(costs) / 3 or n == 1
           for cost, n in zip(costs, units)), (costs, units)
PYTHON

run 2 extract f --model model --split 2 -o x
says "--split: expected --dry-run too"
run 2 extract f --model model --dry-run --split 2
says "extract needs -o FOLDER"
printf 'x' | tar -cf some.tar f/a.ppm 2>/dev/null
"$oriel" extract - --model model --device cpu --dry-run --split 2 -o x \
    <some.tar 2>err
check test $? -eq 2
says "an archive on standard input cannot be named"
finish
