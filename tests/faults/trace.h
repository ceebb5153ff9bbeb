/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - a program whose system calls fail, or that is killed before one
 *
 * The program runs under ptrace, as under strace.  Its calls are counted from its
 * first instruction on: the calls of the loader before it are not Oriel's.
 */
#ifndef TESTS_FAULTS_TRACE_H
#define TESTS_FAULTS_TRACE_H

#include "faults/calls.h"

typedef enum fault_manner {
    FAULT_NONE,
    FAULT_ERROR,
    FAULT_SHORT,
    FAULT_KILL
} fault_manner;

typedef struct fault {
    fault_manner manner;
    size_t call;     /* index into fault_calls */
    long at;         /* which of these calls, from 0 */
    int error;       /* of FAULT_ERROR */
    bool no_tmpfile; /* a file system without O_TMPFILE */
} fault;

typedef struct traced {
    int status;     /* exit status, or 128 and the signal */
    long calls[64]; /* made, by index into fault_calls */
    bool struck;    /* the fault came */
} traced;

/* False: this system lets no process be traced.  Output goes to the files 'out', 'err'. */
bool trace_run(traced *result, char *const *arguments, const fault *f);

#endif /* TESTS_FAULTS_TRACE_H */
