/* SPDX-License-Identifier: Apache-2.0 */
/* op_check.h - a case of tests/ops under every schedule, against its bound */
#ifndef TESTS_KERNELS_OP_CHECK_H
#define TESTS_KERNELS_OP_CHECK_H

#include "ops/op.h"

/* Each of these fails the test where something fails. */
op_case op_check_make(const op *which, const op_shape *shape, uint64_t seed);
void op_check_send(op_array *a);
/* Run under every schedule, from the case's own initial result; caller frees. */
void *op_check_run(op_case *c);
/* The same from 'initial' (may be NULL). */
void *op_check_run_from(op_case *c, const void *initial);
/* Rows first .. of the result against exact values, value by value. */
void op_check_rows(const op_case *c, const void *out, int64_t first,
                   int64_t rows);
void op_check_case(op_case *c); /* all of that */
/* Launches that are told of 'more' than there is, and count on the device, give the
   bytes of others. */
void op_check_counted(op_case *c, int32_t more);
/* Make, check, free. */
void op_check(const op *which, const op_shape *shape, uint64_t seed);

/* Of linear_rows: rows that change places, with a gap after each, and 'indexed' into a
   matrix of more rows, with some that lead out of it on either side.  All other bytes
   stay. */
void op_check_places(const op *which, const op_shape *shape, bool outliers,
                     bool indexed);

/* As device_run: all rows, or some; 'context' is an op_case, or op_rows. */
typedef struct op_rows {
    const op_case *c;
    int64_t first, rows;
} op_rows;
cudaError_t op_run(void *context, void *out);
cudaError_t op_run_rows(void *context, void *out);

/* Chosen shapes of a product, and from the nth on random ones of up to some
   tiles each way. */
typedef struct product_shape {
    int rows, columns, depth;
} product_shape;
op_shape product_shape_at(const product_shape *chosen, size_t n, int i);
uint64_t product_seed(const op_shape *shape);

/* Attention over segments of these lengths, at most SEGMENTS_MOST; q and k are
   within 'scale', v within 1 of 'v_mean'. */
enum { SEGMENTS_MOST = 8 };
op_case attention_make(bool windows, int heads, int head_dim,
                       const int *lengths, int n, double scale, double v_mean);
/* Where the segments begin, [n + 1]; their q, k and v, [rows, 3, heads,
   head_dim]. */
int32_t *attention_cu(const op_case *c);
uint16_t *attention_qkv(const op_case *c);
/* Of full attention these tiles alone, {segment's row, its length, query}. */
void attention_choose_tiles(op_case *c, const int32_t (*tiles)[3], int n);
/* Every 'step'th row of full attention's tiles is exact within its bound, and in
   rows that no tile has nothing was written: 0xffff. */
void attention_check_tiles(const op_case *c, const uint16_t *out, int64_t step);

#endif /* TESTS_KERNELS_OP_CHECK_H */
