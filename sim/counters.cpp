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

constexpr size_t WORD = 4, BANKS = 32, SECTOR = 32;
constexpr uint32_t WARP = 32;

struct Lane {
    uint32_t lane;
    uintptr_t at;
    size_t bytes;
};

/* Memory, block, warp, place, visit. */
using Request =
    std::tuple<sim::Traffic, uint32_t, uint32_t, const void *, uint32_t>;
/* Memory, block, thread, place. */
using Visitor = std::tuple<sim::Traffic, uint32_t, uint32_t, const void *>;

sim_counters counters;
std::map<Request, std::vector<Lane>> requests;
std::map<Visitor, uint32_t> visits;

/* The most words that one bank has, among lanes that are served together. */
uint64_t
phases(const std::vector<Lane> &lanes)
{
    std::set<uintptr_t> banks[BANKS];
    size_t most = 0;

    for (const Lane &lane : lanes)
        for (uintptr_t word = lane.at / WORD;
             word * WORD < lane.at + lane.bytes; word++)
            banks[word % BANKS].insert(word);
    for (const auto &words : banks)
        most = std::max(most, words.size());
    return most;
}

/* How many lanes are served together. */
uint32_t
group_lanes(size_t bytes)
{
    return bytes <= WORD ? WARP : bytes <= 2 * WORD ? WARP / 2 : WARP / 4;
}

void
count_banks(sim_banks &banks, const std::vector<Lane> &lanes)
{
    std::vector<Lane> groups[4];

    for (const Lane &lane : lanes)
        groups[lane.lane / group_lanes(lanes[0].bytes)].push_back(lane);
    banks.requests++;
    for (const auto &group : groups) {
        banks.phases += phases(group);
        banks.least += !group.empty();
    }
}

void
count_sectors(sim_sectors &moved, const std::vector<Lane> &lanes)
{
    std::set<uintptr_t> sectors, seen;
    size_t bytes = 0;

    for (const Lane &lane : lanes) {
        for (uintptr_t s = lane.at / SECTOR; s * SECTOR < lane.at + lane.bytes;
             s++)
            sectors.insert(s);
        if (seen.insert(lane.at).second)
            bytes += lane.bytes;
    }
    moved.requests++;
    moved.sectors += sectors.size();
    moved.needed += (bytes + SECTOR - 1) / SECTOR;
}

void
count_request(sim::Traffic traffic, const std::vector<Lane> &lanes)
{
    switch (traffic) {
    case sim::Traffic::ARRIVALS:
        return count_banks(counters.arrivals, lanes);
    case sim::Traffic::SHARED_LOADS:
        return count_banks(counters.shared_loads, lanes);
    case sim::Traffic::SHARED_STORES:
        return count_banks(counters.shared_stores, lanes);
    case sim::Traffic::COPIES:
        return count_sectors(counters.copies, lanes);
    case sim::Traffic::LOADS:
        return count_sectors(counters.loads, lanes);
    case sim::Traffic::STORES:
        return count_sectors(counters.stores, lanes);
    }
}

} // namespace

namespace sim
{

bool counting;

void
count_matrix(const size_t (&offsets)[8], Matrices which)
{
    sim_banks &banks = which == Matrices::LOADED   ? counters.matrices
                       : which == Matrices::STORED ? counters.stored_matrices
                                                   : counters.operands;
    std::vector<Lane> rows;

    for (uint32_t i = 0; i < 8; i++)
        rows.push_back({i, offsets[i], 16});
    count_banks(banks, rows);
}

void
count_box(const std::vector<std::pair<uintptr_t, size_t>> &rows)
{
    std::vector<Lane> lanes;

    for (const auto &[at, bytes] : rows)
        lanes.push_back({0, at, bytes});
    count_sectors(counters.boxes, lanes);
}

void
count_access(Traffic traffic, uint32_t block, uint32_t thread,
             const void *where, uintptr_t at, size_t bytes)
{
    const uint32_t visit = visits[{traffic, block, thread, where}]++;

    requests[{traffic, block, thread / WARP, where, visit}].push_back(
        {thread % WARP, at, bytes});
}

void
close_requests()
{
    for (const auto &[request, lanes] : requests)
        count_request(std::get<0>(request), lanes);
    requests.clear();
    visits.clear();
}

} // namespace sim

void
sim_start_counters(void)
{
    counters = {};
    sim::counting = true;
}

sim_counters
sim_take_counters(void)
{
    sim::counting = false;
    return counters;
}
