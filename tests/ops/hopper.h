/* SPDX-License-Identifier: Apache-2.0 */
/* hopper.h - ops of tests/ops by wgmma: same operands, oracles and bounds */
#ifndef TESTS_OPS_HOPPER_H
#define TESTS_OPS_HOPPER_H

#include "ops/op.h"

#include "hopper_ops.h"

typedef struct op_hopper {
    op op;                 /* first: an op_case points at it */
    oriel_hopper_op which; /* of a product */
    int32_t small;         /* tiles for few rows; swiglu has none */
    int32_t blocks;        /* that take the tiles in turns */
    int32_t pairs, skew;   /* of a product; 0 */
} op_hopper;

/* Whether there is one. */
bool op_hopper_has(const op *of);
/* And it takes this case: attention is of heads of 80 alone. */
bool op_hopper_takes(const op_case *c);
/* Whether the current device can run them: it is of compute capability 9.0. */
bool op_hopper_runs_here(void);

/* Of op_linear, op_linear_residual, op_linear_swiglu, op_linear_gelu,
   op_linear_rows or op_full_attention; it must outlive its cases. */
op_hopper op_hopper_make(const op *of, int32_t small, int32_t blocks);

#endif /* TESTS_OPS_HOPPER_H */
