/* SPDX-License-Identifier: Apache-2.0 */
/* counters.cpp - bank phases and sectors: counters.h */
#include "counters.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace
{

constexpr size_t CHUNK = 16, GROUPS = 8, SECTOR = 32;

struct Copy {
    uint32_t lane;
    size_t offset;
    uintptr_t source;
    bool read;
};

/* Block, warp, place, visit. */
using Request = std::tuple<uint32_t, uint32_t, const void *, uint32_t>;
/* Block, thread, place. */
using Visitor = std::tuple<uint32_t, uint32_t, const void *>;

sim_counters counters;
std::map<Request, std::vector<Copy>> requests;
std::map<Visitor, uint32_t> visits;

/* Phases of 16-byte accesses: equal addresses are served together. */
uint64_t
phases(const std::vector<size_t> &offsets)
{
    std::set<size_t> groups[GROUPS];
    size_t most = 0;

    for (size_t offset : offsets)
        groups[offset / CHUNK % GROUPS].insert(offset);
    for (const auto &group : groups)
        most = std::max(most, group.size());
    return most;
}

void
count_request(const std::vector<Copy> &lanes)
{
    std::vector<size_t> quarters[4];
    std::set<uintptr_t> sectors;
    size_t bytes = 0;

    for (const Copy &copy : lanes) {
        quarters[copy.lane / 8].push_back(copy.offset);
        if (!copy.read)
            continue;
        sectors.insert(copy.source / SECTOR);
        bytes += CHUNK;
    }
    counters.copies++;
    for (const auto &quarter : quarters) {
        counters.copy_phases += phases(quarter);
        counters.copy_least += !quarter.empty();
    }
    counters.copy_sectors += sectors.size();
    counters.copy_needed += (bytes + SECTOR - 1) / SECTOR;
}

} // namespace

namespace sim
{

void
count_matrix(const size_t (&offsets)[8])
{
    counters.matrices++;
    counters.matrix_phases += phases({offsets, offsets + 8});
}

void
count_copy(uint32_t block, uint32_t thread, const void *where, size_t offset,
           const void *source, bool read)
{
    const uint32_t visit = visits[{block, thread, where}]++;

    requests[{block, thread / 32, where, visit}].push_back(
        {thread % 32, offset, reinterpret_cast<uintptr_t>(source), read});
}

void
close_requests()
{
    for (const auto &request : requests)
        count_request(request.second);
    requests.clear();
    visits.clear();
}

} // namespace sim

sim_counters
sim_take_counters(void)
{
    const sim_counters taken = counters;

    counters = {};
    return taken;
}
