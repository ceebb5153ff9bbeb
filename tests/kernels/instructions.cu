/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions.cu - each instruction of ptx.cuh alone, on given inputs
 *
 * A kernel an instruction: words in, the instruction, words out.  What shared
 * memory holds and which addresses are used come from the input too.  Bounds of
 * approximations are those that ptx.cuh states, and half a unit in the last
 * place for the emulation's own rounding.
 */
#include "instructions.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int THREADS = INSTRUCTION_THREADS;
constexpr int LANES = 32;
constexpr int IN = INSTRUCTION_IN;
constexpr int OUT = INSTRUCTION_OUT;
constexpr int ROW = 16; /* bytes of shared memory a thread, and of a copy */
constexpr int SHARED = 2 * THREADS * ROW;

__device__ __forceinline__ const uint32_t *
words_in(const uint32_t *in)
{
    return in + ptx::thread_index() * IN;
}

__device__ __forceinline__ uint32_t *
words_out(uint32_t *out)
{
    return out +
           (ptx::block_index() * (uint32_t)THREADS + ptx::thread_index()) * OUT;
}

/* Four words into this thread's row of shared memory, seen by the warp. */
__device__ __forceinline__ void
fill_row(const uint32_t *words)
{
    uint4 row = {words[0], words[1], words[2], words[3]};

    reinterpret_cast<uint4 *>(ptx::dynamic_shared())[ptx::thread_index()] = row;
    ptx::sync_warp();
}

/* The row of some lane of this warp. */
__device__ __forceinline__ uint32_t
row_address(uint32_t lane)
{
    uint32_t row = ptx::thread_index() / LANES * LANES + lane % (uint32_t)LANES;

    return ptx::shared_address(ptx::dynamic_shared()) + row * ROW;
}

/* ---- Who, and meetings --------------------------------------------------- */

__global__ void __launch_bounds__(THREADS, 1)
    identity(const uint32_t *in, uint32_t *out)
{
    uint32_t *o = words_out(out);

    o[0] = ptx::thread_index();
    o[1] = ptx::block_index();
    o[2] = ptx::grid_blocks();
    o[3] = words_in(in)[0];
}

/* What the other warp wrote before the barrier. */
template <bool NAMED>
__global__ void __launch_bounds__(THREADS, 1)
    sync(const uint32_t *in, uint32_t *out)
{
    uint32_t *shared = reinterpret_cast<uint32_t *>(ptx::dynamic_shared());

    shared[ptx::thread_index()] = words_in(in)[0];
    if (NAMED)
        ptx::sync_named(3, THREADS);
    else
        ptx::sync_block();
    words_out(out)[0] = shared[THREADS - 1 - ptx::thread_index()];
}

__global__ void __launch_bounds__(THREADS, 1)
    sync_warp(const uint32_t *in, uint32_t *out)
{
    uint32_t *shared = reinterpret_cast<uint32_t *>(ptx::dynamic_shared());

    shared[ptx::thread_index()] = words_in(in)[0];
    ptx::sync_warp();
    words_out(out)[0] = shared[ptx::thread_index() ^ 13u];
}

__global__ void __launch_bounds__(THREADS, 1)
    shuffle_xor(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);

    uint32_t *o = words_out(out);

    o[0] = ptx::shuffle_xor(w[0], 1);
    o[1] = ptx::shuffle_xor(w[1], 2);
    o[2] = ptx::shuffle_xor(w[2], 4);
    o[3] = ptx::shuffle_xor(w[3], 8) ^ ptx::shuffle_xor(w[4], 16) * 3u;
}

__global__ void __launch_bounds__(THREADS, 1)
    shuffle_xor_float(const uint32_t *in, uint32_t *out)
{
    float value = ptx::bits_to_float(words_in(in)[0]);

    words_out(out)[0] = ptx::float_to_bits(ptx::shuffle_xor(value, 21));
}

