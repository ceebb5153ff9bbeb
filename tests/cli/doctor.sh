# SPDX-License-Identifier: Apache-2.0
# doctor.sh - oriel doctor: what it finds is what is there
. "$(dirname "$0")/lib.sh"

run 0 doctor
prints "processor"
prints "liboriel.so"
prints "liboriel-cpu.so"
run 0 doctor --json
json values out devices.0.device '"cpu"' \
    devices.0.present true \
    devices.1.device '"cuda"' \
    processor.cores "$(nproc)"
taskset -c "$(taskset -pc $$ | sed 's/.*[ ,-]//')" "$oriel" doctor --json >out
json values out processor.cores 1 \
    processor.threads 1
finish
