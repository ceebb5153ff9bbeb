# SPDX-License-Identifier: Apache-2.0
# pack.sh - oriel pack: the tower alone is the same model
. "$(dirname "$0")/lib.sh"

picture a.ppm 61 47
picture b.ppm 200 90 "another pattern"

tensors()
{
    python3 "$here/tensors.py" "$@" || fail "tensors.py $*"
}

# What a model is and does: its digest, its numbers, what it makes of pictures
# and of a video's size; all of it into the folder $2.
portrait()
{
    mkdir -p "$2"
    run 0 inspect "$1" --json --digest
    tensors portrait out "$2/model"
    run 0 plan 300x200x24 40x30 5000x4000 --model "$1"
    cp out "$2/plan"
    run 0 preprocess a.ppm b.ppm --model "$1" -q -f -o "$2/pixels.safetensors"
    run 0 encode a.ppm b.ppm --model "$1" --device cpu --precision fp32 \
        --dtype f32 -q -f -o "$2/rows.safetensors"
}

same_model()
{
    portrait "$1" whole
    portrait "$2" packed
    check diff -r whole packed
    rm -r whole packed
}

# The official layout: two shards, bf16.
run 0 synth --config tiny --seed 1 model -q
run 0 pack model -o tower.safetensors
says "of weights in"
one_line
same_model model tower.safetensors
run 0 inspect tower.safetensors --json
json values out model.prefix '"visual."' model.weight_dtype '"BF16"' \
    files.0.metadata.format '"oriel.tower"'
for model in model tower.safetensors; do
    run 0 encode a.ppm b.ppm --model $model --device cpu -q -f \
        -o ${model%.*}-rows.safetensors
done
check cmp model-rows.safetensors tower-rows.safetensors
run 0 pack model -o twin.safetensors -q
check test ! -s err
check cmp tower.safetensors twin.safetensors
# Of a packed file the same file again.
run 0 pack tower.safetensors -o again.safetensors -q
check cmp tower.safetensors again.safetensors
run 0 pack model -o event.safetensors --json
grep -q '"done".*"event.safetensors"' err || fail "no event: $(cat err)"

