# SPDX-License-Identifier: Apache-2.0
# pipes.sh - readers that go away, and bytes that a terminal would obey
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
picture a.ppm 64 48
echo "no picture" >text.txt

# unread STREAM ARGUMENT...: the tool, with a pipe that has no reader for its
# standard output or error (1 or 2); exit status in 'status'.
unread()
{
    command_line="no reader of $1: oriel ${*:2}"
    python3 - "$1" "$oriel" "${@:2}" 2>err <<'END'
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
streams = {1: {"stdout": writer, "stderr": open("err", "w")},
           2: {"stdout": open("out", "w"), "stderr": writer}}
done = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL,
                      **streams[int(sys.argv[1])])
sys.exit(done.returncode if done.returncode >= 0 else 99)
END
    status=$?
}

# The work does not depend on who watches it.
run 0 preprocess a.ppm -o watched
for flags in "" "--json" "-q"; do
    unread 2 preprocess a.ppm -o x -f $flags
    check test $status -eq 0
    check cmp watched x
done
unread 2 preprocess text.txt a.ppm missing.ppm -o x -f
check test $status -eq 1
json sources x a.ppm
json failed x text.txt missing.ppm
unread 2 encode a.ppm text.txt --model model --device cpu -o x -f --json
check test $status -eq 1
json sources x a.ppm
unread 2 plan text.txt a.ppm
check test $status -eq 1
prints "a.ppm"
unread 2 no-such-command
check test $status -eq 2

# An answer without a reader is a failed output.
for arguments in "plan 640x480" "plan 640x480 --json" "inspect model" \
    "inspect model --json" "version" "doctor" "help" "completion bash"; do
    # shellcheck disable=SC2086
    unread 1 $arguments
    check test $status -eq 4
    one_line
    says "standard output: cannot write: "
done
# More than any buffer holds.
seq -f '%gx640' 640 4640 >sizes
unread 1 plan @sizes
check test $status -eq 4
says "standard output: cannot write: "

# C1 and DEL controls, line separators, marks of direction: nothing of that kind
# reaches a terminal, and a JSON parser reads the names as they are.
python3 - "$oriel" <<'END' || fail "controls in --json"
import json, os, re, subprocess, sys
marks = [0x7f, 0x80, 0x85, 0x9b, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029,
         0x202a, 0x202e, 0x2066, 0x2069]
kept = "\u00a0\u00e9\u200d\u2030\u206a\u4e2d\U0001f600"
name = "a" + "".join(map(chr, marks)) + kept + ".ppm"
hostile = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f"
                     "\u2028-\u202e\u2066-\u2069]")
os.link("a.ppm", name)

def tool(*arguments):
    return subprocess.run([sys.argv[1], *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True)

def check(text):
    text = text.decode("utf-8")
    found = hostile.search(text)
    assert not found, ascii(text)
    for mark in marks:
        assert "\\u%04x" % mark in text, ascii(text)
    assert kept in text, ascii(text)
    return text

# A document on standard output, and an event on standard error.
plan = tool("plan", name, "--json")
assert plan.returncode == 0, plan
assert json.loads(check(plan.stdout))["items"][0]["source"] == name
missing = "x" + name
events = tool("preprocess", missing, "-o", "y", "--json")
assert events.returncode == 1, events
failed = [e for e in map(json.loads, check(events.stderr).splitlines())
          if e["event"] == "failed"]
assert failed[0]["source"] == missing, failed
END

# Left by a killed run, in use by another one, and somebody's own.
mkdir folder
: >folder/.oriel-0123456789abcdef.tmp
: >folder/.oriel-fedcba9876543210.tmp
: >folder/.oriel-mine.tmp
(
    exec 9>>folder/.oriel-fedcba9876543210.tmp
    flock -n 9 || exit 1
    run 0 preprocess a.ppm -o folder/x 9>&-
    [ $failures -eq 0 ]
) || failures=$((failures + 1))
absent folder/.oriel-0123456789abcdef.tmp
check test -e folder/.oriel-fedcba9876543210.tmp
check test -e folder/.oriel-mine.tmp

# A private file that is replaced stays private.
for umask in 000 022 077; do
    for mode in 600 640 644 400; do
        : >private
        chmod $mode private
        (umask $umask && exec "$oriel" preprocess a.ppm -q -f -o private) ||
            fail "preprocess -f over mode $mode"
        check test "$(stat -c %a private)" = $mode
        rm -f private
    done
done
finish
