/* SPDX-License-Identifier: Apache-2.0 */
#include "mbarrier.hpp"

#include "grid.hpp"
#include "report.hpp"

namespace sim
{
namespace
{

constexpr uint32_t COUNT_MOST = (1u << 20) - 1; /* of arrivals, and of bytes */
constexpr size_t BYTES = 8;

Mbarrier &
find(Block &block, size_t offset, const Site &site)
{
    const Thread &thread = *current();
    auto it = block.mbarriers.at.find(offset);

    if (it == block.mbarriers.at.end())
        violation("%s: byte %zu of shared memory holds no mbarrier",
                  site.text().c_str(), offset);
    if (!block.clocks.knows(thread.clock(), it->second.maker, it->second.made))
        violation("thread %u uses the mbarrier at byte %zu at %s, thread %u "
                  "initialised it, and no barrier orders them",
                  thread.index, offset, site.text().c_str(), it->second.maker);
    return it->second;
}

/* What is not of the block's own threads uses it. */
void
check_fenced(const Block &block, const Mbarrier &b, size_t offset,
             const Site &site)
{
    if (!b.fenced || !block.clocks.knows(current()->clock(), b.maker, b.fenced))
        violation("%s: a tensor copy, or another block of the cluster, counts "
                  "at the mbarrier at byte %zu, which thread %u initialised "
                  "with no mbarrier_fence before they met",
                  site.text().c_str(), offset, b.maker);
}

bool
is_over(const Mbarrier &b)
{
    return b.pending == 0 && b.bytes == 0;
}

/* The next phase begins. */
void
end_phase(Block &block, Mbarrier &b)
{
    auto known = std::make_shared<Knowledge>(*b.arriving);

    b.phase++;
    if (known->size() <= b.agent)
        known->resize(b.agent + 1, 0);
    (*known)[b.agent] = b.phase;
    b.ended = known;
    b.arriving = nullptr;
    b.pending = b.arrivals;
    for (uint32_t t : b.waiting)
        block.threads[t].waiting = false;
    b.waiting.clear();
}

} // namespace

void
mbarrier_init(size_t offset, uint32_t arrivals, const Site &site,
              const void *where)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    const std::string at = site.text();

    if (offset % BYTES || offset + BYTES > block.launch.shared_bytes)
        violation("%s: an mbarrier at byte %zu of %u bytes of shared memory, "
                  "expected a multiple of 8 inside it",
                  at.c_str(), offset, block.launch.shared_bytes);
    if (arrivals == 0 || arrivals > COUNT_MOST)
        violation("%s: an mbarrier for %u arrivals, expected 1 to %u",
                  at.c_str(), arrivals, COUNT_MOST);
    if (block.mbarriers.cover(offset, BYTES))
        violation("%s: there is an mbarrier at byte %zu of shared memory "
                  "already",
                  at.c_str(), offset);
    block.shadow.write(block.clocks, thread.clock(), offset, BYTES, where);
    block.mbarriers.at[offset] = {.arrivals = arrivals,
                                  .pending = arrivals,
                                  .agent = block.clocks.add_agent(),
                                  .arriving = nullptr,
                                  .ended = nullptr,
                                  .maker = thread.clock(),
                                  .made = block.clocks.now(thread.clock())};
}

void
mbarrier_fence()
{
    Thread &thread = *current();

    for (auto &[offset, b] : thread.block->mbarriers.at)
        if (b.maker == thread.clock() && b.fenced == 0)
            b.fenced = thread.block->clocks.now(thread.clock());
}

void
mbarrier_arrive(Block &block, size_t offset, uint32_t bytes, const Site &site)
{
    const Thread &thread = *current();
    Mbarrier &b = find(block, offset, site);

    if (&block != thread.block)
        check_fenced(block, b, offset, site);

    if (b.pending == 0)
        violation("%s: an arrival beyond the %u of the mbarrier at byte %zu, "
                  "whose phase waits for %lld bytes",
                  site.text().c_str(), b.arrivals, offset,
                  static_cast<long long>(b.bytes));
    if (b.bytes + bytes > COUNT_MOST)
        violation("%s: the mbarrier at byte %zu is to expect %lld bytes, "
                  "expected at most %u",
                  site.text().c_str(), offset,
                  static_cast<long long>(b.bytes + bytes), COUNT_MOST);
    block.clocks.release(thread.clock(), b.arriving);
    b.bytes += bytes;
    b.pending--;
    if (b.pending == 0 && b.bytes < 0)
        violation("%s: the mbarrier at byte %zu has got %lld bytes more than "
                  "it expects",
                  site.text().c_str(), offset,
                  -static_cast<long long>(b.bytes));
    if (is_over(b))
        end_phase(block, b);
}

void
mbarrier_wait(size_t offset, uint32_t parity, const Site &site)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    Mbarrier &b = find(block, offset, site);
    const Knowledge &known = *block.clocks.known(thread.clock());
    const int64_t ended = b.agent < known.size() ? known[b.agent] : 0;
    /* The last phase whose end the thread knows of, or the next. */
    const int64_t wanted = ((ended - 1) & 1) == parity ? ended - 1 : ended;

    if (parity > 1)
        violation("%s: a parity of %u", site.text().c_str(), parity);
    thread.site = site;
    while (b.phase <= wanted) {
        b.waiting.push_back(thread.index);
        thread.waiting = true;
        copy_land_some(thread);
        thread.fiber.suspend();
    }
    if (b.phase > wanted + 1)
        violation("%s: thread %u waits for phase %lld of the mbarrier at byte "
                  "%zu, which is in phase %u: what comes after may not wait "
                  "for the thread",
                  site.text().c_str(), thread.index,
                  static_cast<long long>(wanted), offset, b.phase);
    block.clocks.acquire(thread.clock(), b.ended);
}

const Mbarrier &
mbarrier_count_copy(Block &block, size_t offset, const Site &site)
{
    Mbarrier &b = find(block, offset, site);

    check_fenced(block, b, offset, site);
    b.copied = b.phase + 1;
    return b;
}

void
mbarrier_complete(Block &block, size_t offset, uint32_t bytes)
{
    Mbarrier &b = block.mbarriers.at.at(offset);

    b.bytes -= bytes;
    if (b.pending == 0 && b.bytes < 0)
        launch_fault("the mbarrier at byte %zu of block %u has got %lld bytes "
                     "more than it expects",
                     offset, block.index, -static_cast<long long>(b.bytes));
    if (is_over(b))
        end_phase(block, b);
}

/* Whether there was a tensor copy for whose end no thread of the block waited. */
static bool
is_unwaited(const Block &block, const Mbarrier &b)
{
    for (const Thread &thread : block.threads)
        if (b.copied == 0 ||
            block.clocks.knows(thread.clock(), b.agent, b.copied))
            return false;
    return true;
}

std::string
mbarriers_left(const Block &block)
{
    for (const auto &[offset, b] : block.mbarriers.at) {
        if (is_unwaited(block, b))
            return "block " + std::to_string(block.index) +
                   " ends, and no thread of it waited for a tensor copy that "
                   "counted at the mbarrier at byte " +
                   std::to_string(offset);
        if (b.pending != b.arrivals || b.bytes != 0)
            return "block " + std::to_string(block.index) +
                   " ends in the middle of phase " + std::to_string(b.phase) +
                   " of the mbarrier at byte " + std::to_string(offset) + ": " +
                   std::to_string(b.arrivals - b.pending) + " of " +
                   std::to_string(b.arrivals) + " arrivals, " +
                   std::to_string(b.bytes) + " bytes to come";
    }
    return "";
}

} // namespace sim
