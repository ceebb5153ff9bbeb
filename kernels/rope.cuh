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

/* Turn two pairs: low has columns d and d + 1, high d + half and d + 1 + half. */
__device__ __forceinline__ void
turn(uint32_t &low, uint32_t &high, float4 cs)
{
    const float a0 = tile::low_half(low), a1 = tile::high_half(low);
    const float b0 = tile::low_half(high), b1 = tile::high_half(high);

    low = ptx::pack_bf16(a0 * cs.x - b0 * cs.y, a1 * cs.z - b1 * cs.w);
    high = ptx::pack_bf16(b0 * cs.x + a0 * cs.y, b1 * cs.z + a1 * cs.w);
}

/* Four pairs, and eight. */
__device__ __forceinline__ void
turn(uint2 &low, uint2 &high, const float4 (&cs)[2])
{
    turn(low.x, high.x, cs[0]);
    turn(low.y, high.y, cs[1]);
}

__device__ __forceinline__ void
turn(uint4 &low, uint4 &high, const float4 (&cs)[4])
{
    turn(low.x, high.x, cs[0]);
    turn(low.y, high.y, cs[1]);
    turn(low.z, high.z, cs[2]);
    turn(low.w, high.w, cs[3]);
}

} // namespace rope
