/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - fp32 results kept the way the next product wants them */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

void
ORIEL_KERNEL(store)(void *y, const float *x, int64_t n,
                    oriel_cpu_storage storage)
{
    int64_t i = 0;

    if (storage == ORIEL_STORAGE_F32) {
        memcpy(y, x, (size_t)n * sizeof(*x));
        return;
    }
    if (storage == ORIEL_STORAGE_BF16)
        for (; i + LANES <= n; i += LANES)
            save_bf16((uint16_t *)y + i, load(x + i));
    else
        for (; i + LANES <= n; i += LANES)
            save((float *)y + i, round_to_bf16(load(x + i)));
    if (i < n)
        store_lanes(y, i, load_part(x + i, n - i), n - i, storage);
}
