/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.cu - a linear layer with bias, and one that adds to the residual
 *
 *     out      = x weight^T + bias              rounded once to bf16
 *     residual = residual + x weight^T + bias   in place, rounded once
 *
 * Shapes   x [rows, depth], weight [columns, depth], bias [columns],
 *          out, residual [rows, columns], all bf16; bias may be NULL
 *
 * Limits, launch, order and bound: gemm.cuh.
 *
 * Budget   tensor cores on sm_80 and sm_90a (resources.txt).
 *
 * Error    |out - exact| <= 2^-8 |exact| + d, d of gemm.cuh; the residual's
 *          addition adds 2^-23 |exact|.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/linear.c.
 */
#include "ops.h"

#include "epilogue.cuh"
#include "gemm.cuh"

#include <launch.cuh>

namespace
{

struct StoreBias : epilogue::Biased, epilogue::Plain {
    uint16_t *out;
    int32_t pitch;

    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, Fetched,
                                          const float (&v)[4], bool both) const
    {
        uint16_t *to = out + row * pitch + column;
        *(uint32_t *)to = ptx::pack_bf16(v[0] + b.x, v[1] + b.y);
        if (both)
            *(uint32_t *)(to + 8) = ptx::pack_bf16(v[2] + b.z, v[3] + b.w);
    }
};

struct AddResidual : epilogue::Biased {
    uint16_t *residual;
    int32_t pitch;

    struct Fetched {
        uint32_t first, second; /* pairs */
    };

    __device__ __forceinline__ Fetched fetch(int64_t row, int32_t column,
                                             bool both) const
    {
        const uint16_t *from = residual + row * pitch + column;
        return {*(const uint32_t *)from,
                both ? *(const uint32_t *)(from + 8) : 0};
    }

    static __device__ __forceinline__ uint32_t add(uint32_t old, float low,
                                                   float high)
    {
        return ptx::pack_bf16(tile::low_half(old) + low,
                              tile::high_half(old) + high);
    }

    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, const Fetched &old,
                                          const float (&v)[4], bool both) const
    {
        uint16_t *to = residual + row * pitch + column;
        *(uint32_t *)to = add(old.first, v[0] + b.x, v[1] + b.y);
        if (both)
            *(uint32_t *)(to + 8) = add(old.second, v[2] + b.z, v[3] + b.w);
    }
};

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear(gemm::Operands op, StoreBias store)
{
    gemm::run(op, store);
}

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear_residual(gemm::Operands op, AddResidual store)
{
    gemm::run(op, store);
}

gemm::Operands
operands(const oriel_linear_args *args)
{
    return {args->x, args->weight, args->rows, args->columns, args->depth};
}

} // namespace

extern "C" cudaError_t
oriel_cuda_linear_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare(loaded, linear, gemm::SHARED_BYTES);

    return error != cudaSuccess
               ? error
               : prepare(loaded, linear_residual, gemm::SHARED_BYTES,
                         "linear_residual");
}

extern "C" cudaError_t
oriel_cuda_linear(const oriel_linear_args *args, cudaStream_t stream)
{
    if (!gemm::within_limits(operands(args), args->out, args->bias))
        return cudaErrorInvalidValue;
    return launch(linear, gemm::tile_count(args->rows, args->columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, operands(args),
                  StoreBias{{args->bias}, {}, args->out, args->columns});
}

extern "C" cudaError_t
oriel_cuda_linear_residual(const oriel_linear_args *args, cudaStream_t stream)
{
    if (!gemm::within_limits(operands(args), args->out, args->bias))
        return cudaErrorInvalidValue;
    return launch(linear_residual, gemm::tile_count(args->rows, args->columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, operands(args),
                  AddResidual{{args->bias}, args->out, args->columns});
}
