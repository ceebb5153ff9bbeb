/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.hpp - blocks that are resident together, and their barrier
 *
 * Their threads are numbered through, block after block, in clocks and reports.  A
 * launch without clusters has one of each block.
 */
#pragma once

#include "clocks.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sim
{

struct Block;
struct Launch;
struct Site;
struct Thread;

struct Cluster {
    /* The blocks from 'first' on. */
    Cluster(Launch &launch, uint32_t first);
    ~Cluster();

    Clocks clocks;
    std::vector<std::unique_ptr<Block>> blocks;
    uint32_t phase = 0, arrived = 0; /* of the barrier */
    Known arriving, ended;           /* by who has arrived, in the last phase */
    std::vector<Thread *> waiting = {};
};

/* ---- By the thread that runs now ----------------------------------------- */

void cluster_arrive(const Site &site);
void cluster_wait(const Site &site);
/* The block of this rank, which has not ended. */
Block &cluster_peer(uint32_t rank, const Site &site);

/* ---- By nobody ----------------------------------------------------------- */

/* A thread has ended: its barrier waits for it no more. */
void cluster_leave(Thread &thread);

} // namespace sim
