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
 * A wide residual is the sum of two planes of that shape, hi and lo: hi is the
 * bf16 nearest to the new sum, lo the bf16 nearest to what is left of it.
 *
 * Limits, launch, order and bound: gemm.cuh.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          512 / 396 / 186 on sm_80, 413 / 396 / 186 on sm_90a.
 *
 * Error    |out - exact| <= 2^-8 |exact| + d, d of gemm.cuh; the residual's
 *          addition adds 2^-23 |exact|.  Of a wide one |hi + lo - exact| <=
 *          2^-17 |exact| + 2^-133 + d: hi leaves at most 2^-8 of the sum, and lo
 *          less than 2^-9 of that.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/linear.c.
 */
#include "ops.h"

#include "counted.cuh"
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

template <bool WIDE> struct AddResidual : epilogue::Biased {
    /* What is fetched stays in registers: two planes take twice as many. */
    static constexpr int BATCHES = WIDE ? 4 : 2;
    uint16_t *residual, *lo; /* lo: where it is wide */
    int32_t pitch;

    struct Fetched {
        uint32_t first, second; /* pairs */
        uint32_t first_lo, second_lo;
    };

    __device__ __forceinline__ Fetched fetch(int64_t row, int32_t column,
                                             bool both) const
    {
        const uint16_t *from = residual + row * pitch + column;
        Fetched old;
        old.first = *(const uint32_t *)from;
        old.second = both ? *(const uint32_t *)(from + 8) : 0;
        if constexpr (WIDE) {
            from = lo + row * pitch + column;
            old.first_lo = *(const uint32_t *)from;
            old.second_lo = both ? *(const uint32_t *)(from + 8) : 0;
        }
        return old;
    }

    /* Two values at 'at' of each plane. */
    __device__ __forceinline__ void add(int64_t at, uint32_t old,
                                        uint32_t old_lo, float low,
                                        float high) const
    {
        if constexpr (WIDE) {
            const epilogue::HiLo sum = epilogue::split(
                tile::low_half(old) + tile::low_half(old_lo) + low,
                tile::high_half(old) + tile::high_half(old_lo) + high);
            *(uint32_t *)(residual + at) = sum.hi;
            *(uint32_t *)(lo + at) = sum.lo;
        } else {
            *(uint32_t *)(residual + at) = ptx::pack_bf16(
                tile::low_half(old) + low, tile::high_half(old) + high);
        }
    }

    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, const Fetched &old,
                                          const float (&v)[4], bool both) const
    {
        const int64_t at = row * pitch + column;
        add(at, old.first, old.first_lo, v[0] + b.x, v[1] + b.y);
        if (both)
            add(at + 8, old.second, old.second_lo, v[2] + b.z, v[3] + b.w);
    }
};

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear(gemm::Operands op, StoreBias store)
{
    gemm::run(op, store);
}

template <bool WIDE>
__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear_residual(gemm::Operands op, AddResidual<WIDE> store)
{
    gemm::run(op, store);
}

gemm::Operands
operands(const oriel_linear_args *args)
{
    return {args->x, args->weight, args->rows, args->columns, args->depth};
}

template <bool WIDE>
cudaError_t
add_to_residual(const oriel_linear_args *args, cudaStream_t stream)
{
    return launch(
        linear_residual<WIDE>, gemm::tile_count(args->rows, args->columns),
        gemm::THREADS, gemm::SHARED_BYTES, stream, operands(args),
        AddResidual<WIDE>{{args->bias}, args->out, args->lo, args->columns});
}

} // namespace

extern "C" cudaError_t
oriel_cuda_linear_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare(loaded, linear, gemm::SHARED_BYTES);

    if (error == cudaSuccess)
        error = prepare(loaded, linear_residual<false>, gemm::SHARED_BYTES,
                        "linear_residual<false>");
    return error != cudaSuccess
               ? error
               : prepare(loaded, linear_residual<true>, gemm::SHARED_BYTES,
                         "linear_residual<true>");
}

extern "C" cudaError_t
oriel_cuda_linear(const oriel_linear_args *args, cudaStream_t stream)
{
    if (!gemm::within_limits(operands(args), args->out, args->bias) ||
        !counted::is_none(args->counted))
        return cudaErrorInvalidValue;
    return launch(linear, gemm::tile_count(args->rows, args->columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, operands(args),
                  StoreBias{{args->bias}, {}, args->out, args->columns});
}

extern "C" cudaError_t
oriel_cuda_linear_residual(const oriel_linear_args *args, cudaStream_t stream)
{
    if (!gemm::within_limits(operands(args), args->out, args->bias) ||
        !counted::is_none(args->counted) || (uintptr_t)args->lo % 16)
        return cudaErrorInvalidValue;
    return args->lo ? add_to_residual<true>(args, stream)
                    : add_to_residual<false>(args, stream);
}
