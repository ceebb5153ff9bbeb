/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faulty.cu - kernels with one mistake each, and their correct twins
 *
 * Every mistake is one that hardware may let pass in a test and punish later.
 */
#include "faulty.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

/* Two warps reverse 64 values through shared memory. */
__global__ void
reverse(faulty_args args, bool barrier)
{
    float *shared = (float *)ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();

    shared[t] = args.in[t];
    if (barrier)
        ptx::sync_block();
    args.out[t] = shared[63 - t];
}

/* Within one warp a barrier of the warp is enough, and needed. */
__global__ void
reverse_warp(faulty_args args, bool barrier)
{
    float *shared = (float *)ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();

    shared[t] = args.in[t];
    if (barrier)
        ptx::sync_warp();
    args.out[t] = shared[31 - t];
}

/* Each thread copies 16 bytes and reads what its neighbour copied. */
__global__ void
copy(faulty_args args, bool wait)
{
    char *shared = ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();

    ptx::copy_async_16(ptx::shared_address(shared + 16 * t), args.in + 4 * t,
                       true);
    ptx::copy_commit();
    if (wait)
        ptx::copy_wait<0>();
    ptx::sync_block();
    args.out[t] = ((float *)shared)[4 * (63 - t)];
    ptx::copy_wait<0>();
}

/* Two buffers in turn: the next load may start only when all have read. */
__global__ void
pipeline(faulty_args args, bool barrier_first)
{
    char *shared = ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();
    const uint32_t mine = ptx::shared_address(shared + 16 * t);
    float sum = 0;

    ptx::copy_async_16(mine, args.in + 4 * t, true);
    ptx::copy_commit();
    for (int i = 0; i < 4; i++) {
        if (barrier_first) {
            ptx::copy_wait<0>();
            ptx::sync_block();
        }
        ptx::copy_async_16(mine + (i + 1) % 2 * 1024, args.in + 4 * t, i < 3);
        ptx::copy_commit();
        if (!barrier_first) {
            ptx::copy_wait<1>();
            ptx::sync_block();
        }
        sum += ((float *)(shared + i % 2 * 1024))[4 * (63 - t)];
    }
    ptx::copy_wait<0>();
    args.out[t] = sum;
}

/* Reads 'extra' values beyond the input, shared or global. */
__global__ void
overrun(faulty_args args, uint32_t extra, bool in_shared)
{
    const float *shared = (const float *)ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();

    if (in_shared)
        ((float *)ptx::dynamic_shared())[t] = 1;
    ptx::sync_block();
    args.out[t] = in_shared ? shared[t + extra] : args.in[t + 192 + extra];
}

/* Half of a warp goes another way. */
__global__ void
diverge(faulty_args args, bool apart)
{
    const uint32_t t = ptx::thread_index();
    float v = args.in[t];

    if (apart && t % 32 < 16)
        v += ptx::shuffle_xor(v, uint32_t{1});
    else
        v += ptx::shuffle_xor(v, uint32_t{1});
    args.out[t] = v;
}

/* Each lane sums what it has of its own, as many as it has, and then all lanes
   sum up; a lane may leave a round of that out and go to the next. */
__global__ void
skip_round(faulty_args args, bool skip)
{
    const uint32_t t = ptx::thread_index();
    float sum = 0;

    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = t; i < 40 + 32 * round; i += 32)
            sum += args.in[i];
        if (skip && round == t % 4)
            continue;
        sum += ptx::shuffle_xor(sum, uint32_t{1});
    }
    args.out[t] = sum;
}

/* The same after a loop that is longer than what is kept of a lane's way, with
   an 'if' in each round, so that lanes come by different ways. */
__global__ void
skip_late_round(faulty_args args, bool skip)
{
    const uint32_t t = ptx::thread_index();
    float sum = 0;

    for (uint32_t i = 0; i < 1000; i++)
        sum += args.in[(t + i) % 64];
    for (uint32_t round = 0; round < 4; round++) {
        if (skip && round == t % 4)
            continue;
        const float other = ptx::shuffle_xor(sum, uint32_t{1});
        if (t % 8 <= round)
            sum += other;
    }
    args.out[t] = sum;
}

/* One warp leaves before the others' barrier. */
__global__ void
leave(faulty_args args, bool early)
{
    const uint32_t t = ptx::thread_index();

    if (early && t >= 32)
        return;
    ptx::sync_block();
    args.out[t] = args.in[t];
}

/* Blocks write their own places, or all the same. */
__global__ void
collide(faulty_args args, bool same)
{
    const uint32_t t = ptx::thread_index();

    args.out[(same ? 0 : ptx::block_index() * 64) + t] = args.in[t];
}

/* As reverse, but through global memory. */
__global__ void
reverse_global(faulty_args args, bool barrier)
{
    const uint32_t t = ptx::thread_index();

    args.out[t] = args.in[t];
    if (barrier)
        ptx::sync_block();
    const float other = args.out[63 - t];
    ptx::sync_block();
    args.out[t] = other;
}

