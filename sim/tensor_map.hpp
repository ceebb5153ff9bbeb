/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_map.hpp - tensor maps, and the copies that go by them
 *
 * The driver's encoding is a secret of its own; ours holds the same facts.  A copy
 * is under way from its issue until its bytes count at an mbarrier, which is when
 * a schedule has it land.
 */
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>

namespace sim
{

struct Block;
struct Site;

struct TensorMap {
    const char *base;
    uint64_t columns, rows, pitch; /* values, rows, bytes */
    uint32_t box_columns, box_rows;
    uint32_t value_bytes;
    CUtensorMapSwizzle swizzle;

    uint32_t row_bytes() const /* of the box */
    {
        return box_columns * value_bytes;
    }
    uint32_t box_bytes() const
    {
        return row_bytes() * box_rows;
    }
};

/* False if it is none. */
bool decode(const CUtensorMap &encoded, TensorMap *map);

/* How many bytes a row is swizzled in. */
uint32_t swizzle_span(CUtensorMapSwizzle swizzle);
/* Where a byte lies whose address in the shared window is 'address'. */
uint32_t swizzled(CUtensorMapSwizzle swizzle, uint32_t address);

/* One copy of a box that is on its way. */
struct TensorCopy {
    TensorMap map;
    size_t offset; /* in shared memory */
    int64_t column, row;
    size_t barrier;
    bool to_peer; /* another block than the one that sent for it */
};

/* By the thread that runs now, into each block of the cluster whose rank is a bit of
   'ranks': it counts at the barrier of that block. */
void tensor_copy_issue(size_t offset, const CUtensorMap *map, int32_t column,
                       int32_t row, size_t barrier, uint32_t ranks,
                       const Site &site, const void *where);
/* The oldest one on its way lands; false if there is none. */
bool tensor_copy_lands(Block &block);
/* At a random moment one of them may. */
void tensor_copy_lands_perhaps(Block &block);

} // namespace sim

/* The driver's function: cuda.h. */
extern "C" CUresult sim_tensor_map_encode_tiled(
    CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *base,
    const cuuint64_t *dims, const cuuint64_t *strides, const cuuint32_t *box,
    const cuuint32_t *element_strides, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
    CUtensorMapFloatOOBfill fill);
