#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make.sh - the pictures of the documentation: docs/pictures/make.sh TOOL FOLDER
#
# The weights are random: they show what is drawn, not what a trained model sees.
# 32-bit arithmetic on the CPU, so that another machine draws the same.
set -eu
tool=$1 folder=$2
project=$(cd "$(dirname "$0")/../.." && pwd)
photo=$project/examples/photos/cat.png
model=$(mktemp -d)
trap 'rm -rf "$model"' EXIT

"$tool" synth --config 7b --depth 2 --seed 1 --force -q "$model"
"$tool" plan "$photo" --max-tokens 70 --force --picture "$folder/plan.png" \
    >/dev/null
heatmap()
{
    "$tool" heatmap "$photo" --max-tokens 70 --model "$model" --device cpu \
        --precision fp32 --force "$@"
}
heatmap -o "$folder/components.png"
heatmap --token 4,2 -o "$folder/similar.png"
