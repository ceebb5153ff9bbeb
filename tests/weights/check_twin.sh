#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_twin.sh PROGRAM SYNTH_PY: C and Python make the same files.
set -eu
if ! python3 -c 'import numpy' 2> /dev/null; then
    echo "SKIPPED: python3 with numpy is not installed here" >&2
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compare() { # CONFIG DEPTH SEED
    rm -rf "$folder/c" "$folder/python"
    "$1" "$2" "$3" "$4" "$folder/c"
    python3 "$5" --config "$2" --depth "$3" --seed "$4" "$folder/python"
    diff -r "$folder/c" "$folder/python"
    echo "$2, depth $3, seed $4: the same files"
}
compare "$1" tiny 0 1 "$2"
compare "$1" tiny 1 0 "$2"
compare "$1" tiny 17 9223372036854775808 "$2"
compare "$1" 72b 1 12345678901234567890 "$2"
