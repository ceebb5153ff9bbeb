/* SPDX-License-Identifier: Apache-2.0 */
/* rope.cuh - turning pairs: shared by the pass of its own and the window kernel */
#pragma once

#include "tile.cuh"

#include <ptx.cuh>

namespace rope
{

/* (cos, sin) of columns d and d + 1, d even, for a patch at (row, column);
   table [positions, head_dim / 4]. */
__device__ __forceinline__ float4
angle(const float *table, const int32_t (&at)[2], int d, int head_dim)
{
    const int quarter = head_dim / 4;
    const int64_t position = d < quarter ? at[0] : at[1];
    const int column = d < quarter ? d : d - quarter;

    return *(const float4 *)(table + (position * quarter + column) * 2);
}

/* Turn the pairs (d, d + half) and (d + 1, d + 1 + half) of a head. */
__device__ __forceinline__ void
turn(uint16_t *head, int d, int half, float4 cs)
{
    uint32_t *low = (uint32_t *)(head + d);
    uint32_t *high = (uint32_t *)(head + d + half);
    const float a0 = tile::low_half(*low), a1 = tile::high_half(*low);
    const float b0 = tile::low_half(*high), b1 = tile::high_half(*high);

    *low = ptx::pack_bf16(a0 * cs.x - b0 * cs.y, a1 * cs.z - b1 * cs.w);
    *high = ptx::pack_bf16(b0 * cs.x + a0 * cs.y, b1 * cs.z + a1 * cs.w);
}

} // namespace rope
