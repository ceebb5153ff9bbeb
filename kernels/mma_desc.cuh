/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mma_desc.cuh - how wgmma and tensor copies are told where a tile lies
 *
 * A tile of bf16 in shared memory has rows of 32, 64 or 128 bytes, one after the
 * other, whose 16-byte chunks change places (swizzle) by the row.  A K-major
 * operand has its depth along the rows; an MN-major one has its rows or columns
 * there, and each row of the tile is one step of the depth.  A tensor copy with
 * the same swizzle makes such a tile, if it begins at a multiple of 1,024 bytes.
 */
#pragma once

#include <ptx.cuh>

namespace mma_desc
{

/* By the number that a descriptor has for it. */
enum class Swizzle { NONE, B128, B64, B32 };

constexpr int VALUE_BYTES = 2;
constexpr int CORE_ROWS = 8; /* a swizzle repeats, and a core matrix ends */
constexpr int STEP_DEPTH = 16;

/* Bytes of a row of a tile; without a swizzle of a core matrix. */
__host__ __device__ constexpr uint32_t
row_bytes(Swizzle swizzle)
{
    return swizzle == Swizzle::NONE ? 16u : 256u >> (int)swizzle;
}

/* Where a byte of a tile is that would lie 'offset' after the tile's beginning, were
   no chunks to change places. */
__host__ __device__ constexpr uint32_t
swizzled(uint32_t offset, Swizzle swizzle)
{
    return offset ^ (offset >> 7 & (row_bytes(swizzle) / 16 - 1)) << 4;
}

/* ---- Operands of wgmma in shared memory -------------------------------- */

/*
 * From a tile's address and two distances in bytes, all multiples of 16.  What
 * they mean:
 *                     leading                  stride
 *   K-major           unused                   next 8 rows
 *   K-major, NONE     next 8 of the depth      next 8 rows
 *   MN-major          next row_bytes of MN     next 8 of the depth
 *   MN-major, NONE    next 8 of the depth      next 8 of MN
 */
__host__ __device__ constexpr uint64_t
operand(uint32_t address, uint32_t leading, uint32_t stride, Swizzle swizzle)
{
    return (uint64_t)(address >> 4 & 0x3fff) |
           (uint64_t)(leading >> 4 & 0x3fff) << 16 |
           (uint64_t)(stride >> 4 & 0x3fff) << 32 | (uint64_t)swizzle << 62;
}

/* A tile whose rows are rows (of b: columns) of the matrix. */
__host__ __device__ constexpr uint64_t
k_major(uint32_t address, Swizzle swizzle)
{
    return operand(address, 16, CORE_ROWS * row_bytes(swizzle), swizzle);
}

/* Tiles of 'depth' rows each, side by side along MN. */
__host__ __device__ constexpr uint64_t
mn_major(uint32_t address, Swizzle swizzle, uint32_t depth)
{
    return operand(address, depth * row_bytes(swizzle),
                   CORE_ROWS * row_bytes(swizzle), swizzle);
}

/* How far the next 16 of the depth are, to be added to a tile's address. */
__host__ __device__ constexpr uint32_t
k_major_step()
{
    return STEP_DEPTH * VALUE_BYTES;
}

__host__ __device__ constexpr uint32_t
mn_major_step(Swizzle swizzle)
{
    return STEP_DEPTH * row_bytes(swizzle);
}

/* ---- Tensor maps -------------------------------------------------------- */

/* What cuTensorMapEncodeTiled wants for a matrix of bf16, beside its address:
   two dimensions, the columns first, and zeros outside. */
struct Map {
    uint64_t dims[2];
    uint64_t pitch; /* bytes from row to row */
    uint32_t box[2], steps[2];
    int swizzle; /* by the driver's numbers */

    __host__ __device__ constexpr uint32_t box_bytes() const
    {
        return box[0] * box[1] * VALUE_BYTES;
    }
};

/* Boxes of 'box_rows' rows; a row has as many values as the swizzle's, or
   'box_columns' without one. */
__host__ __device__ constexpr Map
map_2d(int64_t rows, int64_t columns, int64_t pitch_values, int box_rows,
       Swizzle swizzle, int box_columns = 0)
{
    return {{(uint64_t)columns, (uint64_t)rows},
            (uint64_t)pitch_values * VALUE_BYTES,
            {swizzle == Swizzle::NONE ? (uint32_t)box_columns
                                      : row_bytes(swizzle) / VALUE_BYTES,
             (uint32_t)box_rows},
            {1, 1},
            swizzle == Swizzle::NONE ? 0 : 4 - (int)swizzle};
}

} // namespace mma_desc
