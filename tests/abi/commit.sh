#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# commit.sh CMAKE SCRIPT - the commit that a build says it is of
set -u
cmake=$1
script=$2
command -v git >/dev/null || exit 77
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0
GIT_CONFIG_GLOBAL=/dev/null
GIT_CONFIG_SYSTEM=/dev/null
GIT_CEILING_DIRECTORIES=$(dirname "$work")
export GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CEILING_DIRECTORIES

expect() {
    found=$("$cmake" -D FOLDER="$1" -P "$script")
    [ "$found" = "-- $2" ] && return
    echo "FAILED: $1: $found, expected $2"
    status=1
}

mkdir -p "$work/repository/inside" "$work/outside"
cd "$work/repository" || exit 1
git init -q .
expect "$work/repository" unknown # without a commit
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
expect "$work/repository" "$(git rev-parse HEAD)"
expect "$work/repository/inside" unknown
expect "$work/outside" unknown
exit $status
