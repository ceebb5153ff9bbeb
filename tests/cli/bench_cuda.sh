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
lt = {"cublaslt", "cublaslt best"}
large = {"hopper", "hopper large", "hopper pairs", "hopper skew",
         "hopper pairs, skew"}
hopper = large | {"hopper small"}
for op, others in (("linear qkv", lt | hopper),
                   ("linear_residual proj", lt | hopper),
                   ("linear_swiglu gate_up", lt | large),
                   ("linear_residual down", lt | hopper),
                   ("linear_gelu fc1", hopper), ("linear_rows fc2", hopper),
                   ("full_attention", {"cudnn"}), ("window_attention", set())):
    assert {who for name, who in by if name == op} == {"oriel"} | others, (
        op, by)
assert len(run["rows"]) == 2 * len(by)
# What a row is found by (bench/README.md).
keys = [tuple(row.get(key) for key in ("size", "step", "op", "by", "cache"))
        for row in run["rows"]]
assert len(set(keys)) == len(keys), keys
assert not any("seconds" in row for row in run["rows"])
PY
check test "$(grep -c . run.csv)" -eq 113
run 0 bench --device cuda --model tiny --size 40x56 --op 'fc1$' --kernels own \
    --python none
check test "$(grep -c ' right ' out)" -eq 1
run 0 bench --device cuda --model tiny --size 40x56 --op 'fc1$' \
    --kernels hopper --python none
check test "$(grep -c ' right ' out)" -eq 7
run 0 bench --device cuda --op attention --list
prints "window_attention        28 times an encode"
run 0 bench --device cuda --model tiny --size 40x56 --op window --once
prints "window_attention by oriel: once"

# As on hardware, from a stand-in that writes a run: the budget's prediction is
# beside each of Oriel's own kernels. A step of 128 x 128 x 32 takes 413 clocks, 40
# of them a tile, of which the fullest of 132 has two: 18.1 us at 1.83 GHz.
rm tree/libexec/oriel/oriel_gpu_ops
ln -s "$project/bench/model.py" "$project/bench/gpu/peer_torch.py" \
    tree/libexec/oriel/
cat >gpu.json <<'JSON'
{"format": "oriel bench 1", "wrong": 0,
 "device": {"kind": "cuda", "name": "NVIDIA H200", "precision": "bf16",
  "capability": "9.0", "most_sm_mhz": 1830, "multiprocessors": 132},
 "model": {"out_hidden": 3584},
 "roofline": {"bytes_per_s": 4e12, "bytes_by": "a copy",
  "flops_per_s": 8e14, "flops_by": "cuBLASLt"},
 "rows": [{"size": "448x448", "step": "ATTN_IN", "op": "linear qkv",
  "by": "oriel", "a_call": 32, "rows": 1024, "columns": 3840, "depth": 1280,
  "bytes": 2e7, "flops": 1e10, "cache": "hot", "sm_mhz": 1830,
  "throttled": "power",
  "seconds": {"median": 3e-5, "p10": 2.9e-5, "p90": 3.1e-5, "n": 9}}]}
JSON
printf '#!/bin/bash\ncp %s/gpu.json "${!#}"\n' "$PWD" \
    >tree/libexec/oriel/oriel_gpu_ops
chmod +x tree/libexec/oriel/oriel_gpu_ops
run 0 bench --device cuda --html gpu.html
check grep -qE 'linear qkv .* 333.333 +42 % +18.1 us  throttled: power' out
prints "torch: absent, as "
check grep -q '>budget<' gpu.html

# A kind of products that is not there is no reason to fail, unless asked for.
run 2 bench --device cuda --kernels best
says "--kernels best: expected auto, own, cublaslt or hopper"
finish
