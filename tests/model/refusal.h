/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - a checkpoint that cannot be opened, and what must be said of it */
#ifndef TESTS_MODEL_REFUSAL_H
#define TESTS_MODEL_REFUSAL_H

#include "model/checkpoint_builder.h"
#include "oriel.h"

/*
 * Opening 'folder' fails with 'status' and one line that has all of 'says' (up
 * to three, then NULL); nothing leaks, nothing large is asked for.  'at' is
 * the case's number, for the test's own message.
 */
void check_refused(const char *folder, int at, oriel_status status,
                   const char *const says[3]);

/* A good tower with one thing spoilt. */
typedef struct spoilt_tower {
    int n_shards;
    void (*spoil)(checkpoint_builder *b);
    oriel_status status;
    const char *says[3];
} spoilt_tower;
#define SPOILT(n_shards, spoil, status, ...) \
    { \
        n_shards, spoil, ORIEL_ERR_##status, \
        { \
            __VA_ARGS__ \
        } \
    }

/* Made, spoilt and refused; 'at' is the case's number. */
void check_spoilt(const spoilt_tower *tower, int at);

#endif /* TESTS_MODEL_REFUSAL_H */
