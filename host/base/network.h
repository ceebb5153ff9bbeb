/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h - the numbers that define one vision encoder
 *
 * Plain data, filled by model/ from configuration and tensor shapes.  Planning
 * reads the geometry, pixels/ the preprocessing, the backends the widths.
 */
#ifndef ORIEL_BASE_NETWORK_H
#define ORIEL_BASE_NETWORK_H

#include "oriel.h"

#include <stdint.h>

/* The reference hard-codes it in every vision norm; no file carries it. */
#define ORIEL_RMS_NORM_EPS 1e-6

typedef struct oriel_network {
    int32_t tower; /* ORIEL_TOWER_* */
    int32_t depth;
    int32_t hidden_size;
    int32_t intermediate_size;
    int32_t num_heads;
    int32_t head_dim; /* hidden_size / num_heads */
    int32_t out_hidden_size;
    int32_t in_channels; /* 3 */
    int32_t patch_size;
    int32_t temporal_patch_size;
    int32_t spatial_merge_size;
    int32_t window_size; /* pixels */
    int32_t n_full_attention_blocks;
    const int32_t *full_attention_blocks; /* 0-based, ascending */
    double rope_theta;

    /* preprocessor_config.json and its relatives; limits may be fractions, and
       the lower one may be above the upper one */
    double min_pixels, max_pixels;             /* of an image */
    double video_min_pixels, video_max_pixels; /* of a frame of a video */
    int32_t video_tokens; /* that its slices share; 0: no such limit */
    double image_mean[3], image_std[3];
    double rescale_factor;
    int32_t do_rescale, do_normalize;
} oriel_network;

/* A model's; model/ defines it. */
const oriel_network *oriel_model_network(const oriel_model *model);

/* Columns of pixel_values: channel, frame, y, x (1176 when published). */
static inline int32_t
oriel_network_patch_columns(const oriel_network *net)
{
    return net->in_channels * net->temporal_patch_size * net->patch_size *
           net->patch_size;
}

/* Side of a window in tokens (4 when published). */
static inline int32_t
oriel_network_window_tokens(const oriel_network *net)
{
    return net->window_size / net->spatial_merge_size / net->patch_size;
}

/* Side of a token in pixels: what resized sizes are multiples of (28). */
static inline int32_t
oriel_network_token_pixels(const oriel_network *net)
{
    return net->patch_size * net->spatial_merge_size;
}

static inline int32_t
oriel_network_is_full_attention(const oriel_network *net, int32_t block)
{
    for (int32_t i = 0; i < net->n_full_attention_blocks; i++)
        if (net->full_attention_blocks[i] == block)
            return 1;
    return 0;
}

#endif /* ORIEL_BASE_NETWORK_H */
