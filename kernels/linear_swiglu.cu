/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear_swiglu.cu - gate and up as one matrix product, then SiLU(gate) up
 *
 *     out = silu(x gate^T + gate_bias) (x up^T + up_bias)    rounded once
 *
 * The rows of gate and up alternate in groups of 8, so that a thread's
 * accumulators hold both factors of an output and neither reaches memory.
 *
 * Shapes   x [rows, depth], weight [2 columns, depth], bias [2 columns],
 *          out [rows, columns], all bf16
 *
 * Limits   columns % 8 == 0, depth % 8 == 0; launch, order and bound: gemm.cuh.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          512 / 396 / 186 on sm_80, 413 / 396 / 186 on sm_90a.
 *
 * Error    with g, u exact and dg, du the bound d of gemm.cuh on them:
 *          |out - exact| <= 2^-8 |exact| + 1.1 |u| dg + |silu(g)| du +
 *          2^-21 |exact|, as silu' <= 1.1 and its two approximations are good
 *          to 2^-22 each.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/linear.c, swiglu.c.
 */
#include "ops.h"

#include "counted.cuh"
#include "epilogue.cuh"
#include "gemm.cuh"

#include <launch.cuh>

namespace
{

struct StoreSwiglu : epilogue::Biased, epilogue::Plain {
    uint16_t *out;
    int32_t pitch;

    /* v[0], v[1] are of the gate's group of 8, v[2], v[3] of up's: both there. */
    __device__ __forceinline__ void store(int64_t row, int32_t column,
                                          const float4 &b, Fetched,
                                          const float (&v)[4], bool) const
    {
        const int32_t at = column / 16 * 8 + column % 8;
        const float low = epilogue::silu(v[0] + b.x) * (v[2] + b.z);
        const float high = epilogue::silu(v[1] + b.y) * (v[3] + b.w);

        *(uint32_t *)(out + row * pitch + at) = ptx::pack_bf16(low, high);
    }
};

__global__ void __launch_bounds__(gemm::THREADS, 2)
    linear_swiglu(gemm::Operands op, StoreSwiglu store)
{
    gemm::run(op, store);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_linear_swiglu_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, linear_swiglu, gemm::SHARED_BYTES);
}

extern "C" cudaError_t
oriel_cuda_linear_swiglu(const oriel_linear_swiglu_args *args,
                         cudaStream_t stream)
{
    const gemm::Operands op = {args->x, args->weight, args->rows,
                               2 * args->columns, args->depth};

    /* The product's columns are twice as many, so it would take 12. */
    if (args->columns % 8 || !gemm::within_limits(op, args->out, args->bias) ||
        !counted::is_none(args->counted))
        return cudaErrorInvalidValue;
    return launch(linear_swiglu, gemm::tile_count(op.rows, op.columns),
                  gemm::THREADS, gemm::SHARED_BYTES, stream, op,
                  StoreSwiglu{{args->bias}, {}, args->out, args->columns});
}
