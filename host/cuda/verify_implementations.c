/* SPDX-License-Identifier: Apache-2.0 */
/* verify_implementations.c - own kernels, cuBLASLt and cuDNN on an op's case */
#include "cuda/verify_implementations.h"

#include "cuda/hopper.h"

#include "ops/attention.h"
#include "ops/hopper.h"

#include <stdio.h>

static bool
has_every_case(const op_case *c)
{
    (void)c;
    return true;
}

static bool
cublaslt_has(const op_case *c)
{
    return op_library_has(c->op) && !c->shape.wide;
}

static bool
cudnn_has(const op_case *c)
{
    return op_cudnn_has(c->op);
}

static int
open_own(const op_case *c, op_library *library)
{
    (void)c;
    (void)library;
    return 0;
}

static cudaError_t
run_own(const op_case *c, const op_library *library, int64_t first,
        int64_t rows, void *out)
{
    (void)library;
    return c->op->run(c, first, rows, out);
}

static void
close_own(op_library *library)
{
    (void)library;
}

static int
open_cudnn(const op_case *c, op_library *library)
{
    return op_cudnn_open(c, &library->cudnn, 0, 0);
}

static cudaError_t
run_cudnn(const op_case *c, const op_library *library, int64_t first,
          int64_t rows, void *out)
{
    (void)first;
    (void)rows;
    return op_cudnn_run(c, &library->cudnn, out);
}

static void
close_cudnn(op_library *library)
{
    op_cudnn_close(&library->cudnn);
}

/* ---- The kernels of sm_90a ----------------------------------------------------- */

enum { FEW_BLOCKS = 3 }; /* so that each takes several tiles */

static cudaError_t
run_as(const op_case *c, const op_hopper *by, int64_t first, int64_t rows,
       void *out)
{
    op_case of = *c;

    of.op = &by->op;
    return by->op.run(&of, first, rows, out);
}

/* As an encoder: by all multiprocessors, and rows that are few in small tiles, if the
   op has any. */
static cudaError_t
run_hopper(const op_case *c, const op_library *library, int64_t first,
           int64_t rows, void *out)
{
    op_hopper by = op_hopper_make(c->op, rows < c->rows, FEW_BLOCKS);
    int device = 0, blocks = 0;
    cudaError_t error = cudaGetDevice(&device);

    (void)library;
    if (!error)
        error = cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount,
                                       device);
    by.blocks = blocks;
    return error ? error : run_as(c, &by, first, rows, out);
}

/* The other way round: all rows in small tiles, some alone in large ones. */
static cudaError_t
run_small(const op_case *c, const op_library *library, int64_t first,
          int64_t rows, void *out)
{
    const op_hopper by = op_hopper_make(c->op, rows == c->rows, FEW_BLOCKS);

    (void)library;
    return run_as(c, &by, first, rows, out);
}

/* Attention has neither pairs nor skew. */
static bool
has_pairs(const op_case *c)
{
    return op_hopper_takes(c) && c->op != &op_full_attention;
}

/* All rows in pairs of blocks whose warpgroups are apart, some alone with neither. */
static cudaError_t
run_pairs(const op_case *c, const op_library *library, int64_t first,
          int64_t rows, void *out)
{
    op_hopper by = op_hopper_make(c->op, 0, FEW_BLOCKS);

    (void)library;
    by.pairs = by.skew = rows == c->rows;
    return run_as(c, &by, first, rows, out);
}

/* On another GPU; here it loads the kernels. */
static void
find_hopper(char *why, size_t bytes)
{
    oriel_cuda_hopper hopper;
    int device = 0;
    oriel_error err;

    why[0] = '\0';
    (void)cudaGetDevice(&device);
    if (oriel_cuda_hopper_open(&hopper, device, &err))
        snprintf(why, bytes, "%.300s", err.message);
}

/* ---- Libraries ------------------------------------------------------------------- */

/* Why cuBLASLt cannot be asked at all; "": it can. */
static void
find_cublaslt(char *why, size_t bytes)
{
    oriel_lt_library calls;
    int32_t version;
    oriel_error err;

    why[0] = '\0';
    if (oriel_lt_load(&calls, &version, &err))
        snprintf(why, bytes, "%.300s", err.message);
}

/* The same of cuDNN. */
static void
find_cudnn(char *why, size_t bytes)
{
    oriel_error err;

    why[0] = '\0';
    if (!op_cudnn_is_there(&err))
        snprintf(why, bytes, "%.300s", err.message);
}

const oriel_cuda_implemented
    oriel_cuda_implementations[ORIEL_CUDA_IMPLEMENTED] = {
        {"own kernels", has_every_case, NULL, open_own, run_own, close_own,
         NULL},
        {"cuBLASLt", cublaslt_has, find_cublaslt, op_library_open,
         op_library_run, op_library_close, op_library_loosen},
        {"cuDNN", cudnn_has, find_cudnn, open_cudnn, run_cudnn, close_cudnn,
         op_cudnn_loosen},
        {"Hopper kernels", op_hopper_takes, find_hopper, open_own, run_hopper,
         close_own, NULL},
        {"Hopper kernels of few rows", op_hopper_takes, find_hopper, open_own,
         run_small, close_own, NULL},
        {"Hopper kernels in pairs, with skew", has_pairs, find_hopper, open_own,
         run_pairs, close_own, NULL},
};
