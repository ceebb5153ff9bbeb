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
#include "cuda/shapes.h"

typedef enum oriel_cuda_product {
    ORIEL_PRODUCT_QKV,
    ORIEL_PRODUCT_PROJ,
    ORIEL_PRODUCT_GATE_UP,
    ORIEL_PRODUCT_DOWN,
    ORIEL_PRODUCTS
} oriel_cuda_product;

/* A set of them, product i as bit i. */
typedef uint32_t oriel_cuda_product_set;
enum { ORIEL_PRODUCTS_ALL = (1 << ORIEL_PRODUCTS) - 1 };

typedef struct oriel_cuda_products {
    oriel_cuda_product_set of_cublaslt; /* those that cuBLASLt runs */
    oriel_lt lt;                        /* unless there are none */
    oriel_lt_product product[ORIEL_PRODUCTS];
    char text[40]; /* "own products" */
} oriel_cuda_products;

/* Those that are cuBLASLt's by 'kernels' (ORIEL_KERNELS_*) on a device of this
   capability, 90 for 9.0. */
oriel_cuda_product_set oriel_cuda_products_wanted(int32_t kernels,
                                                  int32_t capability);
/* Whether gate and up may come apart on any device: then the workspace has room
   for them.  Needs no device. */
bool oriel_cuda_products_need_gate_up(int32_t kernels);

/*
 * Load the library and choose its algorithms, if any product is wanted, on the
 * current device; each choice is logged.  Where it cannot be loaded: with
 * ORIEL_KERNELS_AUTO our own run, which is logged as a warning; else that is
 * the error.  'hooks' outlive the products, 'call' is for the log.
 */
oriel_status oriel_cuda_products_create(oriel_cuda_products *products,
                                        const oriel_cuda_shapes *shapes,
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
