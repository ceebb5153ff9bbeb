/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile.cuh - what at least two kernels share: bf16 pairs, and tiles of shared
 * memory whose rows are 64 bytes
 *
 * Such a tile is swizzled: the 16-byte chunk c of row r lies at chunk
 * c ^ (r / 2 % 4).  Two rows fill the 32 banks once, so eight consecutive rows of
 * one logical chunk fall into eight different groups of banks: ldmatrix has no
 * conflicts and rows need no padding.
 */
#pragma once

#include <ptx.cuh>

namespace tile
{

constexpr int CHUNK_BYTES = 16;
constexpr int CHUNK_VALUES = 8;
constexpr int ROW_VALUES = 32;
constexpr int ROW_BYTES = 64;
constexpr int ROW_CHUNKS = ROW_BYTES / CHUNK_BYTES;

__device__ __forceinline__ float
low_half(uint32_t pair)
{
    return ptx::bits_to_float(pair << 16);
}

__device__ __forceinline__ float
high_half(uint32_t pair)
{
    return ptx::bits_to_float(pair & 0xffff0000u);
}

/* Where a chunk of the swizzled tile lies, in bytes from the tile's start. */
__device__ __forceinline__ int
chunk_offset(int row, int chunk)
{
    return row * ROW_BYTES + (chunk ^ (row >> 1 & 3)) * CHUNK_BYTES;
}

/* Its address, for a tile that starts at 'base'. */
__device__ __forceinline__ uint32_t
chunk_address(uint32_t base, int row, int chunk)
{
    return base + (uint32_t)chunk_offset(row, chunk);
}

/* The A operand of 16 rows x 16 columns at (row, 8 x chunk). */
__device__ __forceinline__ void
load_a(uint32_t (&a)[4], uint32_t base, int row, int chunk, int lane)
{
    ptx::ldmatrix_x4(
        a, chunk_address(base, row + (lane & 15), chunk + (lane >> 4)));
}

/* The B operands of two neighbouring groups of 8 columns: rows of the tile are
   columns of B, so b[0..1] are of rows 'row' .. + 7, b[2..3] of the next 8. */
__device__ __forceinline__ void
load_b_pair(uint32_t (&b)[4], uint32_t base, int row, int chunk, int lane)
{
    ptx::ldmatrix_x4(b,
                     chunk_address(base, row + (lane & 7) + ((lane >> 4) << 3),
                                   chunk + ((lane >> 3) & 1)));
}

} // namespace tile
