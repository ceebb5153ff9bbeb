/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions_hopper.cu - each instruction of ptx_hopper.cuh, on given inputs
 *
 * As instructions.cu, for sm_90a; and of ptx.cuh what overlaps kernels, which only
 * those of sm_90a ask for.  What a product or a copy gives is more than a case
 * holds: of a thread's accumulators there are two weighted sums, of whole numbers
 * that fp32 holds exactly, and of shared memory the first KiB.
 */
#include "instructions.h"

#include <launch.cuh>
#include <mma_desc.cuh>
#include <ptx_hopper.cuh>

namespace
{

using mma_desc::Swizzle;

constexpr int THREADS = INSTRUCTION_THREADS, GROUP = 128;
constexpr int IN = INSTRUCTION_IN, OUT = INSTRUCTION_OUT;
constexpr int OUT_WORDS = THREADS * OUT;
constexpr int PAIRS = 6; /* words of a thread that are two bf16 numbers */
constexpr uint32_t A_BYTES = 64 * 128, B_BYTES = 256 * 128;
constexpr uint32_t SHARED = A_BYTES + B_BYTES + 16; /* then two barriers */

__device__ __forceinline__ uint32_t
shared_at(uint32_t offset)
{
    return ptx::shared_address(ptx::dynamic_shared_1024()) + offset;
}

__device__ __forceinline__ uint32_t
barrier(uint32_t i)
{
    return shared_at(A_BYTES + B_BYTES + 8 * i);
}

/* ---- Barriers and fragments ---------------------------------------------- */

/* What the other warp wrote before it arrived, in two phases. */
__global__ void __launch_bounds__(THREADS, 1)
    exchange(const uint32_t *in, uint32_t *out)
{
    uint32_t *shared = (uint32_t *)ptx::dynamic_shared_1024();
    const uint32_t t = ptx::thread_index();

    if (t == 0) {
        ptx::mbarrier_init(barrier(0), THREADS);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    for (uint32_t phase = 0; phase < 2; phase++) {
        shared[phase * THREADS + t] = in[t * IN + phase];
        ptx::mbarrier_arrive(barrier(0));
        ptx::mbarrier_wait(barrier(0), phase);
        out[t * OUT + phase] = shared[phase * THREADS + THREADS - 1 - t];
    }
}

/* The second warp waits for the first, which goes on. */
__global__ void __launch_bounds__(THREADS, 1)
    hand_over(const uint32_t *in, uint32_t *out)
{
    uint32_t *shared = (uint32_t *)ptx::dynamic_shared_1024();
    const uint32_t t = ptx::thread_index();

    if (t < 32) {
        shared[t] = in[t * IN];
        ptx::named_arrive(5, THREADS);
        out[t * OUT] = in[t * IN + 1];
    } else {
        ptx::sync_named(5, THREADS);
        out[t * OUT] = shared[63 - t];
    }
}

__global__ void __launch_bounds__(THREADS, 1)
    store_matrix(const uint32_t *in, uint32_t *out)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t *w = in + t * IN;
    const uint32_t r[4] = {w[0], w[1], w[2], w[3]};

    /* Rows of a warp's matrices, in another order than its lanes. */
    ptx::store_matrix_x4(shared_at((t ^ 21) * 16), r);
    ptx::sync_warp();
    for (uint32_t i = 0; i < 4; i++)
        out[t * OUT + i] =
            ((const uint32_t *)ptx::dynamic_shared_1024())[4 * t + i];
}

/* A warpgroup gives registers to two. */
__global__ void __launch_bounds__(3 * GROUP, 1)
    registers(const uint32_t *in, uint32_t *out)
{
    const uint32_t t = ptx::thread_index();

    if (t < GROUP)
        ptx::registers_down<40>();
    else
        ptx::registers_up<232>();
    if (t < THREADS)
        out[t * OUT] = in[t * IN];
}

/* ---- Kernels that overlap ------------------------------------------------ */

/* The next one may begin, but finds what this one writes much later. */
__global__ void __launch_bounds__(THREADS, 1)
    write_late(const uint32_t *in, uint32_t *out)
{
    const uint32_t t = ptx::thread_index();
    uint32_t x = in[t * IN];

    ptx::grid_launch_dependents();
#pragma unroll 1
    for (int i = 0; i < 1000; i++)
        x = ptx::opaque(x) * 1664525u + 1013904223u;
    out[t * OUT] = x;
}

__global__ void __launch_bounds__(THREADS, 1)
    read_when_over(const uint32_t *in, uint32_t *out)
{
    const uint32_t t = ptx::thread_index();
    const uint32_t own = in[t * IN + 1];

    ptx::grid_wait();
    out[t * OUT + 1] = out[(t ^ 33) * OUT] ^ own;
}

cudaError_t
run_overlap(const uint32_t *in, uint32_t *out)
{
    cudaError_t error = prepare(nullptr, write_late, 0);

    if (error == cudaSuccess)
        error = prepare(nullptr, read_when_over, 0);
    if (error == cudaSuccess)
        error = launch(write_late, 1, THREADS, 0, nullptr, in, out);
    return error == cudaSuccess ? launch_as({1, true}, read_when_over, 1,
                                            THREADS, 0, nullptr, in, out)
                                : error;
}

/* ---- Tensor copies ------------------------------------------------------- */

/* The first KiB of a box, as it lies. */
__global__ void __launch_bounds__(THREADS, 1)
    load_box(const __grid_constant__ CUtensorMap map, int column, int row,
             uint32_t bytes, uint32_t *out)
{
    const uint32_t t = ptx::thread_index();

    if (t == 0) {
        ptx::mbarrier_init(barrier(0), 1);
        ptx::mbarrier_fence();
    }
    ptx::sync_block();
    if (t == 0) {
        ptx::mbarrier_expect(barrier(0), bytes);
        ptx::tensor_load_2d(shared_at(0), &map, column, row, barrier(0));
    }
    ptx::mbarrier_wait(barrier(0), 0);
    for (uint32_t i = 0; i < OUT; i++)
        out[t * OUT + i] =
            ((const uint32_t *)ptx::dynamic_shared_1024())[t * OUT + i];
}

constexpr int COLUMNS = 64, ROWS = THREADS * IN * 4 / (2 * COLUMNS);

/* The input as 24 rows of 64 values of 16 bits. */
cudaError_t
encode_input(CUtensorMap *map, const uint32_t *in, const mma_desc::Map &facts)
{
    cudaDriverEntryPointQueryResult found;
    void *symbol = nullptr;
    cudaError_t error = cudaGetDriverEntryPointByVersion(
        "cuTensorMapEncodeTiled", &symbol, 12000, cudaEnableDefault, &found);

    if (error == cudaSuccess && !symbol)
        error = cudaErrorUnknown;
    if (error == cudaSuccess &&
        ((decltype(&cuTensorMapEncodeTiled))symbol)(
            map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)in, facts.dims,
            &facts.pitch, facts.box, facts.steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
            (CUtensorMapSwizzle)facts.swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) != CUDA_SUCCESS)
        error = cudaErrorInvalidValue;
    return error;
}

