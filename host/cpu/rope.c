/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope.c - each head's (d, d + head_dim / 2) pairs turned
 *
 * The halves of a head are turned against each other in vectors; what a half
 * has beyond whole vectors goes through partial ones.
 */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

static inline __attribute__((always_inline)) void
turn(void *y, int64_t at, const float *x, int32_t half, int32_t d, int32_t n,
     const float *cosine, const float *sine, oriel_cpu_storage storage)
{
    vf a = n == LANES ? load(x + d) : load_part(x + d, n);
    vf b = n == LANES ? load(x + d + half) : load_part(x + d + half, n);
    vf c = n == LANES ? load(cosine + d) : load_part(cosine + d, n);
    vf s = n == LANES ? load(sine + d) : load_part(sine + d, n);

    store_lanes(y, at + d, a * c - b * s, n, storage);
    store_lanes(y, at + d + half, b * c + a * s, n, storage);
}

void
ORIEL_KERNEL(rope)(void *y, const float *x, int32_t heads, int32_t head_dim,
                   const float *cosine, const float *sine,
                   oriel_cpu_storage storage)
{
    int32_t half = head_dim / 2;

    for (int32_t h = 0; h < heads; h++, x += head_dim) {
        int64_t at = (int64_t)h * head_dim;
        int32_t d = 0;

        for (; d + LANES <= half; d += LANES)
            turn(y, at, x, half, d, LANES, cosine, sine, storage);
        if (d + LANES / 2 == half) { /* head_dim 80 in vectors of 16 */
            turn(y, at, x, half, d, LANES / 2, cosine, sine, storage);
            d = half;
        }
        if (d < half)
            turn(y, at, x, half, d, half - d, cosine, sine, storage);
    }
}
