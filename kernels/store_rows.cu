/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_rows.cu - hidden states as they stand, to image order and any dtype
 *
 *     out[tokens[r / merge2] merge2 + r mod merge2] = x[r]
 *
 * Shapes   x       bf16 [rows, columns], window order, 16-byte aligned
 *          tokens  int32 [rows / merge2]: image-order place of each token
 *          out     fp32, bf16 or fp16 [rows, columns], rows row_bytes apart,
 *                  16-byte aligned
 *
 * Limits   columns % 8 == 0
 *
 * Launch   a block of 128 threads a row; 4 values a thread at a time, so that a
 *          warp's 16-byte stores of fp32 lie next to each other
 *
 * Sectors  loads and stores: the least, in every dtype.
 *
 * Bound    x moves in once, out once: 4 or 6 bytes a value.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    none in fp32 and bf16; one rounding in fp16, beyond 65,504 infinite.
 *
 * Roundings: docs/numerics.md.
 * In plain C: the permutation of tests/kernels/test_store_rows.c.
 */
#include "ops.h"

#include "tile.cuh"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int THREADS = 128;
constexpr int VALUES = 4; /* that a thread takes at a time */
constexpr int COLUMNS_UNIT = 8;

__device__ __forceinline__ uint32_t
pair_to_f16(uint32_t pair)
{
    return ptx::pack_f16(tile::low_half(pair), tile::high_half(pair));
}

__device__ __forceinline__ void
store_four(void *row, int column, uint2 v, int32_t dtype)
{
    if (dtype == ORIEL_CUDA_F32)
        *(float4 *)((float *)row + column) =
            float4{tile::low_half(v.x), tile::high_half(v.x),
                   tile::low_half(v.y), tile::high_half(v.y)};
    else if (dtype == ORIEL_CUDA_F16)
        *(uint2 *)((uint16_t *)row + column) =
            uint2{pair_to_f16(v.x), pair_to_f16(v.y)};
    else
        *(uint2 *)((uint16_t *)row + column) = v;
}

__global__ void __launch_bounds__(THREADS, 8)
    store_rows(oriel_store_rows_args args)
{
    const int64_t row = ptx::block_index();
    const int64_t place =
        (int64_t)args.tokens[row / args.merge2] * args.merge2 +
        row % args.merge2;
    const uint16_t *from = args.x + row * args.columns;
    char *to = (char *)args.out + place * args.row_bytes;

    for (int column = (int)ptx::thread_index() * VALUES; column < args.columns;
         column += THREADS * VALUES)
        store_four(to, column, *(const uint2 *)(from + column), args.dtype);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_store_rows_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, store_rows, 0);
}

extern "C" cudaError_t
oriel_cuda_store_rows(const oriel_store_rows_args *args, cudaStream_t stream)
{
    const int64_t width = args->dtype == ORIEL_CUDA_F32 ? 4 : 2;

    if (args->rows < 0 || args->columns <= 0 || args->columns % COLUMNS_UNIT ||
        args->merge2 <= 0 || args->rows % args->merge2 ||
        args->dtype < ORIEL_CUDA_F32 || args->dtype > ORIEL_CUDA_F16 ||
        args->row_bytes % 16 || args->row_bytes < args->columns * width ||
        ((uintptr_t)args->x | (uintptr_t)args->out) % 16 ||
        (uintptr_t)args->tokens % 4)
        return cudaErrorInvalidValue;
    return launch(store_rows, args->rows, THREADS, 0, stream, *args);
}
