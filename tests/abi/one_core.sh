#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# one_core.sh PROGRAM...: these tests pass where only one core may be used
set -u
core=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')
for program; do
    taskset -c "$core" "$program" || exit 1
done