# What transformers saved: fp32, other prefixes and layouts.
for saved in "$project"/tests/model/resaved/*/; do
    run 0 pack "$saved" -o saved.safetensors -q -f
    same_model "$saved" saved.safetensors
done

# Each tensor is stored as it was.
mkdir mixed
cp model/*config.json mixed/
tensors unusual model mixed/model.safetensors
run 0 pack mixed -o mixed.safetensors
says "note: 1 tensor under"
same_model mixed mixed.safetensors
run 0 inspect mixed.safetensors --tensors
prints "visual.blocks.1.attn.k.weight"
prints "[32, 2, 4, 4, 3]"
! grep -q visual.head out || fail "a tensor that is not of the tower was packed"
run 0 inspect model --digest
digest=$(grep digest out)
run 0 inspect mixed.safetensors --digest
prints "$digest"

# Limits that no default has: fractions, a cap on a video, other statistics.
cp -r model unusual
cat >unusual/processor_config.json <<'END'
{"image_processor": {"min_pixels": 1234.5, "max_pixels": 1e999,
  "patch_size": 4, "do_rescale": false, "do_normalize": true,
  "rescale_factor": 0.1, "image_mean": [0.1, 0.2, 0.30000000000000004],
  "image_std": 0.7},
 "video_processor": {"size": {"shortest_edge": 99.5, "longest_edge": 4000.25},
  "cap_pixels_per_frame": true, "max_video_tokens": 17}}
END
run 0 pack unusual -o unusual.safetensors -q
same_model unusual unusual.safetensors
run 0 pack model --prefix visual --config model/config.json -o p.safetensors -q
check cmp tower.safetensors p.safetensors

# It is taken at its own word, whatever lies beside it; a flag goes first.
mkdir beside
cp tower.safetensors beside/
echo '{"model_type": "llama"}' >beside/config.json
echo 'no JSON' >beside/preprocessor_config.json
same_model model beside/tower.safetensors
run 3 inspect beside/tower.safetensors --config beside/config.json
one_line
run 3 inspect tower.safetensors --config 7b
says "7b: vision_config.depth is 32"
run 0 inspect unusual.safetensors --config model/config.json --json
json values out model.min_pixels 1235

# Malformed metadata: file, field, what was expected.
malformed()
{
    tensors metadata tower.safetensors bad.safetensors "${@:2}"
    run 3 inspect bad.safetensors
    one_line
    says "bad.safetensors: __metadata__: $1"
}
malformed "format_version: expected 1, found 2" format_version=2
malformed "format_version: expected 1, found none" format_version=
run 3 encode a.ppm --model bad.safetensors -o x.safetensors
one_line
absent x.safetensors
for entry in config preprocessor_config video_preprocessor_config; do
    malformed "$entry.json: expected the text of a JSON object, found none" \
        $entry.json=
    malformed "$entry.json: " $entry.json='{"a": '
    malformed "$entry.json: " $entry.json='[]'
done
malformed "config.json: vision_config: expected an object, found nothing" \
    config.json='{}'
vision=config.json/vision_config
for field in depth hidden_size intermediate_size num_heads out_hidden_size \
    in_channels patch_size temporal_patch_size spatial_merge_size window_size \
    rope_theta fullatt_block_indexes; do
    malformed "config.json: vision_config.$field: expected a value, found" \
        $vision/$field=
done
malformed "config.json: vision_config.depth: expected" $vision/depth='"four"'
malformed "config.json: vision_config.rope_theta: expected" \
    $vision/rope_theta='[]'
malformed "config.json: vision_config.fullatt_block_indexes: expected block" \
    $vision/fullatt_block_indexes='[1.5]'
for field in min_pixels max_pixels patch_size temporal_patch_size merge_size \
    do_rescale rescale_factor do_normalize image_mean image_std; do
    malformed "preprocessor_config.json: $field: expected a value, found" \
        preprocessor_config.json/$field=
done
malformed "preprocessor_config.json: image_std: expected a number or three" \
    preprocessor_config.json/image_std='[1, 2]'
malformed "preprocessor_config.json: patch_size is 5, but" \
    preprocessor_config.json/patch_size=5
for field in min_pixels max_pixels cap_pixels_per_frame max_video_tokens; do
    malformed "video_preprocessor_config.json: $field: expected a value" \
        video_preprocessor_config.json/$field=
done
malformed "video_preprocessor_config.json: max_pixels: expected a number of" \
    video_preprocessor_config.json/max_pixels='"large"'
# Of another format it is a file like any other.
tensors metadata tower.safetensors other.safetensors format=pt
run 3 inspect other.safetensors
says "no config.json beside it"

# The file is whole or absent.
run 2 pack model -o tower.safetensors
one_line
says "tower.safetensors: exists already; --force replaces it"
cp tower.safetensors kept
run 2 pack tower.safetensors -o tower.safetensors --force
one_line
says "tower.safetensors: is an input and the output"
check cmp tower.safetensors kept
run 0 pack model -o tower.safetensors --force -q
check cmp tower.safetensors kept
run 4 pack model -o missing/tower.safetensors
one_line
cp -r model cut
for shard in cut/*.safetensors; do
    truncate -s -1 "$shard"
done
run 3 pack cut -o cut.safetensors
one_line
absent cut.safetensors
run 2 pack model -o tower.bin
says "only safetensors files are written, no .bin"
run 2 pack model -o -
says "not written from front to back"
run 3 pack nowhere -o x.safetensors
one_line
run 2 pack
says "pack needs a checkpoint and -o FILE"
run 2 pack model model -o x.safetensors
says "pack needs one checkpoint"
finish
