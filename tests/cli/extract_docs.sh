# SPDX-License-Identifier: Apache-2.0
# extract_docs.sh - every command of docs/extract.md and of the tool in README.md,
# and README's lookups in Python
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
mkdir -p photos bin
cp "$project"/examples/photos/*.jpg "$project"/examples/photos/*.png photos
ln -s "$oriel" bin/oriel
PATH=$PWD/bin:$PATH

# blocks LANGUAGE FILE: the fenced blocks of that kind
blocks()
{
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next }
        /^```/ { on = 0 } on' "$project/$2"
}

# each FILE: every command of the file succeeds
each()
{
    while read -r line; do
        bash -c "$line" >out 2>err || {
            fail "$line: exit status $?"
            cat err
        }
    done <"$1"
}

blocks sh docs/extract.md >commands.sh
check test "$(grep -c '^oriel ' commands.sh)" -ge 8
each commands.sh

# README's, where its model is in the cache, and its photographs are here.
mkdir -p readme hf/hub/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots
cp -r model hf/hub/models--Qwen--Qwen2.5-VL-7B-Instruct/snapshots/main
export HF_HOME=$work/hf
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE
cd readme || exit 1
cp ../photos/*.jpg .
cp "$(ls ../photos/*.jpg | head -1)" photo.jpg
cp -r ../photos .
{
    blocks sh README.md | grep '^oriel '
    grep -o '`oriel [^`]*`' "$project/README.md" | tr -d '`' |
        grep -E '^oriel (pack|plan [^ ]+ [0-9])'
} >../readme.sh
check test "$(grep -c '^oriel ' ../readme.sh)" -ge 4
each ../readme.sh
cd ..

# The lookups read f32, which numpy can.
rm -rf features
run 0 extract photos -o features --model model --device cpu --dtype f32
for module in numpy torch pyarrow; do
    blocks "python $module" README.md >lookup.py
    check test -s lookup.py
    echo 'assert found == "photos/cat.png", found' >>lookup.py
    [ $module = pyarrow ] || echo 'assert len(rows) == end - begin' >>lookup.py
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
