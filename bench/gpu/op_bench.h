/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_bench.h - the cases of tests/ops at the sizes of a network
 *
 * Which op at which widths, and by whom it is run: by our kernel, by that of sm_90a
 * (bench_hopper.h), or by cuBLASLt (bench_library.h).  Written against the CUDA runtime alone, so that it links with
 * the simulated GPU too.
 */
#ifndef BENCH_GPU_OP_BENCH_H
#define BENCH_GPU_OP_BENCH_H

#include "ops/cudnn.h"
#include "ops/hopper.h"
#include "oriel.h"

/* Widths of a network. */
typedef struct op_geometry {
    int32_t hidden, heads, head_dim, intermediate, out_hidden;
    int32_t patch_size, slices, merge2;
} op_geometry;
extern const op_geometry op_geometry_7b;
/* Of a model, padded as the backend pads it. */
op_geometry op_geometry_of(const oriel_model_info *info);
extern const op_geometry op_geometry_tiny; /* for the simulated GPU */

/* How often one encode runs an op. */
enum {
    OP_A_CALL_ONCE,
    OP_A_CALL_BLOCK,    /* in each block */
    OP_A_CALL_WINDOWS,  /* in each block with windows */
    OP_A_CALL_FRAMES,   /* in each block with whole frames */
    OP_A_CALL_NORMS,    /* twice a block, and before the merger */
    OP_A_CALL_CUBLASLT, /* never, unless cuBLASLt multiplies */
};

typedef struct bench_op {
    const char *step; /* "ATTN_IN" */
    const char *name;
    const op *op;
    int a_call; /* OP_A_CALL_* */
    /* 'info' gives the pictures, and their patches the rows; NULL: 'rows' of no
       picture. */
    op_shape (*shape)(const op_geometry *g, const oriel_plan_info *info,
                      int64_t rows);
} bench_op;

/* Matrix products, each row of which is its own; and the rest. */
extern const bench_op bench_products[], bench_others[];
extern const int n_bench_products, n_bench_others;

typedef struct bench_library bench_library;
typedef struct bench_case {
    const bench_op *which;
    const char *name; /* of what runs */
    op_case operands;
    void *out;              /* the result on the device */
    bench_library *library; /* what runs it; NULL: our own */
    op_cudnn *cudnn;        /* likewise */
    op_hopper hopper;       /* which of our own, where operands.op is this */
} bench_case;

/* Make operands and result; 0, or -1 with a complaint on stderr. */
int bench_case_make(bench_case *b, const bench_op *which, const op_geometry *g,
                    const oriel_plan_info *info, int64_t rows);
void bench_case_free(bench_case *b);

/* Enqueue all rows, into the case's own result. */
cudaError_t bench_case_enqueue(const bench_case *b);
/* Run rows into 'out', which holds 'initial' of those rows beforehand, and
   wait. */
int bench_case_run(const bench_case *b, int64_t first, int64_t rows, void *out);

/* Compare three rows of the result with the exact ones: ours within the
   kernel's bound, cuBLASLt's within two roundings of itself and of the row's
   root mean square.  -1 when they are off by more. */
int bench_case_check(const bench_case *b);

#endif /* BENCH_GPU_OP_BENCH_H */
