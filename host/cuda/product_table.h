/* SPDX-License-Identifier: Apache-2.0 */
/* product_table.h - the matrix products of a block, and who runs them on a device */
#ifndef ORIEL_CUDA_PRODUCT_TABLE_H
#define ORIEL_CUDA_PRODUCT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

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

/* Those that are cuBLASLt's by 'kernels' (ORIEL_KERNELS_*) on a device of this
   capability, 90 for 9.0. */
oriel_cuda_product_set oriel_cuda_products_wanted(int32_t kernels,
                                                  int32_t capability);
/* Why: "asked for", or the reason of the table's row. */
const char *oriel_cuda_products_reason(int32_t kernels, int32_t capability);
/* Whether gate and up may come apart on any device: then the workspace has room
   for them.  Needs no device. */
bool oriel_cuda_products_need_gate_up(int32_t kernels);

#endif /* ORIEL_CUDA_PRODUCT_TABLE_H */
