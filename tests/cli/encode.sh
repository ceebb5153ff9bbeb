# SPDX-License-Identifier: Apache-2.0
# encode.sh - oriel encode on a tiny checkpoint: results, batches, failures
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
run 2 synth --config tiny --seed 1 model
one_line
says "--force"
picture a.ppm 64 48 first
picture b.ppm 300 200 second
picture c.ppm 33 500 third

encode()
{
    run 0 encode "$@" --model model --device cpu
}

encode a.ppm b.ppm c.ppm -o all.safetensors
json table all.safetensors
json sources all.safetensors a.ppm b.ppm c.ppm
json failed all.safetensors
json shape all.safetensors embeddings BF16 1261 24
json shape all.safetensors offsets I64 4
json shape all.safetensors image_grid_thw I64 3 3
# One line tells the device, one the result.
check test "$(wc -l <err)" -eq 2

# Same command, same bytes; whatever the batches and threads, same rows.
for variant in "" "--threads 1" "--threads 3" "--batch-patches 1" \
    "--batch-patches 400"; do
    # shellcheck disable=SC2086
    encode a.ppm b.ppm c.ppm -o again.safetensors -f $variant
    check cmp all.safetensors again.safetensors
done
for name in a b c; do
    encode $name.ppm -o $name.safetensors
done
json items all.safetensors a.safetensors b.safetensors c.safetensors

