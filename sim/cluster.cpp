/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <utility>

namespace sim
{
namespace
{

/* All threads that have not ended have arrived: the next phase begins. */
void
go_on(Cluster &cluster)
{
    uint32_t alive = 0;

    for (const auto &block : cluster.blocks)
        alive += block->launch.threads - block->n_done;
    if (cluster.arrived == 0 || cluster.arrived < alive)
        return;
    cluster.phase++;
    cluster.arrived = 0;
    cluster.ended = std::exchange(cluster.arriving, nullptr);
    for (Thread *thread : cluster.waiting)
        thread->waiting = false;
    cluster.waiting.clear();
}

} // namespace

Cluster::Cluster(Launch &launch, uint32_t first)
    : clocks(launch.cluster * launch.threads)
{
    for (uint32_t rank = 0; rank < launch.cluster; rank++)
        blocks.push_back(
            std::make_unique<Block>(launch, first + rank, *this, rank));
}

Cluster::~Cluster() = default;

void
cluster_arrive(const Site &site)
{
    Thread &thread = *current();
    Cluster &cluster = thread.block->cluster;

    if (thread.in_cluster_barrier)
        violation("%s: a second arrival at the cluster's barrier, with no "
                  "cluster_wait between",
                  site.text().c_str());
    cluster.clocks.release(thread.clock(), cluster.arriving);
    thread.in_cluster_barrier = true;
    thread.cluster_phase = cluster.phase;
    cluster.arrived++;
    go_on(cluster);
}

void
cluster_wait(const Site &site)
{
    Thread &thread = *current();
    Cluster &cluster = thread.block->cluster;

    if (!thread.in_cluster_barrier)
        violation("%s: a wait at the cluster's barrier with no cluster_arrive",
                  site.text().c_str());
    thread.site = site;
    while (cluster.phase == thread.cluster_phase) {
        cluster.waiting.push_back(&thread);
        thread.waiting = true;
        thread.fiber.suspend();
    }
    thread.in_cluster_barrier = false;
    cluster.clocks.acquire(thread.clock(), cluster.ended);
}

Block &
cluster_peer(uint32_t rank, const Site &site)
{
    Cluster &cluster = current()->block->cluster;

    if (rank >= cluster.blocks.size())
        violation("%s: block %u of a cluster of %zu", site.text().c_str(), rank,
                  cluster.blocks.size());
    Block &block = *cluster.blocks[rank];
    if (block.n_done == block.launch.threads)
        violation("%s: block %u of the cluster has ended, and its shared "
                  "memory with it",
                  site.text().c_str(), rank);
    return block;
}

void
cluster_leave(Thread &thread)
{
    if (thread.in_cluster_barrier)
        launch_fault("thread %u of block %u ends between cluster_arrive and "
                     "cluster_wait",
                     thread.index, thread.block->index);
    go_on(thread.block->cluster);
}

} // namespace sim
