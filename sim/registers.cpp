/* SPDX-License-Identifier: Apache-2.0 */
#include "registers.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <algorithm>

namespace sim
{
namespace
{

constexpr uint32_t LANES = 32, GROUP_WARPS = 4;
constexpr uint32_t FILE_REGISTERS = 65536, THREAD_MOST = 255, UNIT = 8;

/* What ptxas may give each thread of so large a block. */
uint32_t
at_launch(uint32_t threads)
{
    return std::min(FILE_REGISTERS / threads / UNIT * UNIT, THREAD_MOST);
}

struct Brought {
    uint32_t registers;
    bool more;
};

/* The four warps of a warpgroup make the same changes in the same order. */
void
agree(Block &block, uint32_t warp, const Site &site, uint32_t registers)
{
    Registers &r = block.registers;
    const uint32_t group = warp / GROUP_WARPS;

    r.warps.resize(block.warps.size());
    r.changes.resize(block.warps.size() / GROUP_WARPS);
    if (group >= r.changes.size())
        violation("%s: warp %u is of no warpgroup", site.text().c_str(), warp);
    const uint32_t n = r.warps[warp].changes++;
    std::vector<Registers::Change> &made = r.changes[group];
    if (made.size() == n)
        made.push_back({registers, site.file, site.line});
    if (made[n].registers != registers || made[n].line != site.line ||
        made[n].file != site.file)
        violation("%s: warp %u sets its registers to %u, another of its "
                  "warpgroup to %u at line %d",
                  site.text().c_str(), warp, registers, made[n].registers,
                  made[n].line);
}

void
change(Block &block, uint32_t warp, void **brought)
{
    const Brought &said = *static_cast<Brought *>(brought[0]);
    const Site &site = block.threads[warp * LANES].site;

    agree(block, warp, site, said.registers);
    Registers::Warp &w = block.registers.warps[warp];
    if (w.each == 0)
        w.each = at_launch(block.launch.threads);
    if (said.more ? said.registers < w.each : said.registers > w.each)
        violation(
            "%s: warp %u has %u registers a thread, and is to have %s, %u",
            site.text().c_str(), warp, w.each, said.more ? "more" : "fewer",
            said.registers);
    w.wanted = said.registers;
    if (said.more)
        return;
    block.registers.free += int64_t{w.each - said.registers} * LANES;
    w.each = said.registers;
    for (uint32_t t : block.registers.waiting)
        block.threads[t].waiting = false;
    block.registers.waiting.clear();
}

} // namespace

void
registers_change(const Site &site, uint32_t registers, bool more)
{
    Thread &thread = *current();
    Block &block = *thread.block;
    Brought mine = {registers, more};

    meet_warp(site, &mine, change);
    Registers &r = block.registers;
    Registers::Warp &w = r.warps[thread.index / LANES];
    while (w.each < w.wanted) {
        const int64_t more_each = w.wanted - w.each;

        if (r.free >= more_each * LANES) { /* the first lane takes for all */
            r.free -= more_each * LANES;
            w.each = w.wanted;
            break;
        }
        r.waiting.push_back(thread.index);
        thread.waiting = true;
        thread.fiber.suspend();
    }
}

std::string
registers_left(const Block &block)
{
    const Registers &r = block.registers;

    for (uint32_t w = 0; w < r.warps.size(); w++)
        if (r.warps[w].changes != r.changes[w / GROUP_WARPS].size())
            return "warp " + std::to_string(w) + " of block " +
                   std::to_string(block.index) +
                   " changes its registers less often than its warpgroup";
    return "";
}

} // namespace sim