template <Swizzle SWIZZLE, int COLUMN, int ROW>
cudaError_t
run_box(const uint32_t *in, uint32_t *out)
{
    constexpr int ROW_BYTES =
        SWIZZLE == Swizzle::NONE ? 64 : (int)mma_desc::row_bytes(SWIZZLE);
    constexpr mma_desc::Map facts =
        mma_desc::map_2d(ROWS, COLUMNS, COLUMNS, OUT_WORDS * 4 / ROW_BYTES,
                         SWIZZLE, ROW_BYTES / 2);
    CUtensorMap map = {};
    cudaError_t error = encode_input(&map, in, facts);

    if (error == cudaSuccess)
        error = prepare(nullptr, load_box, SHARED);
    return error != cudaSuccess
               ? error
               : launch(load_box, 1, THREADS, SHARED, nullptr, map, COLUMN, ROW,
                        facts.box_bytes(), out);
}

/* ---- Pairs of blocks ----------------------------------------------------- */

constexpr int PAIR = 2, HALF_ROWS = 4; /* of 128 bytes: half of the KiB */
constexpr int FIRST_ROW = 9;           /* of the input */

/* Each block brings half of the KiB for both, over what both have read from there:
   each thread tells so at the barriers of both, or all meet. */
template <bool REMOTE>
__global__ void __launch_bounds__(THREADS, 1)
    load_for_both(const __grid_constant__ CUtensorMap map, const uint32_t *in,
                  uint32_t *out)
{
    uint32_t *shared = (uint32_t *)ptx::dynamic_shared_1024();
    const uint32_t t = ptx::thread_index(), rank = ptx::cluster_rank();
    const uint32_t half = mma_desc::row_bytes(Swizzle::B128) * HALF_ROWS;
    uint32_t before[OUT];

    if (t == 0) {
        ptx::mbarrier_init(barrier(0), 1);
        ptx::mbarrier_init(barrier(1), PAIR * THREADS);
        ptx::mbarrier_fence();
    }
    for (uint32_t i = 0; i < OUT; i++)
        shared[t * OUT + i] = in[t * IN + i];
    ptx::fence_async_shared();
    ptx::cluster_arrive();
    ptx::cluster_wait();
    for (uint32_t i = 0; i < OUT; i++)
        before[i] = shared[(THREADS - 1 - t) * OUT + i];
    if (REMOTE) {
        ptx::mbarrier_arrive(barrier(1));
        ptx::mbarrier_arrive_remote(barrier(1), rank ^ 1);
        ptx::mbarrier_wait(barrier(1), 0);
    } else {
        ptx::cluster_arrive();
        ptx::cluster_wait();
    }
    if (t == 0) {
        ptx::mbarrier_expect(barrier(0), PAIR * half);
        ptx::tensor_load_2d_multicast(shared_at(rank * half), &map, 0,
                                      FIRST_ROW + (int)rank * HALF_ROWS,
                                      barrier(0), (1 << PAIR) - 1);
    }
    ptx::mbarrier_wait(barrier(0), 0);
    for (uint32_t i = 0; i < OUT; i++)
        out[(ptx::block_index() * THREADS + t) * OUT + i] =
            (before[i] ^ shared[t * OUT + i]) + rank;
    ptx::cluster_arrive(); /* neither ends while the other may arrive there */
    ptx::cluster_wait();
}

