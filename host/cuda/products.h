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
#include "cuda/product_table.h"
#include "cuda/weights.h"

typedef struct oriel_cuda_products {
    oriel_cuda_product_set of_cublaslt; /* those that cuBLASLt runs */
    oriel_lt lt;                        /* unless there are none */
    oriel_lt_product product[ORIEL_PRODUCTS];
    char text[40]; /* "own products" */
} oriel_cuda_products;

/*
 * Load the library and choose its algorithms, if any product is wanted, on the
 * current device; each choice is logged.  Where it cannot be loaded: with
 * ORIEL_KERNELS_AUTO our own run, which is logged as a warning; else that is
 * the error.  'hooks' outlive the products, 'call' is for the log.
 */
oriel_status oriel_cuda_products_create(oriel_cuda_products *products,
                                        const oriel_backend_weights *weights,
                                        const oriel_backend_config *config,
                                        oriel_cuda_product_set wanted,
                                        const oriel_hooks *hooks,
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
                                    oriel_cuda_product which,
                                    const oriel_linear_args *args,
                                    cudaStream_t stream, oriel_error *err);

#endif /* ORIEL_CUDA_PRODUCTS_H */
