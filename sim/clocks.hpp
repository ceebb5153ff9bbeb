/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clocks.hpp - what each thread of a block knows of the others
 *
 * Vector clocks: thread i has seen everything that thread j did up to time
 * seen(i, j).  A barrier makes its participants know what all of them knew.  Agents
 * are numbered after the threads; what they do is known by whoever waited for it.
 * Two accesses to one place, one of them a write, must be ordered by this, or
 * the hardware may order them either way.
 */
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace sim
{

using Time = uint32_t;

/* Up to which time each thread and agent is known; none are left off at the end
   of whom nothing is known. */
using Knowledge = std::vector<Time>;
using Known = std::shared_ptr<const Knowledge>;

inline bool
is_known(const Knowledge &knowledge, uint32_t whom, Time time)
{
    return whom < knowledge.size() && time <= knowledge[whom];
}

class Clocks
{
  public:
    explicit Clocks(uint32_t n_threads);

    Time now(uint32_t thread) const
    {
        return now_[thread];
    }
    /* Whether 'thread' knows what 'other' did at 'time'. */
    bool knows(uint32_t thread, uint32_t other, Time time) const
    {
        return thread == other || is_known(*known_[thread], other, time);
    }
    const Known &known(uint32_t thread) const
    {
        return known_[thread];
    }
    /* These threads met: each now knows what any of them knew. */
    void join(const uint32_t *threads, uint32_t n);

    /* What acts beside the threads, as the engine of asynchronous copies does. */
    uint32_t add_agent();
    /* Add to 'into' (may be null) what a thread has done and what it knows. */
    void release(uint32_t thread, Known &into);
    /* The thread knows it, too. */
    void acquire(uint32_t thread, const Known &from);
    /* 'n' threads from 'first' on know of an agent up to 'time'. */
    void learn(uint32_t first, uint32_t n, uint32_t agent, Time time);

  private:
    std::vector<Time> now_;
    std::vector<Known> known_;
    uint32_t n_agents_ = 0;
    struct Merged {
        Known before, from, after;
    };
    std::array<Merged, 16>
        merged_; /* by the last acquire()s, the oldest next */
    size_t next_merged_ = 0;
};

} // namespace sim
