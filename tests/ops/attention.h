/* SPDX-License-Identifier: Apache-2.0 */
/* attention.h - what window and full attention share */
#ifndef TESTS_OPS_ATTENTION_H
#define TESTS_OPS_ATTENTION_H

#include "ops/op.h"
#include "support/segments.h"

/* What cuts segments into the work of blocks: support/segments.h. */
typedef int64_t op_cut(const int32_t *cu, int32_t n, oriel_cuda_put *put,
                       void *context);

/* q and k uniform within the shape's scale, v within 1 of its v_mean. */
int op_make_attention(op_case *c, random_stream *random, op_cut *cut,
                      int32_t work_columns);
/* head_dim^-1/2 log2 e */
float op_scale_log2(const op_case *c);
/* The bound of attention.cuh.  'turns': q and k are turned first, in fp32, and
   rounded to bf16. */
void op_attention_exact(const op_case *c, int64_t first, int64_t rows,
                        double *exact, double *bound, bool turns);
double op_attention_bytes(const op_case *c);
double op_attention_flops(const op_case *c);

oriel_full_attention_args op_full_attention_args(const op_case *c, void *out);

#endif /* TESTS_OPS_ATTENTION_H */
