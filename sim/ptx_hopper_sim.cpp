/* SPDX-License-Identifier: Apache-2.0 */
#include "ptx_hopper_sim.hpp"

#include "counters.h"
#include "grid.hpp"
#include "mbarrier.hpp"
#include "plants.hpp"
#include "registers.hpp"
#include "report.hpp"
#include "tensor_map.hpp"
#include "wgmma.hpp"

#include <cstring>

namespace ptx
{
namespace
{

/* The instruction that runs, on a GPU that has it. */
sim::Site
hopper(const char *kind, const char *file, int line)
{
    const int architecture = sim::current()->block->launch.architecture;

    if (architecture != 90)
        sim::violation("%s on a GPU of sm_%d, expected sm_90", kind,
                       architecture);
    return {kind, file, line};
}

/* Where in shared memory an address of the window is. */
size_t
offset_of(uint32_t address, const sim::Site &site)
{
    const sim::Block &block = *sim::current()->block;

    if (address < block.window() ||
        address >= block.window() + block.launch.shared_bytes)
        sim::violation("%s: address %u is not in shared memory",
                       site.text().c_str(), address);
    return address - block.window();
}

} // namespace

/* ---- Shared memory ----------------------------------------------------- */

char *
dynamic_shared_1024()
{
    return sim::current()->block->begin(true);
}

void
fence_async_shared()
{
    sim::Thread &thread = *sim::current();

    hopper("fence_async_shared", nullptr, 0);
    thread.block->shadow.proxy_fence(thread.block->clocks, thread.clock());
    sim::mbarrier_fence();
}

/* ---- Barriers ---------------------------------------------------------- */

void
named_arrive(uint32_t barrier, uint32_t threads, const char *file, int line)
{
    if (barrier == 0)
        sim::violation("barrier 0 is sync_block's own");
    sim::pass_block(hopper("named_arrive", file, line), barrier, threads);
}

void
mbarrier_init(uint32_t barrier, uint32_t arrivals, const char *file, int line)
{
    const sim::Site site = hopper("mbarrier_init", file, line);

    sim::mbarrier_init(offset_of(barrier, site), arrivals, site,
                       __builtin_return_address(0));
}

void
mbarrier_fence()
{
    hopper("mbarrier_fence", nullptr, 0);
    sim::mbarrier_fence();
}

void
mbarrier_arrive(uint32_t barrier, const char *file, int line)
{
    const sim::Site site = hopper("mbarrier_arrive", file, line);

    sim::mbarrier_arrive(*sim::current()->block, offset_of(barrier, site), 0,
                         site);
}

void
mbarrier_expect(uint32_t barrier, uint32_t bytes, const char *file, int line)
{
    const sim::Site site = hopper("mbarrier_expect", file, line);

    sim::mbarrier_arrive(*sim::current()->block, offset_of(barrier, site),
                         bytes, site);
}

void
mbarrier_wait(uint32_t barrier, uint32_t parity, const char *file, int line)
{
    const sim::Site site = hopper("mbarrier_wait", file, line);

    sim::mbarrier_wait(offset_of(barrier, site), parity, site);
}

/* ---- Tensor copies ----------------------------------------------------- */

void
tensor_load_2d(uint32_t shared, const CUtensorMap *map, int32_t column,
               int32_t row, uint32_t barrier, const char *file, int line)
{
    const sim::Site site = hopper("tensor_load_2d", file, line);

    sim::tensor_copy_issue(
        offset_of(shared, site), map, column, row, offset_of(barrier, site),
        1u << sim::current()->block->rank, site, __builtin_return_address(0));
}

/* ---- Clusters ------------------------------------------------------------ */

uint32_t
cluster_rank()
{
    return sim::current()->block->rank;
}

void
cluster_arrive(const char *file, int line)
{
    sim::cluster_arrive(hopper("cluster_arrive", file, line));
}

void
cluster_wait(const char *file, int line)
{
    sim::cluster_wait(hopper("cluster_wait", file, line));
}

void
mbarrier_arrive_remote(uint32_t barrier, uint32_t rank, const char *file,
                       int line)
{
    const sim::Site site = hopper("mbarrier_arrive_remote", file, line);

    sim::mbarrier_arrive(sim::cluster_peer(rank, site),
                         offset_of(barrier, site), 0, site);
}

void
tensor_load_2d_multicast(uint32_t shared, const CUtensorMap *map,
                         int32_t column, int32_t row, uint32_t barrier,
                         uint16_t ranks, const char *file, int line)
{
    const sim::Site site = hopper("tensor_load_2d_multicast", file, line);

    if (ranks == 0)
        sim::violation("%s: to no block", site.text().c_str());
    sim::tensor_copy_issue(offset_of(shared, site), map, column, row,
                           offset_of(barrier, site), ranks, site,
                           __builtin_return_address(0));
}

/* ---- Fragments and registers --------------------------------------------- */

namespace
{

/* What one lane brings to a store of matrices. */
struct Stored {
    size_t offset;
    const uint32_t *registers;
    const void *where;
};

void
store_matrices(sim::Block &block, uint32_t warp, void **brought)
{
    for (uint32_t m = 0; m < 4; m++) {
        size_t offsets[8];

        for (uint32_t i = 0; i < 8; i++) {
            const uint32_t l = m * 8 + i;
            const Stored &lane = *static_cast<Stored *>(brought[l]);
            const uint32_t of =
                sim::planted == sim::Plant::STMATRIX_ROW && i == 7 ? 6 : i;
            uint32_t row[4];

            for (uint32_t t = 0; t < 4; t++)
                row[t] =
                    static_cast<Stored *>(brought[4 * of + t])->registers[m];
            sim::shared_access(block.threads[warp * 32 + l],
                               block.shared + lane.offset, sizeof(row), true,
                               lane.where);
            memcpy(block.shared + lane.offset, row, sizeof(row));
            offsets[i] = lane.offset;
        }
        if (sim::counting)
            sim::count_matrix(offsets, sim::Matrices::STORED);
    }
}

} // namespace

void
store_matrix_x4(uint32_t address, const uint32_t (&r)[4], const char *file,
                int line)
{
    const sim::Site site = hopper("store_matrix_x4", file, line);
    Stored mine = {offset_of(address, site), r, __builtin_return_address(0)};

    sim::meet_warp(site, &mine, store_matrices);
}

void
registers_change(const char *kind, uint32_t registers, bool more,
                 const char *file, int line)
{
    sim::registers_change(hopper(kind, file, line), registers, more);
}

/* ---- Products of a warpgroup --------------------------------------------- */

void
wgmma_fence(const char *file, int line)
{
    sim::wgmma_fence(hopper("wgmma_fence", file, line));
}

void
wgmma_commit(const char *file, int line)
{
    sim::wgmma_commit(hopper("wgmma_commit", file, line));
}

void
wgmma_wait_groups(uint32_t groups_left, const char *file, int line)
{
    sim::wgmma_wait(hopper("wgmma_wait", file, line), groups_left);
}

void
wgmma_touch(const void *registers, size_t bytes)
{
    sim::check_registers(*sim::current(), registers, bytes,
                         __builtin_return_address(0));
}

void
wgmma_issue(const char *kind, const Wgmma &said, float *d, const char *file,
            int line)
{
    sim::wgmma_issue({hopper(kind, file, line), said.columns, said.a, said.b,
                      said.registers != nullptr, said.a_mn_major,
                      said.b_mn_major, said.add, __builtin_return_address(0)},
                     d, said.registers);
}

} // namespace ptx
