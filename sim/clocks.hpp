/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clocks.hpp - what each thread of a block knows of the others
 *
 * Vector clocks: thread i has seen everything that thread j did up to time
 * seen(i, j).  A barrier makes its participants know what all of them knew.
 * Two accesses to one place, one of them a write, must be ordered by this, or
 * the hardware may order them either way.
 */
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace sim
{

using Time = uint32_t;

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
        return thread == other || time <= (*known_[thread])[other];
    }
    /* These threads met: each now knows what any of them knew. */
    void join(const uint32_t *threads, uint32_t n);

  private:
    using Knowledge = std::vector<Time>;
    std::vector<Time> now_;
    std::vector<std::shared_ptr<const Knowledge>> known_;
};

} // namespace sim
