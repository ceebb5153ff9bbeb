/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_backend.h - a backend on a device that is not there
 *
 * Everything is only queued until its stream is drained, and what an encode
 * will write is poisoned until then, so an encoder that reads back, waits, or
 * keeps pointers into its caller's structs is found out.  Instead of a network
 * it computes a fingerprint of each patch's history: its values, then every
 * step and block it went through, in order.
 */
#ifndef TESTS_ENCODE_FAKE_BACKEND_H
#define TESTS_ENCODE_FAKE_BACKEND_H

#include "encode/backend.h"

#include <stdatomic.h>

enum fake_step {
    FAKE_START,
    FAKE_PATCHIFY,
    FAKE_EMBED,
    FAKE_ATTN_IN,
    FAKE_ATTEND,
    FAKE_ATTN_OUT,
    FAKE_MLP_IN,
    FAKE_MLP_OUT,
    FAKE_MERGE,
    FAKE_STORE,
    FAKE_FINISH
};

/* What the tests set and read; fake_reset() before each. */
struct fake_control {
    int fail_call; /* the nth call of a job step fails; 0: none */
    oriel_status fail_with;
    int calls; /* job steps so far, start and finish included */
    int starts, finishes;
    void (*inside)(void *); /* called within every step */
    void *inside_user;

    atomic_int loads, frees, contexts;
    atomic_int load_fails; /* this many loads fail with load_status */
    oriel_status load_status;
    int load_milliseconds;
    int context_fails;

    int workspace_fails;
    int settles, prepares;
    oriel_backend_job prepared; /* as it was given last */
    oriel_status settle_status, device_status;
};
extern struct fake_control fake;

enum { FAKE_POISON = 0xA5, FAKE_WORKSPACE_PER_PATCH = 8 };

void fake_reset(void);
const oriel_backend *fake_backend(void);      /* its memory: a device's */
const oriel_backend *fake_host_backend(void); /* its memory: the host's */

/* Run what was enqueued on a stream; how many jobs that were. */
int fake_drain(struct CUstream_st *stream);

/* ---- The fingerprint, for tests that compute it themselves ------------- */

uint64_t fake_mix(uint64_t history, uint64_t event);
/* Column c of the row that a history becomes. */
float fake_value(uint64_t history, int64_t column);
uint64_t fake_row_seed(const float *row, int64_t columns);

#endif /* TESTS_ENCODE_FAKE_BACKEND_H */