/* One warp reads, within it a lane writes what another has read. */
__global__ void
shift_global(faulty_args args, bool barrier)
{
    const uint32_t t = ptx::thread_index();
    const float other = args.out[(t + 1) % 32];

    if (barrier)
        ptx::sync_warp();
    args.out[t] = other;
}

/* Two threads write a half of four bytes each, or both the same half. */
__global__ void
halves(faulty_args args, bool same)
{
    const uint32_t t = ptx::thread_index();
    uint16_t *out = (uint16_t *)args.out;

    out[same ? t / 2 * 2 : t] = (uint16_t)t;
}

/* An address that is no multiple of what is read there. */
__global__ void
misalign(faulty_args args, uint32_t shift)
{
    const uint32_t t = ptx::thread_index();
    const float2 *pair = (const float2 *)(args.in + shift + 2 * t);

    args.out[t] = t < 32 ? pair->x + pair->y : 0;
}

/* More values than the array in registers has. */
__global__ void
overrun_registers(faulty_args args, int n)
{
    const uint32_t t = ptx::thread_index();
    float values[4], sum = 0;

    for (int i = 0; i < 4; i++)
        values[i] = args.in[t + i];
    for (int i = 0; i < n; i++)
        sum += values[i];
    args.out[t] = sum;
}

/* Two to the power 'n', by a shift and by a conversion. */
__global__ void
powers(faulty_args args, int n, bool shifted)
{
    const float power = ptx::ex2_approx((float)n);

    args.out[ptx::thread_index()] =
        shifted ? (float)(1 << n) : (float)(int)power;
}

/* 32 threads meet, but they are the halves of two warps. */
__global__ void
half_warps(faulty_args args, bool halves)
{
    const uint32_t t = ptx::thread_index();

    if (!halves || t % 32 < 16)
        ptx::sync_named(1, halves ? 32 : 64);
    args.out[t] = args.in[t];
}

/* A warp comes to a barrier whole, but one half of it by another instruction. */
__global__ void
two_barriers(faulty_args args, bool apart)
{
    const uint32_t t = ptx::thread_index();

    if (apart && t % 32 < 16)
        ptx::sync_named(1, 64);
    else
        ptx::sync_named(1, 64);
    args.out[t] = args.in[t];
}

/* Ends before its copy has come. */
__global__ void
unwaited(faulty_args args, bool wait)
{
    const uint32_t t = ptx::thread_index();

    ptx::copy_async_16(ptx::shared_address(ptx::dynamic_shared() + 16 * t),
                       args.in + 4 * t, true);
    ptx::copy_commit();
    if (wait)
        ptx::copy_wait<0>();
    args.out[t] = args.in[t];
}

/* Writes what its own copy is still to read. */
__global__ void
overwrite_source(faulty_args args, bool wait_first)
{
    const uint32_t t = ptx::thread_index();

    for (uint32_t i = 0; i < 4; i++)
        args.out[4 * t + i] = 1;
    ptx::copy_async_16(ptx::shared_address(ptx::dynamic_shared() + 16 * t),
                       args.out + 4 * t, true);
    ptx::copy_commit();
    if (wait_first)
        ptx::copy_wait<0>();
    args.out[4 * t] = 2;
    ptx::copy_wait<0>();
}

/* A copy of nothing: zeros arrive, but an address is named all the same. */
__global__ void
copy_nothing(faulty_args args, uint32_t beyond)
{
    const uint32_t t = ptx::thread_index();
    char *shared = ptx::dynamic_shared() + 16 * t;

    ptx::copy_async_16(ptx::shared_address(shared), args.in + beyond, false);
    ptx::copy_commit();
    ptx::copy_wait<0>();
    args.out[t] = *(const float *)shared;
}

/* The larger of a value and of one that was never written: a NaN would be passed over. */
__global__ void
unwritten(faulty_args args, bool write)
{
    float *shared = (float *)ptx::dynamic_shared();
    const uint32_t t = ptx::thread_index();

    if (write)
        shared[t] = 0;
    args.out[t] = fmaxf(shared[t], args.in[t]);
}

/* The sum of in[0] .. in[31] on tensor cores, in every element of c: either from
   its place on, or further along the depth; in one chain, or in two that are
   added, as a product does that splits its depth when there are few rows. */
__global__ void
sum_depth(faulty_args args, int shift, bool split)
{
    const int lane = (int)ptx::thread_index();
    const uint32_t ones = ptx::pack_bf16(1.0f, 1.0f), b[2] = {ones, ones};
    float c[2][4] = {};

    for (int step = 0; step < 3; step++) {
        uint32_t half[2];
        for (int i = 0; i < 2; i++) {
            const int k = step * 16 + i * 8 + lane % 4 * 2 - shift;
            half[i] = ptx::pack_bf16(k >= 0 && k < 32 ? args.in[k] : 0.0f,
                                     k >= -1 && k < 31 ? args.in[k + 1] : 0.0f);
        }
        const uint32_t a[4] = {half[0], half[0], half[1], half[1]};
        ptx::mma_m16n8k16_bf16(c[split ? step % 2 : 0], a, b);
    }
    args.out[lane] = c[0][0] + c[1][0];
}