template <bool REMOTE>
cudaError_t
run_pair(const uint32_t *in, uint32_t *out)
{
    constexpr mma_desc::Map facts =
        mma_desc::map_2d(ROWS, COLUMNS, COLUMNS, HALF_ROWS, Swizzle::B128);
    CUtensorMap map = {};
    cudaError_t error = encode_input(&map, in, facts);

    static_assert(PAIR * facts.box_bytes() == OUT_WORDS * 4, "the first KiB");
    if (error == cudaSuccess)
        error = prepare(nullptr, load_for_both<REMOTE>, SHARED);
    return error != cudaSuccess
               ? error
               : launch_as({PAIR, false}, load_for_both<REMOTE>, PAIR, THREADS,
                           SHARED, nullptr, map, in, out);
}

/* ---- Products ------------------------------------------------------------ */

/* A number of the input for an element of an operand, which begins at 'first'. */
__device__ __forceinline__ uint16_t
element(const uint32_t *in, uint32_t first, uint32_t mn, uint32_t k)
{
    const uint32_t i =
        (first + mn * 16 + k + mn / 48 * 7) % (2 * THREADS * PAIRS);
    const uint32_t word = i / 2;

    return (uint16_t)(in[word / PAIRS * IN + word % PAIRS] >> (16 * (i % 2)));
}

/* An operand that lies from 'at' on: 16 of the depth, after as many that are not
   read; rows of the tile are mn, or the depth. */