/* A bit of each lane, and zeros from all. */
__global__ void __launch_bounds__(THREADS, 1)
    reduce_or(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);
    const uint32_t lane = ptx::thread_index() % 32;

    words_out(out)[0] = ptx::reduce_or(w[0] & 1u << lane);
    words_out(out)[1] = ptx::reduce_or(w[1] & w[2] & w[3] & w[4]);
    words_out(out)[2] = ptx::reduce_or(0);
}

__global__ void __launch_bounds__(THREADS, 1)
    shuffle(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);

    words_out(out)[0] = ptx::shuffle(w[0], w[1] % LANES);
}

/* ---- Tensor cores -------------------------------------------------------- */

template <bool TRANSPOSED>
__global__ void __launch_bounds__(THREADS, 1)
    ldmatrix_x4(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);
    uint32_t r[4];

    fill_row(w);
    if (TRANSPOSED)
        ptx::ldmatrix_x4_trans(r, row_address(w[4]));
    else
        ptx::ldmatrix_x4(r, row_address(w[4]));
    for (int i = 0; i < 4; i++)
        words_out(out)[i] = r[i];
}

template <bool TRANSPOSED>
__global__ void __launch_bounds__(THREADS, 1)
    ldmatrix_x2(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);
    uint32_t r[2];

    fill_row(w);
    if (TRANSPOSED)
        ptx::ldmatrix_x2_trans(r, row_address(w[4]));
    else
        ptx::ldmatrix_x2(r, row_address(w[4]));
    for (int i = 0; i < 2; i++)
        words_out(out)[i] = r[i];
}

__global__ void __launch_bounds__(THREADS, 1)
    mma(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);
    const uint32_t a[4] = {w[0], w[1], w[2], w[3]}, b[2] = {w[4], w[5]};
    float d[4];

    for (int i = 0; i < 4; i++)
        d[i] = ptx::bits_to_float(w[6 + i]);
    ptx::mma_m16n8k16_bf16(d, a, b);
    for (int i = 0; i < 4; i++)
        words_out(out)[i] = ptx::float_to_bits(d[i]);
}

/* ---- Copies -------------------------------------------------------------- */

/* Two copies in groups of their own; the second is either waited for or not. */
template <int LEFT>
__global__ void __launch_bounds__(THREADS, 1)
    copy(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);
    uint32_t row =
        ptx::shared_address(ptx::dynamic_shared()) + ptx::thread_index() * ROW;
    const uint32_t *seen = reinterpret_cast<const uint32_t *>(
        ptx::dynamic_shared() + (LEFT ? 0 : THREADS * ROW) +
        ptx::thread_index() * ROW);

    ptx::copy_async_16(row, w, w[8] % 4 != 0);
    ptx::copy_commit();
    ptx::copy_async_16(row + THREADS * ROW, w + 4, w[9] % 4 != 0);
    ptx::copy_commit();
    ptx::copy_wait<LEFT>();
    for (int i = 0; i < 4; i++)
        words_out(out)[i] = seen[i];
    ptx::copy_wait<0>();
}

/* ---- Numbers ------------------------------------------------------------- */

__global__ void __launch_bounds__(THREADS, 1)
    pack_bf16(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);

    for (int i = 0; i < 4; i++)
        words_out(out)[i] = ptx::pack_bf16(ptx::bits_to_float(w[2 * i]),
                                           ptx::bits_to_float(w[2 * i + 1]));
}

__global__ void __launch_bounds__(THREADS, 1)
    pack_f16(const uint32_t *in, uint32_t *out)
{
    const uint32_t *w = words_in(in);

    for (int i = 0; i < 4; i++)
        words_out(out)[i] = ptx::pack_f16(ptx::bits_to_float(w[2 * i]),
                                          ptx::bits_to_float(w[2 * i + 1]));
}

__global__ void __launch_bounds__(THREADS, 1)
    f16_to_float(const uint32_t *in, uint32_t *out)
{
    for (int i = 0; i < 4; i++)
        words_out(out)[i] =
            ptx::float_to_bits(ptx::f16_to_float(words_in(in)[i] & 0xffffu));
}

enum { EX2, RCP, RSQRT };

