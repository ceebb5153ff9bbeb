# SPDX-License-Identifier: Apache-2.0
# cases.sh - pictures that users met, against digests of transformers 5.23.0
#
# The digest is the first 32 digits of the SHA-256 of pixel_values, of the
# torchvision (T) and the Pillow (P) processor, pixels between 3136 and 1003520.
. "$(dirname "$0")/../cli/lib.sh"
here=$(dirname "$0")

digest()
{
    python3 - "$1" <<'END'
import hashlib, json, struct, sys
data = open(sys.argv[1], "rb").read()
n, = struct.unpack_from("<Q", data)
header = json.loads(data[8:8 + n])
begin, end = header["pixel_values"]["data_offsets"]
print(hashlib.sha256(data[8 + n + begin:8 + n + end]).hexdigest()[:32])
END
}

# is FILE T P
is()
{
    local resample=torchvision wanted
    for wanted in "$2" "$3"; do
        run 0 preprocess "$here/cases/$1" -o out.safetensors -f -q \
            --max-pixels 1003520 --resample $resample
        [ "$(digest out.safetensors)" = "$wanted" ] ||
            fail "$1, $resample: digest $(digest out.safetensors), expected $wanted"
        resample=pillow
    done
}

is gif_still.gif b66a39de37199ca8b4a006baa0876f51 \
    230aac6682622b133ddfd4d0f465cc25
is bmp24.bmp b316f6629d4e4198d6aaf83c6a73db3d f42612c1d5adc968f7ff8f466dc800c5
is tiff_lzw.tif b316f6629d4e4198d6aaf83c6a73db3d \
    f42612c1d5adc968f7ff8f466dc800c5
is avif.avif 7f7b7114f305b379c73e25bb321d8d92 8e7ddd965f7f23e844a41d285777be57

# libjpeg-turbo 3 decodes these two otherwise than 2.1.5 does; doctor tells.
run 0 doctor --json
if grep -q '"reads_lossless": *true' out; then
    is progressive_one_scan.jpg e932f372702757bbb0052cad2349ff7a \
        317e6e6de89d72d00fe720e2ad2cdb0c
    is lossless_grey.jpg bdc889d7a8747eb9e47bb877b4fed53c \
        b80557776183b16b1d53ceb02369ad0c
else
    run 0 preprocess "$here/cases/progressive_one_scan.jpg" -o p.safetensors -q
    run 1 preprocess "$here/cases/lossless_grey.jpg" -o l.safetensors -q
    one_line
fi

# Content decides, not the name.
cp "$here/cases/gif_still.gif" photo.jpg
run 0 preprocess photo.jpg -o named.safetensors -q
echo '<!doctype html><title>404</title>' >page.png
run 1 preprocess page.png -o x.safetensors -q
one_line
says "page.png: an HTML page, not a picture"

# The tool without the module.
mkdir -p bare/bin bare/lib
cp "$oriel" bare/bin/
cp -a "$(dirname "$oriel")"/../lib/liboriel.so* \
    "$(dirname "$oriel")"/../lib/liboriel-image.so* bare/lib/
oriel=$work/bare/bin/oriel
picture a.ppm 64 48
run 0 preprocess a.ppm -o a.safetensors -q
run 1 preprocess photo.jpg a.ppm -o b.safetensors -q
says "photo.jpg: a GIF; liboriel-formats.so is not installed beside"
check test -s b.safetensors
finish
