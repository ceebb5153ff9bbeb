/* SPDX-License-Identifier: Apache-2.0 */
/* attention_bound.h - what attention should give, in double, and how far from it
   a kernel may be: the bound that kernels/attention.cuh derives */
#ifndef TESTS_KERNELS_ATTENTION_BOUND_H
#define TESTS_KERNELS_ATTENTION_BOUND_H

#include "kernels/attention_case.h"

/* q, k and v as the products take them: for windows q and k are turned first, in
   fp32, and rounded to bf16.  Caller frees. */
double *attention_inputs(const attention_case *c, bool windows);

/* Rows 'first', 'first' + step ... below 'end' of a segment; of a segment's rows
   that no tile has, nothing may have been written: 0xffff. */
void attention_check_rows(const attention_case *c, const double *inputs,
                          const uint16_t *out, int segment, int64_t first,
                          int64_t end, int64_t step);

#endif /* TESTS_KERNELS_ATTENTION_BOUND_H */
