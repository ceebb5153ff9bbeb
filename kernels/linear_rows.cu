/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear_rows.cu - the last linear layer: each row goes to its own place
 *
 *     out[p] = x[r] weight^T + bias     rounded once, to out's dtype
 *     p = places[r], or row_index[places[r]] where there is a row_index
 *
 * Rows come in window order and are stored in image order, or where row_index
 * says, in the caller's memory, so nothing has to permute them.  A row whose
 * place is not below out_rows is not stored.  fp32 results never pass through
 * bf16.
 *
 * Shapes   x bf16 [rows, depth], weight bf16 [columns, depth], bias bf16
 *          [columns], places int32 [rows], row_index int32 [rows], out fp32,
 *          bf16 or fp16 [out_rows, columns], rows row_bytes apart, 16-byte
 *          aligned
 *
 * Limits, launch, order and bound: gemm.cuh.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          512 / 396 / 194 on sm_80, 413 / 396 / 194 on sm_90a.
 *
 * Error    |out - exact| <= r |exact| + d, d of gemm.cuh, r = 2^-24, 2^-8 or
 *          2^-11 by dtype, and in fp16 2^-25 below its normal range.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/linear.c.
 */
#include "ops.h"

#include "epilogue.cuh"
#include "gemm.cuh"

#include <launch.cuh>

namespace
{

struct StoreRows : epilogue::Biased, epilogue::Plain {
    const int32_t *places, *row_index;
    char *out;
    int64_t row_bytes;
    int32_t out_rows, dtype;

    __device__ __forceinline__ void pair(char *row, int32_t column, float low,
                                         float high) const
    {
        if (dtype == ORIEL_CUDA_F32)
            *(float2 *)(row + column * 4) = float2{low, high};
        else
            *(uint32_t *)(row + column * 2) = dtype == ORIEL_CUDA_BF16
                                                  ? ptx::pack_bf16(low, high)
                                                  : ptx::pack_f16(low, high);
    }

    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, Fetched,
                                          const float (&v)[4], bool both) const
    {
        int32_t place = places[row];
        if (row_index)
            place = row_index[place];
        if ((uint32_t)place >= (uint32_t)out_rows)
            return;
        char *to = out + place * row_bytes;
        pair(to, column, v[0] + b.x, v[1] + b.y);
        if (both)
            pair(to, column + 8, v[2] + b.z, v[3] + b.w);
    }
};

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear_rows(gemm::Operands op, StoreRows store)
{
    gemm::run(op, store);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_linear_rows_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, linear_rows, gemm::SHARED_BYTES);
}

extern "C" cudaError_t
oriel_cuda_linear_rows(const oriel_linear_rows_args *args, cudaStream_t stream)
{
    const gemm::Operands op = {args->x, args->weight, args->rows, args->columns,
                               args->depth};
    const int64_t width = args->dtype == ORIEL_CUDA_F32 ? 4 : 2;

    if (!gemm::within_limits(op, args->out, args->bias) ||
        args->row_bytes % 16 || args->row_bytes < args->columns * width ||
        args->dtype < ORIEL_CUDA_F32 || args->dtype > ORIEL_CUDA_F16 ||
        args->out_rows < 0 ||
        ((uintptr_t)args->places | (uintptr_t)args->row_index) % 4)
        return cudaErrorInvalidValue;
    return launch(linear_rows, gemm::tile_count(op.rows, op.columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, op,
                  StoreRows{{args->bias},
                            {},
                            args->places,
                            args->row_index,
                            (char *)args->out,
                            args->row_bytes,
                            args->out_rows,
                            args->dtype});
}
