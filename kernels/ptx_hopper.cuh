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

/* ---- Clusters ----------------------------------------------------------- */

/* Which of the blocks that are resident together this is. */
__device__ __forceinline__ uint32_t
cluster_rank()
{
    uint32_t rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)::"memory");
    return rank;
}

/* The barrier of all threads of the cluster, in two halves.  No block may end while
   another arrives at its barriers or copies to its shared memory. */
__device__ __forceinline__ void
cluster_arrive()
{
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
}

__device__ __forceinline__ void
cluster_wait()
{
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

/* mbarrier_arrive() at the mbarrier that another block has at the same place. */
__device__ __forceinline__ void
mbarrier_arrive_remote(uint32_t barrier, uint32_t rank)
{
    asm volatile("{\n"
                 ".reg .b32 remote;\n"
                 "mapa.shared::cluster.u32 remote, %0, %1;\n"
                 "mbarrier.arrive.release.cluster.shared::cluster.b64 _, "
                 "[remote];\n"
                 "}" ::"r"(barrier),
                 "r"(rank)
                 : "memory");
}

/* tensor_load_2d() to the same place of each block whose rank is a bit of 'ranks', and
   counted at its own barrier. */
__device__ __forceinline__ void
tensor_load_2d_multicast(uint32_t shared, const CUtensorMap *map,
                         int32_t column, int32_t row, uint32_t barrier,
                         uint16_t ranks)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile"
                 ".mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared),
                 "l"(map), "r"(column), "r"(row), "r"(barrier), "h"(ranks)
                 : "memory");
}

/* ---- Fragments and registers -------------------------------------------- */

/* The inverse of ldmatrix_x4: lanes 8i to 8i + 7 give the addresses of the rows of
   matrix i, 16 bytes each, and register i of a lane is of row lane / 4, columns 2
   (lane % 4) and one more. */
__device__ __forceinline__ void
store_matrix_x4(uint32_t address, const uint32_t (&r)[4])
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], "
                 "{%1, %2, %3, %4};" ::"r"(address),
                 "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
                 : "memory");
}

/* Each thread of a warpgroup has so many registers from now on: it waits until they
   are there.  All four warps do it, before anything else of their part. */
template <int REGISTERS>
__device__ __forceinline__ void
registers_up()
{
    static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256,
                  "a multiple of 8, of 24 to 256");
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS)
                 : "memory");
}

/* Gives the others back. */
template <int REGISTERS>
__device__ __forceinline__ void
registers_down()
{
    static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256,
                  "a multiple of 8, of 24 to 256");
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS)
                 : "memory");
}

/* ---- Products of a warpgroup -------------------------------------------- */

/*
 * d = a b, or d += a b where 'add', with a 64 x 16 and b 16 x COLUMNS in bf16, d in
 * fp32; asynchronous, by four warps in sequence, which are a warpgroup.  d[4j ..
 * 4j + 3] of lane l of warp w are of rows 16w + l / 4 and 8 more, columns 8j + 2 (l %
 * 4) and one more, in the order of mma_m16n8k16_bf16(); so is a in registers.
 * Operands in shared memory are told by mma_desc.cuh.
 *
 * From the product on until wgmma_wait() the registers d and a may not be touched.
 * Before the first product, and after registers were touched, wgmma_fence() orders
 * them.  Each instruction is for whole warps, and waits for none but its own.
 */
__device__ __forceinline__ void
wgmma_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/* What was issued since the last commit is a group. */
__device__ __forceinline__ void
wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* Until at most GROUPS_LEFT of this warp's groups are under way. */
template <int GROUPS_LEFT>
__device__ __forceinline__ void
wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(GROUPS_LEFT)
                 : "memory");
}

/* Uses of these registers stay on their side of this: a compiler does not know that
   a product fills them later.  It stands before wgmma_fence() and after
   wgmma_wait(). */
template <int REGISTERS>
__device__ __forceinline__ void
wgmma_hold(float (&d)[REGISTERS])
{
#pragma unroll
    for (int i = 0; i < REGISTERS; i++)
        asm volatile("" : "+f"(d[i])::"memory");
}

template <int REGISTERS>
__device__ __forceinline__ void
wgmma_hold(uint32_t (&a)[REGISTERS])
{
#pragma unroll
    for (int i = 0; i < REGISTERS; i++)
        asm volatile("" : "+r"(a[i])::"memory");
}

/* d's registers, as operands and in the text of an instruction. */
#define ORIEL_D8(i) \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), \
        "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define ORIEL_D32 ORIEL_D8(0), ORIEL_D8(8), ORIEL_D8(16), ORIEL_D8(24)
