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
run 0 doctor --json
json values out devices.0.device '"cpu"' \
    devices.0.present true \
    devices.1.device '"cuda"' \
    processor.cores "$(nproc)"
taskset -c "$(taskset -pc $$ | sed 's/.*[ ,-]//')" "$oriel" doctor --json >out
json values out processor.cores 1 \
    processor.threads 1
finish
