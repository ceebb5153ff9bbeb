/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_hopper.cu - as faulty.cu, of what Hopper alone has */
#include "faulty_hopper.h"

#include <launch.cuh>
#include <mma_desc.cuh>
#include <ptx_hopper.cuh>

namespace
{

constexpr int BOX_BYTES = HOPPER_VALUES * 2;
constexpr int SHARED = 2 * BOX_BYTES + 1024; /* two boxes, then barriers */

/* The barriers after the boxes. */
__device__ __forceinline__ uint32_t
barrier_address(uint32_t i)
{
    return ptx::shared_address(ptx::dynamic_shared_1024()) + 2 * BOX_BYTES +
           8 * i;
}

/* Barrier 0, made by thread 0 and known to all. */
__device__ __forceinline__ uint32_t
make_barrier(uint32_t arrivals)
{
    if (ptx::thread_index() == 0) {
        ptx::mbarrier_init(barrier_address(0), arrivals);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    return barrier_address(0);
}

__device__ __forceinline__ uint16_t *
box(uint32_t i)
{
    return (uint16_t *)(ptx::dynamic_shared_1024() + i * BOX_BYTES);
}

/* ---- Barriers ------------------------------------------------------------ */

/* Two warps reverse 64 values through shared memory. */
__global__ void
reverse(hopper_args args, bool wait, uint32_t parity)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t barrier = make_barrier(64);

    box(0)[t] = args.in[t];
    ptx::mbarrier_arrive(barrier);
    if (wait)
        ptx::mbarrier_wait(barrier, parity);
    args.out[t] = box(0)[63 - t];
}

/* A barrier is used after its maker was met, or only its turn was: a shuffle
   orders no memory. */
__global__ void
unmet(hopper_args args, bool meet)
{
    const uint32_t t = ptx::thread_index();

    if (t < 32) {
        if (t == 0)
            ptx::mbarrier_init(barrier_address(0), 32);
        if (meet)
            ptx::sync_warp();
        else
            (void)ptx::shuffle(t, 0);
        ptx::mbarrier_arrive(barrier_address(0));
        ptx::mbarrier_wait(barrier_address(0), 0);
    }
    args.out[t] = args.in[t];
}

/* One thread makes a barrier of one place twice, or of two. */
__global__ void
remake(hopper_args args, uint32_t apart)
{
    const uint32_t t = ptx::thread_index();

    if (t == 0) {
        ptx::mbarrier_init(barrier_address(0), 1);
        ptx::mbarrier_init(barrier_address(apart), 1);
    }
    args.out[t] = args.in[t];
}

/* Arrives at a place where there is a barrier, or at the next. */
__global__ void
arrive_at(hopper_args args, uint32_t i)
{
    make_barrier(64);
    ptx::mbarrier_arrive(barrier_address(i));
    args.out[ptx::thread_index()] = args.in[ptx::thread_index()];
}

/* A barrier at a multiple of 8, or not. */
__global__ void
misplace(hopper_args args, uint32_t shift)
{
    if (ptx::thread_index() == 0)
        ptx::mbarrier_init(barrier_address(0) + shift, 1);
    args.out[ptx::thread_index()] = args.in[ptx::thread_index()];
}

/* One thread sends to another, which answers before the next comes, or is late. */
__global__ void
lap(hopper_args args, bool answer)
{
    const uint32_t t = ptx::thread_index();

    if (t == 0) {
        ptx::mbarrier_init(barrier_address(0), 1);
        ptx::mbarrier_init(barrier_address(1), 1);
    }
    ptx::sync_block();
    for (uint32_t i = 0; i < 4; i++) {
        if (t == 0) {
            if (answer)
                ptx::mbarrier_wait(barrier_address(1), (i & 1) ^ 1);
            ptx::mbarrier_arrive(barrier_address(0));
        } else if (t == 32) {
            ptx::mbarrier_wait(barrier_address(0), i & 1);
            ptx::mbarrier_arrive(barrier_address(1));
        }
    }
    args.out[t] = args.in[t];
}

/* So many threads arrive at a barrier for 64. */
__global__ void
arrive_some(hopper_args args, uint32_t n)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t barrier = make_barrier(64);

    if (t < n)
        ptx::mbarrier_arrive(barrier);
    args.out[t] = args.in[t];
}

/* Reads a barrier as if it were a number, or what comes after it. */
__global__ void
read_barrier(hopper_args args, uint32_t after)
{
    const uint32_t t = ptx::thread_index();

    box(1)[HOPPER_VALUES + 4 + t] = 7;
    make_barrier(1);
    args.out[t] = box(1)[HOPPER_VALUES + after];
}

/* The first warp stores, the second waits for it at a named barrier. */
__global__ void
hand_over(hopper_args args, bool store_first)
{
    const uint32_t t = ptx::thread_index();

    if (t < 32) {
        if (store_first)
            box(0)[t] = args.in[t];
        ptx::named_arrive(1, 64);
        if (!store_first)
            box(0)[t] = args.in[t];
    } else {
        ptx::sync_named(1, 64);
        args.out[t] = box(0)[63 - t];
    }
}

/* The first warp arrives so often, the second waits once. */
__global__ void
arrive_often(hopper_args args, int often, bool met)
{
    const uint32_t t = ptx::thread_index();

    if (t < 32)
        for (int i = 0; i < often; i++)
            ptx::named_arrive(1, 64);
    else if (met)
        ptx::sync_named(1, 64);
    args.out[t] = args.in[t];
}

/* ---- Tensor copies ------------------------------------------------------- */

