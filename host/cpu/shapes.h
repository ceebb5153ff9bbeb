/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes.h - the matrix products of the linear layers, cut into panels
 *
 * A matrix of many outputs is kept as panels of equal width, so that a tile of
 * one panel's results is still in the cache when our own code finishes it.  The
 * products that add to the residual write it whole.  Widths are padded with
 * zero weights and biases, which is exact: a padded gate gives silu(0) x 0 = 0.
 */
#ifndef ORIEL_CPU_SHAPES_H
#define ORIEL_CPU_SHAPES_H

#include "base/layers.h"
#include "base/processor.h"
#include "cpu/storage.h"
#include "oriel.h"

enum {
    ORIEL_ROW_STEP = 16,
    ORIEL_ROW_TILE = 128,
    ORIEL_ROW_HEIGHTS = ORIEL_ROW_TILE / ORIEL_ROW_STEP
};

typedef struct oriel_cpu_gemm_shape {
    int32_t n, k;
    int32_t has_bias;
    int32_t accumulate; /* dst += */
} oriel_cpu_gemm_shape;

/*
 * A panel of QKV is whole heads: all of q, then k, then v.  A panel of GATE_UP is
 * its gates, then the matching ups.  PROJ and DOWN add to the residual.
 */
typedef struct oriel_cpu_shapes {
    oriel_cpu_gemm_shape product[ORIEL_N_LINEAR_LAYERS]; /* of one panel */
    int32_t panels[ORIEL_N_LINEAR_LAYERS];
    int32_t patch_columns;   /* as given; product[PATCH].k is padded */
    int32_t hidden;          /* = num_heads x head_dim */
    int32_t panel_heads;     /* heads a panel of QKV */
    int32_t panel_gates;     /* gates a panel of GATE_UP */
    int32_t merger_width;    /* hidden x merge^2 */
    int32_t tile_columns;    /* widest panel whose results go to a tile */
    int32_t operand_columns; /* widest operand that is made in a tile */
} oriel_cpu_shapes;

void oriel_cpu_shapes_init(oriel_cpu_shapes *shapes,
                           const oriel_network *network);

/* Where AVX512-BF16 is absent, bf16 is kept as rounded fp32. */
oriel_cpu_storage oriel_cpu_storage_for(int32_t precision, oriel_isa isa);

/* Refuse by name what this backend cannot run. */
oriel_status oriel_cpu_shapes_check(const oriel_network *network,
                                    oriel_error *err);

#endif /* ORIEL_CPU_SHAPES_H */
