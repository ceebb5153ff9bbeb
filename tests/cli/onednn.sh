# SPDX-License-Identifier: Apache-2.0
# onednn.sh - what oneDNN reads from the environment, and where it cannot run
#
# No variable of oneDNN's changes a byte of a result, prints or leaves a file;
# where memory may not become executable, that is said, by encode and by doctor.
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
picture a.ppm 250 150

# encode_all NAME: both precisions; the results' data, and all that is said
encode_all()
{
    local precision
    mkdir -p "$1" home
    for precision in bf16 fp32; do
        (cd "$1" && HOME=$work/home "$oriel" encode ../a.ppm --model ../model \
            --device cpu --threads 1 --precision $precision -q \
            -o $precision.safetensors) >out 2>err </dev/null ||
            fail "$1, $precision: $(tail -1 err)"
        [ ! -s out ] || fail "$1, $precision: prints $(head -1 out)"
        [ ! -s err ] || fail "$1, $precision: says $(head -1 err)"
    done
    find "$1" home -type f | sort >files
    printf '%s\n' "$1/bf16.safetensors" "$1/fp32.safetensors" >wanted
    cmp -s files wanted || fail "$1: leaves $(cat files)"
}

encode_all plain
for variable in \
    VERBOSE=2 VERBOSE=profile,all VERBOSE_TIMESTAMP=1 JIT_DUMP=1 JIT_PROFILE=14 \
    MAX_CPU_ISA=SSE41 MAX_CPU_ISA=AVX2 MAX_CPU_ISA=AVX512_CORE \
    CPU_ISA_HINTS=PREFER_YMM DEFAULT_FPMATH_MODE=BF16 DEFAULT_FPMATH_MODE=ANY \
    PRIMITIVE_CACHE_CAPACITY=0 PRIMITIVE_CACHE_CAPACITY=1 ITT_TASK_LEVEL=2; do
    for prefix in DNNL ONEDNN; do
        name=${prefix}_$variable
        export "${name?}"
        encode_all "$name"
        unset "${name%%=*}"
        for precision in bf16 fp32; do
            cmp -s "$name/$precision.safetensors" plain/$precision.safetensors ||
                fail "$name: other bytes in $precision"
        done
        rm -r "$name"
    done
done

# Which instructions it takes stands in what doctor and the results say.
run 0 doctor --json
json values out devices.0.present true
grep -Eq '"cpu [a-z0-9_]+, oneDNN [0-9.]+ \([a-z0-9_ ]+\)"' out ||
    fail "doctor does not say what oneDNN uses: $(grep oneDNN out)"
grep -aEq 'oneDNN [0-9.]+ \([a-z0-9_ ]+\)' plain/fp32.safetensors ||
    fail "a result does not say what oneDNN used"

# Under systemd's MemoryDenyWriteExecute= (PR_SET_MDWE, Linux 6.3).
cat >guarded.py <<'END'
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit(99)
os.execv(sys.argv[1], sys.argv[1:])
END
# guarded STATUS ARGUMENTS...
guarded()
{
    local expected=$1
    shift
    python3 guarded.py "$oriel" "$@" >out 2>err </dev/null
    status=$?
    [ $status -eq "$expected" ] ||
        fail "without executable memory: oriel $*: exit status $status"
}
python3 guarded.py /bin/true
if [ $? -eq 99 ]; then
    echo "this kernel has no PR_SET_MDWE: not tried without executable memory"
else
    guarded 5 encode a.ppm --model model --device cpu -q -o x.safetensors
    one_line
    says "executable memory"
    says "MemoryDenyWriteExecute"
    absent x.safetensors
    guarded 5 doctor
    grep -q "^cpu  *.*needs executable memory" out ||
        fail "doctor does not say why: $(grep ^cpu out)"
    guarded 0 plan a.ppm --device cpu
    guarded 0 preprocess a.ppm -q -o y.safetensors
fi
finish
