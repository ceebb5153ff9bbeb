# SPDX-License-Identifier: Apache-2.0
# hub.sh - a model by its name, in a local Hugging Face cache
. "$(dirname "$0")/lib.sh"
unset HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME
export HOME=$work/home
mkdir home

# A cache as huggingface_hub lays it out: blobs, and snapshots of links to them.
# cache_model CACHE ORG NAME REVISION FOLDER
cache_model()
{
    local model=$1/models--$2--$3 file
    mkdir -p "$model/blobs" "$model/refs" "$model/snapshots/$4"
    printf %s "$4" >"$model/refs/main"
    for file in "$5"/*; do
        cp "$file" "$model/blobs/$4-${file##*/}"
        ln -s "../../blobs/$4-${file##*/}" "$model/snapshots/$4/${file##*/}"
    done
}

digest_of()
{
    run 0 inspect "$1" --digest
    grep '^digest' out
}

for seed in 1 2 3 4 5; do
    run 0 synth --config tiny --seed $seed seed$seed -q
    digest_of seed$seed >digest$seed
done

# is SEED: the name stands for that model.
name=Qwen/Qwen2.5-VL-7B-Instruct
is()
{
    digest_of $name >found
    check cmp found "digest$1"
}

cache_model home/.cache/huggingface/hub Qwen Qwen2.5-VL-7B-Instruct aaa seed1
is 1
cache_model xdg/huggingface/hub Qwen Qwen2.5-VL-7B-Instruct aaa seed2
export XDG_CACHE_HOME=$work/xdg
is 2
cache_model hf/hub Qwen Qwen2.5-VL-7B-Instruct aaa seed3
export HF_HOME=$work/hf
is 3
cache_model old Qwen Qwen2.5-VL-7B-Instruct aaa seed4
export HUGGINGFACE_HUB_CACHE=$work/old
is 4
cache_model home/cache Qwen Qwen2.5-VL-7B-Instruct aaa seed5
export HF_HUB_CACHE="~/cache"
is 5
# An empty variable is none.
export HF_HUB_CACHE="" HUGGINGFACE_HUB_CACHE=""
is 3
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE

# The snapshot that refs/main names; another model beside it does not matter.
cache_model hf/hub Qwen Qwen2.5-VL-7B-Instruct bbb seed4
is 4
printf aaa >hf/hub/models--Qwen--Qwen2.5-VL-7B-Instruct/refs/main
is 3
cache_model hf/hub other model_1.x ccc seed1

# Every command that opens a model takes the name.
picture a.ppm 64 48
run 0 encode a.ppm --model other/model_1.x --device cpu -q -o named.safetensors
run 0 encode a.ppm --model seed1 --device cpu -q -o path.safetensors
check cmp named.safetensors path.safetensors
run 0 plan a.ppm --model other/model_1.x
run 0 preprocess a.ppm --model other/model_1.x -q -o pixels.safetensors
run 0 pack other/model_1.x -q -o tower.safetensors
run 0 pack seed1 -q -o twin.safetensors
check cmp tower.safetensors twin.safetensors

# A path that exists goes first.
mkdir Qwen
cp -r seed5 $name
is 5
rm -r Qwen

# What is not there is told with the command that downloads it.
absent_model()
{
    run 3 "${@:2}"
    one_line
    says "$1: no such folder or file, and no such model in the Hugging Face"
    says "cache ($work/hf/hub)"
    says "hf download $1 --include \"*config.json\" --include \"*.index.json\""
    says '--include "model-00001-of-*"'
}
absent_model Qwen/Other inspect Qwen/Other
absent_model Qwen/Other encode a.ppm --model Qwen/Other -o x.safetensors
absent x.safetensors
absent_model Qwen/Other plan a.ppm --model Qwen/Other
absent_model Qwen/Other pack Qwen/Other -o x.safetensors

# A snapshot without its weights, as a download that was stopped leaves it.
rm hf/hub/models--other--model_1.x/snapshots/ccc/*-00001-of-*.safetensors
run 3 encode a.ppm --model other/model_1.x -o x.safetensors
one_line
says "-00001-of-"
says 'to download what is missing: hf download other/model_1.x --include'
# Its last shard, without a vision tensor, need not be there: the tower of a
# published size lies in the first of its shards.
mkdir one
cp seed1/*.json one/
python3 - <<'END'
import glob, json, os, struct
tensors, body, at = {}, b"", 0
for path in sorted(glob.glob("seed1/*.safetensors")):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    for name, t in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        body += data[8 + n + begin:8 + n + end]
        tensors[name] = dict(t, data_offsets=[at, at + end - begin])
        at += end - begin
text = json.dumps(tensors).encode()
open("one/model-00001-of-00002.safetensors", "wb").write(
    struct.pack("<Q", len(text)) + text + body)
places = {name: "model-00001-of-00002.safetensors" for name in tensors}
places["model.norm.weight"] = "model-00002-of-00002.safetensors"
json.dump({"metadata": {}, "weight_map": places},
          open("one/model.safetensors.index.json", "w"))
END
cache_model hf/hub some first-shard ddd one
digest_of some/first-shard >found
check cmp found digest1
# Two snapshots, and none is the chosen one.
rm hf/hub/models--Qwen--Qwen2.5-VL-7B-Instruct/refs/main
run 3 inspect $name
one_line
says "with 2 snapshots"

# What is no name of a model is a path like any other.
for path in a/b/c ./a/b /a/b a/ -/b a/.b a/b- a--b/c a/b..c a/b.safetensors \
    a/config.json "a/b c"; do
    run 3 inspect -- "$path"
    one_line
    ! grep -q "hf download" err || fail "$path: taken for a name"
done
(
    unset HF_HOME XDG_CACHE_HOME HOME
    run 3 inspect Qwen/Other
    says "neither HF_HOME nor HOME is set"
    [ $failures -eq 0 ]
) || failures=$((failures + 1))

# The library itself reads no environment.
library=$(dirname "$oriel")/../lib/liboriel.so
if [ -e "$library" ]; then
    ! nm -D --undefined-only "$library" | grep -q getenv ||
        fail "liboriel.so reads the environment"
fi
finish
