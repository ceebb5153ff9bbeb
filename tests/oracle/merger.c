/* SPDX-License-Identifier: Apache-2.0 */
/* merger.c - the four patches of a token, normalised, become one embedding */
#include "oracle/oracle.h"

#include <stdlib.h>

void
oracle_merger(double *out, const double *x, int64_t rows,
              const oracle_weights *weights)
{
    const oriel_network *net = weights->network;
    int64_t hidden = net->hidden_size;
    int64_t patches =
        (int64_t)net->spatial_merge_size * net->spatial_merge_size;
    int64_t tokens = rows / patches, width = patches * hidden;
    double *z = oracle_alloc((size_t)(rows * hidden), sizeof(*z));
    double *inner = oracle_alloc((size_t)(rows * hidden), sizeof(*inner));

    oracle_rms_norm(z, x,
                    oracle_weights_get(weights, ORIEL_TENSOR_MERGER_NORM, 0),
                    rows, hidden, ORIEL_RMS_NORM_EPS);
    oracle_linear(
        inner, z,
        oracle_weights_get(weights, ORIEL_TENSOR_MERGER_FC1_WEIGHT, 0),
        oracle_weights_get(weights, ORIEL_TENSOR_MERGER_FC1_BIAS, 0), tokens,
        width, width);
    oracle_gelu(inner, inner, tokens * width);
    oracle_linear(
        out, inner,
        oracle_weights_get(weights, ORIEL_TENSOR_MERGER_FC2_WEIGHT, 0),
        oracle_weights_get(weights, ORIEL_TENSOR_MERGER_FC2_BIAS, 0), tokens,
        net->out_hidden_size, width);
    free(z);
    free(inner);
}