/* Lane i moves vector i * stride. */
template <class Vector>
__global__ void
strided(faulty_args args, int stride)
{
    Vector *shared = (Vector *)ptx::dynamic_shared();
    const int at = (int)ptx::thread_index() * stride;

    shared[at] = ((const Vector *)args.in)[at];
    ptx::sync_warp();
    ((Vector *)args.out)[at] = shared[at];
}

} // namespace

extern "C" cudaError_t
faulty_run(int which, int wrong, const faulty_args *args)
{
    const bool right = !wrong;
    auto go = [&](auto kernel, int blocks, int threads, auto... more) {
        cudaError_t error = prepare(nullptr, kernel, 2048);
        if (error != cudaSuccess)
            return error;
        return launch(kernel, blocks, threads, 2048, nullptr, *args, more...);
    };

    switch (which) {
    case FAULTY_REVERSE:
        return go(reverse, 1, 64, right);
    case FAULTY_REVERSE_WARP:
        return go(reverse_warp, 1, 32, right);
    case FAULTY_COPY:
        return go(copy, 1, 64, right);
    case FAULTY_PIPELINE:
        return go(pipeline, 1, 64, right);
    case FAULTY_OVERRUN_SHARED:
        return go(overrun, 1, 64, wrong ? 449u : 0u, true);
    case FAULTY_OVERRUN_GLOBAL:
        return go(overrun, 1, 64, wrong ? 1u : 0u, false);
    case FAULTY_DIVERGE:
        return go(diverge, 1, 64, (bool)wrong);
    case FAULTY_SKIP_LATE_ROUND:
        return go(skip_late_round, 1, 64, (bool)wrong);
    case FAULTY_SKIP_ROUND:
        return go(skip_round, 1, 64, (bool)wrong);
    case FAULTY_LEAVE:
        return go(leave, 1, 64, (bool)wrong);
    case FAULTY_COLLIDE:
        return go(collide, 4, 64, (bool)wrong);
    case FAULTY_REVERSE_GLOBAL:
        return go(reverse_global, 1, 64, right);
    case FAULTY_SHIFT_GLOBAL:
        return go(shift_global, 1, 32, right);
    case FAULTY_HALVES:
        return go(halves, 1, 64, (bool)wrong);
    case FAULTY_OVERRUN_REGISTERS:
        return go(overrun_registers, 1, 32, wrong ? 5 : 4);
    case FAULTY_SHIFT:
        return go(powers, 1, 32, wrong ? 33 : 3, true);
    case FAULTY_CONVERT:
        return go(powers, 1, 32, wrong ? 33 : 3, false);
    case FAULTY_HALF_WARPS:
        return go(half_warps, 1, 64, (bool)wrong);
    case FAULTY_TWO_BARRIERS:
        return go(two_barriers, 1, 64, (bool)wrong);
    case FAULTY_UNWAITED:
        return go(unwaited, 1, 64, right);
    case FAULTY_SOURCE:
        return go(overwrite_source, 1, 64, right);
    case FAULTY_NOWHERE:
        return go(copy_nothing, 1, 64, wrong ? 1u << 20 : 0u);
    case FAULTY_UNWRITTEN:
        return go(unwritten, 1, 64, right);
    case FAULTY_PACKED:
        return go(sum_depth, 1, 32, wrong ? 4 : 0, false);
    case FAULTY_SPLIT:
        return go(sum_depth, 1, 32, 0, (bool)wrong);
    default:
        return go(misalign, 1, 64, wrong ? 1u : 0u);
    }
}

extern "C" cudaError_t
faulty_run_on(cudaStream_t stream, const faulty_args *args)
{
    cudaError_t error = prepare(nullptr, reverse, 2048);

    return error != cudaSuccess
               ? error
               : launch(reverse, 1, 64, 2048, stream, *args, true);
}

extern "C" cudaError_t
faulty_prepare(size_t shared_bytes)
{
    return prepare(nullptr, reverse, shared_bytes);
}

extern "C" cudaError_t
strided_run(int bytes, int stride, const faulty_args *args)
{
    auto go = [&](auto kernel) {
        cudaError_t error = prepare(nullptr, kernel, 2048);
        if (error != cudaSuccess)
            return error;
        return launch(kernel, 1, 32, 2048, nullptr, *args, stride);
    };

    return bytes == 4   ? go(strided<float>)
           : bytes == 8 ? go(strided<float2>)
                        : go(strided<float4>);
}
