/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - a batch of items through a network, and the bytes of each item
 *
 * For every backend: an item has the same bytes alone, at any place, beside an
 * item of NaN, and from frames as from their pixel_values.
 */
#ifndef TESTS_SUPPORT_BATCH_H
#define TESTS_SUPPORT_BATCH_H

#include "support/fixture.h"

#include <stdbool.h>

enum { BATCH_MOST = 8 };

typedef struct batch {
    const oriel_network *network;
    fixture_model m;
    int32_t precision;
    int n_items;
    const int64_t (*grids)[3];
    oriel_plan *plan;
    float *pixels;
    fixture_result result; /* on two threads */
} batch;

/* 'network' and 'grids' must stay; model and pixels are of 'seed'. */
batch batch_make(const oriel_network *network, int32_t precision,
                 const int64_t (*grids)[3], int n_items, uint64_t seed);
void batch_free(batch *b);

/* By an encoder of this call. */
fixture_result batch_encode(const batch *b, const oriel_plan *plan,
                            const oriel_input *input, int32_t threads);

/* Each fails the test when any byte of any state differs. */
void batch_check_alone(const batch *b);
/* The last item first. */
void batch_check_turned(const batch *b);
/* Every pixel of 'item' is made NaN or Inf: its own embeddings become NaN and
   the others' keep their bytes. */
void batch_check_nan(const batch *b, int item);
/* Random frames for 'plan', which is not of grids, and what oriel_preprocess
   makes of them. */
void batch_check_frames(const batch *b, const oriel_plan *plan, uint64_t seed);

/* batch_results.c. */
/* Random frames for 'plan', none of which is resampled, and the bytes that they
   are cut into as pixel_values. */
void batch_check_bytes(const batch *b, const oriel_plan *plan, uint64_t seed);
/* Results on the host: by row_index, and side by side in one matrix. */
void batch_check_row_index(const batch *b);
void batch_check_interleaved(const batch *b);

#endif /* TESTS_SUPPORT_BATCH_H */
