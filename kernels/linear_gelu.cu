/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear_gelu.cu - a linear layer, then the erf form of GELU
 *
 *     out = gelu(x weight^T + bias)     rounded once
 *
 * Shapes, limits, launch, order and bound: gemm.cuh, linear.cu.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          512 / 396 / 186 on sm_80, 413 / 396 / 186 on sm_90a.
 *
 * Error    |out - exact| <= 2^-8 |exact| + 1.13 d + 2^-21 |x|, d of gemm.cuh and
 *          x what GELU takes, whose slope is below 1.13.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/linear.c, gelu.c.
 */
#include "ops.h"

#include "counted.cuh"
#include "epilogue.cuh"
#include "gemm.cuh"

#include <launch.cuh>

namespace
{

struct StoreGelu : epilogue::Biased, epilogue::Plain {
    uint16_t *out;
    int32_t pitch;

    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, Fetched,
                                          const float (&v)[4], bool both) const
    {
        uint16_t *to = out + row * pitch + column;
        *(uint32_t *)to = ptx::pack_bf16(epilogue::gelu(v[0] + b.x),
                                         epilogue::gelu(v[1] + b.y));
        if (both)
            *(uint32_t *)(to + 8) = ptx::pack_bf16(epilogue::gelu(v[2] + b.z),
                                                   epilogue::gelu(v[3] + b.w));
    }
};

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear_gelu(gemm::Operands op, StoreGelu store)
{
    gemm::run(op, store);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_linear_gelu_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, linear_gelu, gemm::SHARED_BYTES);
}

extern "C" cudaError_t
oriel_cuda_linear_gelu(const oriel_linear_args *args, cudaStream_t stream)
{
    const gemm::Operands op = {args->x, args->weight, args->rows, args->columns,
                               args->depth};

    if (!gemm::within_limits(op, args->out, args->bias) ||
        !counted::is_none(args->counted))
        return cudaErrorInvalidValue;
    return launch(linear_gelu, gemm::tile_count(op.rows, op.columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, op,
                  StoreGelu{{args->bias}, {}, args->out, args->columns});
}
