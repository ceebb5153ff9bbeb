/* SPDX-License-Identifier: Apache-2.0 */
/* linear_case.h - random operands of a linear layer, and what is exact */
#ifndef TESTS_KERNELS_LINEAR_CASE_H
#define TESTS_KERNELS_LINEAR_CASE_H

#include "kernels/device_case.h"

#include "ops.h"

typedef struct linear_shape {
    int rows, columns, depth;
} linear_shape;

typedef struct linear_case {
    int64_t rows;
    int32_t columns, depth;
    uint16_t *x, *weight, *bias;
    device_buffer d_x, d_weight, d_bias;
    double *exact; /* [rows, columns]: x weight^T + bias */
    double *slack; /* [rows, columns]: what gemm.cuh may be off by */
} linear_case;

linear_case linear_case_make(linear_shape shape);
oriel_linear_args linear_case_args(const linear_case *c, void *out);
void linear_case_free(linear_case *c);

#endif /* TESTS_KERNELS_LINEAR_CASE_H */
