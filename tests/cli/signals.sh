# SPDX-License-Identifier: Apache-2.0
# signals.sh - stopped or killed at any moment, the tool leaves no file
. "$(dirname "$0")/lib.sh"

run 0 synth --config tiny --seed 1 model
# Enough work to be stopped in: some seconds of it.
for i in $(seq 12); do
    picture $i.ppm 500 500 "picture $i"
done
picture large.ppm 4000 3000
mkdir made-here

# stop SIGNAL SECONDS COMMAND...: how the tool ended
stop()
{
    {
        timeout -s "$1" "$2" "$oriel" "${@:3}" 2>err >/dev/null
        status=$?
    } 2>/dev/null # the shell's own word about what was killed
    command_line="$1 after $2 s: oriel ${*:3}"
}

job="encode 1.ppm 2.ppm 3.ppm 4.ppm 5.ppm 6.ppm 7.ppm 8.ppm 9.ppm 10.ppm
    11.ppm 12.ppm --model model --device cpu -o made-here/o"
finished=0 stopped=0
for delay in 0.01 0.03 0.08 0.15 0.3 0.6; do
    for signal in INT TERM KILL; do
        # shellcheck disable=SC2086
        stop $signal $delay $job
        # timeout says 124 when it stopped the command, 137 when it killed it.
        case $status in
        124 | 137) stopped=$((stopped + 1)) ;;
        0) finished=$((finished + 1)) ;;
        *) fail "$command_line: exit status $status" ;;
        esac
        if [ $status -eq 0 ]; then
            json table made-here/o
            rm made-here/o
        fi
        check test -z "$(ls -A made-here)"
    done
done
echo "$stopped stopped, $finished finished"
check test $stopped -gt 0

# The statuses themselves, and what is said.
for signal in INT:130 TERM:143 HUP:129; do
    # shellcheck disable=SC2086
    timeout --preserve-status -s "${signal%:*}" 0.2 "$oriel" $job 2>err
    check test $? -eq "${signal#*:}"
    command_line="SIG${signal%:*}"
    check test "$(tail -1 err)" = "oriel: stopped by a signal: nothing is written"
    check test -z "$(ls -A made-here)"
done

# While it waits for names, and while it makes patches.
mkfifo names
sleep 5 >names &
timeout --preserve-status -s INT 0.2 "$oriel" plan - <names 2>err
check test $? -eq 130
kill $! 2>/dev/null
for delay in 0.02 0.05 0.1 0.2; do
    stop TERM $delay preprocess large.ppm 1.ppm 2.ppm -o made-here/p
    case $status in
    124 | 0) ;;
    *) fail "$command_line: exit status $status" ;;
    esac
    rm -f made-here/p
    check test -z "$(ls -A made-here)"
done

# A pipe without a writer, and one whose writer is silent: another thread
# than the signal's is the one that waits.
mkfifo unwritten silent
sleep 60 >silent &
writer=$!
for name in unwritten silent; do
    timeout --preserve-status -s TERM -k 10 0.5 \
        "$oriel" preprocess $name 1.ppm -o made-here/p 2>err
    status=$?
    command_line="SIGTERM while waiting for $name"
    check test $status -eq 143
    check test -z "$(ls -A made-here)"
done
kill $writer

# A photograph through a pipe.
cat 1.ppm >unwritten &
run 0 preprocess unwritten -o made-here/p
rm made-here/p

# A checkpoint being made: what has appeared is whole, config.json comes last.
for delay in 0.05 0.2 0.5; do
    rm -rf made
    stop KILL $delay synth --config 7b --depth 1 made
    if [ -e made/config.json ]; then
        run 0 inspect made
    fi
    check test -z "$(ls -A made 2>/dev/null | grep -v 'json$\|safetensors$')"
done

# nohup's disposition is respected.
nohup sh -c 'kill -HUP $$; exec "$0" version' "$oriel" >made-here/v 2>&1
check grep -q "^oriel " made-here/v
finish
