/* SPDX-License-Identifier: Apache-2.0 */
#include "grid.hpp"

#include "counters.h"
#include "memory.hpp"
#include "report.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>

namespace sim
{
namespace
{

constexpr size_t SHARED_ALIGNMENT = 16; /* what a declaration promises */
constexpr uint32_t RESIDENT_MOST = 3;

Schedule schedule;
std::vector<uint32_t> only_blocks;
std::map<int, int> architectures; /* of devices that are no H100 */

const DeviceLimits known_limits[] = {
    {90, 227 * 1024, 132}, {80, 163 * 1024, 108},  {86, 99 * 1024, 84},
    {89, 99 * 1024, 128},  {100, 227 * 1024, 148}, {120, 99 * 1024, 170},
    {75, 64 * 1024, 72},
};

/* splitmix64: drawn from at every meeting, so it must be quick. */
struct Random {
    using result_type = uint64_t;
    uint64_t state;

    static constexpr uint64_t min()
    {
        return 0;
    }
    static constexpr uint64_t max()
    {
        return UINT64_MAX;
    }
    uint64_t operator()()
    {
        uint64_t x = state += 0x9E3779B97F4A7C15u;

        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        return x ^ (x >> 31);
    }
};

/* The state of one run(). */
struct Machine {
    Launch &launch;
    Random random;
    std::vector<std::unique_ptr<Block>> resident;
    bool failed = false;
};
Machine *machine;
thread_local Thread *running;

/* ---- Asynchronous copies ----------------------------------------------- */

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
    memset(block.shared + copy.offset, 0, copy.bytes);
    memcpy(block.shared + copy.offset, copy.seen, copy.valid_bytes);
    copy.landed = true;
}

/* At a moment that nobody chose, some of what is on its way arrives. */
void
land_some(Thread &thread)
{
    if (schedule.landing != Landing::RANDOM || machine->random() % 4)
        return;
    for (auto &group : thread.copy_groups)
        for (AsyncCopy &copy : group)
            if (machine->random() % 2 == 0)
                land(*thread.block, copy);
    for (AsyncCopy &copy : thread.open_copies)
        if (machine->random() % 4 == 0)
            land(*thread.block, copy);
}

/* ---- Turns ------------------------------------------------------------- */

void
thread_main(void *argument)
{
    Thread *thread = static_cast<Thread *>(argument);

    machine->launch.make(machine->launch.call.data());
    if (!thread->open_copies.empty() || !thread->copy_groups.empty())
        violation("thread %u ends with asynchronous copies that it never "
                  "waited for",
                  thread->index);
    thread->done = true;
    thread->fiber.suspend();
}

/* The order in which the threads of a block take their turns. */
std::vector<uint32_t>
turns(uint32_t n)
{
    std::vector<uint32_t> order(n);

    std::iota(order.begin(), order.end(), 0u);
    if (schedule.order == Order::REVERSE)
        std::reverse(order.begin(), order.end());
    else if (schedule.order == Order::RANDOM)
        std::shuffle(order.begin(), order.end(), machine->random);
    return order;
}

/* One turn for each thread that can run; whether any could. */
bool
step_block(Block &block)
{
    bool progress = false;

    for (uint32_t i : turns(machine->launch.threads)) {
        Thread &thread = block.threads[i];

        if (thread.done || thread.waiting)
            continue;
        running = &thread;
        thread.fiber.resume();
        running = nullptr;
        if (machine->failed)
            return true;
        progress = true;
        if (thread.done)
            block.n_done++;
    }
    return progress;
}

void
report_deadlock()
{
    std::string text;

    for (auto &block : machine->resident) {
        std::vector<std::string> seen;
        for (Thread &thread : block->threads) {
            std::string line =
                thread.done ? "has ended" : "waits at " + thread.site.text();
            if (std::find(seen.begin(), seen.end(), line) != seen.end())
                continue;
            seen.push_back(line);
            text += "\n  block " + std::to_string(block->index) + ", thread " +
                    std::to_string(thread.index) + " (and others) " + line;
        }
    }
    machine->failed = true;
    host_violation("deadlock in %s:%s", machine->launch.name, text.c_str());
}

bool
within_limits(const Launch &launch)
{
    const DeviceLimits limits = device_limits(launch.device);

    if (launch.threads == 0 || launch.threads > 1024 || launch.threads % 32)
        host_violation("%s: %u threads a block, expected whole warps, at "
                       "most 1024",
                       launch.name, launch.threads);
    else if (launch.blocks == 0 || launch.blocks > 0x7fffffffu)
        host_violation("%s: a grid of %u blocks", launch.name, launch.blocks);
    else if (launch.shared_bytes > limits.shared_bytes)
        host_violation("%s: %u bytes of shared memory a block, but sm_%d has "
                       "%u",
                       launch.name, launch.shared_bytes, limits.architecture,
                       limits.shared_bytes);
    else
        return true;
    return false;
}

} // namespace

