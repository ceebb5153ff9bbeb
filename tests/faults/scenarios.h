/* SPDX-License-Identifier: Apache-2.0 */
/* scenarios.h - the table of what the tool is asked while something fails */
#ifndef TESTS_FAULTS_SCENARIOS_H
#define TESTS_FAULTS_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct scenario {
    const char *name;
    const char
        *arguments; /* of the tool, apart by spaces; it writes into out/ */
    bool writes;    /* something into out/, else on its output alone */
    const char
        *input;   /* a file of tests/fuzz/seeds, copied to "input", or NULL */
    bool resumes; /* what is left is gone on with by the same command */
} scenario;

extern const scenario scenarios[];
extern const size_t n_scenarios;

/* An end that is not Oriel's: the list only shrinks. */
typedef struct known_end {
    int status;
    const char *text;     /* in what was printed; NULL: nothing need be */
    const char *scenario; /* in this one only; NULL: in any */
    const char *whose;
    const char *what; /* fails: "mmap", "FAIL_"; NULL: anything */
} known_end;

extern const known_end known_ends[];
extern const size_t n_known_ends;

#endif /* TESTS_FAULTS_SCENARIOS_H */
