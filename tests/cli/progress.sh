# SPDX-License-Identifier: Apache-2.0
# progress.sh - what a terminal is shown, and what is kept from other places
. "$(dirname "$0")/lib.sh"

command -v script >/dev/null || {
    echo "skipped: no script(1) to make a terminal with"
    exit 77
}
run 0 synth --config tiny --seed 1 model
for i in $(seq 12); do
    picture $i.ppm 250 250 "picture $i"
done

# on_terminal COMMAND: what it shows goes to 'shown', its status to 'status'
on_terminal()
{
    TERM=xterm script -qec "$1; echo \$? >status" /dev/null >shown </dev/null
}

job="'$oriel' encode *.ppm --model model --device cpu --batch-patches 1 -f"
on_terminal "$job -o o.safetensors"
check test "$(cat status)" -eq 0
grep -q '#.* of 12 images' shown || fail "a terminal is shown no bar"
grep -q "about .* left" shown || fail "no guess at the time left"
# The bar is taken away again before the line about the result.
grep -q $'\r\e\[K.*oriel: 12 images' shown || fail "the bar stays"

on_terminal "$job -o o.safetensors -q"
check test ! -s shown
on_terminal "$job -o o.safetensors --json"
! grep -q '#' shown || fail "a bar among events"

# Elsewhere: no bar, no colour.
run 0 encode ./*.ppm --model model --device cpu --batch-patches 1 \
    -o o.safetensors -f
! grep -q $'[\r\e]' err || fail "a bar or colour in a file"

# Colour is for terminals that want it.
on_terminal "'$oriel' encode --foo"
grep -q $'\e\[1;31moriel:' shown || fail "no colour on a terminal"
on_terminal "NO_COLOR=1 '$oriel' encode --foo"
! grep -q $'\e' shown || fail "colour despite NO_COLOR"
on_terminal "TERM=dumb '$oriel' encode --foo"
! grep -q $'\e' shown || fail "colour on a dumb terminal"
finish
