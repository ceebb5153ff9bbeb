/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a tensor map's box: under way from the issue until they count. */
#include "counters.h"
#include "global_shadow.hpp"
#include "grid.hpp"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "tensor_map.hpp"

#include <algorithm>
#include <cstring>

namespace sim
{
namespace
{

constexpr size_t CHUNK = 16, DESTINATION_ALIGNMENT = 128, MAP_ALIGNMENT = 64;
constexpr uint32_t LOST_ROW = 5; /* of a box, where that is planted */

/* Of row 'r' of the box: the values that the tensor has, from and to. */
struct Part {
    int64_t from, to;
};

Part
part_of_row(const TensorCopy &copy, int64_t r)
{
    const TensorMap &map = copy.map;
    const int64_t row = copy.row + r;

    if (row < 0 || row >= static_cast<int64_t>(map.rows))
        return {0, 0};
    const int64_t from = std::max<int64_t>(-copy.column, 0);
    const int64_t to = std::min<int64_t>(
        static_cast<int64_t>(map.columns) - copy.column, map.box_columns);
    return {from, std::max(from, to)};
}

const char *
source_of(const TensorCopy &copy, int64_t r, int64_t value)
{
    return copy.map.base +
           (copy.row + r) * static_cast<int64_t>(copy.map.pitch) +
           (copy.column + value) * copy.map.value_bytes;
}

void
land(Block &block, const TensorCopy &copy)
{
    const TensorMap &map = copy.map;
    const uint32_t row_bytes = map.row_bytes();
    const CUtensorMapSwizzle swizzle =
        planted == Plant::TENSOR_SWIZZLE &&
                map.swizzle == CU_TENSOR_MAP_SWIZZLE_128B
            ? CU_TENSOR_MAP_SWIZZLE_NONE
            : map.swizzle;
    std::vector<char> row(row_bytes);

    for (uint32_t r = 0; r < map.box_rows; r++) {
        const Part part = part_of_row(copy, r);
        const auto at =
            block.window() + static_cast<uint32_t>(copy.offset) + r * row_bytes;

        if ((planted == Plant::TENSOR_ROW && r == LOST_ROW) ||
            (planted == Plant::MULTICAST_PEER && copy.to_peer))
            continue;
        std::fill(row.begin(), row.end(),
                  planted == Plant::TENSOR_ZEROS ? 0x3f : 0);
        if (part.to > part.from)
            memcpy(row.data() + part.from * map.value_bytes,
                   source_of(copy, r, part.from),
                   static_cast<size_t>(part.to - part.from) * map.value_bytes);
        for (uint32_t c = 0; c < row_bytes; c += CHUNK)
            memcpy(block.shared + swizzled(swizzle, at + c) - block.window(),
                   row.data() + c, CHUNK);
    }
    if (planted != Plant::MBARRIER_BYTES)
        mbarrier_complete(block, copy.barrier, map.box_bytes());
}

void
check(const Block &block, size_t offset, const CUtensorMap *map,
      const Site &site, TensorMap *decoded)
{
    const std::string at = site.text();

    if (reinterpret_cast<uintptr_t>(map) % MAP_ALIGNMENT ||
        !decode(*map, decoded))
        violation("%s: %p is no tensor map that was encoded and lies at a "
                  "multiple of %zu",
                  at.c_str(), static_cast<const void *>(map), MAP_ALIGNMENT);
    if ((block.window() + offset) % DESTINATION_ALIGNMENT)
        violation("%s: a tensor copy to byte %zu of shared memory, whose "
                  "address is no multiple of %zu",
                  at.c_str(), offset, DESTINATION_ALIGNMENT);
    if (offset + decoded->box_bytes() > block.launch.shared_bytes)
        violation("%s: a tensor copy of %u bytes to byte %zu of %u bytes of "
                  "shared memory",
                  at.c_str(), decoded->box_bytes(), offset,
                  block.launch.shared_bytes);
    if (block.mbarriers.cover(offset, decoded->box_bytes()))
        violation("%s: a tensor copy of %u bytes to byte %zu of shared memory "
                  "overwrites an mbarrier",
                  at.c_str(), decoded->box_bytes(), offset);
    if (decoded->swizzle != CU_TENSOR_MAP_SWIZZLE_NONE &&
        swizzle_span(decoded->swizzle) != decoded->row_bytes())
        violation("%s: rows of %u bytes in a box that is swizzled in %u: how "
                  "they would lie is not documented",
                  at.c_str(), decoded->row_bytes(),
                  swizzle_span(decoded->swizzle));
}

} // namespace

void
tensor_copy_issue(size_t offset, const CUtensorMap *map, int32_t column,
                  int32_t row, size_t barrier, uint32_t ranks, const Site &site,
                  const void *where)
{
    Thread &thread = *current();
    TensorCopy copy = {{}, offset, column, row, barrier, false};
    const GlobalTouch who = touch_of(thread);

    std::vector<std::pair<uintptr_t, size_t>> rows;

    check(*thread.block, offset, map, site, &copy.map);
    for (uint32_t r = 0; r < copy.map.box_rows; r++) {
        const Part part = part_of_row(copy, r);
        const size_t bytes =
            static_cast<size_t>(part.to - part.from) * copy.map.value_bytes;

        if (bytes == 0)
            continue;
        const char *from = source_of(copy, r, part.from);
        global_read(who, from, bytes, where);
        rows.emplace_back(reinterpret_cast<uintptr_t>(from), bytes);
    }
    if (counting)
        count_box(rows);
    for (uint32_t rank = 0; ranks >> rank; rank++) {
        if (!(ranks >> rank & 1))
            continue;
        Block &block = cluster_peer(rank, site);
        const Mbarrier &b = mbarrier_count_copy(block, barrier, site);

        copy.to_peer = &block != thread.block;
        block.shadow.tensor_copy(block.clocks, thread.clock(), b.agent,
                                 b.phase + 1, offset, copy.map.box_bytes(),
                                 where);
        if (planted == Plant::MBARRIER_BYTES)
            mbarrier_complete(block, barrier, copy.map.box_bytes());
        if (schedule_in_use().landing == Landing::AT_ISSUE)
            land(block, copy);
        else
            block.tensor_copies.push_back(copy);
    }
}

bool
tensor_copy_lands(Block &block)
{
    if (block.tensor_copies.empty())
        return false;
    const TensorCopy copy = block.tensor_copies.front();
    block.tensor_copies.pop_front();
    land(block, copy);
    return true;
}

void
tensor_copy_lands_perhaps(Block &block)
{
    if (block.tensor_copies.empty() ||
        schedule_in_use().landing != Landing::RANDOM || draw() % 16)
        return;
    const auto which =
        block.tensor_copies.begin() +
        static_cast<ptrdiff_t>(draw() % block.tensor_copies.size());
    const TensorCopy copy = *which;
    block.tensor_copies.erase(which);
    land(block, copy);
}

} // namespace sim
