/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.c - every scenario, while each allocation or system call fails in turn
 *
 *   fault_sweep TOOL FAIL-ALLOC-LIBRARY SEEDS [PERCENT [SEED [SCENARIO...]]]
 *
 * Works in the current folder, which must be empty.  PERCENT of all cases, which
 * SEED chooses.  A case passes when the tool gives the same bytes with exit status
 * 0, or the right exit status, one line and no file.  Prints a line of Markdown for
 * each scenario, and each case that failed.
 */
#include "faults/folders.h"
#include "faults/scenarios.h"
#include "faults/trace.h"
#include "support/random.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 24, NOT_TRACED = 77 };
enum { EXIT_OUTPUT = 4, EXIT_DEVICE = 5, EXIT_MEMORY = 6 }; /* of exits.h */

static struct {
    const char *tool, *preload;
    uint64_t percent, seed;
    const scenario *scenario;
    long cases, same, refused, known, failed; /* of this scenario */
    long failures;
} sweep;

/* Whether this case is among those that are run. */
static bool
is_chosen(uint64_t kind, uint64_t number)
{
    random_stream stream = {sweep.seed * 1000003 +
                            (uint64_t)(sweep.scenario - scenarios) * 8191 +
                            kind * 131 + number * 2654435761u};

    return random_u64(&stream) % 100 < sweep.percent;
}

static void
split(char *text, char *arguments[ARGUMENTS])
{
    int n = 0;

    arguments[n++] = (char *)(size_t)sweep.tool;
    for (char *word = strtok(text, " "); word && n < ARGUMENTS - 1;
         word = strtok(NULL, " "))
        arguments[n++] = word;
    arguments[n] = NULL;
}

/* ---- Verdicts --------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void
complain(const char *format, ...)
{
    char line[512];
    va_list values;
    FILE *file;

    sweep.failed++;
    printf("FAILED %s, ", sweep.scenario->name);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    file = fopen("err.txt", "r");
    if (file && fgets(line, sizeof(line), file))
        printf(": %.*s", (int)strcspn(line, "\n"), line);
    if (file)
        fclose(file);
    printf("\n");
    fflush(stdout);
}

static bool
is_known(int status, const char *what)
{
    for (size_t i = 0; i < n_known_ends; i++) {
        const known_end *k = &known_ends[i];

        if (k->status == status && (!k->text || file_has("err.txt", k->text)) &&
            (!k->what || strncmp(k->what, what, strlen(k->what)) == 0) &&
            (!k->scenario || strcmp(k->scenario, sweep.scenario->name) == 0))
            return true;
    }
    return false;
}

/* Exit status 0: all is there, and nothing else. */
static bool
is_same(void)
{
    const folder_state s = folder_compare("out", "good");

    return same_file("out.txt", "good.txt") && s.missing == 0 &&
           s.different == 0 && s.other == 0;
}

/* Otherwise only whole files, of a command that writes several one by one. */
static bool
leaves_nothing(void)
{
    const folder_state s = folder_compare("out", "good");

    return s.different == 0 && s.other == 0 && s.temporary == 0 &&
           (s.whole == 0 || s.whole + s.missing > 1);
}

static void
run_traced(traced *result, const fault *f)
{
    char text[512], *arguments[ARGUMENTS];

    strcpy(text, sweep.scenario->arguments);
    split(text, arguments);
    if (!trace_run(result, arguments, f)) {
        printf("skipped: this system traces no process\n");
        exit(NOT_TRACED);
    }
}

/* The same command without a fault ends with the same bytes. */
static bool
goes_on(bool no_tmpfile)
{
    const fault none = {.no_tmpfile = no_tmpfile};
    traced result;

    run_traced(&result, &none);
    return result.status == 0 && is_same();
}

