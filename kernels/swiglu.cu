/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swiglu.cu - SiLU(gate) up, of products that reached memory
 *
 *     out = silu(gate) up          fp32, rounded once to bf16
 *
 * After a library's product, which has rounded gate and up once each; in
 * linear_swiglu.cu neither is.  The columns of gate and up alternate in groups
 * of 8, as there.
 *
 * Shapes   gate_up [rows, 2 columns], out [rows, columns], bf16, 16-byte
 *          aligned, not overlapping
 *
 * Limits   columns % 8 == 0
 *
 * Launch   a thread a group of 8: two loads and a store of 16 bytes.
 *
 * Sectors  a load takes twice the least, the other half being what the next one
 *          reads; stores take the least.
 *
 * Order    each value is its own: nothing is summed.
 *
 * Bound    gate_up moves once and out once: 6 bytes a value.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    |out - exact| <= (2^-8 + 2^-20) |exact| + 2^-126 (1 + |gate up|),
 *          exact of the rounded gate and up: the approximations of silu are good
 *          to 2^-22 each, and a sigmoid below 2^-126 is flushed to zero.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/swiglu.c.
 */
#include "ops.h"

#include "epilogue.cuh"

#include <launch.cuh>

namespace
{

constexpr int THREADS = 256;

__device__ __forceinline__ uint32_t
both(uint32_t gate, uint32_t up)
{
    return ptx::pack_bf16(
        epilogue::silu(tile::low_half(gate)) * tile::low_half(up),
        epilogue::silu(tile::high_half(gate)) * tile::high_half(up));
}

__global__ void __launch_bounds__(THREADS, 4)
    swiglu(const uint4 *gate_up, uint4 *out, int64_t groups)
{
    const int64_t i =
        (int64_t)ptx::block_index() * THREADS + ptx::thread_index();
    if (i >= groups)
        return;
    const uint4 gate = gate_up[2 * i], up = gate_up[2 * i + 1];

    out[i] = uint4{both(gate.x, up.x), both(gate.y, up.y), both(gate.z, up.z),
                   both(gate.w, up.w)};
}

} // namespace

extern "C" cudaError_t
oriel_cuda_swiglu_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, swiglu, 0);
}

extern "C" cudaError_t
oriel_cuda_swiglu(const oriel_swiglu_args *args, cudaStream_t stream)
{
    const int64_t groups = args->rows * (args->columns / 8);

    if (args->rows < 0 || args->columns <= 0 || args->columns % 8 ||
        ((uintptr_t)args->gate_up | (uintptr_t)args->out) % 16)
        return cudaErrorInvalidValue;
    return launch(swiglu, (groups + THREADS - 1) / THREADS, THREADS, 0, stream,
                  (const uint4 *)args->gate_up, (uint4 *)args->out, groups);
}
