#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wheel.sh PROJECT FOLDER PYTHON - build a wheel as users do, look at what it holds,
# install it in a new environment, and run the package's tests there
#
# Exit status 77: PyPI, from which pip takes scikit-build-core and numpy, cannot be
# reached.
set -euo pipefail
PROJECT=$1 FOLDER=$2 PYTHON=$3
BUILD_REQUIREMENTS="scikit-build-core>=1.0,<2"

fail() {
    echo "wheel.sh: $*" >&2
    exit 1
}

rm -rf "$FOLDER/environment" "$FOLDER/dist"
mkdir -p "$FOLDER"
"$PYTHON" -m venv "$FOLDER/environment" || {
    echo "skipped: $PYTHON cannot make an environment (python3-venv)"
    exit 77
}
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH
PIP=$FOLDER/environment/bin/pip
if ! "$PIP" download -q --no-deps -d "$FOLDER/downloads" \
    "$BUILD_REQUIREMENTS" >/dev/null 2>"$FOLDER/log"; then
    echo "skipped: PyPI cannot be reached: $(tail -n 1 "$FOLDER/log")"
    exit 77
fi

started=$SECONDS
"$PIP" wheel -q --no-deps -w "$FOLDER/dist" \
    "--config-settings=build-dir=$FOLDER/build" "$PROJECT/python"
WHEEL=$(ls "$FOLDER"/dist/oriel_vision-*.whl)
echo "wheel: $((SECONDS - started)) s, $(stat -c %s "$WHEEL") bytes"

case $WHEEL in
*-py3-none-linux_*.whl) ;;
*) fail "$WHEEL: expected py3-none-linux_*" ;;
esac
"$PYTHON" - "$WHEEL" "$PROJECT" <<'END'
import stat, sys, zipfile
from pathlib import Path

wheel = zipfile.ZipFile(sys.argv[1])
names = set(wheel.namelist())
source = Path(sys.argv[2], "python/src")
wanted = {str(file.relative_to(source)) for file in source.rglob("*")
          if file.is_file() and "__pycache__" not in file.parts}
wanted |= {f"oriel/_native/{name}" for name in (
    "bin/oriel", "lib/liboriel.so.0", "lib/liboriel-image.so.0",
    "lib/liboriel-cpu.so")}
found = {name for name in names if ".dist-info/" not in name}
assert found - {"oriel/_native/lib/liboriel-cuda.so"} == wanted, found ^ wanted
assert any(name.endswith("licenses/LICENSE") for name in names), names
for entry in wheel.infolist():
    assert not stat.S_ISLNK(entry.external_attr >> 16), entry.filename
END

"$PIP" install -q "$WHEEL"
cd "$FOLDER"
"$FOLDER/environment/bin/oriel" version
"$FOLDER/environment/bin/python" "$PROJECT/python/tests"
