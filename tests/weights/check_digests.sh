#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_digests.sh PROGRAM DIGESTS CONFIG DEPTH SEED: the checkpoint that
# PROGRAM makes has the SHA-256 that the Python twin's had (make_digests.sh).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$3" "$4" "$5" "$folder/made"
(cd "$folder/made" && sha256sum --strict --check --quiet -) < "$2"
files=$(ls "$folder/made" | wc -l)
listed=$(wc -l < "$2")
if [ "$files" != "$listed" ]; then
    echo "$files files were made, $listed are expected" >&2
    exit 1
fi
echo "$listed files as expected"
