/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c - attention_row.c for every query of a segment */
#include "oracle/oracle.h"

#include <stdlib.h>

void
oracle_attention(double *out, const double *q, const double *k, const double *v,
                 int64_t stride, int32_t head_dim, const int64_t *rows,
                 int64_t n_rows)
{
    double *weights = oracle_alloc((size_t)n_rows, sizeof(*weights));

    for (int64_t i = 0; i < n_rows; i++)
        oracle_attention_row(out + rows[i] * stride, q + rows[i] * stride, k, v,
                             stride, head_dim, rows, n_rows, weights);
    free(weights);
}
