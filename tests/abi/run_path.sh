#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_path.sh FOLDER...: no object below these folders looks for libraries in a
# folder that depends on where the process stands
#
# An empty entry of a run path stands for the working folder, as "." does, and a
# relative one is below it: whoever owns that folder would choose our libraries.
set -u
found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT

# Executables, shared objects and modules: what a loader maps.
find "$@" -type f \( -perm -u+x -o -name '*.so' -o -name '*.so.*' \) >"$found"
objects=0 paths=0 bad=0
while read -r object; do
    run_path=$(readelf -dW "$object" 2>/dev/null) || continue
    objects=$((objects + 1))
    run_path=$(printf '%s\n' "$run_path" |
        sed -n 's/.*(R\(UN\)*PATH).*\[\(.*\)\]$/\2/p')
    [ -n "$run_path" ] || continue
    paths=$((paths + 1))
    # shellcheck disable=SC2016
    if printf '%s\n' "$run_path" | tr ':' '\n' | grep -qv '^/\|^\$ORIGIN\(/\|$\)'; then
        echo "FAILED: $object: run path [$run_path]"
        bad=1
    fi
done <"$found"
[ "$paths" -gt 0 ] || {
    echo "FAILED: none of $objects objects has a run path, not even the tool"
    exit 1
}
echo "$objects objects, $paths with a run path"
exit $bad
