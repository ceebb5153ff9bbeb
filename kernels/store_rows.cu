/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_rows.cu - hidden states as they stand, to image order and any dtype
 *
 *     out[tokens[r / merge2] merge2 + r mod merge2] = x[r]
 *
 * Shapes   x       bf16 [rows, columns], window order, 16-byte aligned
 *          lo      likewise, or NULL; x is x + lo, which is exact in fp32
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
 * Bound    x moves in once, out once: 4 or 6 bytes a value, 2 more with lo.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    none in fp32, nor in bf16 without lo; else one rounding, in fp16 beyond
 *          65,504 infinite.
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

/* Four neighbours of a row: as they lie there, and as numbers. */
struct Four {
    uint2 bits;
    float4 value;
};

template <bool WIDE>
__device__ __forceinline__ Four
load_four(const oriel_store_rows_args &args, int64_t at)
{
    const uint2 v = *(const uint2 *)(args.x + at);
    Four four = {v,
                 {tile::low_half(v.x), tile::high_half(v.x),
                  tile::low_half(v.y), tile::high_half(v.y)}};
    if constexpr (WIDE) {
        const uint2 rest = *(const uint2 *)(args.lo + at);
        four.value.x += tile::low_half(rest.x);
        four.value.y += tile::high_half(rest.x);
        four.value.z += tile::low_half(rest.y);
        four.value.w += tile::high_half(rest.y);
        four.bits = {ptx::pack_bf16(four.value.x, four.value.y),
                     ptx::pack_bf16(four.value.z, four.value.w)};
    }
    return four;
}

__device__ __forceinline__ void
store_four(void *row, int column, const Four &v, int32_t dtype)
{
    if (dtype == ORIEL_CUDA_F32)
        *(float4 *)((float *)row + column) = v.value;
    else if (dtype == ORIEL_CUDA_F16)
        *(uint2 *)((uint16_t *)row + column) =
            uint2{ptx::pack_f16(v.value.x, v.value.y),
                  ptx::pack_f16(v.value.z, v.value.w)};
    else
        *(uint2 *)((uint16_t *)row + column) = v.bits;
}

template <bool WIDE>
__global__ void __launch_bounds__(THREADS, 8)
    store_rows(oriel_store_rows_args args)
{
    const int64_t row = ptx::block_index();
    const int64_t place =
        (int64_t)args.tokens[row / args.merge2] * args.merge2 +
        row % args.merge2;
    char *to = (char *)args.out + place * args.row_bytes;

    for (int column = (int)ptx::thread_index() * VALUES; column < args.columns;
         column += THREADS * VALUES)
        store_four(to, column,
                   load_four<WIDE>(args, row * args.columns + column),
                   args.dtype);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_store_rows_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error =
        prepare(loaded, store_rows<false>, 0, "store_rows<false>");

    return error != cudaSuccess
               ? error
               : prepare(loaded, store_rows<true>, 0, "store_rows<true>");
}

extern "C" cudaError_t
oriel_cuda_store_rows(const oriel_store_rows_args *args, cudaStream_t stream)
{
    const int64_t width = args->dtype == ORIEL_CUDA_F32 ? 4 : 2;

    if (args->rows < 0 || args->columns <= 0 || args->columns % COLUMNS_UNIT ||
        args->merge2 <= 0 || args->rows % args->merge2 ||
        args->dtype < ORIEL_CUDA_F32 || args->dtype > ORIEL_CUDA_F16 ||
        args->row_bytes % 16 || args->row_bytes < args->columns * width ||
        ((uintptr_t)args->x | (uintptr_t)args->lo | (uintptr_t)args->out) %
            16 ||
        (uintptr_t)args->tokens % 4)
        return cudaErrorInvalidValue;
    return launch(args->lo ? store_rows<true> : store_rows<false>, args->rows,
                  THREADS, 0, stream, *args);
}
