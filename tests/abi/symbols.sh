#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols.sh LIBRARY MAP SONAME NEEDED [FORBIDDEN_EXCEPTION...]
#
# What a library shows, wants and forbids itself:
#   - it defines exactly the symbols that MAP lists as global;
#   - its soname is SONAME ("none" for a module, which is loaded by path);
#   - it needs only libraries that match one of the patterns in NEEDED;
#   - it leaves no symbol of our own to be found elsewhere;
#   - it calls nothing that prints, exits, reads the environment or touches the
#     state of the process, except what is named after NEEDED.
set -u
library=$1
map=$2
soname=$3
needed=$4
shift 4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0

fail() {
    echo "FAILED: $library: $1"
    status=1
}

sed -n '/global:/,/local:/s/^ *\([a-z_0-9]*\);$/\1/p' "$map" | sort >"$work/want"
[ -s "$work/want" ] || fail "$map lists nothing"
nm -D --defined-only "$library" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' |
    sort >"$work/have"
diff "$work/want" "$work/have" >"$work/diff" ||
    fail "exports differ from $map (< listed, > exported): $(cat "$work/diff")"

readelf -d "$library" >"$work/dynamic"
have=$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' "$work/dynamic")
[ "${have:-none}" = "$soname" ] || fail "soname ${have:-none}, expected $soname"

# shellcheck disable=SC2013
for lib in $(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$work/dynamic"); do
    allowed=no
    for pattern in $needed; do
        # shellcheck disable=SC2254
        case $lib in $pattern) allowed=yes ;; esac
    done
    [ $allowed = yes ] || fail "needs $lib"
done
grep -q TEXTREL "$work/dynamic" && fail "has text relocations"

nm -D --undefined-only "$library" | awk '{sub(/@.*/, "", $NF); print $NF}' |
    sort -u >"$work/undefined"
[ -s "$work/undefined" ] || fail "no undefined symbol at all: is it stripped?"
grep -q "^oriel_" "$work/undefined" &&
    fail "leaves undefined: $(grep "^oriel_" "$work/undefined" | tr "\n" " ")"
for symbol in \
    printf vprintf puts putchar putc fputc fputs fprintf vfprintf dprintf \
    vdprintf fwrite perror psignal stdout stderr stdin \
    __printf_chk __vprintf_chk __fprintf_chk __vfprintf_chk __dprintf_chk \
    exit _exit _Exit quick_exit abort __assert_fail atexit on_exit \
    __cxa_throw err errx warn warnx error syslog \
    getenv secure_getenv setenv putenv unsetenv clearenv environ __environ \
    setlocale uselocale \
    signal sigaction bsd_signal sigprocmask pthread_sigmask kill raise alarm \
    setitimer \
    fork vfork system popen execve execvp execv posix_spawn pthread_atfork \
    chdir fchdir umask setrlimit setpriority nice sched_setaffinity \
    sched_setscheduler srand rand random strtok strerror getopt \
    fesetround fesetenv feenableexcept mallopt mlockall prctl; do
    for exception in "$@"; do
        [ "$symbol" = "$exception" ] && continue 2
    done
    grep -qx "$symbol" "$work/undefined" && fail "calls $symbol"
done
for exception in "$@"; do
    grep -qx "$exception" "$work/undefined" ||
        fail "$exception is excepted, but no longer called"
done

[ $status -eq 0 ] && echo "$(wc -l <"$work/have") symbols exported," \
    "$(wc -l <"$work/undefined") wanted, as promised"
exit $status
