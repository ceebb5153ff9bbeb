/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx_hopper.cuh - the instructions that sm_90a alone has, one function each
 *
 * Under the rules of ptx.cuh; sim/ptx_hopper_sim.hpp declares the same functions
 * for the simulated GPU.  Addresses of shared memory and of barriers are those of
 * the shared window (shared_address()).
 */
#pragma once

#include "ptx.cuh"

#include <cuda.h>

namespace ptx
{

/* ---- Shared memory ----------------------------------------------------- */

/* What the launch asked for, 1,024-byte aligned, as a swizzle of 128 bytes wants
   it.  A kernel takes this one or dynamic_shared(), not both. */
__device__ __forceinline__ char *
dynamic_shared_1024()
{
    extern __shared__ __align__(1024) char oriel_dynamic_shared_1024[];
    return oriel_dynamic_shared_1024;
}

/*
 * Every store of this thread to shared memory so far is seen by the asynchronous
 * proxy (tensor copies, wgmma) of whoever meets this thread later.  A tensor copy
 * or a wgmma may touch what a thread stored only after that.
 */
__device__ __forceinline__ void
fence_async_shared()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* ---- Barriers ---------------------------------------------------------- */

/* Arrive at a named barrier as sync_named() does, but do not wait there. */
__device__ __forceinline__ void
named_arrive(uint32_t barrier, uint32_t threads)
{
    asm volatile("barrier.arrive.aligned %0, %1;" ::"r"(barrier), "r"(threads)
                 : "memory");
}

/* An mbarrier is 8 bytes of shared memory, 8-byte aligned.  Its phase ends when
   'arrivals' threads have arrived and all expected bytes have come. */
__device__ __forceinline__ void
mbarrier_init(uint32_t barrier, uint32_t arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier),
                 "r"(arrivals)
                 : "memory");
}

/* After this thread's mbarrier_init()s, and before the block meets: tensor copies
   and other blocks of the cluster see them. */
__device__ __forceinline__ void
mbarrier_fence()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/* What this thread did before is seen by who waits for the phase. */
__device__ __forceinline__ void
mbarrier_arrive(uint32_t barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier)
                 : "memory");
}

/* The same, and the phase also waits for so many bytes of tensor copies. */
__device__ __forceinline__ void
mbarrier_expect(uint32_t barrier, uint32_t bytes)
{
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
        "r"(bytes)
        : "memory");
}

/* Until the phase of this parity has ended: the first is 0, and the one before
   it, of parity 1, has. */
__device__ __forceinline__ void
mbarrier_wait(uint32_t barrier, uint32_t parity)
{
    asm volatile("{\n"
                 ".reg .pred ended;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
                 "@ended bra done;\n"
                 "bra again;\n"
                 "done:\n"
                 "}" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

/* ---- Tensor copies ----------------------------------------------------- */

/* The map's box from (column, row) on, to shared memory at a multiple of 128
   bytes; zeros where the tensor ends.  Its bytes count at the barrier. */
__device__ __forceinline__ void
tensor_load_2d(uint32_t shared, const CUtensorMap *map, int32_t column,
               int32_t row, uint32_t barrier)
{
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile"
        ".mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
            shared),
        "l"(map), "r"(column), "r"(row), "r"(barrier)
        : "memory");
}

} // namespace ptx
