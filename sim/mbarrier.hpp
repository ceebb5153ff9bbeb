/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbarrier.hpp - barriers in shared memory that also count bytes
 *
 * A GPU keeps one bit of a phase's number, so that a thread which is late by two
 * phases takes one for another.  Here the whole number is kept, and that is a
 * violation.  What was done before an arrival is known by who waited for its
 * phase, and so are the tensor copies whose bytes the phase counted: they are an
 * agent's deeds (clocks.hpp), at the time of one more than the phase's number.
 */
#pragma once

#include "clocks.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sim
{

struct Block;
struct Site;

struct Mbarrier {
    uint32_t arrivals;  /* that a phase takes */
    uint32_t pending;   /* that it still takes */
    int64_t bytes = 0;  /* expected and not there; below 0: there too early */
    uint32_t phase = 0; /* which has not ended, from 0 on */
    uint32_t agent;
    Known arriving, ended; /* by who has arrived in this phase, in the last */
    uint32_t maker;        /* the thread that initialised it, and when */
    Time made;
    Time fenced =
        0; /* when it made that visible to the other proxy; 0: never */
    Time copied = 0; /* of the agent: the last copy that it counted; 0: none */
    std::vector<uint32_t> waiting = {}; /* threads */
};

/* Those of a block, by where they are in shared memory. */
struct Mbarriers {
    std::map<size_t, Mbarrier> at;

    /* Whether one of them has a byte in common with these. */
    bool cover(size_t offset, size_t bytes) const
    {
        if (at.empty())
            return false;
        auto it = at.lower_bound(offset + bytes);
        return it != at.begin() && std::prev(it)->first + 8 > offset;
    }
};

/* ---- By the thread that runs now ---------------------------------------- */

void mbarrier_init(size_t offset, uint32_t arrivals, const Site &site,
                   const void *where);
/* What this thread has initialised is visible to the asynchronous proxy. */
void mbarrier_fence();
/* At one of this block, or of another of the cluster. */
void mbarrier_arrive(Block &block, size_t offset, uint32_t bytes,
                     const Site &site);
void mbarrier_wait(size_t offset, uint32_t parity, const Site &site);
/* The barrier whose phase is to count a tensor copy's bytes. */
const Mbarrier &mbarrier_count_copy(Block &block, size_t offset,
                                    const Site &site);

/* ---- By nobody ----------------------------------------------------------- */

/* Bytes have come: a fault of the launch if they were not expected. */
void mbarrier_complete(Block &block, size_t offset, uint32_t bytes);
/* What a block leaves unfinished when it ends, in words; else "". */
std::string mbarriers_left(const Block &block);

} // namespace sim
