/* SPDX-License-Identifier: Apache-2.0 */
/* encoder.c - the whole tower, every hidden state kept */
#include "oracle/oracle.h"

#include <stdlib.h>
#include <string.h>

static void
run_blocks(oracle_result *result, const oracle_weights *weights,
           const int64_t (*grids)[3], int64_t n_grids, int exact_angles)
{
    const oriel_network *net = weights->network;
    size_t n = (size_t)(result->patches * net->hidden_size);
    int32_t *positions =
        oracle_positions(grids, n_grids, net->spatial_merge_size);
    oracle_segments *frames =
        oracle_segments_create(grids, n_grids, net->spatial_merge_size, 0);
    oracle_segments *windows =
        oracle_segments_create(grids, n_grids, net->spatial_merge_size,
                               oriel_network_window_tokens(net));

    for (int32_t b = 0; b < net->depth; b++) {
        const oracle_segments *segments =
            oriel_network_is_full_attention(net, b) ? frames : windows;

        memcpy(result->hidden[b + 1], result->hidden[b], n * sizeof(double));
        oracle_block(result->hidden[b + 1], result->patches, positions,
                     segments, b, weights, exact_angles);
    }
    free(positions);
    oracle_segments_free(frames);
    oracle_segments_free(windows);
}

oracle_result *
oracle_encode(const oracle_weights *weights, const double *pixel_values,
              const int64_t (*grids)[3], int64_t n_grids, int exact_angles)
{
    const oriel_network *net = weights->network;
    int64_t area = (int64_t)net->spatial_merge_size * net->spatial_merge_size;
    oracle_result *result = oracle_alloc(1, sizeof(*result));

    result->patches = oracle_count_patches(grids, n_grids);
    result->tokens = result->patches / area;
    result->n_hidden = net->depth + 1;
    result->hidden =
        oracle_alloc((size_t)result->n_hidden, sizeof(*result->hidden));
    for (int32_t i = 0; i < result->n_hidden; i++)
        result->hidden[i] = oracle_alloc(
            (size_t)(result->patches * net->hidden_size), sizeof(double));
    result->embeddings = oracle_alloc(
        (size_t)(result->tokens * net->out_hidden_size), sizeof(double));

    oracle_patch_embed(result->hidden[0], pixel_values,
                       oracle_weights_get(weights, ORIEL_TENSOR_PATCH_EMBED, 0),
                       result->patches, net->hidden_size,
                       oriel_network_patch_columns(net));
    run_blocks(result, weights, grids, n_grids, exact_angles);
    oracle_merger(result->embeddings, result->hidden[net->depth],
                  result->patches, weights);
    return result;
}

void
oracle_result_free(oracle_result *result)
{
    if (!result)
        return;
    for (int32_t i = 0; i < result->n_hidden; i++)
        free(result->hidden[i]);
    free(result->hidden);
    free(result->embeddings);
    free(result);
}
