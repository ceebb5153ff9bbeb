/* SPDX-License-Identifier: Apache-2.0 */
/* product_table.c - which products are cuBLASLt's, by device */
#include "cuda/product_table.h"

#include "oriel.h"

/*
 * What cuBLASLt runs on which device when the caller leaves it to us, and why:
 * "measured FILE", a result under bench/results from which bench/gpu/report.py
 * proposed the row, or "calculated".  A calculation yields to a measurement.
 *
 * 9.0 and 10.0: our products are mma.sync, which reaches 50 to 62 % of what wgmma
 * and tcgen05 do there, and cuBLASLt uses those.  Elsewhere mma.sync is all there
 * is, and ours keep their epilogues fused.  Our kernels of sm_90a (hopper.h) run
 * where they are asked for: which of the two is faster on 9.0 is not calculated.
 */
#define OWN 0
#define CALCULATED "calculated"
static const struct row {
    int32_t capability;
    oriel_cuda_product_set of_cublaslt;
    const char *reason;
} table[] = {
    {80, OWN, CALCULATED},
    {86, OWN, CALCULATED},
    {89, OWN, CALCULATED},
    {90, ORIEL_PRODUCTS_ALL, CALCULATED},
    {100, ORIEL_PRODUCTS_ALL, CALCULATED},
    {120, OWN, CALCULATED},
};
enum { ROWS = sizeof(table) / sizeof(table[0]) };

/* A device that is not listed runs our own. */
static struct row
row_of(int32_t capability)
{
    for (int i = 0; i < ROWS; i++)
        if (table[i].capability == capability)
            return table[i];
    return (struct row){capability, OWN, "no row for this device"};
}

oriel_cuda_product_set
oriel_cuda_products_wanted(int32_t kernels, int32_t capability)
{
    if (kernels == ORIEL_KERNELS_AUTO)
        return row_of(capability).of_cublaslt;
    return kernels == ORIEL_KERNELS_CUBLASLT ? ORIEL_PRODUCTS_ALL : OWN;
}

const char *
oriel_cuda_products_reason(int32_t kernels, int32_t capability)
{
    return kernels == ORIEL_KERNELS_AUTO ? row_of(capability).reason
                                         : "asked for";
}

/* AUTO takes the library on any device where our own are wrong. */
bool
oriel_cuda_products_need_gate_up(int32_t kernels)
{
    return kernels == ORIEL_KERNELS_AUTO || kernels == ORIEL_KERNELS_CUBLASLT;
}
