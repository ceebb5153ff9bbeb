/* SPDX-License-Identifier: Apache-2.0 */
#include "paths.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace sim
{
namespace
{

constexpr uint32_t LANES = 32;

using Code = int32_t; /* a block of code: how far it is from our own */
using Way = std::vector<Code>;

/* Two lanes that came to one meeting by different ways. */
struct Parted {
    Site site;
    uint32_t block, thread, other;
    Way way, other_way;
};

/* All blocks of code that were ever run, and which followed which. */
std::map<Code, std::set<Code>> followers;
std::set<Code> entries;
std::unordered_set<uint64_t> walked, compared;       /* by hash */
std::map<std::tuple<Code, Code, Code>, bool> judged; /* by ends_round() */
std::vector<Parted> parted;                          /* of this launch */
/* Rooms for as many threads as a block can have. */
std::vector<std::unique_ptr<int32_t[]>> pool;

thread_local Path *running; /* null in host code */

uint64_t
hash_with(uint64_t hash, Code next)
{
    return (hash ^ static_cast<uint32_t>(next)) * 0x9E3779B97F4A7C15u;
}

/* Learn from a way, or from the rest that is kept of it, what follows what. */
void
walk(const Path &path)
{
    uint64_t hash = path.whole ? path.hash : 0;

    for (uint32_t i = 0; i < path.n && !path.whole; i++)
        hash = hash_with(hash, path.blocks[i]);
    if (path.n == 0 || !walked.insert(hash).second)
        return;
    for (uint32_t i = 1; i < path.n; i++)
        if (followers[path.blocks[i - 1]].insert(path.blocks[i]).second)
            judged.clear();
}

void
begin_anew(Path &path)
{
    path.blocks[0] = path.blocks[path.n - 1];
    path.n = 1;
    path.whole = true;
    path.hash = static_cast<uint32_t>(path.blocks[0]);
}

/* The room is full.  What followed what must be known even so: loops would be
   made out wrongly from a part of it. */
void
make_room(Path &path)
{
    walk(path);
    path.blocks[0] = path.blocks[path.n - 1];
    path.n = 1;
    path.whole = false;
}

/* Whether one can come from a block to another without passing a third. */
bool
reaches(Code from, Code to, Code without)
{
    Way open = {from};
    std::set<Code> seen = {from, without};

    if (from == without)
        return false;
    while (!open.empty()) {
        Code at = open.back();

        open.pop_back();
        if (at == to)
            return true;
        for (Code next : followers[at])
            if (seen.insert(next).second)
                open.push_back(next);
    }
    return false;
}

/*
 * Whether the step from 'last' to 'head' ends a round of a loop in which 'place'
 * lies: there is no way to 'last' but through 'head', and one from 'place' to
 * 'last' that does not pass there.
 */
bool
ends_round(Code last, Code head, Code place)
{
    const auto [found, is_new] = judged.insert({{last, head, place}, false});

    if (is_new)
        found->second =
            (place == head || reaches(place, last, head)) &&
            std::none_of(entries.begin(), entries.end(), [=](Code entry) {
                return reaches(entry, last, head);
            });
    return found->second;
}

/* Rounds that end after the first 'skip' blocks of a way. */
int
rounds(const Way &way, size_t skip)
{
    int n = 0;

    for (size_t i = skip; i < way.size(); i++)
        n += ends_round(way[i - 1], way[i], way.back());
    return n;
}

std::string
describe(const Parted &p, int n, int other)
{
    return "lanes meet at " + p.site.text() +
           " in different rounds of a loop: thread " +
           std::to_string(p.thread) + " of block " + std::to_string(p.block) +
           " went round " + std::to_string(n) +
           " times since they were together, thread " +
           std::to_string(p.other) + " " + std::to_string(other) + " times";
}

} // namespace

Paths::Paths(uint32_t n_threads) : paths_(n_threads)
{
    if (pool.empty())
        pool.emplace_back(new int32_t[size_t{1024} * PATH_ROOM]);
    room_ = std::move(pool.back());
    pool.pop_back();
    for (uint32_t t = 0; t < n_threads; t++)
        paths_[t] = {0, 0, true, room_.get() + size_t{t} * PATH_ROOM};
}

Paths::~Paths()
{
    pool.push_back(std::move(room_));
}

void
Paths::resume(uint32_t thread)
{
    running = &paths_[thread];
}

void
Paths::suspend()
{
    running = nullptr;
}

void
Paths::meet(const Site &site, uint32_t block, uint32_t warp)
{
    Path *lanes = &paths_[warp * LANES];
    bool together = true;

    for (uint32_t l = 1; l < LANES; l++)
        together &= lanes[l].hash == lanes[0].hash;
    if (together && lanes[0].whole && lanes[0].n < PATH_ROOM / 2)
        return;
    walk(lanes[0]);
    for (uint32_t l = 1; l < LANES && !together; l++) {
        const Path &a = lanes[0], &b = lanes[l];

        walk(b);
        if (a.hash != b.hash && a.whole && b.whole &&
            compared.insert(a.hash * 31 + b.hash).second)
            parted.push_back({site, block, warp * LANES, warp * LANES + l,
                              Way(a.blocks, a.blocks + a.n),
                              Way(b.blocks, b.blocks + b.n)});
    }
    for (uint32_t l = 0; l < LANES; l++)
        begin_anew(lanes[l]);
}

void
Paths::end(uint32_t thread)
{
    walk(paths_[thread]);
}

std::string
paths_judge()
{
    std::vector<Parted> all;

    all.swap(parted);
    for (const Parted &p : all) {
        size_t shared = 1;

        while (shared < std::min(p.way.size(), p.other_way.size()) &&
               p.way[shared] == p.other_way[shared])
            shared++;
        int n = rounds(p.way, shared), other = rounds(p.other_way, shared);
        if (n != other)
            return describe(p, n, other);
    }
    return "";
}

} // namespace sim

/* A kernel calls this at the beginning of each of its blocks of code. */
extern "C" void __sanitizer_cov_trace_pc();
void
__sanitizer_cov_trace_pc()
{
    sim::Path *path = sim::running;
    const sim::Code at = static_cast<sim::Code>(
        reinterpret_cast<intptr_t>(__builtin_return_address(0)) -
        reinterpret_cast<intptr_t>(&sim::host_violation));

    if (!path)
        return; /* a kernel's helper, called by the host */
    if (path->n == 0 && sim::entries.insert(at).second)
        sim::judged.clear();
    if (path->n == sim::PATH_ROOM)
        sim::make_room(*path);
    path->hash = sim::hash_with(path->hash, at);
    path->blocks[path->n++] = at;
}
