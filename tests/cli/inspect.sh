# SPDX-License-Identifier: Apache-2.0
# inspect.sh - oriel inspect and synth: what a checkpoint holds
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
run 0 inspect model
check test ! -s err
prints "windows of 32 pixels"
prints 'BF16, under "'
run 0 inspect model --json --digest
json values out model.window_size 32
digest=$(python3 -c 'import json; print(json.load(open("out"))["model"]["digest"])')
check test ${#digest} -eq 32
run 0 inspect model --digest --tensors
prints "digest      $digest"
prints "patch_embed.proj.weight"
prints "[32, 3, 2, 4, 4]"

# The same seed makes the same bytes; another one another model.
run 0 synth --config tiny --seed 1 --threads 1 twin -q
check test ! -s err
check diff -r model twin
run 0 synth --config tiny --seed 0 other
run 0 inspect other --json --digest
! grep -q "$digest" out || fail "another seed, the same digest"
run 0 synth --config tiny --seed 1 model --force
check diff -r model twin
run 0 synth --config tiny --depth 2 short
run 0 inspect short --json
json values out model.depth 2
run 2 synth --config 8b x
one_line
run 4 synth --config tiny missing/folder
one_line

# What is passed over in a checkpoint is said by inspect, and once by the rest.
cp -r model noted
python3 - <<'END'
import json
config = json.load(open("noted/config.json"))
config["vision_config"]["depth"] = 3
json.dump(config, open("noted/config.json", "w"))
END
run 0 inspect noted
prints "note        noted/config.json: depth is 3: of the 4 stored blocks"
run 0 inspect noted --json
json values out model.depth 3
grep -q '"noted/config.json: depth is 3' out || fail "no note"
picture a.ppm 64 48
run 0 preprocess a.ppm --model noted -o noted.safetensors
says "note: noted/config.json: depth is 3: of the 4 stored blocks"
run 0 preprocess a.ppm --model noted -o noted.safetensors -q -f
check test ! -s err

# What stands for a model, and what says of which tower or size it is.
run 0 inspect model/config.json
run 0 inspect model/model.safetensors.index.json
prints 'BF16, under "'
run 0 inspect model --prefix visual
run 3 inspect model --prefix teacher.visual
says 'no vision tower under the prefix "teacher.visual."'
one_line
run 3 inspect model --config 7b
says "7b: vision_config.depth is 32, but the tensors of model end with block 3"
one_line
cp model/config.json 7b
run 0 inspect model --config 7b
rm 7b

# Other safetensors files: metadata and tensors.
picture a.ppm 64 48
run 0 preprocess a.ppm -o a.safetensors
run 0 inspect a.safetensors
prints "pixel_values"
prints "format: oriel.pixel_values"
run 0 inspect a.safetensors --json
json values out model null \
    files.0.tensors.0.shape "[16, 1176]"

# A single file of a checkpoint is a model, with the config beside it.
shard=$(ls model/*-00001-of-*.safetensors)
run 3 inspect missing
one_line
run 3 inspect a.ppm
one_line
says "a.ppm"
mkdir bare
run 3 inspect bare
one_line
cp "$shard" bare/
run 3 inspect bare/"$(basename "$shard")"
one_line

# Any file cut anywhere is refused in one line.
size=$(stat -c %s a.safetensors)
for bytes in 0 7 8 9 100 $((size / 2)) $((size - 1)); do
    head -c $bytes a.safetensors >cut.safetensors
    run 3 inspect cut.safetensors
    one_line
    says "cut.safetensors"
done
finish
