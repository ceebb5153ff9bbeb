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

    for (uint32_t t : meeting.arrived) {
        const Thread &thread = block.threads[t];
        const Thread &first = block.threads[t - thread.lane()];

        lanes[t / 32]++;
        if (!(thread.site == first.site))
            violation("the lanes of a warp meet at different places: thread "
                      "%u at %s, thread %u at %s",
                      first.index, first.site.text().c_str(), t,
                      thread.site.text().c_str());
    }
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

    if (barrier >= 16 || n_threads == 0 || n_threads % 32 ||
        n_threads > block.launch.threads)
        violation("barrier %u for %u threads at %s", barrier, n_threads,
                  site.text().c_str());
    Meeting &meeting = block.barriers[barrier];
    if (same_site)
        check_site(meeting, thread, site);
    if (!meeting.arrived.empty() && meeting.expected != n_threads)
        violation("barrier %u expects %u threads and, at %s, %u", barrier,
                  meeting.expected, site.text().c_str(), n_threads);
    meeting.site = thread.site = site;
    meeting.expected = n_threads;
    meeting.arrived.push_back(thread.index);
    if (meeting.arrived.size() < n_threads) {
        wait_here(thread);
        return;
    }
    check_whole_warps(block, meeting);
    for (uint32_t t : meeting.arrived)
        if (t % 32 == 0)
            block.paths.meet(site, block.index, t / 32);
    block.clocks.join(meeting.arrived.data(),
                      static_cast<uint32_t>(meeting.arrived.size()));
    release(block, meeting);
}

} // namespace sim
