# SPDX-License-Identifier: Apache-2.0
# extract_cuda.sh - oriel extract on simulated GPUs: overlap, several of them
#
# The backend and the driver are the simulated GPU's module, in a folder of their
# own with the tool's other libraries.
. "$(dirname "$0")/lib.sh"
module=$6
python=${ORIEL_PYTHON:-python3}

mkdir libraries
cp -a "$(dirname "$oriel")"/../lib/lib*.so* libraries/
rm -f libraries/liboriel-cuda.so
cp "$module" libraries/liboriel-cuda.so
ln -s liboriel-cuda.so libraries/libcuda.so.1
export LD_LIBRARY_PATH=$work/libraries

log()
{
    "$python" "$here/cuda_log.py" log "$@" || fail "cuda_log.py $* ($command_line)"
}

# extract DEVICES FOLDER ARGUMENT...: so many and such GPUs
extract()
{
    export ORIEL_SIM_DEVICES=$1 ORIEL_SIM_LOG=$work/log
    run "${status:-0}" extract pictures --model model -o "$2" "${@:3}"
}

run 0 synth --config tiny --seed 1 model
# As small as they may be: the simulated GPU is slow.
sed -i -E 's/("(min_pixels|shortest_edge)": *)[0-9]+/\1256/g' \
    model/preprocessor_config.json
mkdir pictures
for i in 1 2 3 4 5 6; do
    picture pictures/$i.ppm $((28 * (i % 2 + 1))) 28 "picture $i "
done

# ---- One GPU ----------------------------------------------------------------

# Six batches: while one is on its way, the next is enqueued.
extract 90 one --device cuda --batch-patches 1
log overlap 1 6
grep -q '"device": "cuda Simulated GPU' one/run.json ||
    fail "run.json does not name the GPU"

