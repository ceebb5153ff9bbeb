# SPDX-License-Identifier: Apache-2.0
# extract_docs.sh - every command of docs/extract.md, and its lookups in Python
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
mkdir -p photos bin
cp "$project"/examples/photos/*.jpg "$project"/examples/photos/*.png photos
ln -s "$oriel" bin/oriel
PATH=$PWD/bin:$PATH

# blocks LANGUAGE: the fenced blocks of that kind
blocks()
{
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next }
        /^```/ { on = 0 } on' "$project/docs/extract.md"
}

blocks sh >commands.sh
check test "$(grep -c '^oriel ' commands.sh)" -ge 8
while read -r line; do
    bash -c "$line" >out 2>err || {
        fail "$line: exit status $?"
        cat err
    }
done <commands.sh

# The lookups read f32, which numpy can.
rm -rf features
run 0 extract photos -o features --model model --device cpu --dtype f32
for module in numpy torch pyarrow; do
    blocks "python $module" >lookup.py
    check test -s lookup.py
    found=
    for python in "${ORIEL_PYTHON:-python3}" ${ORIEL_TEST_PYTHONS:-}; do
        "$python" -c "import $module; $([ $module = pyarrow ] ||
            echo import safetensors)" 2>/dev/null && found=$python
    done
    if [ -n "$found" ]; then
        "$found" lookup.py || fail "the lookup with $module"
        echo "the lookup with $module: tested with $found"
    else
        echo "not tested: no Python here has $module" \
            "(ORIEL_TEST_PYTHONS names others)"
    fi
done
finish
