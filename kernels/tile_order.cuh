/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile_order.cuh - in which order the tiles of a product are taken
 *
 * Eight rows of tiles at a time, and column by column within them: tiles that run
 * at the same time share their b, and most of their a, in L2.
 */
#pragma once

#include <ptx.cuh>

namespace tile_order
{

constexpr int SWATH = 8; /* rows of tiles that are taken together */

struct Place {
    int64_t row;
    int32_t column;
};

template <int ROWS, int COLUMNS>
__host__ __device__ __forceinline__ int64_t
count(int64_t rows, int32_t columns)
{
    return (rows + ROWS - 1) / ROWS * ((columns + COLUMNS - 1) / COLUMNS);
}

/* Tile 'index' of them. */
template <int ROWS, int COLUMNS>
__device__ __forceinline__ Place
at(int64_t rows, int32_t columns, int64_t index)
{
    const int64_t tall = (rows + ROWS - 1) / ROWS;
    const int64_t wide = (columns + COLUMNS - 1) / COLUMNS;
    const int64_t first = index / (SWATH * wide) * SWATH;
    const int64_t height = tall - first < SWATH ? tall - first : SWATH;
    const int64_t within = index % (SWATH * wide);

    return {(first + within % height) * ROWS,
            (int32_t)(within / height) * COLUMNS};
}

} // namespace tile_order
