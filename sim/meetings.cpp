/* SPDX-License-Identifier: Apache-2.0 */
/* Where threads meet: barriers of the block, and what a warp does together. */
#include "grid.hpp"
#include "report.hpp"

namespace sim
{
namespace
{

void
wait_here(Thread &thread)
{
    thread.waiting = true;
    copy_land_some(thread);
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

/* A barrier counts warps: one that comes in part, or by two instructions at once,
   is a hardware error. */
void
check_whole_warps(const Block &block, const Meeting &meeting)
{
    std::vector<uint32_t> lanes(32, 0);
    std::vector<const Site *> sites(32, nullptr);
    auto count = [&](uint32_t t, const Site &site) {
        const Site *&first = sites[t / 32];

        lanes[t / 32]++;
        if (!first)
            first = &site;
        if (!(site == *first))
            violation("the lanes of a warp meet at different places: one at "
                      "%s, thread %u at %s",
                      first->text().c_str(), t, site.text().c_str());
    };

    for (uint32_t t : meeting.arrived)
        count(t, block.threads[t].site);
    for (const Meeting::Passer &p : meeting.passed)
        count(p.thread, p.site);
    for (uint32_t n : lanes)
        if (n % 32)
            violation("a barrier at %s is met by %u lanes of a warp",
                      meeting.site.text().c_str(), n);
}

/* This thread comes to a barrier, to wait there or not. */
Meeting &
come(const Site &site, uint32_t barrier, uint32_t n_threads)
{
    Thread &thread = *current();
    Block &block = *thread.block;

    if (barrier >= 16 || n_threads == 0 || n_threads % 32 ||
        n_threads > block.launch.threads)
        violation("barrier %u for %u threads at %s", barrier, n_threads,
                  site.text().c_str());
    Meeting &meeting = block.barriers[barrier];
    if (meeting.arrived.size() + meeting.passed.size() &&
        meeting.expected != n_threads)
        violation("barrier %u expects %u threads and, at %s, %u", barrier,
                  meeting.expected, site.text().c_str(), n_threads);
    for (const Meeting::Passer &p : meeting.passed)
        if (p.thread == thread.index)
            violation("thread %u comes to barrier %u at %s, where it has "
                      "arrived at %s already",
                      thread.index, barrier, site.text().c_str(),
                      p.site.text().c_str());
    meeting.expected = n_threads;
    return meeting;
}

/* All are there: those who wait go on. */
void
end_meeting(Block &block, Meeting &meeting)
{
    check_whole_warps(block, meeting);
    for (uint32_t t : meeting.arrived)
        if (t % 32 == 0)
            block.paths.meet(meeting.site, block.index, t / 32);
    std::vector<uint32_t> clocks;
    for (uint32_t t : meeting.arrived)
        clocks.push_back(block.first_thread + t);
    if (!clocks.empty())
        block.clocks.join(clocks.data(), static_cast<uint32_t>(clocks.size()));
    for (uint32_t t : clocks)
        block.clocks.acquire(t, meeting.released);
    meeting.passed.clear();
    meeting.released = nullptr;
    release(block, meeting);
}

} // namespace

void
meet_warp(const Site &site, void *brought,
          void (*meet)(Block &, uint32_t, void **))
{
    Thread &thread = *current();
    Block &block = *thread.block;
    uint32_t w = thread.index / 32;
    Block::Warp &warp = block.warps[w];

    check_site(warp.meeting, thread, site);
    warp.meeting.site = thread.site = site;
    warp.meeting.arrived.push_back(thread.index);
    warp.brought[thread.lane()] = brought;
    if (warp.meeting.arrived.size() < 32) {
        wait_here(thread);
        return;
    }
    block.paths.meet(site, block.index, w);
    meet(block, w, warp.brought);
    release(block, warp.meeting);
}

void
meet_block(const Site &site, uint32_t barrier, uint32_t n_threads,
           bool same_site)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    Meeting &meeting = come(site, barrier, n_threads);

    if (same_site)
        check_site(meeting, thread, site);
    meeting.site = thread.site = site;
    meeting.arrived.push_back(thread.index);
    if (meeting.arrived.size() + meeting.passed.size() < n_threads)
        wait_here(thread);
    else
        end_meeting(block, meeting);
}

void
pass_block(const Site &site, uint32_t barrier, uint32_t n_threads)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    Meeting &meeting = come(site, barrier, n_threads);

    if (meeting.arrived.empty())
        meeting.site = site;
    block.clocks.release(thread.clock(), meeting.released);
    meeting.passed.push_back({thread.index, site});
    if (meeting.arrived.size() + meeting.passed.size() == n_threads)
        end_meeting(block, meeting);
}

} // namespace sim
