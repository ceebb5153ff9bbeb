/* SPDX-License-Identifier: Apache-2.0 */
/* shapes.c - widths of panels, and which networks they are made for */
#include "cpu/shapes.h"

#include "base/fail.h"

enum {
    PANEL_COLUMNS = 640, /* with 128 rows, a third of a 1 MB cache in fp32 */
    GATES = 384,
    UNIT = 32 /* what oneDNN's kernels like widths to be multiples of */
};

static int32_t
round_up(int32_t n, int32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* The most heads that divide them all and fit a panel. */
static int32_t
heads_of_panel(const oriel_network *net)
{
    for (int32_t heads = net->num_heads; heads > 1; heads--)
        if (net->num_heads % heads == 0 &&
            heads * net->head_dim <= PANEL_COLUMNS)
            return heads;
    return 1;
}

/* Equal panels of at most 'most' columns, each a multiple of UNIT. */
static int32_t
even_width(int32_t columns, int32_t most, int32_t *panels)
{
    *panels = (columns + most - 1) / most;
    return round_up((columns + *panels - 1) / *panels, UNIT);
}

static oriel_cpu_gemm_shape
shape(int32_t n, int32_t k, int32_t has_bias, int32_t accumulate)
{
    oriel_cpu_gemm_shape s = {n, k, has_bias, accumulate};

    return s;
}

void
oriel_cpu_shapes_init(oriel_cpu_shapes *s, const oriel_network *net)
{
    int32_t merge = net->spatial_merge_size, width;

    s->patch_columns = oriel_network_patch_columns(net);
    s->hidden = net->hidden_size;
    s->intermediate = net->intermediate_size;
    s->merger_width = s->hidden * merge * merge;
    s->out_hidden = net->out_hidden_size;
    for (int32_t i = 0; i < ORIEL_N_PRODUCTS; i++)
        s->panels[i] = 1;

    s->product[ORIEL_PRODUCT_PATCH] =
        shape(s->hidden, round_up(s->patch_columns, UNIT), 0, 0);
    s->panel_heads = heads_of_panel(net);
    s->panels[ORIEL_PRODUCT_QKV] = 3 * net->num_heads / s->panel_heads;
    s->product[ORIEL_PRODUCT_QKV] =
        shape(s->panel_heads * net->head_dim, s->hidden, 1, 0);
    s->product[ORIEL_PRODUCT_PROJ] = shape(s->hidden, s->hidden, 1, 1);
    s->panel_gates =
        even_width(s->intermediate, GATES, &s->panels[ORIEL_PRODUCT_GATE_UP]);
    s->product[ORIEL_PRODUCT_GATE_UP] =
        shape(2 * s->panel_gates, s->hidden, 1, 0);
    s->product[ORIEL_PRODUCT_DOWN] = shape(
        s->hidden, s->panels[ORIEL_PRODUCT_GATE_UP] * s->panel_gates, 1, 1);
    width = even_width(s->merger_width, PANEL_COLUMNS,
                       &s->panels[ORIEL_PRODUCT_FC1]);
    s->product[ORIEL_PRODUCT_FC1] = shape(width, s->merger_width, 1, 0);
    /* Padding of fc1's results stays in the next operand: gelu(0) is 0. */
    s->product[ORIEL_PRODUCT_FC2] =
        shape(0, s->panels[ORIEL_PRODUCT_FC1] * width, 1, 0);
    s->operand_columns = s->product[ORIEL_PRODUCT_FC2].k;
    s->product[ORIEL_PRODUCT_FC2].n =
        even_width(s->out_hidden, PANEL_COLUMNS, &s->panels[ORIEL_PRODUCT_FC2]);

    s->tile_columns = 0;
    for (int32_t i = 0; i < ORIEL_N_PRODUCTS; i++)
        if (!s->product[i].accumulate && s->product[i].n > s->tile_columns)
            s->tile_columns = s->product[i].n;
}

#define REQUIRE(condition, ...) \
    do { \
        if (!(condition)) \
            return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, __VA_ARGS__); \
    } while (0)

oriel_status
oriel_cpu_shapes_check(const oriel_network *net, oriel_error *err)
{
    REQUIRE(net->depth >= 1, "depth is %d, the cpu backend takes 1 and more",
            net->depth);
    REQUIRE(net->in_channels == 3, "in_channels is %d, the cpu backend takes 3",
            net->in_channels);
    REQUIRE(net->spatial_merge_size == 2,
            "spatial_merge_size is %d, the cpu backend takes 2",
            net->spatial_merge_size);
    REQUIRE(net->head_dim >= 8 && net->head_dim <= 256 &&
                net->head_dim % 8 == 0,
            "hidden_size / num_heads is %d, the cpu backend takes multiples of "
            "8 up to 256",
            net->head_dim);
    REQUIRE(net->num_heads >= 1 &&
                net->hidden_size == (int64_t)net->num_heads * net->head_dim,
            "hidden_size is %d, expected num_heads (%d) x head_dim (%d)",
            net->hidden_size, net->num_heads, net->head_dim);
    REQUIRE(net->hidden_size <= 16384,
            "hidden_size is %d, the cpu backend takes up to 16384",
            net->hidden_size);
    REQUIRE(net->intermediate_size >= 1 && net->intermediate_size <= 65536,
            "intermediate_size is %d, the cpu backend takes 1 to 65536",
            net->intermediate_size);
    REQUIRE(net->out_hidden_size >= 1 && net->out_hidden_size <= 65536,
            "out_hidden_size is %d, the cpu backend takes 1 to 65536",
            net->out_hidden_size);
    REQUIRE(net->patch_size >= 1 && net->patch_size <= 64,
            "patch_size is %d, the cpu backend takes 1 to 64", net->patch_size);
    REQUIRE(net->temporal_patch_size >= 1 && net->temporal_patch_size <= 8,
            "temporal_patch_size is %d, the cpu backend takes 1 to 8",
            net->temporal_patch_size);
    return ORIEL_OK;
}

oriel_cpu_storage
oriel_cpu_storage_for(int32_t precision, oriel_isa isa)
{
    if (precision != ORIEL_PRECISION_BF16)
        return ORIEL_STORAGE_F32;
    return isa >= ORIEL_ISA_AVX512_BF16 ? ORIEL_STORAGE_BF16
                                        : ORIEL_STORAGE_ROUNDED;
}
