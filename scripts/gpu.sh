# SPDX-License-Identifier: Apache-2.0
# gpu.sh - sourced by demo.sh: which GPUs are here, and how to build for them

# The compute capability of each kind of GPU here, "90" for 9.0, a line each;
# nothing: there is none.
gpu_kinds() {
    command -v nvidia-smi >/dev/null || return 0
    nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
        tr -d '. ' | grep -E '^[0-9]+$' | sort -nu
}

# What CMake is told of the CUDA backend: machine code for the GPUs that are here
# and for no others, or no backend at all.
cuda_options() {
    architectures=""
    for kind in $(gpu_kinds); do
        [ "$kind" -ge 80 ] || continue
        [ "$kind" -eq 90 ] && kind=90a
        architectures="$architectures${architectures:+;}$kind-real"
    done
    if [ -n "$architectures" ]; then
        echo "-DORIEL_CUDA=AUTO -DORIEL_CUDA_ARCHITECTURES=$architectures"
    else
        echo "-DORIEL_CUDA=OFF"
    fi
}
