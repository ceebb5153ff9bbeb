/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_linear_swiglu.cu - gate and up as one product, then SiLU(gate) up, by wgmma
 *
 *     out = silu(x gate^T + gate_bias) (x up^T + up_bias)    rounded once
 *
 * Shapes, limits, roundings and bounds are linear_swiglu.cu's; launch, order and
 * barriers hopper_gemm.cuh's.  There are enough columns for large tiles even where
 * rows are few.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1024 / 1024 / 210 on sm_90a.
 */
#include "hopper_epilogue.cuh"
#include "hopper_gemm.cuh"

namespace
{

using namespace hopper_gemm;
using hopper_epilogue::StoreSwiglu;

__global__ void __launch_bounds__(Large::THREADS, 1)
    hopper_linear_swiglu(const __grid_constant__ CUtensorMap x,
                         const __grid_constant__ CUtensorMap weight, Product p,
                         StoreSwiglu store)
{
    run<Large>({&x, &weight, {}}, p, store);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_hopper_linear_swiglu_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, hopper_linear_swiglu, Large::SHARED_BYTES);
}

extern "C" cudaError_t
oriel_cuda_hopper_linear_swiglu(const oriel_linear_swiglu_args *args,
                                const oriel_hopper_product *by,
                                cudaStream_t stream)
{
    const Product p = product_of(args->rows, 2 * args->columns, args->depth, by,
                                 args->counted);
    const StoreSwiglu store = {{args->out, args->columns}, {args->bias}};

    /* The product's columns are twice as many, so it would take 12. */
    if (args->columns % 8 || !within_limits(p, by, args->out, args->bias) ||
        by->small)
        return cudaErrorInvalidValue;
    return launch_tiles<Large>(hopper_linear_swiglu, p, by, store, stream);
}
