# SPDX-License-Identifier: Apache-2.0
# truncated.sh - damaged pictures: refused, or padded on request, and said
. "$(dirname "$0")/lib.sh"

# In a PPM what is missing is black: the same picture, black from there on.
picture whole.ppm 64 48
rows=$((64 * 3 * 30))
head -c $((13 + rows + 100)) whole.ppm >cut.ppm
{
    head -c $((13 + rows)) whole.ppm
    head -c $((64 * 3 * 18)) /dev/zero
} >black.ppm
check test "$(wc -c <black.ppm)" -eq "$(wc -c <whole.ppm)"

run 1 preprocess cut.ppm -o x.safetensors -q
one_line
says "cut.ppm: PNM: truncated: "
absent x.safetensors
run 1 preprocess cut.ppm -o x.safetensors -q --truncated fail
one_line
run 0 preprocess black.ppm whole.ppm -o black.safetensors -q
run 0 preprocess cut.ppm whole.ppm -o cut.safetensors -q --truncated pad
one_line
says "cut.ppm: PNM: truncated: "
says "the rest of the picture is padded"
json items cut.safetensors black.safetensors
json metadata cut.safetensors padded "[0]"
json metadata black.safetensors padded -
run 0 preprocess whole.ppm cut.ppm cut.ppm -o x.safetensors -f --json \
    --truncated pad
json metadata x.safetensors padded "[1,2]"
check test "$(grep -c '"event":"warning"' err)" -eq 2
says '"padded":2'

# Without damage the flag changes the settings in the metadata and no more.
run 0 preprocess whole.ppm -o a.safetensors -q
run 0 preprocess whole.ppm -o b.safetensors -q --truncated pad
check test ! -s err
json items a.safetensors b.safetensors
json metadata b.safetensors padded -

# encode, from the picture and from its patches.
run 0 synth --config tiny model -q
run 0 encode cut.ppm --model model -o e.safetensors -q --truncated pad
one_line
json metadata e.safetensors padded "[0]"
run 0 encode black.ppm --model model -o black_e.safetensors -q
json items e.safetensors black_e.safetensors
run 0 preprocess cut.ppm --model model -o p.safetensors -q --truncated pad
run 0 encode p.safetensors --model model -o pe.safetensors -q
json metadata pe.safetensors padded "[0]"
json items e.safetensors pe.safetensors

# plan reads headers: what is missing after them does not matter.
run 0 plan cut.ppm --truncated pad
run 0 plan cut.ppm
printf 'P6 64 ' >header.ppm
run 1 plan header.ppm --truncated pad
run 1 preprocess header.ppm -o x.safetensors -f -q --truncated pad
one_line
run 2 preprocess cut.ppm -o x.safetensors -f -q --truncated zero
one_line
says "--truncated zero: expected fail or pad"
finish
