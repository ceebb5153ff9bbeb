#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# serve.sh TOOL TEST_SERVE - run test_serve on a tiny synthetic checkpoint
#
# Pictures may be as small as 256 pixels there, so that runs hold several.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" synth --config tiny --seed 1 "$work/model"
sed -i -E 's/("(min_pixels|shortest_edge)": *)[0-9]+/\1256/g' \
    "$work/model/preprocessor_config.json"
"$2" "$work/model"
