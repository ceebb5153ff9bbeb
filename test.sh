#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test.sh - install what the tests need, build, run all tests
#
# Idempotent.  Arguments go to ctest: ./test.sh -R plan
set -eu
cd "$(dirname "$0")"
. scripts/debian.sh

# shellcheck disable=SC2086
install_packages $ORIEL_TEST_PACKAGES

say "Building (build/release)"
# Debian's python3 is the one that has numpy.
cmake --preset release -DPython3_EXECUTABLE=/usr/bin/python3 >/dev/null ||
    die "cmake failed: cmake --preset release"
cmake --build --preset release || die "the build failed"

say "Testing"
ctest --preset release "$@"
