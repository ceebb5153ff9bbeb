# SPDX-License-Identifier: Apache-2.0
# verify.sh - oriel doctor --verify on simulated GPUs, whole ones and broken ones
#
# The backend is the simulated GPU's module, in a folder of its own with the tool's
# other libraries.  ORIEL_SIM_PLANT breaks it in one place (sim/plants.hpp); the
# report must name a check that covers that place.
. "$(dirname "$0")/lib.sh"
# What is run: "whole", "faults", or "hopper" for the faults of what sm_90a alone has.
module=$6 finds=$7 part=$8
python=${ORIEL_PYTHON:-python3}

mkdir libraries
cp -a "$(dirname "$oriel")"/../lib/lib*.so* libraries/
rm -f libraries/liboriel-cuda.so
cp "$module" libraries/liboriel-cuda.so
export LD_LIBRARY_PATH=$work/libraries ORIEL_SIM_DEVICES=90

report()
{
    "$python" "$here/verify_report.py" "$@" <out ||
        fail "$command_line: $* (ORIEL_SIM_PLANT ${ORIEL_SIM_PLANT:-none})"
}

# ---- A whole one --------------------------------------------------------------

if [ "$part" = whole ]; then

# Every check there is runs, but those of other hardware.
run 0 doctor --verify --json
report whole "$project"
prints "cuBLASLt 13.1 products (calculated)"
run 0 doctor --verify
[ "$(grep -c '^passed ' out)" -gt 60 ] || fail "few checks passed"
prints "checks passed, 0 failed, 0 skipped"
if grep -q '^FAILED\|^skipped' out; then fail "not all of it passed"; fi
tail -1 out | grep -q '^[0-9]* checks passed' || fail "the last line of verify"

# How many blocks a multiprocessor holds: every kernel in JSON, no line for people.
run 0 doctor --json
report occupancy "$project"
run 0 doctor
if grep -q '^occupancy ' out; then fail "occupancy that is as planned is told"; fi
ORIEL_SIM_PLANT=occupancy run 0 doctor
prints "occupancy  linear, 1 block a multiprocessor, expected 2"

# Another device, and another kind.
export ORIEL_SIM_DEVICES=90,80
run 0 doctor --verify --device cuda:1 --json
prints "sm_80 by sm_80 machine code"
prints "own products (calculated)"
report skips hardware "Hopper kernels" "Hopper kernels of few rows" \
    "Hopper kernels in pairs, with skew" "Hopper products" "Hopper products of few rows" \
    "Hopper attention over frames"
export ORIEL_SIM_DEVICES=90

# ---- What cannot be verified ----------------------------------------------------

run 5 doctor --verify --device cuda:1
says "device_index is 1, but there is 1 device"
run 3 doctor --verify --device cpu
says "only GPUs are verified"
run 2 doctor --device cuda:0
says "--device is for doctor --verify"
one_line
# The libraries are those that are loaded after it, cuDNN among them: here a stand-in
# that comes with the first check of all.  Sanitizers want no library before theirs.
if ! grep -q __asan_init "$oriel"; then
    printf 'int nothing;\n' | cc -x c - -shared -o libraries/libcudnn.so.9
    cc -x c - -shared -fPIC -I "$project/include" -o loads.so <<'C' -ldl
#define _GNU_SOURCE
#include "oriel_verify.h"
#include <dlfcn.h>
oriel_status
oriel_device_verify(const oriel_verify_options *options, oriel_verify_info *info,
                    oriel_error *err)
{
    oriel_status (*next)(const oriel_verify_options *, oriel_verify_info *,
                         oriel_error *) = dlsym(RTLD_NEXT, "oriel_device_verify");

    if (options->only == 0 && !dlopen("libcudnn.so.9", RTLD_NOW))
        return ORIEL_ERR_INTERNAL;
    return next(options, info, err);
}
C
    LD_PRELOAD=$PWD/loads.so run 0 doctor --json
    if grep -q libcudnn out; then fail "libcudnn before it is loaded"; fi
    LD_PRELOAD=$PWD/loads.so run 0 doctor --verify --json
    prints "/libraries/libcudnn.so.9\""
    rm libraries/libcudnn.so.9
