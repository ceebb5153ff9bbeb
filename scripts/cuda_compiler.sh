# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# cuda_compiler.sh - sourced by .ci/run: an nvcc, the machine's or from PyPI

# Whether this nvcc is of the release of kernels/resources.txt.
is_our_nvcc() {
    "$1" --version 2>/dev/null | grep -q 'release 13\.0,'
}

# Prints where the compiler is: on the path, in CUDA's usual place, or installed
# by pip into build/cuda-compiler, in the versions of cuda_compiler.txt.  Fails
# where there is none and none can be had; pip says why.
cuda_compiler() {
    local folder=build/cuda-compiler pins=scripts/cuda_compiler.txt
    local toolkit=$PWD/$folder/nvidia/cu13 nvcc

    for nvcc in "$(command -v nvcc)" /usr/local/cuda/bin/nvcc; do
        if is_our_nvcc "$nvcc"; then
            echo "$nvcc"
            return
        fi
    done
    if ! cmp -s "$pins" "$folder/installed.txt"; then
        say "Installing a CUDA compiler from PyPI into $folder" >&2
        install_packages python3-pip >&2 || return
        rm -rf "$folder"
        python3 -m pip install --quiet --disable-pip-version-check \
            --root-user-action=ignore --retries 1 --timeout 20 \
            --no-deps --only-binary=:all: --require-hashes \
            --target "$folder" --requirement "$pins" >&2 || return
        # As CMake looks for them.
        ln -s lib "$toolkit/lib64" &&
            ln -s libcudart.so.13 "$toolkit/lib/libcudart.so" &&
            cp "$pins" "$folder/installed.txt" || return
    fi
    echo "$toolkit/bin/nvcc"
}
