/* SPDX-License-Identifier: Apache-2.0 */
/* pooling.h - from the rows of an item to the rows that are stored */
#ifndef ORIEL_BULK_POOLING_H
#define ORIEL_BULK_POOLING_H

#include "oriel.h"

/* What becomes of an item's rows; no rows: all of them are stored. */
typedef struct bulk_pooling {
    int32_t rows, columns; /* of the grid; 1, 1: the mean */
} bulk_pooling;

/*
 * Rows of an item, fp32 [n, width] in image order, to [rows * columns, width] of
 * 'dtype'.  Cell (i, j) is the mean over all frames of the tokens in lines
 * floor(i h / rows) to ceil((i + 1) h / rows) - 1 and columns likewise, as in
 * torch's adaptive_avg_pool2d.  'per_token' rows are a token's: 1 of embeddings,
 * the patches of a token of hidden states.  Sums are taken in double, in the
 * order of the rows.  ORIEL_ERR_MEMORY
 */
oriel_status bulk_pool_rows(const bulk_pooling *pooling, const float *rows,
                            const int64_t token_grid[3], int64_t per_token,
                            int64_t width, int32_t dtype, void *out,
                            oriel_error *err);

#endif /* ORIEL_BULK_POOLING_H */
