# SPDX-License-Identifier: Apache-2.0
# extract.sh - oriel extract on a tiny checkpoint: inputs, folders, failures
. "$(dirname "$0")/lib.sh"
python=${ORIEL_PYTHON:-python3}
"$python" -c "import numpy" 2>/dev/null || {
    echo "skipped: $python has no numpy"
    exit 77
}

folder()
{
    "$python" "$here/extract.py" "$@" || fail "extract.py $* ($command_line)"
}

# extract STATUS FOLDER ARGUMENT...
extract()
{
    run "$1" extract "${@:3}" -o "$2" --model model --device cpu
}

same()
{
    diff -r "$1" "$2" >difference || {
        fail "$1 and $2 differ ($command_line)"
        cat difference
    }
}

run 0 synth --config tiny --seed 1 model
folder make

# ---- Inputs -----------------------------------------------------------------

# A damaged picture has rows where that is asked for, and is told.
extract 0 padded f/cut.ppm f/p00.ppm --truncated pad -q
says "f/cut.ppm: PNM: truncated: "
folder ids padded f/cut.ppm f/p00.ppm
folder value padded f/cut.ppm status '"ok"'
grep -q '"padded": *"PNM: truncated: ' padded/manifest.jsonl ||
    fail "the manifest does not say what was padded"
[ "$(grep -c '"padded"' padded/manifest.jsonl)" -eq 1 ] ||
    fail "a whole picture is called padded"

# A folder: whole paths in order, links that lead back left out, the archive read
# where it lies; a picture by name or content has a row, other files have none.
extract 1 all f
folder folder all
folder ids all f/a.ppm f/b-c.ppm f/b/deep/p02.ppm f/b/deep/p05.ppm \
    f/b/deep/p08.ppm f/b/deep/p11.ppm f/b/p01.ppm f/b/p04.ppm f/b/p07.ppm \
    f/b/p10.ppm '!f/broken.jpg' '!f/cut.ppm' f/p00.ppm f/p03.ppm f/p06.ppm \
    f/p09.ppm f/plain d/000 d/001 d/002 d/003 d/two.left.ppm d/two.right.ppm \
    '!d/bad'
says "4 other files were passed over"
says "f/broken.jpg: a text file"
says "failed 1 time: PNM: truncated: N bytes of pixels"
says " images/s, "
json values all/run.json totals.other_files 4 totals.failed 3
folder value all d/002 columns '{"json": {"label": 2}, "txt": "caption é"}'
folder value all d/two.left.ppm columns '{"bin": null}'
folder value all d/001 source '"f/t.tar/d/001.ppm"'
folder value all f/cut.ppm width 90
folder value all f/cut.ppm tokens null