template <bool MN_MAJOR, Swizzle SWIZZLE> struct Operand {
    static constexpr uint32_t ROW = mma_desc::row_bytes(SWIZZLE);
    static constexpr uint32_t STEPS = MN_MAJOR ? 2 : ROW / 32; /* in a tile */
    static constexpr uint32_t STEP = STEPS > 1 ? 1 : 0;

    static __device__ __forceinline__ void store(uint32_t at, uint32_t rows,
                                                 const uint32_t *in)
    {
        for (uint32_t i = ptx::thread_index(); i < rows * 16; i += GROUP) {
            const uint32_t mn = i / 16, k = i % 16;
            const uint32_t byte = MN_MAJOR ? mn / (ROW / 2) * STEPS * 16 * ROW +
                                                 (16 * STEP + k) * ROW +
                                                 mn % (ROW / 2) * 2
                                           : mn * ROW + 32 * STEP + 2 * k;

            *(uint16_t *)(ptx::dynamic_shared_1024() + at +
                          mma_desc::swizzled(byte, SWIZZLE)) =
                element(in, at, mn, k);
        }
    }
    /* Its distances in each other's places. */
    static __device__ __forceinline__ uint64_t swapped(uint32_t at)
    {
        return mma_desc::operand(
            shared_at(at) + STEP * mma_desc::mn_major_step(SWIZZLE),
            mma_desc::CORE_ROWS * ROW, 16 * STEPS * ROW, SWIZZLE);
    }
    static __device__ __forceinline__ uint64_t descriptor(uint32_t at)
    {
        return MN_MAJOR ? mma_desc::mn_major(
                              shared_at(at) +
                                  STEP * mma_desc::mn_major_step(SWIZZLE),
                              SWIZZLE, 16 * STEPS)
                        : mma_desc::k_major(shared_at(at) +
                                                STEP * mma_desc::k_major_step(),
                                            SWIZZLE);
    }
};

/* Where in the sums an accumulator is: each column and row of a thread has weights of
   its own. */
template <int N>
__device__ __forceinline__ void
weigh(const float (&d)[N], uint32_t *out)
{
    float sums[2] = {};

#pragma unroll
    for (int i = 0; i < N; i++) {
        sums[0] += d[i] * (float)(1 + i % 13);
        sums[1] += d[i] * (float)(1 + i * 5 % 17);
    }
    for (uint32_t i = 0; i < 2; i++)
        out[2 * ptx::thread_index() + i] = ptx::float_to_bits(sums[i]);
}

