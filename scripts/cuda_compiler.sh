# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# cuda_compiler.sh - sourced by .ci/run: an nvcc, the machine's or from PyPI

# Whether this nvcc is of the release of kernels/resources.txt.
is_our_nvcc() {
    "$1" --version 2>/dev/null | grep -q 'release 13\.0,'
}

# Install what PINS lists from PyPI into FOLDER, unless it is there; pip says why
# it fails.
install_pins() { # PINS FOLDER
    cmp -s "$1" "$2/installed.txt" && return
    say "Installing ${1##*/} from PyPI into $2" >&2
    install_packages python3-pip >&2 || return
    rm -rf "$2"
    python3 -m pip install --quiet --disable-pip-version-check \
        --root-user-action=ignore --retries 1 --timeout 20 \
        --no-deps --only-binary=:all: --require-hashes \
        --target "$2" --requirement "$1" >&2 &&
        cp "$1" "$2/installed.txt"
}

# Prints where nvdisasm is: on the path, in CUDA's usual place, or installed by pip
# into build/cuda-disassembler.  Any version reads what nvcc 13.0 makes.
cuda_disassembler() {
    local folder=build/cuda-disassembler found

    for found in "$(command -v nvdisasm)" /usr/local/cuda/bin/nvdisasm; do
        if [ -x "$found" ]; then
            echo "$found"
            return
        fi
    done
    install_pins scripts/cuda_disassembler.txt "$folder" || return
    echo "$PWD/$folder/nvidia/cu13/bin/nvdisasm"
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
    install_pins "$pins" "$folder" || return
    # As CMake looks for them.
    ln -sfn lib "$toolkit/lib64" &&
        ln -sf libcudart.so.13 "$toolkit/lib/libcudart.so" || return
    echo "$toolkit/bin/nvcc"
}