void
set_schedule(const Schedule &s)
{
    schedule = s;
}

void
set_only_blocks(const std::vector<uint32_t> &blocks)
{
    only_blocks = blocks;
}

DeviceLimits
device_limits(int device)
{
    auto it = architectures.find(device);

    for (const DeviceLimits &l : known_limits)
        if (it != architectures.end() && l.architecture == it->second)
            return l;
    return known_limits[0];
}

void
set_architecture(int device, int architecture)
{
    architectures[device] = architecture;
}

std::string
Site::text() const
{
    const char *slash = file ? strrchr(file, '/') : nullptr;

    return std::string(kind ? kind : "?") + " (" +
           (slash  ? slash + 1
            : file ? file
                   : "?") +
           ":" + std::to_string(line) + ")";
}

Block::Block(Launch &l, uint32_t i)
    : launch(l), index(i), threads(l.threads), clocks(l.threads),
      shadow(l.shared_bytes), warps(l.threads / 32)
{
    /* At the least alignment that is promised, not a better one by luck. */
    size_t bytes = l.shared_bytes + 2 * 1024;
    char *raw =
        static_cast<char *>(aligned_alloc(1024, (bytes + 1023) / 1024 * 1024));
    shared = raw + SHARED_ALIGNMENT;
    memset(shared, poison_byte(), l.shared_bytes);
    for (uint32_t t = 0; t < l.threads; t++) {
        threads[t].block = this;
        threads[t].index = t;
        threads[t].fiber.start(stack_take(), thread_main, &threads[t]);
    }
}

Block::~Block()
{
    for (Thread &thread : threads)
        stack_give(thread.fiber.stack());
    free(shared - SHARED_ALIGNMENT);
}

/* How many blocks run, and the nth of them. */
static uint32_t
blocks_to_run(const Launch &launch)
{
    return only_blocks.empty() ? launch.blocks
                               : static_cast<uint32_t>(only_blocks.size());
}

static uint32_t
nth_block(const Launch &launch, uint32_t n)
{
    uint32_t turn =
        schedule.order == Order::REVERSE ? blocks_to_run(launch) - 1 - n : n;

    return only_blocks.empty() ? turn : only_blocks[turn];
}

bool
run(Launch &launch)
{
    static uint32_t launches;
    Machine m{launch, {schedule.seed}, {}, false};
    DeviceMemoryAccess access;
    uint32_t next = 0, n_blocks = blocks_to_run(launch);

    if (!within_limits(launch))
        return false;
    launch.number = ++launches;
    machine = &m;
    uint32_t most = 1 + static_cast<uint32_t>(m.random() % RESIDENT_MOST);
    while (!m.failed && (next < n_blocks || !m.resident.empty())) {
        while (m.resident.size() < most && next < n_blocks)
            m.resident.push_back(
                std::make_unique<Block>(launch, nth_block(launch, next++)));
        bool progress = false;
        for (auto &block : m.resident) {
            progress |= step_block(*block);
            if (m.failed)
                break;
        }
        if (!progress && !m.failed)
            report_deadlock();
        auto ended = [&](const std::unique_ptr<Block> &block) {
            return block->n_done == launch.threads;
        };
        m.resident.erase(
            std::remove_if(m.resident.begin(), m.resident.end(), ended),
            m.resident.end());
    }
    m.resident.clear();
    close_requests();
    machine = nullptr;
    return !m.failed;
}

Thread *
current()
{
    return running;
}

/* Called by violation(): the launch is over; this fiber never wakes. */
void abandon_launch();
void
abandon_launch()
{
    machine->failed = true;
    running->fiber.suspend();
    abort();
}

std::string describe_current();
std::string
describe_current()
{
    if (!running)
        return "";
    return std::string(machine->launch.name) + ", block " +
           std::to_string(running->block->index) + ", thread " +
           std::to_string(running->index) + ": ";
}

/* ---- Meetings ---------------------------------------------------------- */