template <int COLUMNS, bool A_MN, bool B_MN, Swizzle SWIZZLE>
__global__ void __launch_bounds__(GROUP, 1)
    product_ss(const uint32_t *in, uint32_t *out)
{
    using A = Operand<A_MN, SWIZZLE>;
    using B = Operand<B_MN, SWIZZLE>;
    float d[COLUMNS / 2];

    A::store(0, 64, in);
    B::store(A_BYTES, COLUMNS, in);
    ptx::fence_async_shared();
    ptx::sync_block();
    ptx::wgmma_fence();
    ptx::wgmma_ss<COLUMNS, A_MN, B_MN>(d, A::descriptor(0),
                                       B::descriptor(A_BYTES), false);
    ptx::wgmma_ss<COLUMNS, A_MN, B_MN>(d, A::descriptor(0),
                                       B::descriptor(A_BYTES), true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    ptx::wgmma_hold(d);
    weigh(d, out);
}

template <int COLUMNS, bool B_MN, Swizzle SWIZZLE, bool SWAPPED>
__global__ void __launch_bounds__(GROUP, 1)
    product_rs(const uint32_t *in, uint32_t *out)
{
    using B = Operand<B_MN, SWIZZLE>;
    const uint32_t *w = in + ptx::thread_index() % THREADS * IN;
    uint32_t a[4] = {w[0], w[1], w[2], w[3]};
    float d[COLUMNS / 2];

    if (B_MN) { /* also what is read with the distances swapped */
        for (uint32_t i = ptx::thread_index(); i < B_BYTES / 2; i += GROUP)
            *(uint16_t *)(ptx::dynamic_shared_1024() + A_BYTES + 2 * i) =
                element(in, 1, i / 16, i % 16);
        ptx::sync_block();
    }
    B::store(A_BYTES, COLUMNS, in);
    ptx::fence_async_shared();
    ptx::sync_block();
    ptx::wgmma_hold(a);
    ptx::wgmma_fence();
    ptx::wgmma_rs<COLUMNS, B_MN>(
        d, a, 0, SWAPPED ? B::swapped(A_BYTES) : B::descriptor(A_BYTES), false);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    ptx::wgmma_hold(d);
    weigh(d, out);
}

template <void (*KERNEL)(const uint32_t *, uint32_t *), int BLOCK>
cudaError_t
run(const uint32_t *in, uint32_t *out)
{
    cudaError_t error = prepare(nullptr, KERNEL, SHARED);

    return error ? error : launch(KERNEL, 1, BLOCK, SHARED, nullptr, in, out);
}

template <int COLUMNS, bool A_MN, bool B_MN, Swizzle SWIZZLE>
constexpr auto run_ss = run<product_ss<COLUMNS, A_MN, B_MN, SWIZZLE>, GROUP>;
template <int COLUMNS, bool B_MN, Swizzle SWIZZLE, bool SWAPPED = false>
constexpr auto run_rs = run<product_rs<COLUMNS, B_MN, SWIZZLE, SWAPPED>, GROUP>;

constexpr instruction
exact(const char *name, cudaError_t (*start)(const uint32_t *, uint32_t *),
      int blocks = 1)
{
    return {name, INSTRUCTION_BITS, 0, blocks, start};
}

constexpr instruction
whole(const char *name, cudaError_t (*start)(const uint32_t *, uint32_t *))
{
    return {name, INSTRUCTION_INTEGER, 0, 1, start};
}

constexpr instruction listed[] = {
    exact("mbarrier_arrive, mbarrier_wait", run<exchange, THREADS>),
    exact("named_arrive", run<hand_over, THREADS>),
    exact("store_matrix_x4", run<store_matrix, THREADS>),
    exact("registers_up, registers_down", run<registers, 3 * GROUP>),
    exact("grid_wait, grid_launch_dependents", run_overlap),
    exact("tensor_load_2d, 128B", run_box<Swizzle::B128, 0, 5>),
    exact("tensor_load_2d, 64B", run_box<Swizzle::B64, 32, 3>),
    exact("tensor_load_2d, 32B", run_box<Swizzle::B32, 16, 0>),
    exact("tensor_load_2d, no swizzle", run_box<Swizzle::NONE, 24, 2>),
    exact("tensor_load_2d, before the tensor", run_box<Swizzle::B128, -8, -3>),
    exact("tensor_load_2d, after it", run_box<Swizzle::B128, 24, 20>),
    whole("wgmma_ss n256, 128B", run_ss<256, false, false, Swizzle::B128>),
    whole("wgmma_ss n160, 128B", run_ss<160, false, false, Swizzle::B128>),
    whole("wgmma_ss n128, 128B", run_ss<128, false, false, Swizzle::B128>),
    whole("wgmma_ss n64, 64B", run_ss<64, false, false, Swizzle::B64>),
    whole("wgmma_ss n128, 32B", run_ss<128, false, false, Swizzle::B32>),
    whole("wgmma_ss n64, a MN-major", run_ss<64, true, false, Swizzle::B128>),
    whole("wgmma_ss n80, b MN-major", run_ss<80, false, true, Swizzle::B128>),
    whole("wgmma_ss n80, b MN-major, 32B",
          run_ss<80, false, true, Swizzle::B32>),
    whole("wgmma_rs n128", run_rs<128, false, Swizzle::B128>),
    whole("wgmma_rs n80, b MN-major", run_rs<80, true, Swizzle::B128>),
    /* A device that has them the other way gives each of these two the other's
       bits. */
    whole("wgmma_rs n80, b MN-major, distances swapped",
          run_rs<80, true, Swizzle::B128, true>),
    exact("cluster_rank, mbarrier_arrive_remote", run_pair<true>, PAIR),
    exact("tensor_load_2d_multicast, cluster_arrive, cluster_wait",
          run_pair<false>, PAIR),
};

} // namespace

extern "C" const instruction_list instructions_hopper = {
    listed, sizeof(listed) / sizeof(listed[0]), 90};
