# SPDX-License-Identifier: Apache-2.0
# memory.sh - every allocation fails once: one line, exit status 6, no output
#
# What is not noticed must not matter: with exit status 0 the result is the
# same, byte for byte.
. "$(dirname "$0")/lib.sh"
preload=$4

if grep -q '__[at]san_init' "$oriel"; then
    echo "skipped: the sanitizers' allocator cannot be preloaded over"
    exit 77
fi
run 0 synth --config tiny --seed 1 model
picture a.ppm 64 48
echo "no picture" >text.txt

# With few addresses left, oneDNN writes its code through a NULL pointer: it must
# not be asked then.
for mib in 80 90 100 110 120 140 160 180 200 220 250 300; do
    (ulimit -v $((mib * 1024))
        exec "$oriel" encode a.ppm --model model --device cpu --threads 2 \
            --force -o x.safetensors) >out 2>err </dev/null
    status=$?
    command_line="$mib MiB: oriel encode"
    case $status in
    0 | 6) ;;
    127) grep -q "shared librar" err || fail "$command_line: $(cat err)" ;;
    *) fail "$command_line: exit status $status" ;;
    esac
    rm -f x.safetensors
done

# Without a backend: what oneDNN and OpenMP do as they are loaded is theirs.  And
# without liboriel-formats.so: libavif aborts when memory runs out.
mkdir -p bare/bin bare/lib
cp "$oriel" bare/bin/
cp -a "$(dirname "$oriel")"/../lib/liboriel.so* \
    "$(dirname "$oriel")"/../lib/liboriel-image.so* bare/lib/
oriel=$work/bare/bin/oriel

# With allocation $1 failing: exit status in 'status', whether the fault showed.
attempt()
{
    local n=$1
    shift
    rm -f x.safetensors
    LD_PRELOAD=$preload FAIL_AT=$n "$oriel" "$@" >out 2>err </dev/null
    status=$?
}

# sweep EXPECTED STATUS ARGUMENTS...
sweep()
{
    local expected=$1 n total step refused=0 misnamed=0
    shift
    LD_PRELOAD=$preload FAIL_COUNT=$work/count "$oriel" "$@" >good 2>/dev/null
    [ $? -eq "$expected" ] || fail "oriel $*: does not work at all"
    [ -e x.safetensors ] && mv x.safetensors good.safetensors
    total=$(cat count)
    step=$((total / 300 + 1))
    for ((n = 1; n <= total; n += step)); do
        attempt $n "$@"
        command_line="allocation $n of $total: oriel $*"
        if [ $status -eq "$expected" ]; then
            cmp -s good out || fail "$command_line: another result"
            [ ! -e good.safetensors ] ||
                cmp -s good.safetensors x.safetensors ||
                fail "$command_line: another file"
        elif [ $status -eq 6 ]; then
            refused=$((refused + 1))
            absent x.safetensors
            grep -q "memory\|cannot start" err || fail "$command_line: says nothing of memory"
        elif [ $status -eq 3 ] && grep -q "malformed JSON" err; then
            misnamed=$((misnamed + 1)) # by jansson, while it reads
        else
            fail "$command_line: exit status $status"
            cat err
        fi
    done
    rm -f good.safetensors
    echo "oriel $1: $total allocations, every ${step}th failed," \
        "$refused times exit status 6, $misnamed times called malformed JSON"
    [ $refused -gt 0 ] || fail "oriel $1: no failure was noticed"
}

# Too large a picture is named, by whichever command meets it.
huge()
{
    python3 - "$1" <<'END'
import struct, sys, zlib
def chunk(kind, data):
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc
open(sys.argv[1], "wb").write(
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 46340, 46340, 1, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
END
}
huge huge.png
for command in "plan huge.png a.ppm" "preprocess a.ppm huge.png -o x.safetensors"; do
    (ulimit -v 100000
        run 6 $command --max-source-pixels 9999999999 --max-pixels 9999999999 \
            --threads 1
        one_line
        says "huge.png: "
        says "out of memory: wanted"
        [ $failures -eq 0 ]) || failures=$((failures + 1))
done

sweep 1 plan 640x480 a.ppm text.txt --json
sweep 0 preprocess a.ppm -o x.safetensors --threads 1
sweep 1 preprocess a.ppm text.txt -o x.safetensors --threads 2 --json
sweep 0 inspect model
sweep 0 inspect model --json
finish
