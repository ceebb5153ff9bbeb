/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.h - each op of kernels/ops.h with random operands, checkable and countable
 *
 * Written against the CUDA runtime alone, so that it links with the simulated
 * GPU too.  An op knows its operands' shapes, what it must move and compute, and
 * what a row of its result is in double precision.
 */
#ifndef BENCH_GPU_OP_H
#define BENCH_GPU_OP_H

#include "oriel.h"

#include "ops.h"

#include <stdbool.h>
#include <stddef.h>

/* Widths of a network. */
typedef struct op_geometry {
    int32_t hidden, heads, head_dim, intermediate, out_hidden;
    int32_t patch_size, slices, merge2;
} op_geometry;
extern const op_geometry op_geometry_7b;
extern const op_geometry op_geometry_tiny; /* for the simulated GPU */

/* The same bytes here and there; 'host' NULL: not there. */
typedef struct op_array {
    void *host, *device;
    size_t bytes;
} op_array;

struct op;
typedef struct op_library op_library; /* op_library.h */
typedef struct op_case {
    const struct op *op;
    const op_geometry *geometry;
    const oriel_plan_info *info; /* NULL: rows without pictures */
    int64_t rows;
    int32_t columns, depth; /* of the result; of a product's sums */
    size_t row_bytes;       /* of the result */
    op_array x, weight, bias;
    op_array index[4];   /* tables and lists, the op's own */
    int32_t n_index;     /* of what index[1] lists */
    op_array initial;    /* what the result adds to; or not there */
    void *out;           /* [rows, columns] on the device */
    op_library *library; /* what runs it; NULL: our own */
} op_case;

/* What cuBLASLt may run in the place of an op: its product with bias, added to
   the result, or with SwiGLU after it. */
enum {
    OP_LIBRARY_NONE,
    OP_LIBRARY_BIAS,
    OP_LIBRARY_RESIDUAL,
    OP_LIBRARY_SWIGLU
};

typedef struct op {
    const char *name;
    bool is_product; /* each row is its own and a matrix product of x */
    int (*make)(op_case *c);
    cudaError_t (*prepare)(const op_case *c);
    /* Rows first .. first + rows - 1 of x, to rows 0 .. of out; attention and
       scattered rows: all rows only. */
    cudaError_t (*run)(const op_case *c, int64_t first, int64_t rows,
                       void *out);
    /* Row 'row' of out in double. */
    void (*exact)(const op_case *c, int64_t row, double *out);
    double (*bytes)(const op_case *c); /* the least that must move */
    double (*flops)(const op_case *c);
    int library; /* OP_LIBRARY_* */
} op;

extern const op ops_linear[]; /* op_linear.c */
extern const int n_ops_linear;
extern const op ops_other[]; /* op_attention.c */
extern const int n_ops_other;

/* Make operands and result; 0, or -1 with a complaint on stderr.  'info' gives
   the pictures, and their patches the rows; NULL: 'rows' of no picture. */
int op_case_make(op_case *c, const op *which, const op_geometry *geometry,
                 const oriel_plan_info *info, int64_t rows);
void op_case_free(op_case *c);

/* Run rows into 'out', which holds 'initial' of those rows beforehand, and
   wait. */
int op_case_run(const op_case *c, int64_t first, int64_t rows, void *out);

/* Compare three rows of the result with 'exact'; -1 when they are off by more
   than roundings. */
int op_case_check(const op_case *c);

/* ---- For the ops --------------------------------------------------------- */

int op_complain(const char *what, const char *why);
int op_must(cudaError_t error, const char *what); /* 0 or -1, said */
int op_array_make(op_array *a, size_t bytes);     /* host and device */
int op_array_send(op_array *a);
/* bf16 in [-scale, scale) + offset, sent. */
int op_array_random(op_array *a, uint64_t seed, size_t n, double scale,
                    double offset);
double op_bf16(const void *values, size_t i);

#endif /* BENCH_GPU_OP_H */
