/* SPDX-License-Identifier: Apache-2.0 */
/* linear_case.h - random operands of a linear layer, and what is exact */
#ifndef TESTS_KERNELS_LINEAR_CASE_H
#define TESTS_KERNELS_LINEAR_CASE_H

#include "support/device_case.h"

#include "ops.h"

typedef struct linear_shape {
    int rows, columns, depth;
} linear_shape;

/* How far a sum of products may be off: the bound of gemm.cuh. */
double linear_slack(const double *a, const double *b, int64_t depth);

/* The ith of those chosen, and from the nth on a random one of up to some tiles
   each way. */
linear_shape linear_shape_at(const linear_shape *chosen, size_t n, int i);

typedef struct linear_case {
    int64_t rows;
    int32_t columns, depth;
    uint16_t *x, *weight, *bias;
    device_buffer d_x, d_weight, d_bias;
    double *exact; /* [rows, columns]: x weight^T + bias */
    double *slack; /* [rows, columns]: how far it may be off in fp32 */
} linear_case;

linear_case linear_case_make(linear_shape shape);
/* As massive activations are: a few channels of x in the thousands, the same in
   every row. */
void linear_case_add_outliers(linear_case *c);
oriel_linear_args linear_case_args(const linear_case *c, void *out);
void linear_case_free(linear_case *c);

#endif /* TESTS_KERNELS_LINEAR_CASE_H */
