/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_hopper.cu - as faulty.cu, of what Hopper alone has */
#include "faulty_hopper.h"

#include <launch.cuh>
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

} // namespace

extern "C" cudaError_t
hopper_run(int which, int wrong, const hopper_args *args,
           const CUtensorMap *map)
{
    const bool right = !wrong;
    one_copy copy = {true, true, BOX_BYTES, 0, 0, true};
    CUtensorMap none = {};
    auto go = [&](auto kernel, auto... more) {
        cudaError_t error = prepare(nullptr, kernel, SHARED);
        if (error != cudaSuccess)
            return error;
        return launch(kernel, 1, 64, SHARED, nullptr, *args, more...);
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
    default:
        return go(declare, (bool)wrong);
    }
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
hopper_ring(const CUtensorMap *map, int rows, float *out)
{
    cudaError_t error = prepare(nullptr, ring, SHARED);

    return error != cudaSuccess
               ? error
               : launch(ring, 1, 96, SHARED, nullptr, *map, rows, out);
}
