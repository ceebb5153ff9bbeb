#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# smoke.sh - the benchmarks run, on a tiny network
#
#   smoke.sh FOLDER_OF_PROGRAMS
#
# Whether they check and report, not how fast anything is.
set -eu
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "smoke.sh: $*" >&2
    exit 1
}

"$bin/oriel" synth --config tiny --seed 1 "$work/model" 2>/dev/null

"$bin/oriel_bench_encode" --model "$work/model" --size 56x40 --size 64x64 \
    --repeats 2 --commit abc --json "$work/out.json" >"$work/table" ||
    fail "oriel_bench_encode failed"
[ "$(grep -cE '^(56x40|64x64) ' "$work/table")" -eq 4 ] ||
    fail "expected a row for each of two sizes in two precisions"
python3 - "$work/out.json" <<'PY' || fail "the JSON lacks something"
import json, sys
report = json.load(open(sys.argv[1]))
assert report["commit"] == "abc"
rows = report["results"]
assert [(r["precision"], r["size"]) for r in rows] == [
    (p, s) for p in ("bf16", "fp32") for s in ("56x40", "64x64")]
for r in rows:
    assert 0 < r["seconds"]["p10"] <= r["seconds"]["median"] <= r["seconds"]["p90"]
    assert r["seconds"]["n"] == 2 and r["gflops"] > 0 and r["flops"] > 0
    if r["precision"] == "fp32":
        assert r["fraction_of_onednn"] > 0 and r["onednn_linears_flops"] < r["flops"]
PY

printf '\n\n\n' | "$bin/oriel_bench_encode_turns" "$work/model" fp32 2 64x64 \
    "$work/rows" >"$work/turns" || fail "oriel_bench_encode_turns failed"
[ "$(head -1 "$work/turns" | cut -d' ' -f1,2)" = "ready 64" ] ||
    fail "expected 'ready 64', got: $(head -1 "$work/turns")"
[ "$(grep -cE '^[0-9]+\.[0-9]+$' "$work/turns")" -eq 3 ] ||
    fail "expected the seconds of three encodes"
[ "$(stat -c %s "$work/rows")" -eq $((64 * 24 * 4)) ] ||
    fail "expected 64 rows of 24 floats"

"$bin/oriel_bench_roundings" --config tiny --grid 1x8x8 --threads 1 --json \
    "$work/roundings.json" >/dev/null 2>&1 || fail "oriel_bench_roundings failed"
python3 - "$work/roundings.json" <<'PY' || fail "the study of roundings is odd"
import json, sys
study = json.load(open(sys.argv[1]))
plans = {p["plan"]: p["embeddings_error"] for p in study["plans"]}
assert 1e-3 < plans["cpu bf16"] < plans["cuda"] < plans["transformers bf16"] < 0.1
wide = plans["cuda, wide residual"] / plans["cuda, fp32 residual"]
assert 0.95 < wide < 1.05, wide  # two planes are as good as fp32
assert len(study["alone"]) == 22 and all(study["alone"].values())
PY

for wrong in "--bogus" "--model m --size 0x4" "--model m --size 4x4x" \
    "--model m --precision fp64" "--model m --repeats 0" "--model m extra"; do
    status=0
    # shellcheck disable=SC2086
    "$bin/oriel_bench_encode" $wrong >/dev/null 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$wrong' gave $status, expected 2"
done
for wrong in "--bogus" "--config none" "--grid 1x3x8" "--threads 0"; do
    status=0
    # shellcheck disable=SC2086
    "$bin/oriel_bench_roundings" $wrong >/dev/null 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$wrong' gave $status, expected 2"
done
