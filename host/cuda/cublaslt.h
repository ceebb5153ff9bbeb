/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt.h - matrix products of cuBLASLt, each with one algorithm for ever
 *
 *     out = x weight^T + bias                 or, when it adds,
 *     out = out + x weight^T + bias           in place; each rounded once
 *
 * Shapes as in linear.cu.  An algorithm is chosen when the product is made, for
 * a fixed number of rows and without any split of the sum, and is never chosen
 * again: so a row's bytes do not depend on how many others there are (to be
 * shown on hardware, product by product: bench/gpu/invariance.c).
 *
 * The library is loaded by the first who asks and stays loaded; a handle and a
 * workspace belong to one encoder, since two streams must not share one.
 */
#ifndef ORIEL_CUDA_CUBLASLT_H
#define ORIEL_CUDA_CUBLASLT_H

#include "cuda/cublaslt_api.h"

#include "oriel.h"

#include "ops.h"

#include <stdbool.h>

/* Of every encoder that uses the library, whatever its products ask for. */
enum { ORIEL_LT_WORKSPACE_BYTES = 32 << 20 };

typedef struct oriel_lt {
    oriel_lt_library calls;
    oriel_lt_handle handle;
    void *workspace;
    const oriel_hooks *hooks; /* they outlive us */
    int32_t device_index;
    int32_t version;    /* 130100 is 13.1.0 */
    int32_t capability; /* 90 is 9.0 */
} oriel_lt;

typedef struct oriel_lt_product {
    const char *op; /* "qkv", in messages */
    int32_t columns, depth;
    bool adds;
    int64_t most_rows; /* in one piece; more are taken piece by piece */
    oriel_lt_desc desc;
    oriel_lt_layout weight, x, out;
    oriel_lt_algo algo;
    size_t workspace_bytes; /* of the algorithm, at its most */
} oriel_lt_product;

/* cublaslt_load.c: the functions, from the system's library.  ORIEL_ERR_DEVICE
   with the loader's reason and what to install. */
oriel_status oriel_lt_load(oriel_lt_library *library, int32_t *version,
                           oriel_error *err);

/* A handle and a workspace on the current device, which is 'device_index'. */
oriel_status oriel_lt_open(oriel_lt *lt, const oriel_hooks *hooks,
                           int32_t device_index, oriel_error *err);
/* The products first.  Also when half open, or never opened but zeroed. */
void oriel_lt_close(oriel_lt *lt);

/* cublaslt_choose.c: set op, columns, depth and adds; the rest is made.
   ORIEL_ERR_UNSUPPORTED where no algorithm will do. */
oriel_status oriel_lt_choose(const oriel_lt *lt, oriel_lt_product *product,
                             oriel_error *err);
void oriel_lt_forget(const oriel_lt *lt, oriel_lt_product *product);
/* One line: which algorithm, in the library's numbers. */
void oriel_lt_describe(const oriel_lt *lt, const oriel_lt_product *product,
                       char *line, size_t line_bytes);

/* cublaslt_warm.c: run it on scratch and wait: what the library loads for it is
   loaded then, and not in a capture.  On the current device. */
oriel_status oriel_lt_warm(const oriel_lt *lt, const oriel_lt_product *product,
                           oriel_error *err);

/* Enqueue; columns and depth are the product's. */
oriel_status oriel_lt_run(const oriel_lt *lt, const oriel_lt_product *product,
                          const oriel_linear_args *args, cudaStream_t stream,
                          oriel_error *err);

/* ---- For those files ----------------------------------------------------- */

/* As oriel_cuda_check, of the library's own statuses. */
oriel_status oriel_lt_check(const oriel_lt_library *library,
                            oriel_lt_status status, const char *call,
                            oriel_error *err);
/* How many rows x and out have from now on. */
oriel_lt_status oriel_lt_set_rows(const oriel_lt *lt,
                                  const oriel_lt_product *product,
                                  int64_t rows);

#endif /* ORIEL_CUDA_CUBLASLT_H */
