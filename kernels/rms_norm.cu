/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm.cu - root-mean-square norm of rows
 *
 *     out = x * rsqrt(mean(x^2) + 1e-6) * weight
 *
 * Shapes   x, out   bf16 [rows, columns], 16-byte aligned, columns % 8 == 0
 *          lo       likewise, or NULL; x is x + lo, which is exact in fp32
 *          weight   bf16 [columns]
 *
 * Launch   one warp a row, 4 rows a block of 128 threads; with a count the blocks
 *          that are resident take rows in turns.  A lane takes 8 columns at a time,
 *          16 bytes a load.  The row is read twice: the second time it comes from
 *          L1 (2,560 bytes a row when published).
 *
 * Sectors  loads and stores: the least.
 *
 * Order    a lane sums its own columns in ascending order, then lanes are added
 *          in pairs at distance 16, 8, 4, 2, 1: the same for every row, so a
 *          row's bytes do not depend on its place or on the batch.
 *
 * Bound    x moves once and out once: 4 bytes a value, 6 with lo.
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

#include "counted.cuh"
#include "tile.cuh"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int WARPS = 4;
constexpr int VALUES = 8; /* of one 16-byte access */
constexpr float EPSILON = 1e-6f;

/* Eight neighbours of a row. */
struct Eight {
    float of[VALUES];
};

__device__ __forceinline__ Eight
eight(uint4 v)
{
    return {{tile::low_half(v.x), tile::high_half(v.x), tile::low_half(v.y),
             tile::high_half(v.y), tile::low_half(v.z), tile::high_half(v.z),
             tile::low_half(v.w), tile::high_half(v.w)}};
}

template <bool WIDE> struct Row {
    const uint4 *x, *lo; /* lo: where it is wide */

    __device__ __forceinline__ Eight at(int i) const
    {
        Eight v = eight(x[i]);
        if constexpr (WIDE) {
            const Eight rest = eight(lo[i]);
#pragma unroll
            for (int k = 0; k < VALUES; k++)
                v.of[k] += rest.of[k];
        }
        return v;
    }
};

__device__ __forceinline__ float
sum_of_squares(const Eight &v, float sum)
{
#pragma unroll
    for (int k = 0; k < VALUES; k++)
        sum = fmaf(v.of[k], v.of[k], sum);
    return sum;
}

__device__ __forceinline__ uint4
scaled(const Eight &v, const Eight &weight, float scale)
{
    uint32_t pairs[VALUES / 2];
#pragma unroll
    for (int k = 0; k < VALUES; k += 2)
        pairs[k / 2] = ptx::pack_bf16(v.of[k] * scale * weight.of[k],
                                      v.of[k + 1] * scale * weight.of[k + 1]);
    return {pairs[0], pairs[1], pairs[2], pairs[3]};
}

template <bool WIDE>
__device__ __forceinline__ void
normalise(const oriel_rms_norm_args &args, int64_t row, uint32_t lane)
{
    const int n = args.columns / VALUES;
    const int64_t first = row * args.columns;
    const Row<WIDE> x = {(const uint4 *)(args.x + first),
                         WIDE ? (const uint4 *)(args.lo + first) : nullptr};
    const uint4 *weight = (const uint4 *)args.weight;
    uint4 *out = (uint4 *)(args.out + first);

    float sum = 0.0f;
    for (int i = (int)lane; i < n; i += 32)
        sum = sum_of_squares(x.at(i), sum);
#pragma unroll
    for (uint32_t distance = 16; distance > 0; distance /= 2)
        sum += ptx::shuffle_xor(sum, distance);
    const float scale = ptx::rsqrt_approx(sum / (float)args.columns + EPSILON);

    for (int i = (int)lane; i < n; i += 32)
        out[i] = scaled(x.at(i), eight(weight[i]), scale);
}

/* Of blocks, on a multiprocessor. */
constexpr int
resident(bool wide)
{
    return wide ? 9 : 12;
}

template <bool WIDE>
__global__ void __launch_bounds__(WARPS * 32, resident(WIDE))
    rms_norm(oriel_rms_norm_args args)
{
    counted::begin();
    const int64_t rows = counted::count(args.counted, args.rows);
    const uint32_t lane = ptx::thread_index() % 32;

    for (int64_t row =
             (int64_t)ptx::block_index() * WARPS + ptx::thread_index() / 32;
         row < rows; row += (int64_t)ptx::grid_blocks() * WARPS)
        normalise<WIDE>(args, row, lane);
}

template <bool WIDE>
cudaError_t
norm(const oriel_rms_norm_args *args, cudaStream_t stream)
{
    const int64_t blocks = (args->rows + WARPS - 1) / WARPS;

    return launch_as(counted::shape(args->counted), rms_norm<WIDE>,
                     counted::grid(args->counted, blocks, resident(WIDE)),
                     WARPS * 32, 0, stream, *args);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_rms_norm_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare(loaded, rms_norm<false>, 0, "rms_norm<false>");

    return error != cudaSuccess
               ? error
               : prepare(loaded, rms_norm<true>, 0, "rms_norm<true>");
}

extern "C" cudaError_t
oriel_cuda_rms_norm(const oriel_rms_norm_args *args, cudaStream_t stream)
{
    if (args->columns <= 0 || args->columns % VALUES || args->columns > 8192 ||
        args->rows < 0 || !counted::within_limits(args->counted) ||
        ((uintptr_t)args->x | (uintptr_t)args->weight | (uintptr_t)args->out |
         (uintptr_t)args->lo) %
            16)
        return cudaErrorInvalidValue;
    return args->lo ? norm<true>(args, stream) : norm<false>(args, stream);
}
