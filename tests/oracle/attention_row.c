/* SPDX-License-Identifier: Apache-2.0 */
/* attention_row.c - softmax(q . k^T / sqrt(head_dim)) . v of one query */
#include "oracle/oracle.h"

#include <math.h>
#include <string.h>

void
oracle_attention_row(double *out, const double *query, const double *k,
                     const double *v, int64_t stride, int32_t head_dim,
                     const int64_t *rows, int64_t n_rows, double *weights)
{
    double largest = -INFINITY, sum = 0.0;

    for (int64_t j = 0; j < n_rows; j++) {
        double dot = 0.0;

        for (int32_t d = 0; d < head_dim; d++)
            dot += query[d] * k[rows[j] * stride + d];
        weights[j] = dot / sqrt(head_dim);
        largest = fmax(largest, weights[j]);
    }
    for (int64_t j = 0; j < n_rows; j++)
        sum += weights[j] = exp(weights[j] - largest);
    memset(out, 0, (size_t)head_dim * sizeof(*out));
    for (int64_t j = 0; j < n_rows; j++) {
        weights[j] /= sum;
        for (int32_t d = 0; d < head_dim; d++)
            out[d] += weights[j] * v[rows[j] * stride + d];
    }
}
