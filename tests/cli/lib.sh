# SPDX-License-Identifier: Apache-2.0
# lib.sh - what the shell tests of the tool share: . lib.sh, then end with finish
#
#   run STATUS ARGUMENT...   the tool, its exit status; output in out and err
#   says TEXT, prints TEXT   TEXT is in err, in out
#   one_line                 err is one line
#   check COMMAND...         the command succeeds
#   picture FILE W H [TEXT]  a PPM, its pixels from TEXT
#
# Arguments of the script: the tool, the folder of the test's own files, and the
# project's folder.  It runs in an empty folder of its own.
set -u
oriel=$1 here=$2 project=$3
export LC_ALL=C
unset NO_COLOR
work=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail()
{
    echo "FAIL: $*"
    failures=$((failures + 1))
}

run()
{
    local expected=$1 status
    shift
    command_line="oriel $*"
    "$oriel" "$@" >out 2>err </dev/null
    status=$?
    [ $status -eq "$expected" ] || {
        fail "$command_line: exit status $status, expected $expected"
        sed 's/^/    /' err
    }
    if grep -q 'Sanitizer\|runtime error' err; then
        fail "$command_line: a sanitizer complains"
        cat err
    fi
}

says()
{
    grep -qF -- "$1" err || {
        fail "$command_line: does not say \"$1\":"
        sed 's/^/    /' err
    }
}

prints()
{
    grep -qF -- "$1" out || {
        fail "$command_line: does not print \"$1\":"
        head -40 out | sed 's/^/    /'
    }
}

one_line()
{
    [ "$(wc -l <err)" -eq 1 ] || {
        fail "$command_line: expected one line, got:"
        sed 's/^/    /' err
    }
}

check()
{
    "$@" || fail "$*"
}

absent()
{
    [ ! -e "$1" ] || fail "$command_line: $1 has appeared"
}

picture()
{
    printf 'P6 %d %d 255\n' "$2" "$3"
    yes "${4-a colourful pattern}" | head -c $(($2 * $3 * 3))
} >"$1"

json()
{
    python3 "$here/packed.py" "$@" || fail "packed.py $*"
}

finish()
{
    [ $failures -eq 0 ] || {
        echo "$failures failed"
        exit 1
    }
    exit 0
}
