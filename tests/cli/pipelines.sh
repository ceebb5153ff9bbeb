# SPDX-License-Identifier: Apache-2.0
# pipelines.sh - --pipeline makes the very patches that other software makes
#
# What it makes of a mixed folder is in pipelines/digests.txt, of which versions
# and by which steps in pipelines/make.py.
. "$(dirname "$0")/lib.sh"

limits="--min-pixels 3136 --max-pixels 50176"

# stacks of the table, and files of each
declare -A files
while read -r stack file _; do
    files[$stack]+=" $here/pipelines/$file"
done <"$here/pipelines/digests.txt"
check test ${#files[@]} -eq 5
for stack in "${!files[@]}"; do
    # shellcheck disable=SC2086
    run 0 preprocess ${files[$stack]} --pipeline "$stack" $limits \
        -o "$stack.safetensors" -q
    json digests "$stack.safetensors" "$stack" "$here/pipelines/digests.txt"
done

# The default is transformers' way; no two of the others are the same on this
# folder but for vLLM's.
# shellcheck disable=SC2086
run 0 preprocess ${files[vllm]} $limits -o default.safetensors -q
for stack in "${!files[@]}"; do
    case $stack in
    transformers | vllm) check cmp default.safetensors "$stack.safetensors" ;;
    *)
        ! cmp -s default.safetensors "$stack.safetensors" ||
            fail "--pipeline $stack changes nothing"
        ;;
    esac
done

# A flag takes precedence over the pipeline, whatever their order, and be it the
# tool's default.
all=${files[vllm]}
overrides="--resample torchvision --sizing transformers --alpha white --exif"
# shellcheck disable=SC2086
run 0 preprocess $all $overrides --pipeline qwen-vl-utils $limits \
    -o override.safetensors -q
check cmp default.safetensors override.safetensors
# shellcheck disable=SC2086
run 0 preprocess $all --pipeline sglang --alpha white --exif $limits \
    -o override.safetensors -f -q
check cmp default.safetensors override.safetensors
# shellcheck disable=SC2086
run 0 preprocess $all --pipeline vllm --no-exif --alpha drop $limits \
    -o override.safetensors -f -q
check cmp sglang.safetensors override.safetensors
# shellcheck disable=SC2086
run 0 preprocess $all --sizing qwen-vl-utils --resample pillow --no-exif \
    --alpha qwen-vl-utils $limits -o override.safetensors -f -q
check cmp qwen-vl-utils.safetensors override.safetensors

run 2 preprocess a.png --exif --no-exif -o x.safetensors
one_line
says "--exif and --no-exif: expected one of them"
run 2 preprocess a.png --pipeline tgi -o x.safetensors
one_line
says "expected transformers, transformers-pil, qwen-vl-utils, vllm or sglang"

# encode takes the same patches.
run 0 synth --config tiny --seed 1 model
# shellcheck disable=SC2086
run 0 preprocess $all --model model --pipeline qwen-vl-utils \
    -o patches.safetensors -q
# shellcheck disable=SC2086
run 0 encode $all --model model --device cpu --pipeline qwen-vl-utils \
    -o direct.safetensors -q
run 0 encode patches.safetensors --model model --device cpu \
    -o apart.safetensors -q
json same direct.safetensors apart.safetensors
finish
