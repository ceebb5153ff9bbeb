/* SPDX-License-Identifier: Apache-2.0 */
/*
 * products.h - which implementation runs a block's matrix products
 *
 * Our own kernels or cuBLASLt, by device and product and never by the batch: a
 * committed table says which, and the caller's 'kernels' overrides it.  The two
 * round in different places (docs/numerics.md), so an encoder keeps to what it
 * was made with.
 *
 * The merger's two are always our own: cuBLASLt's GELU is the tanh form, and it
 * cannot store rows in image order.
 */
#ifndef ORIEL_CUDA_PRODUCTS_H
#define ORIEL_CUDA_PRODUCTS_H

#include "cuda/cublaslt.h"
#include "cuda/hopper.h"
#include "cuda/product_table.h"
#include "cuda/weights.h"

typedef struct oriel_cuda_products {
    oriel_cuda_hopper hopper; /* on: all products, and attention over frames of
                                 heads of 80, are its */
    oriel_cuda_product_set of_cublaslt; /* those that cuBLASLt runs */
    oriel_lt lt;                        /* unless there are none */
    oriel_lt_product product[ORIEL_PRODUCTS];
    char text[64]; /* "own products (calculated)" */
} oriel_cuda_products;

/* What products are made of. */
typedef struct oriel_cuda_products_spec {
    const oriel_backend_weights *weights;
    const oriel_backend_config *config; /* 'call' is for the log */
    const oriel_hooks *hooks;           /* outlive the products */
    oriel_cuda_product_set wanted;      /* of cuBLASLt */
    const char *reason;                 /* why; static */
} oriel_cuda_products_spec;

/*
 * On the current device, whose kernels were made ready: load the library and
 * choose its algorithms, if any product is wanted of it, which is logged; and put
 * every implementation in use to its known-answer test.  With ORIEL_KERNELS_AUTO
 * one that cannot be loaded, lacks an algorithm or is wrong makes room for the
 * other, which is logged as a warning; ORIEL_ERR_FAULT where both are wrong.  One that was named
 * is ORIEL_ERR_DEVICE where it cannot be loaded, _UNSUPPORTED where it is wrong.
 */
oriel_status oriel_cuda_products_create(oriel_cuda_products *products,
                                        const oriel_cuda_products_spec *spec,
                                        oriel_error *err);
void oriel_cuda_products_destroy(oriel_cuda_products *products);

static inline bool
oriel_cuda_is_library(const oriel_cuda_products *products,
                      oriel_cuda_product which)
{
    return products->of_cublaslt >> which & 1;
}

/* What runs it: "linear", "cublasLtMatmul". */
const char *oriel_cuda_product_kernel(const oriel_cuda_products *products,
                                      oriel_cuda_product which);

/* Enqueue one.  Gate and up in alternating groups of 8 columns, not yet
   multiplied, and only if they are the library's. */
oriel_status oriel_cuda_run_product(const oriel_cuda_products *products,
                                    oriel_cuda_product which, int32_t block,
                                    const oriel_linear_args *args,
                                    cudaStream_t stream, oriel_error *err);

#endif /* ORIEL_CUDA_PRODUCTS_H */
