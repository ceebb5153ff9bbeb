/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - the table of system calls that are made to fail */
#ifndef TESTS_FAULTS_CALLS_H
#define TESTS_FAULTS_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* What a failed call is about, and so which status is right. */
typedef enum fault_class {
    FAULT_FILE,   /* ENOMEM: memory; an interruption is not seen; else I/O */
    FAULT_MEMORY, /* an address space that cannot grow, whatever the errno */
    FAULT_HINT,   /* what is asked for can be done without */
} fault_class;

typedef struct fault_call {
    const char *name;
    long number;
    fault_class about;
    int length;   /* the argument that says how many bytes, or -1 */
    bool changes; /* the disk: SIGKILL comes before it */
} fault_call;

extern const fault_call fault_calls[];
extern const size_t n_fault_calls;

#endif /* TESTS_FAULTS_CALLS_H */
