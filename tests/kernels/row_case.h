/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_case.h - the operations that make a row of a row, all alike
 *
 * What a row holds is only bytes here, and any bytes are an input; what comes
 * out of the same bytes is the same wherever the row is and whatever is beside
 * it.  (That it is right is for each operation's own test to say.)
 */
#ifndef TESTS_KERNELS_ROW_CASE_H
#define TESTS_KERNELS_ROW_CASE_H

#include "ops/op.h"

enum row_op {
    ROW_LINEAR,
    ROW_RESIDUAL,
    ROW_GELU,
    ROW_SWIGLU,
    ROW_ROWS,
    ROW_PIXELS, /* patch_embed from 8-bit levels ... */
    ROW_VALUES, /* ... and from bf16 pixel_values */
    ROW_NORM,
    ROW_GATED, /* swiglu, of products in memory */
    ROW_ROPE,
    ROW_STORE,
    /* Of two planes, of which lo is the row case's own: the results of the first
       two are hi; the others read lo where x is. */
    ROW_RESIDUAL_WIDE,
    ROW_PIXELS_WIDE,
    ROW_NORM_WIDE,
    ROW_STORE_WIDE,
    ROW_OPS
};

typedef struct row_case {
    enum row_op which;
    const op *by; /* what runs it */
    int64_t rows;
    size_t in_bytes, out_bytes; /* of a row */
    int64_t rows_per_block;
    bool in_place; /* the output holds something beforehand */
    device_buffer in, weight, bias, table, index, lo;
} row_case;

/* 'rows', a multiple of 4, of zeros; the same weights for any number of rows.
   The last 65,536 at least go where they stand, others to row 0. */
row_case row_case_make(enum row_op which, int64_t rows);
/* The same by another kernel for its op, which must outlive it, whose blocks make so
   many rows. */
row_case row_case_make_by(enum row_op which, int64_t rows, const op *by,
                          int64_t rows_per_block);
void row_case_free(row_case *c);
/* Let lo be zeros again, which a run changes. */
void row_case_clear(row_case *c);
const char *row_op_name(enum row_op which);
/* Whose launch a case is; NULL: store_rows's. */
const op *row_op_of(enum row_op which);

/* Random input for n rows; caller frees. */
unsigned char *row_case_input(const row_case *c, int64_t n, uint64_t seed);
/* From now on run, where blocks can be chosen, only the blocks that make
   row 'first' to row 'first' + n - 1; n = 0: all. */
void row_case_only(const row_case *c, int64_t first, int64_t n);
/* As device_run. */
cudaError_t row_case_run(void *context, void *out);
/* Run, where blocks can be chosen, only those of the last n rows, which hold 'ours'
   alone; their results to 'got', and nothing after them is touched. */
void row_case_run_last(row_case *c, int64_t n, const unsigned char *ours,
                       unsigned char *got);

#endif /* TESTS_KERNELS_ROW_CASE_H */
