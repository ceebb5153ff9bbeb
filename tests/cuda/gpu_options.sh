#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gpu_options.sh SOURCE_DIR - what scripts/gpu.sh builds for which GPUs
set -u
. "$1/scripts/gpu.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

# options GPUS EXPECTED: nvidia-smi, a script, tells these compute capabilities.
options() {
    printf '#!/bin/sh\n[ "$1" = --query-gpu=compute_cap ] || exit 1\n%s\n' \
        "printf '$1'" >"$work/nvidia-smi"
    chmod +x "$work/nvidia-smi"
    said=$(PATH=$work:$PATH cuda_options)
    [ "$said" = "$2" ] || {
        echo "FAILED: GPUs '$1': '$said', expected '$2'"
        failures=1
    }
}

options '9.0\n9.0\n' "-DORIEL_CUDA=AUTO -DORIEL_CUDA_ARCHITECTURES=90a-real"
options '12.0\n8.6\n' \
    "-DORIEL_CUDA=AUTO -DORIEL_CUDA_ARCHITECTURES=86-real;120-real"
options '7.5\n' "-DORIEL_CUDA=OFF"
options '7.5\n8.0\n' "-DORIEL_CUDA=AUTO -DORIEL_CUDA_ARCHITECTURES=80-real"
options '' "-DORIEL_CUDA=OFF"
options 'NVIDIA-SMI has failed\n' "-DORIEL_CUDA=OFF"
rm "$work/nvidia-smi"
said=$(PATH=$work && cuda_options)
[ "$said" = "-DORIEL_CUDA=OFF" ] || {
    echo "FAILED: no nvidia-smi: '$said'"
    failures=1
}
exit $failures