# Precision and dtype; fp32 arithmetic is not bf16 arithmetic.
for dtype in bf16:BF16 f16:F16 f32:F32; do
    encode b.ppm -o dtype.safetensors -f --dtype ${dtype%:*}
    json shape dtype.safetensors embeddings ${dtype#*:} 950 24
done
encode b.ppm -o fp32.safetensors --precision fp32 --dtype f32
encode b.ppm -o bf16.safetensors --precision bf16 --dtype f32
! cmp -s fp32.safetensors bf16.safetensors || fail "--precision changes nothing"

# The CPU's residual is fp32, whatever is asked for.
encode b.ppm -o wide.safetensors --precision bf16 --residual wide --dtype f32
check cmp wide.safetensors bf16.safetensors
json metadata wide.safetensors residual fp32
encode b.ppm -o pillow.safetensors --resample pillow
! cmp -s b.safetensors pillow.safetensors || fail "--resample changes nothing"
encode b.ppm -o small.safetensors --max-pixels 12544
json shape small.safetensors embeddings BF16 187 24

# Patches made apart give the same tensors and metadata, to the byte.
for precision in fp32:f32 bf16:bf16; do
    flags="--precision ${precision%:*} --dtype ${precision#*:}"
    run 1 preprocess a.ppm missing.ppm b.ppm c.ppm --model model \
        -o patches.safetensors -f
    # shellcheck disable=SC2086
    run 1 encode a.ppm missing.ppm b.ppm c.ppm --model model --device cpu \
        -o direct.safetensors -f $flags
    for batch in "" "--batch-patches 1"; do
        # shellcheck disable=SC2086
        encode patches.safetensors -o apart.safetensors -f $flags $batch
        json same direct.safetensors apart.safetensors
    done
done

# Patch files by others: half precision, I32 grids, no metadata of ours.
python3 - <<'PYTHON'
import json, struct


def write(path, grids, rows, dtype="F32", columns=96, grid_dtype="I64",
          metadata={}):
    width = {"F32": 4, "BF16": 2, "F16": 2, "U8": 1}[dtype]
    values = bytes(rows * columns * width)
    table = struct.pack(f"<{len(grids)}{'q' if grid_dtype == 'I64' else 'i'}",
                        *grids)
    header = json.dumps({
        "__metadata__": metadata,
        "image_grid_thw": {"dtype": grid_dtype, "shape": [len(grids) // 3, 3],
                           "data_offsets": [0, len(table)]},
        "pixel_values": {"dtype": dtype, "shape": [rows, columns],
                         "data_offsets": [len(table),
                                          len(table) + len(values)]},
    }).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + table + values)


write("half.safetensors", [1, 4, 4, 2, 2, 6], 40, "F16", grid_dtype="I32")
write("brain.safetensors", [1, 4, 4], 16, "BF16")
write("control.safetensors", [1, 4, 4], 16,
      metadata={"preprocessing": "\x01\u00e9\"" * 4000,
                "sources": json.dumps(["\x01\\" * 4000])})
write("rows.safetensors", [1, 4, 4], 17)
write("columns.safetensors", [1, 4, 4], 16, columns=97)
write("bytes.safetensors", [1, 4, 4], 16, "U8")
write("odd.safetensors", [1, 3, 4], 12)
write("zero.safetensors", [0, 4, 4], 0)
write("negative.safetensors", [-1, -4, 4], 16)
write("huge.safetensors", [2**62, 4, 2**62], 16)
PYTHON
encode half.safetensors -o half.out
json sources half.out half.safetensors#0 half.safetensors#1
json shape half.out embeddings BF16 10 24
encode brain.safetensors -o brain.out
encode control.safetensors -o control.out
json table control.out
for name in rows columns bytes odd zero negative huge; do
    run 1 encode $name.safetensors --model model --device cpu -o x.safetensors
    one_line
    says "$name.safetensors: "
    check test "$(grep -o "$name.safetensors" err | wc -l)" -eq 1
    absent x.safetensors
done
run 2 encode half.safetensors a.ppm --model model -o x.safetensors
says "must be the only input"
run 1 encode all.safetensors --model model --device cpu -o x.safetensors
says "has no tensor pixel_values"
head -c 3000 patches.safetensors >cut.safetensors
run 1 encode cut.safetensors --model model --device cpu -o x.safetensors
one_line
check test "$(grep -o "cut.safetensors" err | wc -l)" -eq 1
absent x.safetensors

# Inputs that fail are listed; the good ones are encoded.
head -c 1000 b.ppm >cut.ppm
run 1 encode a.ppm cut.ppm b.ppm missing.ppm --model model --device cpu \
    -o part.safetensors
json sources part.safetensors a.ppm b.ppm
json failed part.safetensors cut.ppm missing.ppm
json items part.safetensors a.safetensors b.safetensors
says "cut.ppm: "
says "missing.ppm: cannot be opened: No such file or directory"
run 1 encode missing.ppm --model model --device cpu -o x.safetensors
absent x.safetensors

# The model cannot be used: 3, one line, nothing written.
unusable()
{
    run 3 encode a.ppm --device cpu -o x.safetensors --model "$@"
    one_line
    absent x.safetensors
}
unusable missing
says "missing: "
unusable 7b
says "oriel synth --config 7b"
unusable all.safetensors
mkdir bare
unusable bare
unusable /dev/zero
mkfifo pipe
unusable pipe
says "pipe: expected a regular file"
unusable "$(printf '%05000d' 0)"
cp -r model damaged
shard=$(cd damaged && ls model-*1-of*.safetensors)
head -c 5000 "model/$shard" >"damaged/$shard"
unusable damaged
says "$shard"
rm "damaged/$shard"
unusable damaged
says "$shard"
cp -r model quantised
sed -i 's/"BF16"/"I16" /' quantised/"$shard"
unusable quantised
says "I16"
cp -r model odd
sed -i 's/"num_heads": *[0-9]*/"num_heads": 7/' odd/config.json
unusable odd
says "config.json"
run 3 encode a.ppm --model model --config missing.json -o x.safetensors

# No such device: 5, one line.
if "$oriel" doctor --json |
    python3 -c 'import json, sys
sys.exit(json.load(sys.stdin)["devices"][1]["present"])'; then
    run 5 encode a.ppm --model model --device cuda -o x.safetensors
    one_line
    says "cuda"
    absent x.safetensors
    run 0 encode a.ppm --model model --device auto -o auto.safetensors
    says "; no GPU (see oriel doctor)"
    grep -c "of weights" err | grep -qx 1 || fail "more than a line on the device"
    check awk 'length($0) > 160 { exit 1 }' err
    run 0 encode a.ppm --model model -o auto.safetensors -f --json
    grep -q '"reason":"[^"]*cuda' err || fail "no reason: $(cat err)"
    run 0 encode a.ppm --model model -o auto.safetensors -f --device cpu
    ! grep -q "no GPU" err || fail "speaks of a GPU that was not asked for"
    run 0 encode a.ppm --model model -o auto.safetensors -f -q
    check test ! -s err
fi
run 5 encode a.ppm --model model --device cuda:999 -o x.safetensors
one_line

# Outputs.
run 2 encode b.ppm --model model --device cpu -o a.safetensors
one_line
says "a.safetensors: exists already; --force replaces it"
run 4 encode b.ppm --model model --device cpu -o missing/a.safetensors
one_line
run 4 encode b.ppm --model model --device cpu -o /dev/full -f
one_line
mkdir full
(
    ulimit -f 1
    "$oriel" encode b.ppm --model model --device cpu -o full/b -q 2>err
    echo $? >status
)
check test "$(cat status)" -eq 4
one_line
check test -z "$(ls -A full)"

# Events for machines.
run 1 encode a.ppm missing.ppm --model model --device cpu -o json.safetensors \
    --json
json lines err
for event in device failed encoded done; do
    grep -q "\"event\":\"$event\"" err || fail "no event $event"
done

# A URL: what to do with it.
run 1 encode https://example.org/a.jpg --model model --device cpu -o u
says "https://example.org/a.jpg: is a URL, and the tool uses no network: in Python, fsspec"

# Values that are not finite are counted: a bias of the last layer makes them in
# one column of every token, so as many as tokens.
json metadata all.safetensors infinite_values - nan_values -
spoil()
{
    rm -rf spoilt
    cp -r model spoilt
    python3 - "$@" <<'PYTHON'
import glob, json, struct, sys

for path in glob.glob("spoilt/*.safetensors"):
    with open(path, "r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        for name, entry in header.items():
            if name.endswith("merger.mlp.2.bias"):
                file.seek(8 + length + entry["data_offsets"][0])
                file.write(b"".join(int(v, 16).to_bytes(2, "little")
                                    for v in sys.argv[1:]))
                print("spoilt", name)
PYTHON
}
spoil 4800 c800 | grep -q spoilt || fail "no bias to spoil" # bf16: +-131072
run 0 encode b.ppm --model spoilt --device cpu -o o.safetensors -f -q
check test ! -s err
json metadata o.safetensors infinite_values - nan_values -
run 0 encode b.ppm --model spoilt --device cpu -o o.safetensors -f -q --dtype f16
one_line
says "1900 infinite values among the 950 tokens: f16 ends at 65504"
json metadata o.safetensors infinite_values 1900 nan_values -
run 0 encode b.ppm --model spoilt --device cpu -o o.safetensors -f --dtype f16 \
    --json
json lines err
grep -q '"event":"warning"' err || fail "no event for what is infinite"
grep -q '"event":"done".*"infinite_values":1900,"nan_values":0' err ||
    fail "the event at the end does not count"
spoil 7fc0 >nothing # a NaN
for dtype in bf16 f16 f32; do
    run 0 encode b.ppm --model spoilt --device cpu -o o.safetensors -f -q \
        --dtype $dtype
    one_line
    says "950 NaN values among the 950 tokens"
    json metadata o.safetensors infinite_values - nan_values 950
done

# Real photographs.
photos=$project/examples/photos
encode "$photos"/*.jpg "$photos"/*.png "$photos"/*.webp -o photos.safetensors \
    --max-pixels 100352
json table photos.safetensors
check test "$(grep -c . err)" -eq 2
finish
