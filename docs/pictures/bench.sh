#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench.sh - draws bench.png: a page of "oriel bench" in a browser
#
#   docs/pictures/bench.sh TOOL [PYTHON]
#
# TOOL is an oriel with its benchmarks (target oriel_benchmarks), PYTHON one with
# torch. Needs Chromium. The numbers are those of this machine at this moment; let
# nothing else run.
set -eu
tool=$1
python=${2:-none}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$tool" bench --device cpu --op 'attn|attend|mlp' --python "$python" \
    --html "$work/page.html"
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
    --enable-logging=stderr --user-data-dir="$work/profile" \
    --window-size=860,1800 --screenshot="$here/bench.png" \
    "file://$work/page.html" 2>"$work/log" >&2
if grep CONSOLE "$work/log"; then
    echo "bench.sh: the page complains" >&2
    exit 1
fi
