# SPDX-License-Identifier: Apache-2.0
# cases.sh - files and folders of the kinds that users meet, against digests and
# values of the reference (make.py); README.md lists which case is where
#
# The fourth argument is "formats" where the module of GIF, BMP, TIFF and AVIF is
# built: the pictures need it.
. "$(dirname "$0")/../cli/lib.sh"
inputs=$here/inputs
table=$here/digests.txt
packed=$project/tests/cli/packed.py

# digests_of STACK FLAG...: all files of the stack, in one run
digests_of()
{
    local stack=$1 names
    shift
    names=$(awk -v s="$stack" -v d="$inputs/" '$1 == s { print d $2 }' "$table")
    # shellcheck disable=SC2086
    run 0 preprocess $names --min-pixels 3136 --max-pixels 1003520 "$@" \
        -o "$stack.safetensors" -q
    check python3 "$packed" digests "$stack.safetensors" "$stack" "$table"
}

# ---- Pictures -------------------------------------------------------------------

if [ "${4-}" = formats ]; then
    digests_of T --resample torchvision
    digests_of P --resample pillow
    digests_of Q --pipeline qwen-vl-utils
    digests_of padT --resample torchvision --truncated pad
    check test "$(grep -c 'the rest of the picture is padded' err)" -eq 9
    digests_of padP --resample pillow --truncated pad
    for name in "$inputs"/cut* "$inputs"/crc.png; do
        run 1 preprocess "$name" -o x.safetensors -q
        one_line
        absent x.safetensors
    done
fi

# ---- Checkpoint folders -----------------------------------------------------------

mkdir models
run 0 synth --config tiny --seed 1 models/base -q
check python3 "$here/make_models.py" models/base models
check python3 "$here/own_models.py" models/base models

# encode STATUS MODEL NAME FLAG...
encode()
{
    local status=$1 model=$2 name=$3
    shift 3
    run "$status" encode "$inputs/photo.jpg" --model "$model" \
        -o "$name.safetensors" --precision fp32 --dtype f32 --device cpu -q "$@"
}

# Folders of one group have the same values in the reference, and here.
python3 -c 'import json, sys
for pair in json.load(sys.stdin).items(): print(*pair)' \
    <"$here/models.json" >groups
check test "$(wc -l <groups)" -ge 21
while read -r name group; do
    encode 0 "models/$name" "$name"
    check python3 "$here/like.py" "$name.safetensors" "$here/values/$group.f32"
    [ -e "group$group" ] || cp "$name.safetensors" "group$group"
    check python3 "$packed" items "$name.safetensors" "group$group"
done <groups
encode 3 models/lfs_pointer lfs
one_line
says "a Git LFS pointer"
# A folder without config.json stays refused.  The file is of no published size.
single=models/single_file_without_config
encode 3 $single single
one_line
says "--config"
encode 3 $single/qwen_2.5_vl_7b.safetensors single
one_line
says "--config"
encode 0 $single/qwen_2.5_vl_7b.safetensors single \
    --config models/base/config.json
check python3 "$packed" items single.safetensors group0

# ---- Lists, names, outputs ----------------------------------------------------------

cp "$inputs/list_crlf.txt" "$inputs/photo.jpg" "$inputs/@2x.jpg" .
run 0 preprocess @list_crlf.txt -o list.safetensors -q
check python3 "$packed" sources list.safetensors photo.jpg photo.jpg
run 0 preprocess ./*.jpg @2x.jpg -o names.safetensors -q
check python3 "$packed" sources names.safetensors ./@2x.jpg ./photo.jpg @2x.jpg
run 2 preprocess photo.jpg -o x.npy -q
one_line
absent x.npy
finish
