#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rewrite the committed digests from the Python twin.  Needs python3 and numpy;
# PYTHON names another interpreter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
make() { # NAME CONFIG DEPTH SEED
    ${PYTHON:-python3} "$here/../../weights/synth.py" --config "$2" \
        --depth "$3" --seed "$4" "$folder/$1"
    (cd "$folder/$1" && sha256sum *) > "$here/digests/$1.sha256"
}
mkdir -p "$here/digests"
make tiny tiny 0 1
make tiny-largest-seed tiny 9 18446744073709551615
make 7b-one-block 7b 1 1
