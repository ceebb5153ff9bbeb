# SPDX-License-Identifier: Apache-2.0
# plan.sh - oriel plan: sizes, files, videos, JSON
. "$(dirname "$0")/lib.sh"

picture photo.ppm 640 480
run 0 plan photo.ppm 1280x960 640x480x7 1x1
check test ! -s err
check test "$(grep -c x out)" -ge 4

# Worked by hand from the reference's rule; a video of 7 frames has 4 slices.
run 0 plan --json photo.ppm 1280x960 640x480x7 1x1
json values out items.0.source '"photo.ppm"' \
    items.0.grid_thw '[1, 34, 46]' \
    items.0.tokens 391 \
    items.1.grid_thw '[1, 68, 92]' \
    items.1.resized_width 1288 \
    items.1.resized_height 952 \
    items.1.patches 6256 \
    items.1.tokens 1564 \
    items.2.grid_thw '[4, 34, 46]' \
    items.2.full_segments 4 \
    items.3.grid_thw '[1, 4, 4]' \
    total.inputs 4 \
    total.tokens 3523 \
    preprocessing.max_pixels 12845056 \
    failed '[]'

# The published sizes differ in width alone; limits shrink.
for size in 3b:2048 7b:3584 32b:5120 72b:8192; do
    run 0 plan --json 448x448 --model "${size%:*}"
    json values out total.out_hidden_size "${size#*:}" \
        total.tokens 256
    cp out short
    run 0 plan --json 448x448 --model "qwen2.5-vl-${size%:*}"
    check cmp out short
done
run 0 synth --config tiny model -q
run 3 plan 448x448 --config qwen2.5-vl-7b --model model
one_line
says "qwen2.5-vl-7b: vision_config.depth is 32, but"
run 3 encode photo.ppm -o x.safetensors --model qwen2.5-vl-7b
one_line
says "oriel synth --config 7b DIR"
# A folder of such a name goes first, but it is not the default.
mkdir 7b qwen2.5-vl-7b
run 0 plan 448x448
for name in 7b qwen2.5-vl-7b; do
    run 3 plan 448x448 --model $name
    one_line
    says "config.json"
    rmdir $name
    run 0 plan 448x448 --model $name
done
run 0 plan --json 4000x3000 --max-pixels 1003520
json values out items.0.grid_thw '[1, 60, 82]' \
    preprocessing.max_pixels 1003520

# Limits are of videos as well.  qwen-vl-utils' own are lower than the model's,
# and its minimum stands where only a maximum is given.
run 0 plan --json 1920x1080x16 --max-pixels 200704
json values out items.0.grid_thw '[8, 24, 42]'
run 0 plan --json 1280x720 1280x720x16 --sizing qwen-vl-utils
json values out items.0.grid_thw '[1, 52, 92]' items.1.grid_thw '[8, 40, 72]'
run 0 plan 640x480 --sizing qwen-vl-utils --max-pixels 50000
run 2 plan 640x480x2 --sizing qwen-vl-utils --max-pixels 50000
one_line
says "video_min_pixels 100352 is above video_max_pixels 50000"

# Two pictures of 5.8e18 operations: their sum stops at the largest int64.
run 0 plan --json 57344x57344 57344x57344 --max-pixels 4000000000
json values out items.1.flops 5786323908474961920 \
    total.flops 9223372036854775807

# A token is (patch 14 x merge 2) squared pixels: 784.
for size in 4000x3000 30x40 1280x960; do
    run 0 plan --json $size --max-tokens 1280 --min-tokens 256
    cp out tokens
    run 0 plan --json $size --max-pixels 1003520 --min-pixels 200704
    check cmp out tokens
done
json values tokens preprocessing.max_pixels 1003520 \
    preprocessing.min_pixels 200704
run 0 plan --json 4000x3000 --max-tokens 1
json values out items.0.tokens 1

# Columns hold whatever the names: each ends where its heading ends.
long=$(printf 'long name %.0s' $(seq 12))
picture "$long.ppm" 640 480
run 0 plan 1x1 "$long.ppm" 100000x1000 1280x720x64
python3 - "$long.ppm" <<'PYTHON' || fail "plan: the columns do not hold"
import re, sys

heading, *rows = open("out").read().split("\n\n")[0].split("\n")
ends = [m.end() for m in re.finditer(r"\S+( \S+)*", heading)][:-1]
assert len(ends) == 8 and len(rows) == 4
names = []
for row in rows:
    for end in ends:
        assert row[end - 1] != " " and row[end] == " ", (row, end)
    names.append(row[ends[-1]:].strip())
assert names == ["1x1", names[1], "100000x1000", "1280x720x64"]
assert names[1].startswith("long name") and names[1].endswith(".ppm")
PYTHON

# Some inputs fail: the others are shown, the status says so.
echo "no picture" >text.txt
run 1 plan --json 448x448 1000x2 missing.png text.txt .
json values out total.inputs 1 \
    failed.0.source '"1000x2"' \
    failed.1.error '"cannot be opened: No such file or directory"' \
    failed.3.error '"is a folder, expected a file; for folders use oriel extract"'
says "1000x2: "
says "aspect ratio"
says "missing.png: cannot be opened"
says "text.txt: "
run 1 plan 0x5
run 1 plan 99999999999x5
run 1 plan 9999999999x9999999999
run 1 plan 10x10x0

# A file may be called like a size.
picture 640x480 28 28
run 0 plan --json ./640x480 640x480
json values out items.0.width 28 \
    items.1.width 640

# Names from lists.
printf '100x100\n\n200x200\n' >list
run 0 plan --json @list
json values out total.inputs 2
printf '%s\0' 100x100 200x200 | "$oriel" plan -0 --json >out 2>err
json values out total.inputs 2
printf '100x100\n' | "$oriel" plan 300x300 - --json >out 2>err
json values out total.inputs 2

# A list that cannot be read, and one that is no list.
run 4 plan @missing
one_line
run 4 plan @/proc/self/mem
one_line
says "Input/output error"
run 4 plan @.
one_line

# What --device cannot be is refused; asking for nothing never is.
run 3 plan 28x28 --model missing-folder
one_line

# Names that are neither short nor full are folders.
for name in qwen2.5-vl-8b vl-7b qwen2.5-vl- b; do
    run 3 plan 28x28 --model $name
    one_line
    says "cannot find a folder"
done
finish