/* 'expected' is the exit status if the fault is met; 0: it must not be. */
static void
judge(int status, int expected, const char *what, long at)
{
    const bool resumes = sweep.scenario->resumes;

    sweep.cases++;
    if (status == 0) {
        if (is_same())
            sweep.same++;
        else
            complain("%s %ld: exit status 0, but another result", what, at);
    } else if (!is_known(status, what) && status != expected) {
        complain("%s %ld: exit status %d, expected %d", what, at, status,
                 expected);
    } else if (is_known(status, what) && !resumes) {
        sweep.known++;
    } else if (!resumes && !leaves_nothing()) {
        complain("%s %ld: something is left", what, at);
    } else {
        *(is_known(status, what) ? &sweep.known : &sweep.refused) += 1;
        if (resumes && !goes_on(false))
            complain("%s %ld: exit status %d, cannot be gone on with", what, at,
                     status);
    }
}

/* ---- Allocations ------------------------------------------------------------- */

/* With one variable set; the exit status, or 128 and a signal. */
static int
run_preloaded(const char *variable, const char *value)
{
    char text[512], *arguments[ARGUMENTS];
    int status;
    pid_t child;

    strcpy(text, sweep.scenario->arguments);
    split(text, arguments);
    folder_clear("out");
    fflush(stdout); /* or the child would print it once more */
    child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "r", stdin) ||
            !freopen("out.txt", "w", stdout) ||
            !freopen("err.txt", "w", stderr))
            _exit(126);
        setenv("LD_PRELOAD", sweep.preload, 1);
        setenv(variable, value, 1);
        execv(arguments[0], arguments);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(2);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A run in which nothing fails; how many allocations it makes. */
static long
run_good(void)
{
    long n = 0;
    FILE *file;

    if (run_preloaded("FAIL_COUNT", "count") != 0) {
        printf("%s: does not work at all\n", sweep.scenario->name);
        exit(1);
    }
    folder_keep("out", "good");
    rename("out.txt", "good.txt");
    file = fopen("count", "r");
    if (!file || fscanf(file, "%ld", &n) != 1)
        exit(2);
    fclose(file);
    return n;
}

static void
fail_allocations(long n)
{
    static const char *const variables[] = {"FAIL_AT", "FAIL_FROM"};

    for (size_t kind = 0; kind < 2; kind++)
        for (long i = 1; i <= n; i++) {
            char number[24];

            if (!is_chosen(kind, (uint64_t)i))
                continue;
            snprintf(number, sizeof(number), "%ld", i);
            judge(run_preloaded(variables[kind], number), EXIT_MEMORY,
                  variables[kind], i);
        }
}

/* ---- System calls ------------------------------------------------------------ */

static int
expected_status(const fault *f)
{
    const fault_class about = fault_calls[f->call].about;

    if (f->manner == FAULT_SHORT)
        return 0;
    if (about == FAULT_MEMORY || f->error == ENOMEM)
        return EXIT_MEMORY;
    return f->error == EINTR ? 0 : EXIT_OUTPUT;
}

static void
try_fault(const fault *f, const char *manner)
{
    char what[64];
    traced result;

    folder_clear("out");
    run_traced(&result, f);
    if (!result.struck)
        return; /* threads: another number of calls this time */
    snprintf(what, sizeof(what), "%s %s", fault_calls[f->call].name, manner);
    judge(result.status, expected_status(f), what, f->at);
}

/* What is there is whole, and after the next run all is as if nothing was. */
static void
try_kill(const fault *f)
{
    const char *name = fault_calls[f->call].name;
    bool whole;
    traced result;
    folder_state s;

    folder_clear("out");
    run_traced(&result, f);
    if (!result.struck)
        return;
    sweep.cases++;
    s = folder_compare("out", "good");
    if (result.status != 128 + 9 ||
        (!sweep.scenario->resumes && (s.different > 0 || s.other > 0 ||
                                      (!f->no_tmpfile && s.temporary > 1)))) {
        complain("killed before %s %ld: exit status %d, %d files damaged, %d "
                 "temporary, %d others",
                 name, f->at, result.status, s.different, s.temporary, s.other);
        return;
    }
    whole = goes_on(f->no_tmpfile);
    s = folder_compare("out", "good");
    if (!whole || s.temporary > 0)
        complain("after a kill before %s %ld: %s, %d temporary", name, f->at,
                 whole ? "the same bytes" : "another result", s.temporary);
    else
        sweep.same++;
}

