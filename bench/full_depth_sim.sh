#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A photograph through all 32 blocks of the 7B, full width, by the CUDA kernels
# on the simulated GPU, held against transformers and float64.
#
#   bench/full_depth_sim.sh [PYTHON [PHOTO [RESIDUAL]]]
#
# The encode takes seven minutes of a core (the result says how many), the rest is
# parity_hf.py and takes the memory that it names.  PYTHON has torch 2.15.0,
# transformers 5.23.0, safetensors and numpy.  The seconds in the result are the
# simulator's: they say nothing about any GPU.
if [ "${1:-}" = --help ]; then
    sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
fi
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${1:-python3}
PHOTO=${2:-$ROOT/examples/photos/coffee.webp}
TREE=$ROOT/build/full-depth-sim
RESIDUAL=${3:-bf16} # or wide, which has a result of its own
NAME=full_depth_sim
[ "$RESIDUAL" = bf16 ] || NAME=${NAME}_$RESIDUAL
RESULT=${OUT:-$ROOT/bench/results}/$NAME.json

"$PYTHON" -c 'import numpy, safetensors, torch, transformers'
cmake -S "$ROOT" -B "$TREE" -G Ninja -DORIEL_CUDA=OFF >/dev/null
ninja -C "$TREE" oriel_tool oriel_cpu oriel_cuda_rehearsal >/dev/null

# A backend is found beside liboriel.so: the simulated one has its own folder.
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
cp -L "$TREE"/lib/*.so* "$TREE/bench/gpu/rehearsal/liboriel-cuda.so" "$STAGE"
# 128 patches: what a tile of the products holds, so that no row is idle.
LD_LIBRARY_PATH=$STAGE "$PYTHON" "$ROOT/bench/parity_hf.py" \
    --tool "$TREE/bin/oriel" --device cuda --precisions bf16 \
    --residual "$RESIDUAL" \
    --photo "$PHOTO" --max-pixels 25088 --json "$RESULT"

# No worse than transformers' own bf16; a wide residual has little more than half.
"$PYTHON" - "$RESULT" "$RESIDUAL" <<'EOF'
import json, sys
errors = {case["what"]: case["relative_l2"]
          for case in json.load(open(sys.argv[1]))["cases"]
          if case["against"] == "float64"}
quotient = errors["oriel bf16"] / errors["transformers bf16"]
most = {"bf16": 1, "wide": 0.55}[sys.argv[2]]
print(f"{quotient:.2f} of transformers' own bf16, at most {most}")
sys.exit(quotient > most)
EOF
