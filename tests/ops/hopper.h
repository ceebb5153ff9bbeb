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
} op_hopper;

/* Whether it is theirs to run: a product of an encoder's, or full attention of heads
   of 80. */
bool op_hopper_has(const op_case *c);
/* Of op_linear, op_linear_residual, op_linear_swiglu, op_linear_gelu,
   op_linear_rows or op_full_attention; it must outlive its cases. */
op_hopper op_hopper_make(const op *of, int32_t small, int32_t blocks);

#endif /* TESTS_OPS_HOPPER_H */
