/* SPDX-License-Identifier: Apache-2.0 */
/* linear.h - what the ops share that are matrix products */
#ifndef TESTS_OPS_LINEAR_H
#define TESTS_OPS_LINEAR_H

#include "ops/op.h"

/* x [rows, depth], weight [weights, depth] and bias [weights]. */
int op_make_product(op_case *c, random_stream *random, int32_t weights);
const uint16_t *op_product_x(const op_case *c, int64_t first);
oriel_linear_args op_product_args(const op_case *c, int64_t first, int64_t rows,
                                  void *out);

oriel_linear_swiglu_args op_swiglu_args(const op_case *c, int64_t first,
                                        int64_t rows, void *out);
oriel_linear_rows_args op_rows_args(const op_case *c, int64_t first,
                                    int64_t rows, void *out);

/* How far a sum of products may be off: the bound of gemm.cuh. */
double op_sum_slack(const double *a, const double *b, int64_t depth);
/* Of these rows x weight^T + bias, [rows, weights], and how far it may be off
   in fp32. */
void op_product_exact(const op_case *c, int64_t first, int64_t rows,
                      double *exact, double *slack);
double op_product_flops(const op_case *c);

/* As massive activations are: a few channels of x in the thousands, the same in
   every row. */
int op_add_outliers(op_case *c);

#endif /* TESTS_OPS_LINEAR_H */
