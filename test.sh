#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test.sh - install what the tests need, build, and run the tests
#
#   ./test.sh                  the quick tier: touches every file of the product
#   ./test.sh --all            every test
#   ./test.sh --all -R plan    further arguments go to ctest
#
# Idempotent.  The last line is "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")"
. scripts/debian.sh

TIER="the quick tier"
LEFT_OUT="-LE ^(slow|device)$" # tests/CMakeLists.txt says which are slow
if [ "${1:-}" = --all ]; then
    shift
    TIER="every test"
    LEFT_OUT=
fi
RESULTS=$PWD/build/release/test-results.xml

# shellcheck disable=SC2086
install_packages $ORIEL_TEST_PACKAGES

say "Building (build/release)"
cmake --preset release -DBUILD_TESTING=ON \
    -DPython3_EXECUTABLE="$ORIEL_PYTHON" >/dev/null ||
    die "cmake failed: cmake --preset release"
cmake --build --preset release || die "the build failed"

say "Testing ($TIER)"
rm -f "$RESULTS"
status=0
# shellcheck disable=SC2086
ctest --preset release -j "$(nproc)" --no-tests=error $LEFT_OUT \
    --output-junit "$RESULTS" "$@" || status=$?
# A test that could not be started is "notrun" as one that skips is, and failed.
if [ -f "$RESULTS" ]; then
    awk '/<testcase / { all++ }
        /<testcase .* status="run"/ { passed++ }
        /<testcase .* status="disabled"|<skipped message="SKIP_/ { skipped++ }
        END { printf "%d passed, %d failed, %d skipped\n",
                  passed, all - passed - skipped, skipped }' "$RESULTS"
fi
exit "$status"