template <int WHICH>
__global__ void __launch_bounds__(THREADS, 1)
    approximate(const uint32_t *in, uint32_t *out)
{
    for (int i = 0; i < 4; i++) {
        float x = ptx::bits_to_float(words_in(in)[i]);

        words_out(out)[i] =
            ptx::float_to_bits(WHICH == EX2   ? ptx::ex2_approx(x)
                               : WHICH == RCP ? ptx::rcp_approx(x)
                                              : ptx::rsqrt_approx(x));
    }
}

template <void (*KERNEL)(const uint32_t *, uint32_t *), int BLOCKS>
cudaError_t
run(const uint32_t *in, uint32_t *out)
{
    cudaError_t error = prepare(nullptr, KERNEL, SHARED);

    return error ? error
                 : launch(KERNEL, BLOCKS, THREADS, SHARED, nullptr, in, out);
}

/* What one instruction may cut off: of each of its terms 2^-22 of the largest,
   as the heads of the kernels assume. */
constexpr double PRODUCT_BOUND = 5 * 0x1p-22;

constexpr instruction listed[] = {
    {"thread_index, block_index, grid_blocks", INSTRUCTION_BITS, 0, 3,
     run<identity, 3>},
    {"sync_block", INSTRUCTION_BITS, 0, 1, run<sync<false>, 1>},
    {"sync_named", INSTRUCTION_BITS, 0, 1, run<sync<true>, 1>},
    {"sync_warp", INSTRUCTION_BITS, 0, 1, run<sync_warp, 1>},
    {"shuffle_xor", INSTRUCTION_BITS, 0, 1, run<shuffle_xor, 1>},
    {"shuffle_xor of floats", INSTRUCTION_BITS, 0, 1,
     run<shuffle_xor_float, 1>},
    {"shuffle", INSTRUCTION_BITS, 0, 1, run<shuffle, 1>},
    {"reduce_or", INSTRUCTION_BITS, 0, 1, run<reduce_or, 1>},
    {"ldmatrix_x4", INSTRUCTION_BITS, 0, 1, run<ldmatrix_x4<false>, 1>},
    {"ldmatrix_x4_trans", INSTRUCTION_BITS, 0, 1, run<ldmatrix_x4<true>, 1>},
    {"ldmatrix_x2", INSTRUCTION_BITS, 0, 1, run<ldmatrix_x2<false>, 1>},
    {"ldmatrix_x2_trans", INSTRUCTION_BITS, 0, 1, run<ldmatrix_x2<true>, 1>},
    {"mma_m16n8k16_bf16, layout", INSTRUCTION_INTEGER, 0, 1, run<mma, 1>},
    {"mma_m16n8k16_bf16, sums", INSTRUCTION_PRODUCT, PRODUCT_BOUND, 1,
     run<mma, 1>},
    {"copy_async_16, copy_wait<0>", INSTRUCTION_BITS, 0, 1, run<copy<0>, 1>},
    {"copy_async_16, copy_wait<1>", INSTRUCTION_BITS, 0, 1, run<copy<1>, 1>},
    {"pack_bf16", INSTRUCTION_FLOATS, 0, 1, run<pack_bf16, 1>},
    {"pack_f16", INSTRUCTION_FLOATS, 0, 1, run<pack_f16, 1>},
    {"f16_to_float", INSTRUCTION_F16, 0, 1, run<f16_to_float, 1>},
    {"ex2_approx", INSTRUCTION_APPROX, 0x1p-22 + 0x1p-24, 1,
     run<approximate<EX2>, 1>},
    {"rcp_approx", INSTRUCTION_APPROX, 0x1p-23 + 0x1p-24, 1,
     run<approximate<RCP>, 1>},
    {"rsqrt_approx", INSTRUCTION_APPROX, 0x1.125p-23 + 0x1p-24, 1,
     run<approximate<RSQRT>, 1>},
};

} // namespace

extern "C" const instruction_list instructions = {
    listed, sizeof(listed) / sizeof(listed[0]), 0};
