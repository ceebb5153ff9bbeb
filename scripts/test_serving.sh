#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test_serving.sh [vllm] [sglang] - on demand: what the real vLLM and SGLang make of
# oriel.serving's forms, on the CPU, and what is recorded of it
#
# Each gets an environment under build/serving (1.2 to 1.6 GB) without what needs a
# GPU, and torch from another one: ORIEL_TORCH, or build/torch/shared, which
# scripts/test_torch.sh makes.  The package is that of build/release.  No engine is
# started.  The record is bench/results/serving.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
ROOT=$PWD/build/serving
RECORD=bench/results/serving.md
export HF_HUB_OFFLINE=1 VLLM_TARGET_DEVICE=cpu
export PYTHONPATH=$PWD/build/release/python
# What these packages ask for and cannot use without a GPU.
GPU_ONLY="torch torchvision torchaudio torchcodec triton flashinfer-python
flash-attn-4 nvidia-cutlass-dsl nvidia-cudnn-frontend nvidia-mathdx
nvshmem4py-cu13 tilelang PyNvVideoCodec tokenspeed-mla tokenspeed-triton
humming-kernels quack-kernels fastsafetensors instanttensor cuda-python
sglang-kernel sgl-flash-mla sgl-deep-ep sgl-deep-gemm torch-memory-saver
torch-c-dlpack-ext modelscope"
declare -A VERSION=([vllm]=0.33.0 [sglang]=0.5.23)

torch_folder=${ORIEL_TORCH:-$(echo "$PWD"/build/torch/shared/lib/python3*/site-packages)}
[ -d "$torch_folder/torch" ] || die "no torch in $torch_folder: set ORIEL_TORCH"
[ -d "$PYTHONPATH/oriel" ] || die "build/release is missing: run ./test.sh first"

install_stack() {
    local name=$1 folder=$ROOT/$1
    [ -f "$folder/ready" ] && return
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q --disable-pip-version-check uv
    for package in $GPU_ONLY; do
        echo "$package; sys_platform == 'never'"
    done >"$folder/overrides.txt"
    VIRTUAL_ENV=$folder "$folder/bin/uv" pip install -q \
        "$name==${VERSION[$name]}" --overrides "$folder/overrides.txt"
    echo "$torch_folder" >"$(echo "$folder"/lib/python3*/site-packages)/zz_torch.pth"
    touch "$folder/ready"
}

mkdir -p "$ROOT"
: >"$ROOT/rows"
for name in ${*:-vllm sglang}; do
    install_stack "$name"
    "$ROOT/$name/bin/python" python/tests "$name" >"$ROOT/$name.log" 2>&1 || {
        cat "$ROOT/$name.log" >&2
        die "the tests failed with $name ${VERSION[$name]}"
    }
    totals=$(grep -E '^(Ran|OK)' "$ROOT/$name.log" | paste -sd ' ')
    echo "| $name ${VERSION[$name]} | $totals |" | tee -a "$ROOT/rows"
    # Exit status 1 says that this stack deviates, and the table says where.
    {
        printf '\n## Conformance of %s\n\n' "$name"
        "$ROOT/$name/bin/python" -m oriel.conformance "$name" \
            2>>"$ROOT/$name.log" || [ $? = 1 ]
    } >"$ROOT/$name.conformance"
done
{
    echo "# Serving stacks on the CPU"
    echo
    echo "Made by \`scripts/test_serving.sh\` on $(date -u +%F): their own parsers,"
    echo "processors and connectors, no engine."
    echo
    echo "| stack | tests |"
    echo "| --- | --- |"
    cat "$ROOT/rows"
    for name in ${*:-vllm sglang}; do
        cat "$ROOT/$name.conformance"
    done
} >"$RECORD"
