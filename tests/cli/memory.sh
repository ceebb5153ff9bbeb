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

# What still ends the process, inside code that is not ours: exit status, what is
# printed last, and whose it is.  The list only shrinks: with MEMORY_ALL=1 every
# allocation fails in its turn, and a row that was not met must go.
remains=(
    "127|cannot allocate memory for thread-local data|glibc 2.36: a thread meets a library"
    "127|out of memory|glibc 2.36: the loader, of its own tables"
    "1|libgomp: Out of memory allocating|libgomp 12: its constructor"
)
met=$work/met
: >"$met"

# Whether 'status' and 'err' are a row of the list.
is_known()
{
    local row text
    for row in "${remains[@]}"; do
        text=${row#*|}
        [ $status -eq "${row%%|*}" ] && grep -q "^${text%%|*}" err || continue
        echo "$row" >>"$met"
        return 0
    done
    return 1
}

# Without the CUDA backend, whose runtime crashes as it is loaded, and without
# liboriel-formats.so: libavif aborts when memory runs out.
whole=$oriel
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

# How many allocations a command makes.
count_allocations()
{
    LD_PRELOAD=$preload FAIL_COUNT=$work/count "$oriel" "$@" >/dev/null 2>&1
    cat count
}

# sweep EXPECTED STATUS ARGUMENTS...; about $samples from allocation $first on
sweep()
{
    local expected=$1 n total step refused=0 misnamed=0 known=0
    shift
    rm -f x.safetensors # of the command before
    LD_PRELOAD=$preload FAIL_COUNT=$work/count "$oriel" "$@" >good 2>/dev/null
    [ $? -eq "$expected" ] || fail "oriel $*: does not work at all"
    [ -e x.safetensors ] && mv x.safetensors good.safetensors
    total=$(cat count)
    step=$(((total - first) / samples + 1))
    [ -z "${MEMORY_ALL:-}" ] || step=1
    for ((n = first; n <= total; n += step)); do
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
        elif is_known; then
            known=$((known + 1))
        else
            fail "$command_line: exit status $status"
            cat err
        fi
    done
    rm -f good.safetensors
    echo "oriel $1: $total allocations, every ${step}th failed," \
        "$refused times exit status 6, $misnamed times called malformed JSON," \
        "$known times ended by others"
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

samples=300
first=1
sweep 1 plan 640x480 a.ppm text.txt --json
sweep 0 preprocess a.ppm -o x.safetensors --threads 1
sweep 1 preprocess a.ppm text.txt -o x.safetensors --threads 2 --json
sweep 0 inspect model
sweep 0 inspect model --json
sweep 0 pack model -o x.safetensors -q
# With what is left out above, but not used here.
oriel=$whole
sweep 0 plan 640x480 a.ppm --json --device cpu
sweep 0 plan a.ppm --device cpu --picture x.png --force
# From where the model is open: before, it is as above.
samples=150
first=$(($(count_allocations plan a.ppm --model model --device cpu) - 100))
sweep 0 encode a.ppm --model model --device cpu --threads 1 -q -o x.safetensors
if [ -n "${MEMORY_ALL:-}" ]; then
    for row in "${remains[@]}"; do
        grep -qxF "$row" "$met" || fail "never met, strike it off: $row"
    done
fi
finish
