/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - one transformer block: attention, then the gated MLP */
#include "oracle/oracle.h"

#include <stdlib.h>

static double *
new_rows(int64_t rows, int64_t width)
{
    return oracle_alloc((size_t)(rows * width), sizeof(double));
}

static void
add(double *x, const double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* q, k, v of one row lie side by side, each [heads, head_dim]. */
static void
attention_part(double *x, const double *normed, int64_t rows,
               const int32_t *positions, const oracle_segments *segments,
               int32_t block, const oracle_weights *weights, int exact)
{
    const oriel_network *net = weights->network;
    int64_t hidden = net->hidden_size, stride = 3 * hidden;
    double *qkv = new_rows(rows, stride), *out = new_rows(rows, stride);
    double *tight = new_rows(rows, hidden), *y = new_rows(rows, hidden);

    oracle_linear(qkv, normed,
                  oracle_weights_get(weights, ORIEL_TENSOR_QKV_WEIGHT, block),
                  oracle_weights_get(weights, ORIEL_TENSOR_QKV_BIAS, block),
                  rows, stride, hidden);
    for (int64_t r = 0; r < rows; r++) /* q and k: the first 2 x heads */
        oracle_rope(qkv + r * stride, 2 * net->num_heads, net->head_dim,
                    net->rope_theta, positions[2 * r], positions[2 * r + 1],
                    exact);
    for (int64_t s = 0; s < segments->n; s++)
        for (int32_t h = 0; h < net->num_heads; h++) {
            const double *q = qkv + (int64_t)h * net->head_dim;

            oracle_attention(out + (int64_t)h * net->head_dim, q, q + hidden,
                             q + 2 * hidden, stride, net->head_dim,
                             segments->rows + segments->first[s],
                             segments->first[s + 1] - segments->first[s]);
        }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < hidden; i++)
            tight[r * hidden + i] = out[r * stride + i];
    oracle_linear(y, tight,
                  oracle_weights_get(weights, ORIEL_TENSOR_PROJ_WEIGHT, block),
                  oracle_weights_get(weights, ORIEL_TENSOR_PROJ_BIAS, block),
                  rows, hidden, hidden);
    add(x, y, rows * hidden);
    free(qkv);
    free(out);
    free(tight);
    free(y);
}

static void
mlp_part(double *x, const double *normed, int64_t rows, int32_t block,
         const oracle_weights *weights)
{
    int64_t hidden = weights->network->hidden_size;
    int64_t inner = weights->network->intermediate_size;
    double *gate = new_rows(rows, inner), *up = new_rows(rows, inner);
    double *y = new_rows(rows, hidden);

    oracle_linear(gate, normed,
                  oracle_weights_get(weights, ORIEL_TENSOR_GATE_WEIGHT, block),
                  oracle_weights_get(weights, ORIEL_TENSOR_GATE_BIAS, block),
                  rows, inner, hidden);
    oracle_linear(up, normed,
                  oracle_weights_get(weights, ORIEL_TENSOR_UP_WEIGHT, block),
                  oracle_weights_get(weights, ORIEL_TENSOR_UP_BIAS, block),
                  rows, inner, hidden);
    oracle_swiglu(gate, gate, up, rows * inner);
    oracle_linear(y, gate,
                  oracle_weights_get(weights, ORIEL_TENSOR_DOWN_WEIGHT, block),
                  oracle_weights_get(weights, ORIEL_TENSOR_DOWN_BIAS, block),
                  rows, hidden, inner);
    add(x, y, rows * hidden);
    free(gate);
    free(up);
    free(y);
}

void
oracle_block(double *x, int64_t rows, const int32_t *positions,
             const oracle_segments *segments, int32_t block,
             const oracle_weights *weights, int exact_angles)
{
    int64_t hidden = weights->network->hidden_size;
    double *normed = new_rows(rows, hidden);

    oracle_rms_norm(normed, x,
                    oracle_weights_get(weights, ORIEL_TENSOR_NORM1, block),
                    rows, hidden, ORIEL_RMS_NORM_EPS);
    attention_part(x, normed, rows, positions, segments, block, weights,
                   exact_angles);
    oracle_rms_norm(normed, x,
                    oracle_weights_get(weights, ORIEL_TENSOR_NORM2, block),
                    rows, hidden, ORIEL_RMS_NORM_EPS);
    mlp_part(x, normed, rows, block, weights);
    free(normed);
}
