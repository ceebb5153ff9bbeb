# SPDX-License-Identifier: Apache-2.0
# doctor.sh - oriel doctor: what it finds is what is there
. "$(dirname "$0")/lib.sh"

run 0 doctor
prints "processor"
prints "liboriel.so"
prints "liboriel-cpu.so"
prints "libjpeg-turbo"
if [ -e "$(dirname "$oriel")/../lib/liboriel-formats.so" ]; then
    prints "formats    GIF, BMP, TIFF, AVIF, HEIC"
    for library in liboriel-formats libgif libtiff libavif libheif; do
        prints "/$library.so"
    done
else
    prints "liboriel-formats.so is not installed"
fi
# No line repeats its head; the last one says what is ready.
! grep -E '^(cpu +cpu|cuda +cuda|cuda +absent)' out || fail "a head is repeated"
last=$(tail -1 out)
run 0 doctor --json
json values out verdict "\"$last\"" \
    build.abi 0 \
    build.backends.0 '"cpu"' \
    build.formats.0 '"png"'
precision=$(python3 -c 'import json
print(json.load(open("out"))["devices"][0]["precision"])')
case $last in
"ready on the CPU in $precision; no GPU: "?*) ;;
"ready on the GPU in bf16 and on the CPU in $precision") ;;
*) fail "the last line of doctor: $last" ;;
esac
lib=$(dirname "$oriel")/../lib
if [ -e "$lib/liboriel-cuda.so" ] && ! ldconfig -p | grep -q libcuda.so.1; then
    check test "${last#*; }" = "no GPU: install NVIDIA driver 580 or later"
fi
# Without the CUDA module, and without any.
mkdir -p bare/bin bare/lib
cp "$oriel" bare/bin/
cp -a "$lib"/liboriel{,-image}.so* "$lib/liboriel-cpu.so" bare/lib/
bare/bin/oriel doctor >out
check test "$(tail -1 out)" = "ready on the CPU in $precision; no GPU: install \
liboriel-cuda.so beside liboriel.so"
# Nothing is verified without it, and why is one line.
for flags in "" --json; do
    # shellcheck disable=SC2086
    bare/bin/oriel doctor --verify $flags >out 2>err
    check test $? -eq 5
    command_line="bare doctor --verify $flags"
    one_line
    says "no cuda backend: liboriel-cuda.so cannot be loaded from beside"
done
rm bare/lib/liboriel-cpu.so
bare/bin/oriel doctor >out
check test $? -eq 5
check test "$(tail -1 out)" = "not ready: install liboriel-cpu.so of this version \
beside liboriel.so"

run 0 doctor --json
json values out devices.0.device '"cpu"' \
    devices.0.present true \
    devices.1.device '"cuda"' \
    processor.cores "$(nproc)"
taskset -c "$(taskset -pc $$ | sed 's/.*[ ,-]//')" "$oriel" doctor --json >out
json values out processor.cores 1 \
    processor.threads 1
finish