# The rows are those that encode stores, whose result is waited for.
unset ORIEL_SIM_LOG
run 0 encode pictures/*.ppm --model model --device cuda -o encoded.safetensors
"$python" "$here/cuda_log.py" rows one encoded.safetensors ||
    fail "extract and encode store different rows"

# Pooled ones, hidden states, and batches that are larger.
extract 90 pooled --device cuda --pool mean --batch-patches 8
log overlap 1
extract 90 hidden --device cuda --layer 1 --batch-patches 8
log overlap 1
extract 90 large --device cuda --batch-patches 64
check cmp one/part-00000.safetensors large/part-00000.safetensors
check cmp one/manifest.jsonl large/manifest.jsonl

# A residual of two planes: other bytes, which run.json and the shards name; a run
# keeps to it.
extract 90 wide --device cuda --residual wide --batch-patches 64
grep -q '"residual": "wide"' wide/run.json || fail "run.json has no residual"
grep -q '"residual": "bf16"' one/run.json || fail "run.json has no residual"
cmp -s one/part-00000.safetensors wide/part-00000.safetensors &&
    fail "--residual wide changes nothing"
check "$python" "$here/packed.py" metadata wide/part-00000.safetensors \
    residual wide
status=2 extract 90 wide --device cuda --resume
says "made with another residual"
extract 90 wide --device cuda --residual wide --resume
run 0 encode pictures/*.ppm --model model --device cuda --residual wide \
    -o wide.safetensors
check "$python" "$here/packed.py" metadata wide.safetensors residual wide

# cuDNN's attention: other bytes, which are named too; and batches of no more frames
# than it takes, however small they are.
extract 90 cudnn --device cuda --attention cudnn --batch-patches 64
grep -q '"attention": "cudnn"' cudnn/run.json || fail "run.json has no attention"
grep -q '"attention": "own"' one/run.json || fail "run.json has no attention"
check "$python" "$here/packed.py" metadata cudnn/part-00000.safetensors \
    attention cudnn
status=2 extract 90 cudnn --device cuda --resume
says "made with another attention"
run 0 encode pictures/*.ppm --model model --device cuda --attention cudnn \
    -o cudnn.safetensors
check "$python" "$here/packed.py" metadata cudnn.safetensors attention cudnn
"$python" "$here/cuda_log.py" rows cudnn cudnn.safetensors ||
    fail "extract and encode store different rows with cuDNN"
for i in $(seq 257); do echo pictures/2.ppm; done >many
run 0 encode @many --model model --device cuda --attention cudnn -o many.safetensors
run 3 encode pictures/1.ppm --model model --device cpu --attention cudnn \
    -o refused.safetensors
says "runs on CUDA alone"

# ---- Several GPUs -----------------------------------------------------------

extract 90,90 two --device cuda:0,cuda:1 --batch-patches 1
log overlap 2 6
check diff -r one two
extract 90,90,90 all --device cuda:all --batch-patches 1
log overlap 3 6
check diff -r one all
# A list falls silent: what is on its way is finished all the same.  A signal then
# stops the run on one GPU, and two go on with it.
export ORIEL_SIM_DEVICES=90
mkfifo names
"$oriel" extract @names -o resumed --model model --device cuda \
    --batch-patches 1 --json 2>events &
stopped=$!
exec 3>names
printf 'pictures/%d.ppm\n' 1 2 3 >&3
for i in $(seq 600); do
    [ "$(grep -c '"event":"encoded"' events)" -eq 3 ] && break
    sleep 0.1
done
kill -TERM $stopped
wait $stopped
check test $? -eq 143
exec 3>&-
command_line="a list that falls silent"
check test "$(wc -l <resumed/manifest.jsonl)" -eq 3
extract 90,90 resumed --device cuda:all --batch-patches 1 --resume
check diff -r one resumed

# ---- Failures ---------------------------------------------------------------

# A GPU that fails, or has no memory left: one line with the reason, and the run
# goes on to the same folder.  The operations and calls are of all stages; without
# some of them the run ends well.
refused=0
failing()
{
    local variable=$1 nth=$2 expected=$3 ended
    rm -rf broken
    export ORIEL_SIM_DEVICES=90 "$variable=$nth"
    command_line="$variable=$nth oriel extract"
    "$oriel" extract pictures --model model -o broken --device cuda \
        --batch-patches 1 -q 2>err
    ended=$?
    unset "$variable"
    [ $ended -ne 0 ] || { check diff -r one broken; return; }
    refused=$((refused + 1))
    [ $ended -eq "$expected" ] || fail "$command_line: exit status $ended"
    [ "$(grep -vc "to go on: " err)" -eq 1 ] || fail "$command_line: $(cat err)"
    extract 90 broken --device cuda --batch-patches 1 --resume -q
    check diff -r one broken
}
for nth in 60 100; do
    failing ORIEL_SIM_FAULT $nth 5
done
for nth in 137 290; do
    failing ORIEL_SIM_NO_MEMORY $nth 6
done
check test $refused -gt 2

# ---- Refusals ---------------------------------------------------------------

status=5
extract 90,80 mixed --device cuda:0,cuda:1
says "sm_90 by"
says "sm_80 by"
says "expected devices of one kind"
one_line
extract 90,80 mixed --device cuda:all
says "expected devices of one kind"
extract 90 mixed --device cuda:0,cpu
says '"cuda Simulated GPU'
says '"cpu '
extract 90 mixed --device cuda:0,cuda:1
says "device_index is 1, but there is 1 device"
absent mixed
status=2
for devices in cuda:0,cuda:0 cuda,cuda:0 cuda:0, ,cuda:0 auto,cuda:0 \
    cuda:all,cpu all; do
    extract 90 mixed --device $devices
    says "--device $devices: expected auto, cpu, cuda, cuda:N, cuda:all, or"
done
status=0
run 2 encode pictures/1.ppm --model model --device cuda:0,cuda:1 -o x.safetensors
says "expected auto, cpu, cuda or cuda:N"

# A driver without what is needed.
rm libraries/libcuda.so.1
printf 'int nothing;\n' | cc -x c - -shared -o libraries/libcuda.so.1 &&
    { status=5 extract 90 without --device cuda
    says "libcuda.so.1 lacks cuInit"; }
finish