#define ORIEL_D40 ORIEL_D32, ORIEL_D8(32)
#define ORIEL_D64 ORIEL_D40, ORIEL_D8(40), ORIEL_D8(48), ORIEL_D8(56)
#define ORIEL_D80 ORIEL_D64, ORIEL_D8(64), ORIEL_D8(72)
#define ORIEL_D128 \
    ORIEL_D80, ORIEL_D8(80), ORIEL_D8(88), ORIEL_D8(96), ORIEL_D8(104), \
        ORIEL_D8(112), ORIEL_D8(120)
#define ORIEL_T32 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, " \
    "%14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, " \
    "%26, %27, %28, %29, %30, %31"
#define ORIEL_T40 \
    ORIEL_T32 \
    ", %32, %33, %34, %35, %36, %37, %38, %39"
#define ORIEL_T64 \
    ORIEL_T40 ", " \
              "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, " \
              "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define ORIEL_T80 \
    ORIEL_T64 ", " \
              "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, " \
              "%76, %77, %78, %79"
#define ORIEL_T128 \
    ORIEL_T80 ", " \
              "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, " \
              "%92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, " \
              "%103, %104, %105, %106, %107, %108, %109, %110, %111, %112, " \
              "%113, %114, %115, %116, %117, %118, %119, %120, %121, %122, " \
              "%123, %124, %125, %126, %127"

/* COLUMNS, half as many registers, and the numbers of the operands after them. */
#define ORIEL_WGMMA_SS(columns, registers, a_, b_, add_, a_mn, b_mn) \
    asm volatile("{\n" \
                 ".reg .pred add;\n" \
                 "setp.ne.b32 add, %" #add_ ", 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" #columns \
                 "k16.f32.bf16.bf16 {" ORIEL_T##registers \
                 "}, %" #a_ ", %" #b_ ", add, 1, 1, %" #a_mn ", %" #b_mn ";\n" \
                 "}" \
                 : ORIEL_D##registers \
                 : "l"(a), "l"(b), "r"((int32_t)add), "n"(A_MN_MAJOR), \
                   "n"(B_MN_MAJOR) \
                 : "memory")

/* Both operands in shared memory. */
template <int COLUMNS, bool A_MN_MAJOR, bool B_MN_MAJOR>
__device__ __forceinline__ void
wgmma_ss(float (&d)[COLUMNS / 2], uint64_t a, uint64_t b, bool add)
{
    static_assert(COLUMNS == 64 || COLUMNS == 80 || COLUMNS == 128 ||
                      COLUMNS == 160 || COLUMNS == 256,
                  "no kernel has such a tile");
    if constexpr (COLUMNS == 64)
        ORIEL_WGMMA_SS(64, 32, 32, 33, 34, 35, 36);
    else if constexpr (COLUMNS == 80)
        ORIEL_WGMMA_SS(80, 40, 40, 41, 42, 43, 44);
    else if constexpr (COLUMNS == 128)
        ORIEL_WGMMA_SS(128, 64, 64, 65, 66, 67, 68);
    else if constexpr (COLUMNS == 160)
        ORIEL_WGMMA_SS(160, 80, 80, 81, 82, 83, 84);
    else
        ORIEL_WGMMA_SS(256, 128, 128, 129, 130, 131, 132);
}
#undef ORIEL_WGMMA_SS

#define ORIEL_WGMMA_RS(columns, registers, a0, a1, a2, a3, b_, add_, b_mn) \
    asm volatile("{\n" \
                 ".reg .pred add;\n" \
                 "setp.ne.b32 add, %" #add_ ", 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" #columns \
                 "k16.f32.bf16.bf16 {" ORIEL_T##registers \
                 "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b_ \
                 ", add, 1, 1, %" #b_mn ";\n" \
                 "}" \
                 : ORIEL_D##registers \
                 : "r"(a[first]), "r"(a[first + 1]), "r"(a[first + 2]), \
                   "r"(a[first + 3]), "l"(b), "r"((int32_t)add), \
                   "n"(B_MN_MAJOR) \
                 : "memory")

/* a in registers, the four from a[first] on; 'first' is a constant once loops are
   unrolled. */
template <int COLUMNS, bool B_MN_MAJOR, int REGISTERS>
__device__ __forceinline__ void
wgmma_rs(float (&d)[COLUMNS / 2], uint32_t (&a)[REGISTERS], int first,
         uint64_t b, bool add)
{
    static_assert(COLUMNS == 64 || COLUMNS == 80 || COLUMNS == 128,
                  "no kernel has such a tile");
    if constexpr (COLUMNS == 64)
        ORIEL_WGMMA_RS(64, 32, 32, 33, 34, 35, 36, 37, 38);
    else if constexpr (COLUMNS == 80)
        ORIEL_WGMMA_RS(80, 40, 40, 41, 42, 43, 44, 45, 46);
    else
        ORIEL_WGMMA_RS(128, 64, 64, 65, 66, 67, 68, 69, 70);
}
#undef ORIEL_WGMMA_RS

} // namespace ptx
