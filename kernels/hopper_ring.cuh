/* SPDX-License-Identifier: Apache-2.0 */
/* hopper_ring.cuh - what kernels share that copy tiles into a ring of stages */
#pragma once

#include "mma_desc.cuh"

#include <ptx_hopper.cuh>

namespace hopper_ring
{

constexpr int GROUP_THREADS = 128, GROUP_WARPS = 4;
constexpr int GROUP_ROWS = 64; /* of a warpgroup's products */
constexpr int WARP_ROWS = 16;
constexpr int BARRIER_BYTES = 8, BARRIERS_BYTES = 1024;
/* The most that a block may have of shared memory. */
constexpr int SHARED_MOST = 232448;
/* Registers of a warpgroup that copies, and of two that multiply. */
constexpr int COPY_REGISTERS = 40, MULTIPLY_REGISTERS = 232;

/* Which stage is next, and the parity of its phase for who waits until it is full;
   who waits until it is empty takes the other one, so that the first round
   passes. */
template <int STAGES> struct Turn {
    uint32_t stage = 0, parity = 0;

    __device__ __forceinline__ void next()
    {
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

/* One lane of each warp that read a stage, after it was read. */
__device__ __forceinline__ void
release(uint32_t empty)
{
    if (ptx::thread_index() % 32 == 0)
        ptx::mbarrier_arrive(empty);
}

} // namespace hopper_ring
