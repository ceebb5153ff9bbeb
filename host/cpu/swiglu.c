/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swiglu.c - y = gate / (1 + e^-gate) * up
 *
 * Relative error below 6e-7 + 6e-8 |gate|: the exponent's own rounding grows
 * with it.  Beyond the range of fp32 powers the true value is smaller than
 * 2^-126 |gate|, and so is ours.
 */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

static inline vf
silu_times(vf gate, vf up)
{
    vf power = exp2_of(gate * -1.4426950408889634f);

    return gate / (power + 1.0f) * up;
}

static inline __attribute__((always_inline)) void
swiglu(void *y, const float *gate, const float *up, int64_t n,
       oriel_cpu_storage storage)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        store_lanes(y, i, silu_times(load(gate + i), load(up + i)), LANES,
                    storage);
    if (i < n)
        store_lanes(
            y, i,
            silu_times(load_part(gate + i, n - i), load_part(up + i, n - i)),
            n - i, storage);
}

void
ORIEL_KERNEL(swiglu)(void *y, const float *gate, const float *up, int64_t n,
                     oriel_cpu_storage storage)
{
    if (storage == ORIEL_STORAGE_BF16)
        swiglu(y, gate, up, n, ORIEL_STORAGE_BF16);
    else
        swiglu(y, gate, up, n, storage);
}
