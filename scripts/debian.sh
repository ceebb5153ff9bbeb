# SPDX-License-Identifier: Apache-2.0
# debian.sh - sourced by demo.sh, test.sh and .ci/run: the packages of Debian 12
# that Oriel is built with, installed when missing.

# What building and running needs.  (oneDNN's CMake package asks for OpenCL.)
ORIEL_BUILD_PACKAGES="gcc g++ cmake ninja-build pkg-config libdnnl-dev \
libjansson-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev libwebp-dev \
libgif-dev libtiff-dev libavif-dev libheif-dev libxxhash-dev \
libarchive-dev ocl-icd-opencl-dev scdoc"
# What the tests need besides.
ORIEL_TEST_PACKAGES="$ORIEL_BUILD_PACKAGES check binutils python3 \
python3-numpy python3-venv"
# What the checks of .ci/run need besides.
ORIEL_CHECK_PACKAGES="$ORIEL_TEST_PACKAGES clang clang-format clang-tidy \
libclang-rt-14-dev git"

# Debian's python3 is the one that has python3-numpy, whatever PATH finds first.
ORIEL_PYTHON=/usr/bin/python3

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages are missing and this is neither root nor is there sudo;" \
            "install them by hand: $*"
    fi
}

# install_packages NAME...: nothing happens when all of them are there.
install_packages() {
    command -v dpkg-query >/dev/null ||
        die "no dpkg here: this script knows Debian 12; elsewhere install the" \
            "counterparts of: $*"
    missing=""
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
            grep -q 'install ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "Installing from Debian:$missing"
    as_root apt-get update -qq || die "apt-get update failed"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null ||
        die "apt-get install failed for:$missing"
}
