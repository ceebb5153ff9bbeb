/* SPDX-License-Identifier: Apache-2.0 */
/* shapes.c - padded widths, and the envelope of the kernels */
#include "cuda/shapes.h"

#include "base/fail.h"
#include "layout.h"

enum {
    INTERMEDIATE_UNIT = 64,
    COLUMNS_UNIT = 8, /* of a matrix product */
    WINDOW_PATCHES = 64,
    PATCH_MOST = 32,
    HEAD_DIM_MOST = 128,
    HIDDEN_MOST = 8192,
    WIDTH_MOST = 65536
};

static int32_t
round_up(int32_t n, int32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

void
oriel_cuda_shapes_init(oriel_cuda_shapes *s, const oriel_network *net)
{
    int32_t merge = net->spatial_merge_size;
    int64_t side = (int64_t)oriel_network_window_tokens(net) * merge;

    s->hidden = net->hidden_size;
    s->merge2 = merge * merge;
    s->merged = s->hidden * s->merge2;
    s->intermediate = round_up(net->intermediate_size, INTERMEDIATE_UNIT);
    s->out_hidden = round_up(net->out_hidden_size, COLUMNS_UNIT);
    s->heads = net->num_heads;
    s->head_dim = net->head_dim;
    s->patch_values = oriel_network_patch_columns(net);
    s->line_bytes = oriel_cuda_patch_line(net->patch_size);
    s->slice_bytes = net->patch_size * s->line_bytes;
    s->slices = net->temporal_patch_size;
    s->patch_depth = oriel_cuda_patch_depth(net->patch_size, s->slices);
    s->windows_fit = side * side <= WINDOW_PATCHES;
}

#define REQUIRE(condition, ...) \
    do { \
        if (!(condition)) \
            return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, __VA_ARGS__); \
    } while (0)

static oriel_status
check_patches(const oriel_network *net, oriel_error *err)
{
    REQUIRE(net->in_channels == 3,
            "in_channels is %d, the cuda backend takes 3", net->in_channels);
    REQUIRE(net->spatial_merge_size == 2,
            "spatial_merge_size is %d, the cuda backend takes 2",
            net->spatial_merge_size);
    REQUIRE(net->patch_size >= 1 && net->patch_size <= PATCH_MOST,
            "patch_size is %d, the cuda backend takes 1 to %d", net->patch_size,
            PATCH_MOST);
    REQUIRE(net->temporal_patch_size == 1 || net->temporal_patch_size == 2,
            "temporal_patch_size is %d, the cuda backend takes 1 and 2",
            net->temporal_patch_size);
    return ORIEL_OK;
}

static oriel_status
check_widths(const oriel_network *net, oriel_error *err)
{
    REQUIRE(net->head_dim >= 8 && net->head_dim <= HEAD_DIM_MOST &&
                net->head_dim % 8 == 0,
            "hidden_size / num_heads is %d, the cuda backend takes multiples "
            "of 8 up to %d",
            net->head_dim, HEAD_DIM_MOST);
    REQUIRE(net->num_heads >= 1 &&
                net->hidden_size == (int64_t)net->num_heads * net->head_dim,
            "hidden_size is %d, expected num_heads (%d) x head_dim (%d)",
            net->hidden_size, net->num_heads, net->head_dim);
    /* A multiple of COLUMNS_UNIT, as head_dim is. */
    REQUIRE(net->hidden_size <= HIDDEN_MOST,
            "hidden_size is %d, the cuda backend takes up to %d",
            net->hidden_size, HIDDEN_MOST);
    REQUIRE(net->intermediate_size >= 1 && net->intermediate_size <= WIDTH_MOST,
            "intermediate_size is %d, the cuda backend takes 1 to %d",
            net->intermediate_size, WIDTH_MOST);
    REQUIRE(net->out_hidden_size >= 1 && net->out_hidden_size <= WIDTH_MOST,
            "out_hidden_size is %d, the cuda backend takes 1 to %d",
            net->out_hidden_size, WIDTH_MOST);
    return ORIEL_OK;
}

oriel_status
oriel_cuda_check_network(const oriel_network *network, int32_t precision,
                         oriel_error *err)
{
    oriel_status status;

    REQUIRE(precision != ORIEL_PRECISION_FP32,
            "precision fp32: the cuda backend has bf16 only; run fp32 on the "
            "CPU");
    REQUIRE(precision == ORIEL_PRECISION_BF16,
            "precision is %d, the cuda backend has bf16 only", precision);
    status = check_patches(network, err);
    return status ? status : check_widths(network, err);
}