fi
# Without a CPU backend the network is not compared, which is said.
mkdir bare
cp -a libraries/* bare/
rm bare/liboriel-cpu.so
LD_LIBRARY_PATH=$work/bare run 0 doctor --verify --json
report skips "the CPU backend"
finish
fi

# ---- Broken ones ------------------------------------------------------------------

# Without what sm_90a alone has, a report takes half the time.
if [ "$part" = hopper ]; then
    export ORIEL_SIM_MULTIPROCESSORS=4 # most of 132 find nothing to do
else
    export ORIEL_SIM_DEVICES=80
fi

# What is planted, and the kinds, implementations and names of checks of which the
# report must have one that failed; "answer": the known-answer test is among them.
plants()
{
    cat <<'PLANTS'
mma-fragment                instruction:mma_m16n8k16_bf16    kernel:linear answer
mma-operands                instruction:mma_m16n8k16_bf16    kernel:linear answer
mma-depth                   instruction:mma_m16n8k16_bf16    kernel:linear answer
mma-one-sm                  kernel:linear                    network:two answer
ldmatrix-row                instruction:ldmatrix_x4          kernel:linear answer
ldmatrix-trans              instruction:ldmatrix_x4_trans    kernel:full_attention answer
shuffle                     instruction:shuffle              kernel:rms_norm answer
reduce-or                   instruction:reduce_or
copy-bytes                  instruction:copy_async_16        kernel:linear answer
copy-zeros                  instruction:copy_async_16        kernel:linear answer
ex2                         instruction:ex2_approx           kernel:full_attention answer
rcp                         instruction:rcp_approx           kernel:swiglu answer
rsqrt                       instruction:rsqrt_approx         kernel:rms_norm answer
round-bf16                  instruction:pack_bf16            kernel:linear answer
occupancy                   occupancy:linear_residual
round-f16                   instruction:pack_f16             kernel:store_rows
cublaslt-bias               kernel:linear                    network:two answer
cublaslt-residual           kernel:linear_residual           network:two answer
cublaslt-operands           kernel:linear                    network:two answer
cudnn-lengths               kernel:full_attention            answer
cudnn-scale                 kernel:full_attention            answer
cudnn-offsets               kernel:full_attention            answer
lost-block:expand_plan      kernel:expand_plan
lost-block:resample         kernel:resample
lost-block:patch_embed      kernel:patch_embed
lost-block:store_rows       kernel:store_rows
lost-block:store_bytes      kernel:store_bytes
lost-block:swiglu           kernel:swiglu
lost-block:linear_rows      kernel:linear_rows               answer
lost-block:full_attention   kernel:full_attention            answer
lost-block:window_attention kernel:window_attention          answer
PLANTS
}

# Those of what sm_90a alone has.
hopper_plants()
{
    cat <<'PLANTS'
wgmma-depth                 instruction:wgmma_ss             kernel:linear kernel:full_attention answer
wgmma-fragment              instruction:wgmma_rs             kernel:full_attention answer
wgmma-transposed            instruction:wgmma_rs             kernel:full_attention answer
wgmma-stride                instruction:wgmma_ss             kernel:linear kernel:full_attention answer
wgmma-leading               instruction:wgmma_rs             kernel:full_attention answer
wgmma-adds-not              instruction:wgmma_ss             kernel:linear kernel:full_attention answer
wgmma-clears-not            instruction:wgmma_ss             kernel:linear answer
wgmma-warp                  instruction:wgmma_ss             kernel:linear kernel:full_attention answer
wgmma-one-sm                kernel:linear                    kernel:full_attention answer
stmatrix-row                instruction:store_matrix_x4      kernel:linear answer
tensor-row                  instruction:tensor_load_2d       kernel:linear kernel:full_attention answer
tensor-zeros                instruction:tensor_load_2d       kernel:linear answer
tensor-swizzle              instruction:tensor_load_2d       kernel:linear kernel:full_attention answer
mbarrier-bytes              instruction:tensor_load_2d       kernel:linear kernel:full_attention answer
multicast-peer              instruction:tensor_load_2d_multicast kernel:linear
lost-block:hopper_linear    kernel:linear                    kernel:linear_residual answer
lost-block:hopper_linear_swiglu kernel:linear_swiglu         answer
lost-block:hopper_linear_gelu kernel:linear_gelu             answer
lost-block:hopper_linear_rows kernel:linear_rows             answer
lost-block:hopper_full_attention kernel:full_attention       answer
PLANTS
}

# Each is found by the checks of its line, which alone are run.
table=plants
[ "$part" = faults ] || table=hopper_plants
n=0
while read -r plant expected; do
    # shellcheck disable=SC2086
    ORIEL_SIM_PLANT=$plant "$finds" $expected >out 2>err ||
        fail "$plant is not found by $expected"
    n=$((n + 1))
done <<<"$($table)"
[ $n -ge 12 ] || fail "$n faults were planted, expected 12 or more"

"$finds" instruction answer >out 2>err && fail "a whole GPU is found broken"

# The whole report of some: of what is computed, and of what writes anywhere.
while read -r plant expected; do
    export ORIEL_SIM_PLANT=$plant
    run 5 doctor --verify --json
    # shellcheck disable=SC2086
    report finds $expected
done <<<"$($table | grep '^lost-block:expand_plan\|^mma-one-sm\|^wgmma-one-sm')"

[ "$part" = faults ] || finish

# People are told too.
export ORIEL_SIM_PLANT=rsqrt
run 5 doctor --verify
grep -q '^FAILED   instruction  rsqrt_approx .*words differ' out ||
    fail "rsqrt is not told"
# An unknown one is no whole GPU.
(ORIEL_SIM_PLANT=nothing "$oriel" doctor --verify) >out 2>err </dev/null &&
    fail "an unknown fault was planted"
says "ORIEL_SIM_PLANT: there is no nothing"
finish
