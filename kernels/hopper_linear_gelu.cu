/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_linear_gelu.cu - the merger's first layer, then GELU, by wgmma
 *
 *     out = gelu(x weight^T + bias)            rounded once, the erf form
 *
 * Shapes, limits, roundings and bounds are linear_gelu.cu's; launch, order and
 * barriers hopper_gemm.cuh's.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1024 / 1024 / 202 on sm_90a.
 *          Of the tiles for few rows shared memory binds.
 */
#include "hopper_epilogue.cuh"
#include "hopper_gemm.cuh"

namespace
{

using namespace hopper_gemm;
using hopper_epilogue::StoreGelu;

template <class T>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear_gelu(const __grid_constant__ CUtensorMap x,
                       const __grid_constant__ CUtensorMap weight, Product p,
                       StoreGelu store)
{
    run<T>({&x, &weight, {}}, p, store);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_hopper_linear_gelu_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error =
        prepare(loaded, hopper_linear_gelu<Large>, Large::SHARED_BYTES,
                "hopper_linear_gelu<large>");

    return error != cudaSuccess
               ? error
               : prepare(loaded, hopper_linear_gelu<SmallMerger>,
                         SmallMerger::SHARED_BYTES,
                         "hopper_linear_gelu<small>");
}

extern "C" cudaError_t
oriel_cuda_hopper_linear_gelu(const oriel_linear_args *args,
                              const oriel_hopper_product *by,
                              cudaStream_t stream)
{
    const Product p =
        product_of(args->rows, args->columns, args->depth, by, args->counted);
    const StoreGelu store = {{args->bias}, {args->out, args->columns}};

    if (!within_limits(p, by, args->out, args->bias))
        return cudaErrorInvalidValue;
    return by->small
               ? launch_tiles<SmallMerger>(hopper_linear_gelu<SmallMerger>, p,
                                           by, store, stream)
               : launch_tiles<Large>(hopper_linear_gelu<Large>, p, by, store,
                                     stream);
}
