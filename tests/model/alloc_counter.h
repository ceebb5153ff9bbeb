/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc_counter.h - hooks that count what is lent out, and fail where a test says
 *
 * Counts jansson's allocations too (alloc_counter_watch_jansson), in the same sequence
 * as our own: the sweep then fails every single allocation of an operation.
 */
#ifndef TESTS_MODEL_ALLOC_COUNTER_H
#define TESTS_MODEL_ALLOC_COUNTER_H

#include "oriel.h"

#include <stdbool.h>

typedef struct alloc_counter {
    long live;     /* lent and not yet returned */
    long asked;    /* calls of alloc so far */
    long fail_at;  /* this call fails, counted from 1; 0: none */
    bool for_ever; /* and all that follow */
    size_t largest;
    int cancel_after; /* polls of cancel until it says yes; 0: never */
    char log[256];    /* the last line */
} alloc_counter;

oriel_hooks alloc_counter_hooks(alloc_counter *l);

/* json_set_alloc_funcs: for the whole process, which is a test's own. */
void alloc_counter_watch_jansson(alloc_counter *l);

#endif /* TESTS_MODEL_ALLOC_COUNTER_H */
