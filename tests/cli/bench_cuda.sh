# SPDX-License-Identifier: Apache-2.0
# bench_cuda.sh - oriel bench on the simulated GPU: all is right, nothing is timed
ops=$4
. "$(dirname "$0")/lib.sh"

mkdir -p tree/bin tree/lib tree/libexec/oriel
cp "$oriel" tree/bin/
cp -a "$(dirname "$oriel")"/../lib/liboriel{,-image}.so* tree/lib/
ln -s "$ops" tree/libexec/oriel/oriel_gpu_ops
oriel=$PWD/tree/bin/oriel

run 0 synth --config tiny --seed 1 tiny
run 0 bench --device cuda --model tiny --size 40x56,2x56x24 --kernels auto \
    --python none --json run.json --csv run.csv
prints "a simulated GPU"
check python3 - run.json <<'PY'
import json, sys
run = json.load(open(sys.argv[1]))
assert run["wrong"] == 0 and run["device"]["kind"] == "simulated"
by = {(row["op"], row["by"]) for row in run["rows"]}
assert len({op for op, _ in by}) == 12, by
for op in ("linear qkv", "linear_residual proj", "linear_swiglu gate_up",
           "linear_residual down"):
    assert {who for name, who in by if name == op} == {
        "oriel", "cublaslt", "cublaslt best"}, (op, by)
assert len(run["rows"]) == 2 * len(by)
assert not any("seconds" in row for row in run["rows"])
PY
check test "$(grep -c . run.csv)" -eq 41
run 0 bench --device cuda --model tiny --size 40x56 --op 'fc1$' --kernels own \
    --python none
check test "$(grep -c ' right ' out)" -eq 1
run 0 bench --device cuda --op attention --list
prints "window_attention        28 times an encode"
run 0 bench --device cuda --model tiny --size 40x56 --op window --once
prints "window_attention by oriel: once"

# A kind of products that is not there is no reason to fail, unless asked for.
run 2 bench --device cuda --kernels best
says "--kernels best: expected auto, own or cublaslt"
finish
