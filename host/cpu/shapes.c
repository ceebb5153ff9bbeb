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

void
oriel_cpu_shapes_init(oriel_cpu_shapes *s, const oriel_network *net)
{
    oriel_cpu_gemm_shape *product = s->product;
    int32_t merge = net->spatial_merge_size;

    s->patch_columns = oriel_network_patch_columns(net);
    s->hidden = net->hidden_size;
    s->merger_width = s->hidden * merge * merge;
    for (int32_t i = 0; i < ORIEL_N_LINEAR_LAYERS; i++) {
        oriel_layer layer = (oriel_layer)i;
        oriel_tensor_shape shape = oriel_layer_get_shape(net, layer);

        s->panels[i] = 1;
        product[i].n = (int32_t)shape.rows;
        product[i].k = (int32_t)shape.columns;
        product[i].has_bias = oriel_layer_has_bias(layer);
        product[i].accumulate = oriel_layer_adds(layer);
    }

    product[ORIEL_LAYER_PATCH].k = round_up(s->patch_columns, UNIT);
    s->panel_heads = heads_of_panel(net);
    s->panels[ORIEL_LAYER_QKV] = 3 * net->num_heads / s->panel_heads;
    product[ORIEL_LAYER_QKV].n = s->panel_heads * net->head_dim;
    s->panel_gates = even_width(net->intermediate_size, GATES,
                                &s->panels[ORIEL_LAYER_GATE_UP]);
    product[ORIEL_LAYER_GATE_UP].n = 2 * s->panel_gates;
    product[ORIEL_LAYER_DOWN].k =
        s->panels[ORIEL_LAYER_GATE_UP] * s->panel_gates;
    product[ORIEL_LAYER_FC1].n =
        even_width(s->merger_width, PANEL_COLUMNS, &s->panels[ORIEL_LAYER_FC1]);
    /* Padding of fc1's results stays in the next operand: gelu(0) is 0. */
    product[ORIEL_LAYER_FC2].k =
        s->panels[ORIEL_LAYER_FC1] * product[ORIEL_LAYER_FC1].n;
    s->operand_columns = product[ORIEL_LAYER_FC2].k;
    product[ORIEL_LAYER_FC2].n = even_width(net->out_hidden_size, PANEL_COLUMNS,
                                            &s->panels[ORIEL_LAYER_FC2]);

    s->tile_columns = 0;
    for (int32_t i = 0; i < ORIEL_N_LINEAR_LAYERS; i++)
        if (!product[i].accumulate && product[i].n > s->tile_columns)
            s->tile_columns = product[i].n;
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