namespace
{

void
wait_here(Thread &thread, const Site &site)
{
    thread.waiting = true;
    thread.site = site;
    land_some(thread);
    thread.fiber.suspend();
}

void
release(Block &block, Meeting &meeting)
{
    for (uint32_t t : meeting.arrived)
        block.threads[t].waiting = false;
    meeting.arrived.clear();
}

void
check_site(const Meeting &meeting, const Thread &thread, const Site &site)
{
    if (!meeting.arrived.empty() && !(meeting.site == site))
        violation("threads meet at different places: thread %u at %s, thread "
                  "%u at %s",
                  meeting.arrived[0], meeting.site.text().c_str(), thread.index,
                  site.text().c_str());
}

/* bar.sync counts warps: a warp that comes in part is a hardware error. */
void
check_whole_warps(const Meeting &meeting)
{
    std::vector<uint32_t> lanes(32, 0);

    for (uint32_t t : meeting.arrived)
        lanes[t / 32]++;
    for (uint32_t n : lanes)
        if (n % 32)
            violation("a barrier at %s is met by %u lanes of a warp",
                      meeting.site.text().c_str(), n);
}

} // namespace

void
meet_warp(const Site &site, void *brought,
          void (*meet)(Block &, uint32_t, void **))
{
    Thread &thread = *running;
    Block &block = *thread.block;
    uint32_t w = thread.index / 32;
    Block::Warp &warp = block.warps[w];

    check_site(warp.meeting, thread, site);
    warp.meeting.site = site;
    warp.meeting.arrived.push_back(thread.index);
    warp.brought[thread.lane()] = brought;
    if (warp.meeting.arrived.size() < 32) {
        wait_here(thread, site);
        return;
    }
    meet(block, w, warp.brought);
    release(block, warp.meeting);
}

void
meet_block(const Site &site, uint32_t barrier, uint32_t n_threads,
           bool same_site)
{
    Thread &thread = *running;
    Block &block = *thread.block;
    Meeting &meeting = block.barriers[barrier];

    if (barrier >= 16 || n_threads == 0 || n_threads % 32 ||
        n_threads > block.launch.threads)
        violation("barrier %u for %u threads at %s", barrier, n_threads,
                  site.text().c_str());
    if (same_site)
        check_site(meeting, thread, site);
    if (!meeting.arrived.empty() && meeting.expected != n_threads)
        violation("barrier %u expects %u threads and, at %s, %u", barrier,
                  meeting.expected, site.text().c_str(), n_threads);
    meeting.site = site;
    meeting.expected = n_threads;
    meeting.arrived.push_back(thread.index);
    if (meeting.arrived.size() < n_threads) {
        wait_here(thread, site);
        return;
    }
    check_whole_warps(meeting);
    block.clocks.join(meeting.arrived.data(),
                      static_cast<uint32_t>(meeting.arrived.size()));
    release(block, meeting);
}

/* ---- cp.async ---------------------------------------------------------- */

static void
count_copy(const Thread &thread, const AsyncCopy &copy, const void *where)
{
    const uint32_t block = thread.block->index;

    count_access(Traffic::ARRIVALS, block, thread.index, where, copy.offset,
                 copy.bytes);
    if (copy.valid_bytes)
        count_access(Traffic::COPIES, block, thread.index, where,
                     reinterpret_cast<uintptr_t>(copy.source), copy.bytes);
}

void
copy_issue(size_t offset, const void *source, uint32_t bytes,
           uint32_t valid_bytes, const void *where)
{
    Thread &thread = *running;
    Block &block = *thread.block;
    AsyncCopy copy{offset, source, bytes, valid_bytes, false, {}};
    GlobalTouch who{block.launch.device, block.launch.number, block.index,
                    thread.index};

    if (offset % bytes || offset + bytes > block.launch.shared_bytes)
        violation("an asynchronous copy of %u bytes to byte %zu of %u bytes "
                  "of shared memory at %s",
                  bytes, offset, block.launch.shared_bytes,
                  source_line(where).c_str());
    if (reinterpret_cast<uintptr_t>(source) % bytes)
        violation("an asynchronous copy of %u bytes from an address that is "
                  "not aligned to them, at %s",
                  bytes, source_line(where).c_str());
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
    block.shadow.copy_begins(block.clocks, thread.index, offset, bytes, where);
    if (schedule.landing == Landing::AT_ISSUE)
        land(block, copy);
    thread.open_copies.push_back(copy);
}

void
copy_commit()
{
    running->copy_groups.push_back(std::move(running->open_copies));
    running->open_copies.clear();
}

void
copy_wait(uint32_t groups_left)
{
    Thread &thread = *running;
    Block &block = *thread.block;

    land_some(thread);
    while (thread.copy_groups.size() > groups_left) {
        for (AsyncCopy &copy : thread.copy_groups.front()) {
            check_source(copy);
            land(block, copy);
            block.shadow.copy_lands(block.clocks, thread.index, copy.offset,
                                    copy.bytes);
        }
        thread.copy_groups.pop_front();
    }
}

} // namespace sim
