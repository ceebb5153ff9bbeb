/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm.cu - root-mean-square norm of rows
 *
 *     out = x * rsqrt(mean(x^2) + 1e-6) * weight
 *
 * Shapes   x, out   bf16 [rows, columns], 16-byte aligned, columns % 8 == 0
 *          weight   bf16 [columns]
 *
 * Launch   one warp a row, 4 rows a block of 128 threads; a lane takes 8
 *          columns at a time, 16 bytes a load.  The row is read twice: the
 *          second time it comes from L1 (2,560 bytes a row when published).
 *
 * Sectors  loads and stores: the least.
 *
 * Order    a lane sums its own columns in ascending order, then lanes are added
 *          in pairs at distance 16, 8, 4, 2, 1: the same for every row, so a
 *          row's bytes do not depend on its place or on the batch.
 *
 * Bound    x moves once and out once: 4 bytes a value.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    one rounding to bf16 at the end: |out - exact| <= (2^-8 + 2^-18)
 *          |exact|.  The sum of squares has relative error below columns / 32 *
 *          2^-24 + 5 * 2^-24 and counts half; the approximate root adds 2^-22.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/rms_norm.c.
 */
#include "ops.h"

#include "tile.cuh"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int WARPS = 4;
constexpr int VALUES = 8; /* of one 16-byte access */
constexpr float EPSILON = 1e-6f;

__device__ __forceinline__ float
sum_of_squares(uint4 v, float sum)
{
    const uint32_t pairs[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sum = fmaf(tile::low_half(pairs[i]), tile::low_half(pairs[i]), sum);
        sum = fmaf(tile::high_half(pairs[i]), tile::high_half(pairs[i]), sum);
    }
    return sum;
}

__device__ __forceinline__ uint32_t
scaled(uint32_t x, uint32_t weight, float scale)
{
    return ptx::pack_bf16(tile::low_half(x) * scale * tile::low_half(weight),
                          tile::high_half(x) * scale * tile::high_half(weight));
}

__global__ void __launch_bounds__(WARPS * 32, 8)
    rms_norm(oriel_rms_norm_args args)
{
    const uint32_t lane = ptx::thread_index() % 32;
    const int64_t row =
        (int64_t)ptx::block_index() * WARPS + ptx::thread_index() / 32;
    if (row >= args.rows)
        return;
    const int n = args.columns / VALUES;
    const uint4 *x = (const uint4 *)(args.x + row * args.columns);
    const uint4 *weight = (const uint4 *)args.weight;
    uint4 *out = (uint4 *)(args.out + row * args.columns);

    float sum = 0.0f;
    for (int i = (int)lane; i < n; i += 32)
        sum = sum_of_squares(x[i], sum);
#pragma unroll
    for (uint32_t distance = 16; distance > 0; distance /= 2)
        sum += ptx::shuffle_xor(sum, distance);
    const float scale = ptx::rsqrt_approx(sum / (float)args.columns + EPSILON);

    for (int i = (int)lane; i < n; i += 32) {
        const uint4 v = x[i], w = weight[i];
        out[i] = uint4{scaled(v.x, w.x, scale), scaled(v.y, w.y, scale),
                       scaled(v.z, w.z, scale), scaled(v.w, w.w, scale)};
    }
}

} // namespace

extern "C" cudaError_t
oriel_cuda_rms_norm_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, rms_norm, 0);
}

extern "C" cudaError_t
oriel_cuda_rms_norm(const oriel_rms_norm_args *args, cudaStream_t stream)
{
    if (args->columns <= 0 || args->columns % VALUES || args->columns > 8192 ||
        args->rows < 0 ||
        ((uintptr_t)args->x | (uintptr_t)args->weight | (uintptr_t)args->out) %
            16)
        return cudaErrorInvalidValue;
    return launch(rms_norm, (args->rows + WARPS - 1) / WARPS, WARPS * 32, 0,
                  stream, *args);
}
