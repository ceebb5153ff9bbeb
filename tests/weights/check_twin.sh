#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_twin.sh PROGRAM SYNTH_PY PYTHON: C and Python make the same files.
set -eu
if ! "$3" -c 'import numpy' 2> /dev/null; then
    echo "SKIPPED: $3 has no numpy" >&2
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compare() { # PROGRAM CONFIG DEPTH SEED SYNTH_PY PYTHON
    rm -rf "$folder/c" "$folder/python"
    "$1" "$2" "$3" "$4" "$folder/c"
    "$6" "$5" --config "$2" --depth "$3" --seed "$4" "$folder/python"
    diff -r "$folder/c" "$folder/python"
    echo "$2, depth $3, seed $4: the same files"
}
compare "$1" tiny 0 1 "$2" "$3"
compare "$1" tiny 1 0 "$2" "$3"
compare "$1" tiny 17 9223372036854775808 "$2" "$3"
compare "$1" 72b 1 12345678901234567890 "$2" "$3"