static const struct {
    const char *name;
    fault_manner manner;
    int error;
    bool no_tmpfile;
} manners[] = {
    {"EIO", FAULT_ERROR, EIO, false},
    {"ENOSPC", FAULT_ERROR, ENOSPC, false},
    {"EMFILE", FAULT_ERROR, EMFILE, false},
    {"ENOMEM", FAULT_ERROR, ENOMEM, false},
    {"EINTR", FAULT_ERROR, EINTR, false},
    {"short", FAULT_SHORT, 0, false},
    {"SIGKILL", FAULT_KILL, 0, false},
    {"SIGKILL without O_TMPFILE", FAULT_KILL, 0, true},
};

static bool
applies(size_t manner, const fault_call *call)
{
    if (manners[manner].manner == FAULT_SHORT)
        return call->length >= 0;
    if (manners[manner].manner == FAULT_KILL)
        return call->changes && sweep.scenario->writes;
    return true;
}

static void
fail_calls(void)
{
    fault f = {0};
    traced plain, named;

    folder_clear("out");
    run_traced(&plain, &f);
    f.no_tmpfile = true;
    folder_clear("out");
    run_traced(&named, &f);
    for (f.call = 0; f.call < n_fault_calls; f.call++)
        for (size_t m = 0; m < sizeof(manners) / sizeof(manners[0]); m++) {
            f.manner = manners[m].manner;
            f.error = manners[m].error;
            f.no_tmpfile = manners[m].no_tmpfile;
            for (f.at = 0; f.at < (f.no_tmpfile ? named : plain).calls[f.call];
                 f.at++) {
                if (!applies(m, &fault_calls[f.call]) ||
                    !is_chosen(2 + m, f.call << 20 | (uint64_t)f.at))
                    continue;
                if (f.manner == FAULT_KILL)
                    try_kill(&f);
                else
                    try_fault(&f, manners[m].name);
            }
        }
}

/* ---- All of it ---------------------------------------------------------------- */

static void
run_scenario(const scenario *s, const char *seeds)
{
    char path[1024];
    long allocations;

    sweep.scenario = s;
    sweep.cases = sweep.same = sweep.refused = sweep.known = sweep.failed = 0;
    if (s->input) {
        snprintf(path, sizeof(path), "%s/%s", seeds, s->input);
        copy_file("input", path);
    }
    allocations = run_good();
    fail_allocations(allocations);
    fail_calls();
    printf("| %s | %ld | %ld | %ld | %ld | %ld |\n", s->name, sweep.cases,
           sweep.same, sweep.refused, sweep.known, sweep.failed);
    fflush(stdout);
    sweep.failures += sweep.failed;
}

static bool
is_wanted(const scenario *s, char **names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(s->name, names[i]) == 0)
            return true;
    return n == 0;
}

int
main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr,
                "usage: %s TOOL FAIL-ALLOC-LIBRARY SEEDS "
                "[PERCENT [SEED [SCENARIO...]]]\n",
                argv[0]);
        return 2;
    }
    setenv("LC_ALL", "C", 1);
    sweep.tool = argv[1];
    sweep.preload = argv[2];
    sweep.percent = argc > 4 ? strtoull(argv[4], NULL, 10) : 100;
    sweep.seed = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
    printf("| scenario | cases | same bytes | right status | ended by others | "
           "failed |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < n_scenarios; i++)
        if (is_wanted(&scenarios[i], argv + 6, argc > 6 ? argc - 6 : 0))
            run_scenario(&scenarios[i], argv[3]);
    return sweep.failures > 0;
}