# The rows equal encode's, which other tests hold against transformers.
mkdir unpacked
tar -C unpacked -xf f/t.tar
# shellcheck disable=SC2046
run 0 encode f/a.ppm f/b-c.ppm f/b/deep/*.ppm f/b/p*.ppm f/p*.ppm f/plain \
    unpacked/d/0*.ppm unpacked/d/two.*.ppm -o all.safetensors --model model \
    --device cpu
folder rows all all.safetensors

# Same folder, same bytes, whatever the batches and threads.
for variant in "--threads 1" "--threads 3" "--batch-patches 1" \
    "--batch-patches 700"; do
    # shellcheck disable=SC2086
    extract 1 again f $variant
    same all again
    rm -r again
done

# Hidden states are Hugging Face's, in image order, and so are the embeddings; in a
# batch with another picture.
mkdir golden
"$python" "$here/extract_layers.py" make golden/photo.ppm || fail "no photo"
cp f/a.ppm golden/
for layer in 0 1 2 3 4 ""; do
    extract 0 layers golden ${layer:+--layer $layer} --precision fp32 --dtype f32
    "$python" "$here/extract_layers.py" check layers golden/photo.ppm ||
        fail "$command_line: other rows than Hugging Face's"
    rm -r layers
done

# Lists: lines, JSON lines with columns, NUL bytes, standard input.
extract 1 lines list.jsonl
folder folder lines
folder ids lines first 17 '!missing.ppm' '!{"id": "no path"}' '!{broken' \
    f/p03.ppm '!https://example.org/a.jpg'
folder value lines first columns '{"label": {"x": [1, 2.5]}}'
folder value lines 17 columns '{"width": "mine"}'
folder value lines f/p03.ppm index 40
folder value lines missing.ppm index 2
says "in Python, fsspec opens it and the package oriel takes its bytes"
printf '# comment\nf/a.ppm\r\nf/b/deep\n\nclip\nf/t.tar\n' >names
extract 1 listed @names
folder ids listed f/a.ppm f/b/deep/p02.ppm f/b/deep/p05.ppm f/b/deep/p08.ppm \
    f/b/deep/p11.ppm clip/0.ppm clip/1.ppm clip/2.ppm clip/3.ppm d/000 d/001 d/002 d/003 \
    d/two.left.ppm d/two.right.ppm '!d/bad'
"$oriel" extract - -o stdin --model model --device cpu <names 2>err
same listed stdin
printf 'f/a.ppm\0missing\0f/p00.ppm\0' |
    "$oriel" extract -0 -o null --model model --device cpu 2>err
check test $? -eq 1
folder ids null f/a.ppm '!missing' f/p00.ppm
printf 'f/a.ppm\0f/p00.ppm\n' >mixed
extract 8 mixed-out @mixed
folder ids mixed-out '!@mixed'
says "has a NUL byte: is it one for --null?"

# Work begins before a list ends: its writer waits for the first event.
mkfifo slow
{
    echo f/a.ppm
    for i in $(seq 100); do
        grep -q '"event":"encoded"' slow.err 2>/dev/null && break
        sleep 0.1
    done
    echo f/p00.ppm
} >slow &
timeout 60 "$oriel" extract @slow -o slow-out --model model --device cpu \
    --json 2>slow.err || fail "a slow list: $?"
command_line="a slow list"
check test "$(grep -c '"event":"encoded"' slow.err)" -eq 2
folder ids slow-out f/a.ppm f/p00.ppm

# Archives: names beyond ASCII, packed ones, cut ones, standard input.
extract 0 pax pax.tar
folder ids pax é/ü
extract 0 gz packed.tar.gz
folder ids gz d/000
extract 1 cut cut.tar
folder ids cut d/000 d/001 '!d/002' '!cut.tar'
says "cut.tar: the tar archive cannot be read on from here"
for file in f/t.tar packed.tar.gz; do
    rm -rf stdin
    "$oriel" extract - -o stdin --model model --device cpu <$file 2>err
    check test $? -le 1
    folder folder stdin
done
extract 0 twice f/t.tar packed.tar.gz --shard 1/3
folder ids twice d/001 d/two.left.ppm d/000

# A folder is a video with --frames, and encode sends folders here.
extract 1 video clip uneven empty f/a.ppm --frames
folder ids video clip '!uneven' '!empty' f/a.ppm
folder folder video
folder value video clip grid_thw '[2, 16, 16]'
folder value video clip frames 4
says "uneven/1.ppm: 60 x 62, expected 60 x 60"
run 1 encode f -o x.safetensors --model model --device cpu
says "f: is a folder, expected a file; for folders use oriel extract"
absent x.safetensors

# Jobs: entry i of n, whatever it is; their rows equal the whole's.
for i in 0 1 2; do
    extract $((i > 0)) job-$i f --shard $i/3
done
folder ids job-1 f/b-c.ppm f/b/deep/p08.ppm f/b/p04.ppm '!f/broken.jpg' \
    f/p03.ppm f/plain d/002 d/two.right.ppm
folder value job-1 f/plain index 16
extract 0 job-9 f/a.ppm --shard 8/9
folder folder job-9

# ---- Output -----------------------------------------------------------------

extract 1 parts f --shard-bytes 20000
folder folder parts
folder rows parts all.safetensors
extract 1 single f --shard-bytes 1
folder folder single
folder parts single 21
run 0 encode f/a.ppm f/p00.ppm f/p03.ppm -o f32.safetensors --model model \
    --device cpu --dtype f32
three="f/a.ppm f/p00.ppm f/p03.ppm"
# shellcheck disable=SC2086
{
    extract 0 f32 $three --dtype f32
    folder rows f32 f32.safetensors
    run 0 encode $three -o f16.safetensors --model model --device cpu \
        --dtype f16
    extract 0 f16 $three --dtype f16
    folder rows f16 f16.safetensors
    extract 0 mean $three --pool mean
    folder pooled mean f32.safetensors 1 1
    extract 0 grid $three --pool grid:3x2
    folder folder grid
    folder pooled grid f32.safetensors 3 2
    extract 0 npy $three --pool mean --format npy --shard-bytes 192
    folder folder npy
    folder parts npy 2
    folder pooled npy f32.safetensors 1 1
    extract 0 half $three --pool mean --format npy --dtype f16
    folder folder half
}

# ---- Failures and refusals ---------------------------------------------------

extract 8 none f/broken.jpg missing.ppm
folder ids none '!f/broken.jpg' '!missing.ppm'
folder folder none
folder parts none 0
extract 8 nothing empty
says "there is no picture among the inputs"
extract 8 enough f --max-failures 3
extract 1 fewer f --max-failures 4
extract 8 share f --max-failures 12%
extract 1 less f --max-failures 13%

refused()
{
    run 2 extract "$@"
    one_line
}
refused
says "extract needs inputs, -o FOLDER and --model DIR"
for pair in pool:max pool:grid:0x2 pool:grid:2 shard:3/3 shard:1 shard:1/2x \
    max-failures:0 max-failures:101% max-failures:x% layer:99 format:parquet; do
    refused f -o x --model model --device cpu --"${pair%%:*}" "${pair#*:}"
    says "--${pair%%:*} ${pair#*:}: "
done
refused f -o x --model model --format npy
says "expected --pool"
refused f -o x --model model --format npy --pool mean --dtype bf16
says "numpy has no bf16"
refused https://example.org/a.jpg -o x --model model
says "fsspec"
refused f -o all --model model --device cpu
says "all: is not empty; --resume goes on"
mkdir foreign
echo mine >foreign/part-00000.safetensors
refused f -o foreign --model model --device cpu --resume
says "foreign: has no run.json"
check grep -q mine foreign/part-00000.safetensors
check test ! -e foreign/.oriel.lock -o "$(ls foreign | wc -l)" -eq 1
run 4 extract f -o missing/all --model model --device cpu
absent x
finish