/* What may go wrong with one copy of a box. */
struct one_copy {
    bool fence, wait;
    uint32_t expected; /* bytes */
    uint32_t arrivals; /* beyond the first */
    uint32_t to;       /* from the box's place */
    bool read;
};

__global__ void
load(hopper_args args, const __grid_constant__ CUtensorMap map, one_copy how)
{
    const uint32_t t = ptx::thread_index(), barrier = barrier_address(0);

    if (t == 0) {
        ptx::mbarrier_init(barrier, 1);
        if (how.fence)
            ptx::mbarrier_fence();
    }
    ptx::sync_block();
    if (t == 0) {
        ptx::mbarrier_expect(barrier, how.expected);
        for (uint32_t i = 0; i < how.arrivals; i++)
            ptx::mbarrier_arrive(barrier);
        ptx::tensor_load_2d(ptx::shared_address(box(0)) + how.to, &map, 0, 0,
                            barrier);
    }
    if (how.wait)
        ptx::mbarrier_wait(barrier, 0);
    if (how.read)
        for (uint32_t i = t; i < HOPPER_VALUES; i += 64)
            args.out[i] = box(0)[i];
}

/* The second box goes to where the first was: after all have read that, or not. */
__global__ void
reload(hopper_args args, const __grid_constant__ CUtensorMap map, bool meet)
{
    const uint32_t t = ptx::thread_index();

    if (t == 0) {
        ptx::mbarrier_init(barrier_address(0), 1);
        ptx::mbarrier_init(barrier_address(1), 1);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    for (uint32_t i = 0; i < 2; i++) {
        if (t == 0) {
            ptx::mbarrier_expect(barrier_address(i), BOX_BYTES);
            ptx::tensor_load_2d(ptx::shared_address(box(0)), &map, 0, 0,
                                barrier_address(i));
        }
        ptx::mbarrier_wait(barrier_address(i), 0);
        args.out[64 * i + t] = box(0)[64 * t];
        if (meet)
            ptx::sync_block();
    }
}

/* A box goes to where threads stored. */
__global__ void
load_after_store(hopper_args args, const __grid_constant__ CUtensorMap map,
                 bool fence)
{
    const uint32_t t = ptx::thread_index(), barrier = make_barrier(1);

    box(0)[t] = 1;
    if (fence)
        ptx::fence_async_shared();
    ptx::sync_block();
    if (t == 0) {
        ptx::mbarrier_expect(barrier, BOX_BYTES);
        ptx::tensor_load_2d(ptx::shared_address(box(0)), &map, 0, 0, barrier);
    }
    ptx::mbarrier_wait(barrier, 0);
    args.out[t] = box(0)[t];
}

__global__ void
declare(hopper_args args, bool otherwise)
{
    const uint32_t t = ptx::thread_index();
    uint16_t *shared = (uint16_t *)(otherwise ? ptx::dynamic_shared()
                                              : ptx::dynamic_shared_1024());

    box(0)[t] = args.in[t];
    args.out[t] = shared[t];
}

/* A swizzled box in shared memory of one declaration or of the other. */
__global__ void
load_declared(hopper_args args, const __grid_constant__ CUtensorMap map,
              bool plain)
{
    char *shared = plain ? ptx::dynamic_shared() : ptx::dynamic_shared_1024();
    const uint32_t t = ptx::thread_index();
    const uint32_t at = ptx::shared_address(shared), barrier = at + BOX_BYTES;

    if (t == 0) {
        ptx::mbarrier_init(barrier, 1);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    if (t == 0) {
        ptx::mbarrier_expect(barrier, BOX_BYTES);
        ptx::tensor_load_2d(at, &map, 0, 0, barrier);
    }
    ptx::mbarrier_wait(barrier, 0);
    args.out[t] = ((const uint16_t *)shared)[t];
}

/* ---- Products ------------------------------------------------------------ */

/* What may go wrong with products of a box with itself. */
struct mistakes {
    bool copy_wait = true, fence = true, fence_again = true, commit = true,
         wait = true;
    bool write = false, read = false, hold = false; /* before the wait */
    uint32_t warps = 4;                             /* that issue them */
    uint32_t a_of_warp_3 = 0, a_of_lane_5 = 0, a_of_all = 0; /* bytes further */
    uint64_t bits = 0; /* of a's descriptor */
};

__device__ __forceinline__ uint64_t
box_operand(uint32_t shift)
{
    return mma_desc::k_major(ptx::shared_address(box(0)) + shift,
                             mma_desc::Swizzle::B128);
}

/* Thread 0 loads box 0, and all wait for it. */
__device__ __forceinline__ void
load_operand(const CUtensorMap *map, bool wait)
{
    const uint32_t barrier = make_barrier(1);

    if (ptx::thread_index() == 0) {
        ptx::mbarrier_expect(barrier, BOX_BYTES);
        ptx::tensor_load_2d(ptx::shared_address(box(0)), map, 0, 0, barrier);
    }
    if (wait)
        ptx::mbarrier_wait(barrier, 0);
}

__global__ void
multiply(hopper_args args, const __grid_constant__ CUtensorMap map,
         mistakes how)
{
    const uint32_t t = ptx::thread_index(), warp = t / 32;
    const uint64_t a =
        box_operand(how.a_of_all + (warp == 3 ? how.a_of_warp_3 : 0) +
                    (t % 32 == 5 ? how.a_of_lane_5 : 0)) |
        how.bits;
    float d[32];

    load_operand(&map, how.copy_wait);
    if (warp < how.warps)
        for (uint32_t i = 0; i < 2; i++) {
            if (how.fence && (i == 0 || how.fence_again))
                ptx::wgmma_fence();
            ptx::wgmma_ss<64, false, false>(d, a, box_operand(0), i > 0);
            if (how.commit)
                ptx::wgmma_commit();
            if (how.write)
                d[3] = 1;
            if (how.read)
                args.out[t] = (uint16_t)ptx::float_to_bits(d[args.in[1] % 32]);
            if (how.hold)
                ptx::wgmma_hold(d);
            if (how.wait)
                ptx::wgmma_wait<0>();
        }
    ptx::sync_block();
    if (how.wait && how.commit)
        args.out[t] = (uint16_t)ptx::float_to_bits(d[0]);
}

/* The same with a in registers, which are written again before the wait. */
__global__ void
multiply_registers(hopper_args args, const __grid_constant__ CUtensorMap map,
                   bool wait_first)
{
    const uint32_t t = ptx::thread_index();
    uint32_t a[8];
    float d[32];

    for (uint32_t i = 0; i < 8; i++)
        a[i] = args.in[8 * t + i];
    load_operand(&map, true);
    ptx::wgmma_fence();
    ptx::wgmma_rs<64, false>(d, a, 0, box_operand(0), false);
    ptx::wgmma_rs<64, false>(d, a, 4, box_operand(32), true);
    ptx::wgmma_commit();
    if (wait_first)
        ptx::wgmma_wait<0>();
    a[6] = t;
    ptx::wgmma_wait<0>();
    args.out[t] = (uint16_t)(ptx::float_to_bits(d[0]) + a[6]);
}

/* Operands that threads stored. */
__global__ void
multiply_stored(hopper_args args, bool fence, bool meet)
{
    const uint32_t t = ptx::thread_index();
    float d[32];

    for (uint32_t i = t; i < HOPPER_VALUES; i += 128)
        box(0)[i] = args.in[i];
    if (fence)
        ptx::fence_async_shared();
    if (meet)
        ptx::sync_block();
    else
        ptx::sync_warp();
    ptx::wgmma_fence();
    ptx::wgmma_ss<64, false, false>(d, box_operand(0), box_operand(0), false);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    args.out[t] = (uint16_t)ptx::float_to_bits(d[0]);
}

/* A second box goes to where the products read: the stage is released by each warp
   after its wait, before it, or by the first warp alone. */
__global__ void
release(hopper_args args, const __grid_constant__ CUtensorMap map, bool after,
        bool each)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t full = barrier_address(0), empty = barrier_address(1);
    float d[32];

    if (t == 0) {
        ptx::mbarrier_init(full, 1);
        ptx::mbarrier_init(empty, each ? 4 : 1);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    for (uint32_t i = 0; i < 2; i++) {
        if (t == 128) {
            ptx::mbarrier_wait(empty, i ^ 1);
            ptx::mbarrier_expect(full, BOX_BYTES);
            ptx::tensor_load_2d(ptx::shared_address(box(0)), &map, 0, 0, full);
        }
        if (t >= 128)
            continue;
        ptx::mbarrier_wait(full, i);
        ptx::wgmma_fence();
        ptx::wgmma_ss<64, false, false>(d, box_operand(0), box_operand(0),
                                        i > 0);
        ptx::wgmma_commit();
        if (after)
            ptx::wgmma_wait<0>();
        if (each ? t % 32 == 0 : t == 0)
            ptx::mbarrier_arrive(empty);
        ptx::wgmma_wait<0>();
    }
    if (t < 128)
        args.out[t] = (uint16_t)ptx::float_to_bits(d[0]);
}

/* ---- Fragments and registers --------------------------------------------- */

/* Rows of 16 bytes that a warp stores together: the other reads them after a barrier,
   or at once; they may lie in between. */
__global__ void
fragment(hopper_args args, bool meet, uint32_t shift)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t r[4] = {t, t + 1, t + 2, t + 3};

    if (t < 32)
        ptx::store_matrix_x4(ptx::shared_address(box(0)) + 16 * t + shift, r);
    if (meet)
        ptx::sync_block();
    if (t >= 32)
        args.out[t] = box(0)[t];
}

/* A warpgroup gives registers back, the other takes them: as many, or more. */
template <int UP>
__global__ void
exchange(hopper_args args)
{
    const uint32_t t = ptx::thread_index();

    if (t < 128)
        ptx::registers_down<40>();
    else
        ptx::registers_up<UP>();
    args.out[t] = args.in[t];
}

/* To more than there were, and then to fewer, each by the wrong instruction. */
__global__ void
change(hopper_args args, bool grow, bool shrink)
{
    if (grow)
        ptx::registers_down<256>();
    ptx::registers_down<64>();
    if (shrink)
        ptx::registers_up<40>();
    ptx::registers_up<72>();
    args.out[ptx::thread_index()] = args.in[ptx::thread_index()];
}

/* All four warps by one instruction, or the first by its own. */
__global__ void
part(hopper_args args, bool all, bool apart)
{
    const uint32_t t = ptx::thread_index();

    if (apart && t < 32)
        ptx::registers_down<48>();
    else if (all || t >= 32)
        ptx::registers_down<40>();
    args.out[t] = args.in[t];
}

/* ---- Right ones ---------------------------------------------------------- */

__global__ void
load_box(const __grid_constant__ CUtensorMap map, int column, int row,
         uint32_t bytes, uint32_t *out)
{
    const uint32_t t = ptx::thread_index(), barrier = make_barrier(1);

    if (t == 0) {
        ptx::mbarrier_expect(barrier, bytes);
        ptx::tensor_load_2d(ptx::shared_address(box(0)), &map, column, row,
                            barrier);
    }
    ptx::mbarrier_wait(barrier, 0);
    for (uint32_t i = t; i < bytes / 4; i += 64)
        out[i] = ((const uint32_t *)box(0))[i];
}

__global__ void
sum_rows(const __grid_constant__ CUtensorMap map, int rows, float *out)
{
    const uint32_t t = ptx::thread_index(), barrier = make_barrier(1);
    float sum = 0;

    if (t == 0) {
        ptx::mbarrier_expect(barrier, BOX_BYTES);
        ptx::tensor_load_2d(ptx::shared_address(box(0)), &map, 0, 0, barrier);
    }
    ptx::mbarrier_wait(barrier, 0);
    for (uint32_t r = 0; r < (uint32_t)rows; r++)
        sum += ptx::bits_to_float(
            (uint32_t)box(0)[mma_desc::swizzled(r * 128 + 2 * t,
                                                mma_desc::Swizzle::B128) /
                             2]
            << 16);
    out[t] = sum;
}

/* Warp 2 loads, warps 0 and 1 add up; full and empty barriers a stage. */
__global__ void
ring(const __grid_constant__ CUtensorMap map, int rows, float *out)
{
    constexpr uint32_t STAGES = 2, BOXES = 16, FULL = 0, EMPTY = STAGES;
    const uint32_t t = ptx::thread_index();
    float sum = 0;

    if (t == 0) {
        for (uint32_t s = 0; s < STAGES; s++) {
            ptx::mbarrier_init(barrier_address(FULL + s), 1);
            ptx::mbarrier_init(barrier_address(EMPTY + s), 2);
        }
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    for (uint32_t i = 0; i < BOXES; i++) {
        const uint32_t s = i % STAGES, parity = i / STAGES & 1;

        if (t == 64) {
            ptx::mbarrier_wait(barrier_address(EMPTY + s), parity ^ 1);
            ptx::mbarrier_expect(barrier_address(FULL + s), BOX_BYTES);
            ptx::tensor_load_2d(ptx::shared_address(box(s)), &map, 0,
                                (int)i * rows, barrier_address(FULL + s));
        }
        if (t >= 64)
            continue;
        ptx::mbarrier_wait(barrier_address(FULL + s), parity);
        for (uint32_t r = 0; r < HOPPER_ROWS; r++) {
            const uint32_t chunk = t / 8 ^ (r & 7);
            const uint32_t bits = box(s)[64 * r + 8 * chunk + t % 8];

            sum += ptx::bits_to_float(bits << 16);
        }
        ptx::sync_warp();
        if (t % 32 == 0)
            ptx::mbarrier_arrive(barrier_address(EMPTY + s));
    }
    if (t < 64)
        out[t] = sum;
}

/* What may go wrong in a cluster of two blocks. */
struct cluster_mistakes {
    bool meet = true, fence = true; /* before they use each other's barriers */
    bool both = true;               /* release a stage for both */
    bool wait = true;               /* for what comes */
    uint32_t peer = 1;              /* the other's rank, by exclusive or */
    uint16_t ranks = 3;
};

/* As the ring, in each block; warp 2 of each copies a half of a box to both. */
__global__ void
cluster_ring(const __grid_constant__ CUtensorMap map, int rows, float *out,
             cluster_mistakes how)
{
    constexpr uint32_t STAGES = 2, BOXES = 16, FULL = 0, EMPTY = STAGES;
    const uint32_t t = ptx::thread_index(), rank = ptx::cluster_rank();
    float sum = 0;

    if (t == 0) {
        for (uint32_t s = 0; s < STAGES; s++) {
            ptx::mbarrier_init(barrier_address(FULL + s), 1);
            ptx::mbarrier_init(barrier_address(EMPTY + s), how.both ? 4 : 2);
        }
        if (how.fence)
            ptx::mbarrier_fence();
    }
    ptx::sync_block();
    if (how.meet) {
        ptx::cluster_arrive();
        ptx::cluster_wait();
    }
    for (uint32_t i = 0; i < BOXES; i++) {
        const uint32_t s = i % STAGES, parity = i / STAGES & 1;

        if (t == 64) {
            ptx::mbarrier_wait(barrier_address(EMPTY + s), parity ^ 1);
            ptx::mbarrier_expect(barrier_address(FULL + s), BOX_BYTES);
            ptx::tensor_load_2d_multicast(
                ptx::shared_address(box(s)) + rank * (BOX_BYTES / 2), &map, 0,
                (int)i * rows + (int)rank * (HOPPER_ROWS / 2),
                barrier_address(FULL + s), how.ranks);
        }
        if (t >= 64)
            continue;
        if (how.wait)
            ptx::mbarrier_wait(barrier_address(FULL + s), parity);
        for (uint32_t r = 0; r < HOPPER_ROWS; r++) {
            const uint32_t chunk = t / 8 ^ (r & 7);
            const uint32_t bits = box(s)[64 * r + 8 * chunk + t % 8];

            sum += ptx::bits_to_float(bits << 16);
        }
        ptx::sync_warp();
        if (t % 32 == 0) {
            ptx::mbarrier_arrive(barrier_address(EMPTY + s));
            if (how.both)
                ptx::mbarrier_arrive_remote(barrier_address(EMPTY + s),
                                            rank ^ how.peer);
        }
    }
    if (t < 64)
        out[rank * 64 + t] = sum;
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

/* The second block, which is late, arrives at a barrier of the first. */
__global__ void
late_arrival(hopper_args args, bool meet)
{
    const uint32_t t = ptx::thread_index(), rank = ptx::cluster_rank();

    if (t == 0) {
        ptx::mbarrier_init(barrier_address(0), 1);
        ptx::mbarrier_fence();
    }
    ptx::cluster_arrive();
    ptx::cluster_wait();
    args.out[rank * 64 + t] = args.in[t];
    for (int i = 0; i < 8 && rank == 1; i++)
        ptx::sync_block();
    if (rank == 1 && t == 0)
        ptx::mbarrier_arrive_remote(barrier_address(0), 0);
    if (meet) {
        ptx::cluster_arrive();
        ptx::cluster_wait();
    }
}

/* So many arrivals, then so many waits. */
__global__ void
meet_cluster(hopper_args args, int arrivals, int waits)
{
    const uint32_t t = ptx::thread_index();

    for (int i = 0; i < arrivals; i++)
        ptx::cluster_arrive();
    for (int i = 0; i < waits; i++)
        ptx::cluster_wait();
    args.out[ptx::cluster_rank() * 64 + t] = args.in[t];
}

/* Lets the next kernel begin, and writes late. */
__global__ void
first_kernel(hopper_args args)
{
    const uint32_t t = ptx::block_index() * 64 + ptx::thread_index();

    ptx::grid_launch_dependents();
    for (int i = 0; i < 8; i++)
        ptx::sync_block();
    args.out[t] = args.in[t];
}

enum { RIGHT, READ_EARLY, WRITE_EARLY, NO_WAIT, HALF_WAITS };

__global__ void
second_kernel(hopper_args args, int how)
{
    const uint32_t t = ptx::block_index() * 64 + ptx::thread_index();
    uint16_t value = 0;

    if (how == READ_EARLY)
        value = args.out[t];
    if (how == WRITE_EARLY)
        args.out[2048 + t] = 0;
    if (how == NO_WAIT || (how == HALF_WAITS && ptx::thread_index() >= 32))
        return;
    ptx::grid_wait();
    if (how != READ_EARLY)
        value = args.out[t];
    args.out[2048 + t] = value;
}

cudaError_t
overlap(const hopper_args *args, int how)
{
    cudaError_t error = prepare(nullptr, first_kernel, SHARED);

    if (error == cudaSuccess)
        error = prepare(nullptr, second_kernel, SHARED);
    if (error == cudaSuccess)
        error = launch(first_kernel, 4, 64, SHARED, nullptr, *args);
    return error != cudaSuccess ? error
                                : launch_as({1, true}, second_kernel, 4, 64,
                                            SHARED, nullptr, *args, how);
}

/* An operand of a product in shared memory: boxes side by side. */
struct tiles {
    uint32_t address, rows; /* of a box */
    mma_desc::Swizzle swizzle;
    bool mn_major;

    __device__ uint32_t row_bytes() const
    {
        return mma_desc::row_bytes(swizzle);
    }
    /* Of step 'i' of 16 of the depth. */
    __device__ uint64_t operand(uint32_t i) const
    {
        const uint32_t in_row = row_bytes() / 32; /* steps */

        if (swizzle == mma_desc::Swizzle::NONE)
            return mn_major ? mma_desc::operand(address + i * 256, 128,
                                                rows * 16, swizzle)
                            : mma_desc::operand(address + i * rows * 32,
                                                rows * 16, 128, swizzle);
        if (mn_major)
            return mma_desc::mn_major(
                address + i * mma_desc::mn_major_step(swizzle), swizzle, rows);
        return mma_desc::k_major(address + i / in_row * rows * row_bytes() +
                                     i % in_row * mma_desc::k_major_step(),
                                 swizzle);
    }
    /* By one thread: the boxes of so many values from row to row. */
    __device__ void load(const CUtensorMap *map, int width,
                         uint32_t barrier) const
    {
        const int values = (int)row_bytes() / 2;

        for (int i = 0; i * values < width; i++)
            ptx::tensor_load_2d(address + (uint32_t)i * rows * row_bytes(), map,
                                i * values, 0, barrier);
    }
};

constexpr uint32_t PRODUCT_A = 64 * 64 * 2, PRODUCT_B = 256 * 64 * 2;
constexpr int PRODUCT_SHARED = PRODUCT_A + PRODUCT_B + 1024;

template <int COLUMNS, bool A_MN, bool B_MN, bool RS>
__global__ void
product(const __grid_constant__ CUtensorMap map_a,
        const __grid_constant__ CUtensorMap map_b, int swizzle, float *out)
{
    constexpr int ROWS = HOPPER_PRODUCT_ROWS, DEPTH = HOPPER_PRODUCT_DEPTH;
    const uint32_t t = ptx::thread_index(), lane = t % 32;
    const uint32_t base = ptx::shared_address(ptx::dynamic_shared_1024());
    const uint32_t barrier = base + PRODUCT_A + PRODUCT_B;
    const auto how = (mma_desc::Swizzle)swizzle;
    const tiles a = {base, A_MN ? DEPTH : ROWS, how, A_MN};
    const tiles b = {base + PRODUCT_A, B_MN ? DEPTH : COLUMNS, how, B_MN};
    const int a_width = A_MN ? ROWS : DEPTH, b_width = B_MN ? COLUMNS : DEPTH;
    const int row = (int)mma_desc::row_bytes(how) / 2; /* values */
    const int a_boxes = (a_width + row - 1) / row;
    const int b_boxes = (b_width + row - 1) / row;
    float d[COLUMNS / 2];

    if (t == 0) {
        ptx::mbarrier_init(barrier, 1);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    if (t == 0) {
        ptx::mbarrier_expect(barrier,
                             (uint32_t)(a_boxes * row * 2) * a.rows +
                                 (uint32_t)(b_boxes * row * 2) * b.rows);
        a.load(&map_a, a_width, barrier);
        b.load(&map_b, b_width, barrier);
    }
    ptx::mbarrier_wait(barrier, 0);
    if constexpr (RS) { /* a is K-major, in rows of 128 bytes */
        const uint32_t r = t / 32 * 16 + lane % 16;
        uint32_t registers[16];

        for (uint32_t i = 0; i < 4; i++) {
            uint32_t part[4];
            ptx::ldmatrix_x4(part, base + r * 128 +
                                       ((2 * i + lane / 16) ^ (r & 7)) * 16);
            for (uint32_t j = 0; j < 4; j++)
                registers[4 * i + j] = part[j];
        }
        ptx::wgmma_fence();
        for (int i = 0; i < 4; i++)
            ptx::wgmma_rs<COLUMNS, B_MN>(d, registers, 4 * i,
                                         b.operand((uint32_t)i), i > 0);
    } else {
        ptx::wgmma_fence();
        for (uint32_t i = 0; i < 4; i++)
            ptx::wgmma_ss<COLUMNS, A_MN, B_MN>(d, a.operand(i), b.operand(i),
                                               i > 0);
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    ptx::wgmma_hold(d);
    for (uint32_t i = 0; i < COLUMNS / 2; i++)
        out[(t / 32 * 16 + lane / 4 + (i >> 1 & 1) * 8) * COLUMNS + i / 4 * 8 +
            2 * (lane % 4) + (i & 1)] = d[i];
}

/* The sum of 16 values, in each element of d. */
__global__ void
sum_16(const uint16_t *in, bool by_warpgroup, float *out)
{
    const uint32_t t = ptx::thread_index(), k = t % 4 * 2;
    const uint32_t ones = 0x3f803f80u, b[2] = {ones, ones};
    uint16_t *shared = (uint16_t *)ptx::dynamic_shared_1024();
    uint32_t a[4];
    float d[4] = {}, wide[32];

    for (uint32_t i = 0; i < 4; i++)
        a[i] = in[i / 2 * 8 + k] | (uint32_t)in[i / 2 * 8 + k + 1] << 16;
    for (uint32_t i = t; i < 64 * 16; i += 128)
        shared[i] = 0x3f80;
    ptx::fence_async_shared();
    ptx::sync_block();
    if (by_warpgroup) {
        const uint64_t b_shared = mma_desc::k_major(ptx::shared_address(shared),
                                                    mma_desc::Swizzle::B32);

        ptx::wgmma_fence();
        ptx::wgmma_rs<64, false>(wide, a, 0, b_shared, false);
        ptx::wgmma_commit();
        ptx::wgmma_wait<0>();
        out[t] = wide[0];
    } else {
        ptx::mma_m16n8k16_bf16(d, a, b);
        out[t] = d[0];
    }
}

__global__ void
round_trip(const uint16_t *in, bool swizzled, uint16_t *out)
{
    const uint32_t t = ptx::thread_index(), g = t / 4, c = 2 * (t % 4);
    const uint32_t r = t % 16, chunk = t / 16;
    char *shared = ptx::dynamic_shared_1024();
    auto at = [&](uint32_t row, uint32_t column) {
        return in[row * 16 + column] | (uint32_t)in[row * 16 + column + 1]
                                           << 16;
    };
    const uint32_t values[4] = {at(g, c), at(g + 8, c), at(g, c + 8),
                                at(g + 8, c + 8)};
    char *row = shared + r * 128 + (swizzled ? chunk ^ (r & 7) : chunk) * 16;

    /* Lanes 0 to 15 name the rows of the left half, the others of the right. */
    ptx::store_matrix_x4(ptx::shared_address(row), values);
    ptx::sync_warp();
    for (uint32_t i = 0; i < 8; i++)
        out[r * 16 + chunk * 8 + i] = ((const uint16_t *)row)[i];
}

__global__ void
read_product(const __grid_constant__ CUtensorMap map, bool early, float *out)
{
    const uint32_t t = ptx::thread_index();
    float d[32], first = 0;

    load_operand(&map, true);
    ptx::wgmma_fence();
    ptx::wgmma_ss<64, false, false>(d, box_operand(0), box_operand(0), false);
    ptx::wgmma_commit();
    if (early)
        first = d[0];
    ptx::wgmma_wait<0>();
    if (!early)
        first = d[0];
    out[t] = first;
}

} // namespace

extern "C" cudaError_t
hopper_run(int which, int wrong, const hopper_args *args,
           const CUtensorMap *map, const CUtensorMap *half)
{
    const bool right = !wrong;
    cluster_mistakes together;
    auto pair = [&](auto kernel, uint32_t threads, auto... more) {
        cudaError_t error = prepare(nullptr, kernel, SHARED);
        if (error != cudaSuccess)
            return error;
        return launch_as({2}, kernel, 2, threads, SHARED, nullptr, more...);
    };
    one_copy copy = {true, true, BOX_BYTES, 0, 0, true};
    mistakes how;
    CUtensorMap none = {};
    auto start = [&](auto kernel, uint32_t threads, auto... more) {
        cudaError_t error = prepare(nullptr, kernel, SHARED);
        if (error != cudaSuccess)
            return error;
        return launch(kernel, 1, threads, SHARED, nullptr, *args, more...);
    };
    auto go = [&](auto kernel, auto... more) {
        return start(kernel, 64, more...);
    };
    auto go_128 = [&](auto kernel, auto... more) {
        return start(kernel, 128, more...);
    };

    switch (which) {
    case HOPPER_UNWAITED_PHASE:
        return go(reverse, right, 0u);
    case HOPPER_WRONG_PARITY:
        return go(reverse, true, wrong ? 1u : 0u);
    case HOPPER_UNMET_INIT:
        return go(unmet, right);
    case HOPPER_UNFENCED_INIT:
        copy.fence = right;
        return go(load, *map, copy);
    case HOPPER_SECOND_INIT:
        return go(remake, wrong ? 0u : 1u);
    case HOPPER_NO_INIT:
        return go(arrive_at, wrong ? 1u : 0u);
    case HOPPER_OVER_ARRIVAL:
        copy.arrivals = wrong ? 1 : 0;
        return go(load, *map, copy);
    case HOPPER_LAPPED:
        return go(lap, right);
    case HOPPER_UNFINISHED_PHASE:
        return go(arrive_some, wrong ? 63u : 64u);
    case HOPPER_BARRIER_BYTES:
        return go(read_barrier, wrong ? 0u : 4u);
    case HOPPER_MISPLACED_BARRIER:
        return go(misplace, wrong ? 4u : 8u);
    case HOPPER_TOO_MANY_BYTES:
        copy.expected = wrong ? 1u << 20 : BOX_BYTES;
        return go(load, *map, copy);
    case HOPPER_EARLY_ARRIVE:
        return go(hand_over, right);
    case HOPPER_SECOND_ARRIVE:
        return go(arrive_often, wrong ? 2 : 1, true);
    case HOPPER_UNMET_ARRIVE:
        return go(arrive_often, 1, right);
    case HOPPER_UNWAITED_COPY:
        copy.wait = right;
        return go(load, *map, copy);
    case HOPPER_UNSEEN_COPY:
        copy.wait = right;
        copy.read = false;
        return go(load, *map, copy);
    case HOPPER_FEWER_BYTES:
        copy.expected = wrong ? BOX_BYTES - 16 : BOX_BYTES;
        return go(load, *map, copy);
    case HOPPER_MORE_BYTES:
        copy.expected = wrong ? BOX_BYTES + 16 : BOX_BYTES;
        return go(load, *map, copy);
    case HOPPER_EARLY_COPY:
        return go(reload, *map, right);
    case HOPPER_UNALIGNED_COPY:
        copy.to = wrong ? 64 : 0;
        return go(load, *map, copy);
    case HOPPER_NO_MAP:
        return go(load, wrong ? none : *map, copy);
    case HOPPER_COPY_BEYOND:
        copy.to = wrong ? BOX_BYTES + 2048 : 0;
        return go(load, *map, copy);
    case HOPPER_COPY_ON_BARRIER:
        copy.to = wrong ? BOX_BYTES + 128 : 0;
        return go(load, *map, copy);
    case HOPPER_UNFENCED_STORE:
        return go(load_after_store, *map, right);
    case HOPPER_TWO_DECLARATIONS:
        return go(declare, (bool)wrong);
    case HOPPER_PLAIN_BOX:
        return go(load_declared, *map, (bool)wrong);
    case HOPPER_UNFENCED_PRODUCT:
        how.fence = right;
        break;
    case HOPPER_FENCED_BEFORE:
        how.fence_again = right;
        break;
    case HOPPER_UNWAITED_PRODUCT:
        how.wait = right;
        break;
    case HOPPER_UNCOMMITTED_PRODUCT:
        how.commit = right;
        break;
    case HOPPER_EARLY_WRITE:
        how.write = wrong;
        break;
    case HOPPER_EARLY_READ:
        how.read = wrong;
        break;
    case HOPPER_EARLY_HOLD:
        how.hold = wrong;
        break;
    case HOPPER_EARLY_OPERAND:
        return go_128(multiply_registers, *map, right);
    case HOPPER_EARLY_PRODUCT:
        how.copy_wait = right;
        break;
    case HOPPER_UNFENCED_OPERAND:
        return go_128(multiply_stored, right, true);
    case HOPPER_UNMET_OPERAND:
        return go_128(multiply_stored, true, right);
    case HOPPER_EARLY_RELEASE:
        return start(release, 160, *map, right, true);
    case HOPPER_ONE_RELEASE:
        return start(release, 160, *map, true, right);
    case HOPPER_PART_OF_GROUP:
        how.warps = wrong ? 3 : 4;
        break;
    case HOPPER_NO_GROUP:
        return start(multiply, wrong ? 96 : 128, *map, how);
    case HOPPER_OTHER_PRODUCT:
        how.a_of_warp_3 = wrong ? 32 : 0;
        break;
    case HOPPER_OTHER_LANE:
        how.a_of_lane_5 = wrong ? 32 : 0;
        break;
    case HOPPER_OFF_SWIZZLE:
        how.a_of_all = wrong ? 128 : 32;
        break;
    case HOPPER_OPERAND_BEYOND:
        how.a_of_all = wrong ? 3 * BOX_BYTES : 0;
        break;
    case HOPPER_UNMET_FRAGMENT:
        return go(fragment, right, 0u);
    case HOPPER_UNALIGNED_FRAGMENT:
        return go(fragment, true, wrong ? 8u : 0u);
    case HOPPER_TOO_MANY_REGISTERS: /* 256 threads of 255 at first */
        return wrong ? start(exchange<256>, 384) : start(exchange<232>, 384);
    case HOPPER_FEWER_REGISTERS:
        return go_128(change, false, (bool)wrong);
    case HOPPER_MORE_REGISTERS:
        return go_128(change, (bool)wrong, false);
    case HOPPER_PART_OF_REGISTERS:
        return go_128(part, right, false);
    case HOPPER_OTHER_REGISTERS:
        return go_128(part, true, (bool)wrong);
    case HOPPER_UNMET_PEER:
        together.meet = right;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_UNFENCED_PEER:
        together.fence = right;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_EARLY_MULTICAST:
        together.both = right;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_UNWAITED_MULTICAST:
        together.wait = right;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_NO_PEER:
        together.peer = wrong ? 2 : 1;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_NOBODY:
        together.ranks = wrong ? 0 : 3;
        return pair(cluster_ring, 96, *half, 1, (float *)args->out, together);
    case HOPPER_ENDED_PEER:
        return pair(late_arrival, 64, *args, right);
    case HOPPER_SECOND_CLUSTER_ARRIVE:
        return pair(meet_cluster, 64, *args, wrong ? 2 : 1, 1);
    case HOPPER_NO_CLUSTER_ARRIVE:
        return pair(meet_cluster, 64, *args, wrong ? 0 : 1, 1);
    case HOPPER_NO_CLUSTER_WAIT:
        return pair(meet_cluster, 64, *args, 1, wrong ? 0 : 1);
    case HOPPER_EARLY_GLOBAL_READ:
        return overlap(args, wrong ? READ_EARLY : RIGHT);
    case HOPPER_EARLY_GLOBAL_WRITE:
        return overlap(args, wrong ? WRITE_EARLY : RIGHT);
    case HOPPER_NO_GRID_WAIT:
        return overlap(args, wrong ? NO_WAIT : RIGHT);
    case HOPPER_HALF_GRID_WAIT:
        return overlap(args, wrong ? HALF_WAITS : RIGHT);
    default:
        how.bits = wrong ? uint64_t{1} << 49 : 0;
        break;
    }
    return go_128(multiply, *map, how);
}

extern "C" cudaError_t
hopper_load_box(const CUtensorMap *map, int column, int row, int bytes,
                void *out)
{
    cudaError_t error = prepare(nullptr, load_box, SHARED);

    return error != cudaSuccess
               ? error
               : launch(load_box, 1, 64, SHARED, nullptr, *map, column, row,
                        (uint32_t)bytes, (uint32_t *)out);
}

extern "C" cudaError_t
hopper_sum_rows(const CUtensorMap *map, int rows, float *out)
{
    cudaError_t error = prepare(nullptr, sum_rows, SHARED);

    return error != cudaSuccess
               ? error
               : launch(sum_rows, 1, 64, SHARED, nullptr, *map, rows, out);
}

extern "C" cudaError_t
hopper_ring(const CUtensorMap *map, int rows, float *out)
{
    cudaError_t error = prepare(nullptr, ring, SHARED);

    return error != cudaSuccess
               ? error
               : launch(ring, 1, 96, SHARED, nullptr, *map, rows, out);
}

extern "C" cudaError_t
hopper_cluster_ring(const CUtensorMap *map, int rows, float *out)
{
    cudaError_t error = prepare(nullptr, cluster_ring, SHARED);

    return error != cudaSuccess
               ? error
               : launch_as({2}, cluster_ring, 2, 96, SHARED, nullptr, *map,
                           rows, out, cluster_mistakes());
}

extern "C" cudaError_t
hopper_overlap(const hopper_args *args)
{
    return overlap(args, RIGHT);
}

/* The instances: by columns, how a and b lie, and whether a is in registers. */
#define PRODUCTS(X) \
    X(64, false, false, false) \
    X(80, false, false, false) \
    X(128, false, false, false) \
    X(160, false, false, false) \
    X(256, false, false, false) \
    X(64, true, false, false) \
    X(64, false, true, false) \
    X(80, true, true, false) \
    X(128, false, true, false) \
    X(64, false, false, true) \
    X(128, false, false, true) \
    X(80, false, true, true)

extern "C" int
hopper_has_product(const hopper_product *p)
{
#define IS(columns_, a_mn, b_mn, rs) \
    if (p->columns == columns_ && (bool)p->a_mn_major == a_mn && \
        (bool)p->b_mn_major == b_mn && (bool)p->a_in_registers == rs) \
        return !rs || p->swizzle == 1;
    PRODUCTS(IS)
#undef IS
    return 0;
}

extern "C" cudaError_t
hopper_multiply(const hopper_product *p, const CUtensorMap *a,
                const CUtensorMap *b, float *out)
{
    auto go = [&](auto kernel) {
        cudaError_t error = prepare(nullptr, kernel, PRODUCT_SHARED);

        return error != cudaSuccess ? error
                                    : launch(kernel, 1, 128, PRODUCT_SHARED,
                                             nullptr, *a, *b, p->swizzle, out);
    };

#define RUN(columns_, a_mn, b_mn, rs) \
    if (p->columns == columns_ && (bool)p->a_mn_major == a_mn && \
        (bool)p->b_mn_major == b_mn && (bool)p->a_in_registers == rs) \
        return go(product<columns_, a_mn, b_mn, rs>);
    PRODUCTS(RUN)
#undef RUN
    return cudaErrorInvalidValue;
}

extern "C" cudaError_t
hopper_sum(const uint16_t *in, int by_warpgroup, float *out)
{
    cudaError_t error = prepare(nullptr, sum_16, SHARED);

    return error != cudaSuccess ? error
                                : launch(sum_16, 1, 128, SHARED, nullptr, in,
                                         (bool)by_warpgroup, out);
}

extern "C" cudaError_t
hopper_read(const CUtensorMap *map, int early, float *out)
{
    cudaError_t error = prepare(nullptr, read_product, SHARED);

    return error != cudaSuccess ? error
                                : launch(read_product, 1, 128, SHARED, nullptr,
                                         *map, (bool)early, out);
}

extern "C" cudaError_t
hopper_fragment(const uint16_t *in, int swizzled, uint16_t *out)
{
    cudaError_t error = prepare(nullptr, round_trip, SHARED);

    return error != cudaSuccess ? error
                                : launch(round_trip, 1, 32, SHARED, nullptr, in,
                                         (bool)swizzled, out);
}
