#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# decoders.sh FOLDER [NAME...] - Debian's sources of the libraries that read
# hostile bytes for us, built with the sanitizers of the fuzz targets
#
# All of them lie in FOLDER afterwards, as under /usr: the preset fuzz-decoders
# looks into build/decoders.  FOLDER/versions.txt has a line for each.  What was
# built from the same version is not built again.
#
# No assembler and no code for a processor's vectors that is not C: sanitizers see
# neither.  libavif, libheif and their codecs stay Debian's.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/debian.sh
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
# In the order in which one needs the other.
[ $# -gt 0 ] || set -- zlib libpng1.6 libjpeg-turbo libwebp jansson giflib tiff
work=$folder/work
flags="-g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all \
-fsanitize=fuzzer-no-link,address,undefined"

# Debian's packages of sources, by the machine's own mirrors and keys.
apt() {
    apt-get -qq -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" \
        -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/list.d" \
        -o APT::Sandbox::User= -o Debug::NoLocking=1 "$@"
}

prepare() {
    mkdir -p "$work"/{lists,cache/archives}/partial "$work/list.d" "$work/got"
    local list
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ -s "$list" ] || continue
        sed -E 's/^Types: deb\>.*/Types: deb-src/; s/^deb /deb-src /' "$list" \
            >"$work/list.d/${list##*/}"
    done
    [ ! -f "$work/list.d/sources.list" ] ||
        mv "$work/list.d/sources.list" "$work/list.d/debian.list"
    apt update
}

# fetch NAME: its newest version or, where a mirror lacks that, the release's.  apt
# has checked the hashes that the archive signs.
fetch() {
    local release
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    rm -rf "$work/got/$1"
    mkdir -p "$work/got/$1"
    (cd "$work/got/$1" && { apt --download-only source "$1" 2>/dev/null ||
        apt --download-only source "$1/$release"; } &&
        dpkg-source --no-check -x ./*.dsc source >/dev/null)
}

# with_cmake NAME OPTION...
with_cmake() {
    local source=$work/got/$1/source
    shift
    cmake -S "$source" -B "$source/build" -G Ninja \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER=clang \
        -DCMAKE_CXX_COMPILER=clang++ \
        -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
        -DCMAKE_INSTALL_PREFIX="$folder" -DCMAKE_INSTALL_LIBDIR="$folder/lib" \
        -DCMAKE_PREFIX_PATH="$folder" -DCMAKE_INSTALL_RPATH="$folder/lib" \
        -DBUILD_SHARED_LIBS=ON "$@" &&
        cmake --build "$source/build" --target install
}

# build NAME: how each is built and what of it is left out.
build() {
    case $1 in
    zlib)
        (cd "$work/got/$1/source" &&
            CC=clang CFLAGS="$flags" ./configure --prefix="$folder" &&
            make install)
        ;;
    libpng1.6) with_cmake "$1" -DPNG_STATIC=OFF -DPNG_TESTS=OFF ;;
    libjpeg-turbo)
        with_cmake "$1" -DWITH_SIMD=OFF -DENABLE_STATIC=OFF -DWITH_TURBOJPEG=OFF
        ;;
    libwebp) # 1.2.4 adds a size to a null pointer where a part has not come yet
        local flags="$flags -fno-sanitize=pointer-overflow"
        local parts=()
        local part
        for part in ANIM_UTILS CWEBP DWEBP GIF2WEBP IMG2WEBP VWEBP WEBPINFO \
            WEBPMUX EXTRAS; do
            parts+=("-DWEBP_BUILD_$part=OFF")
        done
        with_cmake "$1" "${parts[@]}"
        ;;
    jansson)
        with_cmake "$1" -DJANSSON_BUILD_SHARED_LIBS=ON \
            -DJANSSON_BUILD_DOCS=OFF -DJANSSON_WITHOUT_TESTS=ON \
            -DJANSSON_EXAMPLES=OFF
        ;;
    giflib) # has a Makefile alone
        (cd "$work/got/$1/source" &&
            # shellcheck disable=SC2086
            clang $flags -fPIC -shared -Wl,-soname,libgif.so.7 \
                -o "$folder/lib/libgif.so.7" dgif_lib.c egif_lib.c gifalloc.c \
                gif_err.c gif_font.c gif_hash.c openbsd-reallocarray.c &&
            ln -sf libgif.so.7 "$folder/lib/libgif.so" &&
            cp gif_lib.h "$folder/include/")
        ;;
    tiff)
        with_cmake "$1" -Dtiff-tools=OFF -Dtiff-tests=OFF -Dtiff-docs=OFF \
            -Dtiff-contrib=OFF -Dtiff-opengl=OFF
        ;;
    *) die "no recipe for $1" ;;
    esac
}

install_packages clang libclang-rt-14-dev cmake ninja-build dpkg-dev make
prepare
touch "$folder/versions.txt"
for name; do
    fetch "$name" || die "$name: Debian's sources could not be had"
    version="$name $(sed -n 's/^Version: //p' "$work/got/$name"/*.dsc | head -n 1)"
    if grep -qxF "$version" "$folder/versions.txt"; then
        continue
    fi
    say "$version"
    build "$name" >"$work/$name.log" 2>&1 || {
        tail -n 20 "$work/$name.log" >&2
        die "$name: does not build, see $work/$name.log"
    }
    sed -i "/^$name /d" "$folder/versions.txt"
    echo "$version" >>"$folder/versions.txt"
done
cat "$folder/versions.txt"
