/* SPDX-License-Identifier: Apache-2.0 */
/* product_table.c - which products are cuBLASLt's, by device */
#include "cuda/product_table.h"

#include "oriel.h"

/*
 * What cuBLASLt runs on which device when the caller leaves it to us.  A row is
 * changed only from a result under bench/results, as bench/gpu/report.py
 * proposes it, and the commit names that result.  Nothing was measured yet, so
 * every row is empty.  A device that is not listed runs our own.
 */
#define OWN 0
static const struct {
    int32_t capability;
    oriel_cuda_product_set of_cublaslt;
} table[] = {
    {80, OWN}, {86, OWN}, {89, OWN}, {90, OWN}, {100, OWN}, {120, OWN},
};
enum { ROWS = sizeof(table) / sizeof(table[0]) };

oriel_cuda_product_set
oriel_cuda_products_wanted(int32_t kernels, int32_t capability)
{
    if (kernels == ORIEL_KERNELS_CUBLASLT)
        return ORIEL_PRODUCTS_ALL;
    for (int i = 0; i < ROWS && kernels == ORIEL_KERNELS_AUTO; i++)
        if (table[i].capability == capability)
            return table[i].of_cublaslt;
    return OWN;
}

bool
oriel_cuda_products_need_gate_up(int32_t kernels)
{
    oriel_cuda_product_set any = oriel_cuda_products_wanted(kernels, 0);

    for (int i = 0; i < ROWS; i++)
        any |= oriel_cuda_products_wanted(kernels, table[i].capability);
    return any >> ORIEL_PRODUCT_GATE_UP & 1;
}
