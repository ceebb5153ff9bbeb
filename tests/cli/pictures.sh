# SPDX-License-Identifier: Apache-2.0
# pictures.sh - plan --picture and heatmap: what they take and refuse
. "$(dirname "$0")/lib.sh"

picture a.ppm 90 61
run 0 synth --config tiny --seed 1 model -q

run 0 plan a.ppm --picture a.png
one_line
says "a.png: 84 x 56 pixels in 3 x 2 tokens; 1 windows"
prints "a.ppm"
run 0 plan a.ppm --picture twin.png
check cmp a.png twin.png
run 0 plan a.png
run 2 plan a.ppm --picture a.png
one_line
says "a.png: exists already; --force replaces it"
check cmp a.png twin.png
run 0 plan a.ppm --picture a.png --force --json
json values out total.inputs 1
run 2 plan a.png --picture a.png --force
says "a.png: is an input and the output"
for arguments in "10x10" "a.ppm a.ppm" "a.ppm 10x10"; do
    # shellcheck disable=SC2086
    run 2 plan $arguments --picture x.png
    one_line
    says "--picture x.png: expected one image file to draw"
done
run 2 plan a.ppm --picture x.jpg
says "--picture x.jpg: only png files are written"
run 4 plan a.ppm --picture missing/x.png
run 1 plan "$project/README.md" --picture x.png
absent x.png

heatmap()
{
    local status=$1
    shift
    run "$status" heatmap "$@" --device cpu
}
# The same bytes whatever the threads; numbers are those of tests/cli/pictures.py.
heatmap 0 a.ppm --model model -o one.png --threads 1
says "principal components of"
heatmap 0 a.ppm --model model -o two.png --threads 2 -q
check test ! -s err
check cmp one.png two.png
heatmap 0 a.ppm --model model -o three.png --token 1,2 --json
grep -q '"done".*"columns":11.*"rows":8' err || fail "no event: $(cat err)"
! cmp -s one.png three.png || fail "a token changes nothing"
heatmap 2 a.ppm --model model -o one.png
says "one.png: exists already; --force replaces it"
heatmap 0 a.ppm --model model -o one.png --force -q
check cmp one.png two.png
# A picture without contrast, and one of a single token.
printf 'P6 1 1 255\n\0\0\0' >dot.ppm
heatmap 0 dot.ppm --model model -o dot.png --min-tokens 1 --max-tokens 1
says "of 1 tokens, 0 % of their variance"
heatmap 0 dot.ppm --model model -o dot.png -f --token 0,0 --max-tokens 1 \
    --min-tokens 1
for token in 11,0 0,8 1 1,2,3 -1,0 a,b "" 99999999999,0; do
    heatmap 2 a.ppm --model model -o x.png --token "$token"
    one_line
    says "--token"
done
heatmap 2 a.ppm --model model -o x.png --token 11,0
says "a.ppm has tokens 0,0 to 10,7"
heatmap 2 a.ppm --model model -o x.npy
says "only png files are written, no .npy"
heatmap 2
says "heatmap needs an image, -o FILE and --model DIR"
heatmap 2 a.ppm a.ppm --model model -o x.png
says "heatmap needs one image"
heatmap 3 a.ppm --model 7b -o x.png
heatmap 1 "$project/README.md" --model model -o x.png
one_line
run 0 pack model -q -o tower.safetensors
python3 "$here/tensors.py" spoil tower.safetensors nan.safetensors ||
    fail "not spoilt"
for token in "" "--token 0,0"; do
    # shellcheck disable=SC2086
    heatmap 3 a.ppm --model nan.safetensors -o x.png -q $token
    one_line
    says "a.ppm: 0 infinite and 88 NaN values in the embeddings"
done
heatmap 4 a.ppm --model model -o missing/x.png
absent x.png
finish
