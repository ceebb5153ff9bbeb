/* SPDX-License-Identifier: Apache-2.0 */
/* cp.async: copies that are under way between their issue and their wait. */
#include "counters.h"
#include "global_shadow.hpp"
#include "grid.hpp"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"

#include <cstring>

namespace sim
{
namespace
{

/* Also of one that has landed: it might have been later. */
void
check_source(const AsyncCopy &copy)
{
    if (copy.valid_bytes &&
        memcmp(copy.seen, copy.source, copy.valid_bytes) != 0)
        violation("the source of an asynchronous copy to byte %zu of shared "
                  "memory changed before the copy was waited for",
                  copy.offset);
}

void
land(Block &block, AsyncCopy &copy)
{
    if (copy.landed)
        return;
    memset(block.shared + copy.offset, planted == Plant::COPY_ZEROS ? 0x3f : 0,
           copy.bytes);
    memcpy(block.shared + copy.offset, copy.seen, copy.valid_bytes);
    if (planted == Plant::COPY_BYTES && copy.valid_bytes == 16)
        memset(block.shared + copy.offset + 12, 0, 4);
    copy.landed = true;
}

void
count_copy(const Thread &thread, const AsyncCopy &copy, const void *where)
{
    const uint32_t block = thread.block->index;

    count_access(Traffic::ARRIVALS, block, thread.index, where, copy.offset,
                 copy.bytes);
    if (copy.valid_bytes)
        count_access(Traffic::COPIES, block, thread.index, where,
                     reinterpret_cast<uintptr_t>(copy.source), copy.bytes);
}

} // namespace

void
copy_land_some(Thread &thread)
{
    if (schedule_in_use().landing != Landing::RANDOM || draw() % 4)
        return;
    for (auto &group : thread.copy_groups)
        for (AsyncCopy &copy : group)
            if (draw() % 2 == 0)
                land(*thread.block, copy);
    for (AsyncCopy &copy : thread.open_copies)
        if (draw() % 4 == 0)
            land(*thread.block, copy);
}

void
copy_issue(size_t offset, const void *source, uint32_t bytes,
           uint32_t valid_bytes, const void *where)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    AsyncCopy copy{offset, source, bytes, valid_bytes, false, {}};
    const GlobalTouch who = touch_of(thread);

    if (offset % bytes || offset + bytes > block.launch.shared_bytes)
        violation("an asynchronous copy of %u bytes to byte %zu of %u bytes "
                  "of shared memory at %s",
                  bytes, offset, block.launch.shared_bytes,
                  source_line(where).c_str());
    if (reinterpret_cast<uintptr_t>(source) % bytes)
        violation("an asynchronous copy of %u bytes from an address that is "
                  "not aligned to them, at %s",
                  bytes, source_line(where).c_str());
    if (!valid_bytes && !is_device_range(source, bytes))
        violation(
            "an asynchronous copy of nothing names %p, which is no device "
            "memory, expected an address inside its operand, at %s",
            source, source_line(where).c_str());
    if (valid_bytes) {
        /* The hardware fetches whole; a shorter valid part must be in bounds. */
        if (valid_bytes == bytes)
            global_read(who, source, bytes, where);
        else
            for (uint32_t i = 0; i < valid_bytes; i++)
                global_read(who, static_cast<const char *>(source) + i, 1,
                            where);
        memcpy(copy.seen, source, valid_bytes);
    }
    if (counting)
        count_copy(thread, copy, where);
    block.shadow.copy_begins(block.clocks, thread.clock(), offset, bytes,
                             where);
    if (schedule_in_use().landing == Landing::AT_ISSUE)
        land(block, copy);
    thread.open_copies.push_back(copy);
}

void
copy_commit()
{
    current()->copy_groups.push_back(std::move(current()->open_copies));
    current()->open_copies.clear();
}

void
copy_wait(uint32_t groups_left)
{
    Thread &thread = *current();
    Block &block = *thread.block;

    copy_land_some(thread);
    while (thread.copy_groups.size() > groups_left) {
        for (AsyncCopy &copy : thread.copy_groups.front()) {
            check_source(copy);
            land(block, copy);
            block.shadow.copy_lands(block.clocks, thread.clock(), copy.offset,
                                    copy.bytes);
        }
        thread.copy_groups.pop_front();
    }
}

} // namespace sim
