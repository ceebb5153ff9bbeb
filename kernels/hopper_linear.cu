/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_linear.cu - a linear layer with bias, and one that adds to the residual, by
 * wgmma
 *
 *     out = x weight^T + bias                  rounded once
 *     residual = residual + x weight^T + bias  rounded once, in place
 *
 * Shapes, limits, roundings and bounds are linear.cu's; launch, order and barriers
 * hopper_gemm.cuh's.  The residual of a tile is copied while it is multiplied.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1024 / 1024 / 210 on sm_90a.
 *          Of the residual's narrower tiles and of those for few rows shared memory
 *          binds: a step reads more of it for each product.
 */
#include "hopper_epilogue.cuh"
#include "hopper_gemm.cuh"

namespace
{

using namespace hopper_gemm;
using hopper_epilogue::AddResidual;
using hopper_epilogue::StoreBias;

template <class T>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear(const __grid_constant__ CUtensorMap x,
                  const __grid_constant__ CUtensorMap weight, Product p,
                  StoreBias store)
{
    run<T>({&x, &weight, {}}, p, store);
}

template <class T>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear_residual(const __grid_constant__ CUtensorMap x,
                           const __grid_constant__ CUtensorMap weight,
                           const __grid_constant__ CUtensorMap hi,
                           const __grid_constant__ CUtensorMap lo, Product p,
                           AddResidual<T::PLANES == 2> store)
{
    run<T>({&x, &weight, {&hi, &lo}}, p, store);
}

template <class T>
cudaError_t
add_to_residual(const oriel_linear_args *args, const oriel_hopper_product *by,
                cudaStream_t stream)
{
    const Product p =
        product_of(args->rows, args->columns, args->depth, by, args->counted);

    return launch_as(shape_of(p), hopper_linear_residual<T>,
                     block_count<T>(p, by), (uint32_t)T::THREADS,
                     (size_t)T::SHARED_BYTES, stream, *by->x, *by->weight,
                     *by->hi, args->lo ? *by->lo : *by->hi, p,
                     AddResidual<T::PLANES == 2>{
                         {args->bias}, {args->out, args->lo}, args->columns});
}

template <class T>
cudaError_t
prepare_residual(oriel_cuda_loaded *loaded, const char *name)
{
    return prepare(loaded, hopper_linear_residual<T>, T::SHARED_BYTES, name);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_hopper_linear_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare(loaded, hopper_linear<Large>,
                                Large::SHARED_BYTES, "hopper_linear<large>");

    if (error == cudaSuccess)
        error = prepare(loaded, hopper_linear<Small>, Small::SHARED_BYTES,
                        "hopper_linear<small>");
    if (error == cudaSuccess)
        error = prepare_residual<LargeResidual>(
            loaded, "hopper_linear_residual<large>");
    if (error == cudaSuccess)
        error = prepare_residual<SmallResidual>(
            loaded, "hopper_linear_residual<small>");
    if (error == cudaSuccess)
        error = prepare_residual<LargeWideResidual>(
            loaded, "hopper_linear_residual<large,wide>");
    return error != cudaSuccess
               ? error
               : prepare_residual<SmallWideResidual>(
                     loaded, "hopper_linear_residual<small,wide>");
}

extern "C" cudaError_t
oriel_cuda_hopper_linear(const oriel_linear_args *args,
                         const oriel_hopper_product *by, cudaStream_t stream)
{
    const Product p =
        product_of(args->rows, args->columns, args->depth, by, args->counted);
    const StoreBias store = {{args->bias}, {args->out, args->columns}};

    if (!within_limits(p, by, args->out, args->bias))
        return cudaErrorInvalidValue;
    return by->small
               ? launch_tiles<Small>(hopper_linear<Small>, p, by, store, stream)
               : launch_tiles<Large>(hopper_linear<Large>, p, by, store,
                                     stream);
}

extern "C" cudaError_t
oriel_cuda_hopper_linear_residual(const oriel_linear_args *args,
                                  const oriel_hopper_product *by,
                                  cudaStream_t stream)
{
    const Product p =
        product_of(args->rows, args->columns, args->depth, by, args->counted);

    if (!within_limits(p, by, args->out, args->bias) || !by->hi ||
        (args->lo && !by->lo) || (uintptr_t)args->lo % 16)
        return cudaErrorInvalidValue;
    if (args->lo)
        return by->small ? add_to_residual<SmallWideResidual>(args, by, stream)
                         : add_to_residual<LargeWideResidual>(args, by, stream);
    return by->small ? add_to_residual<SmallResidual>(args, by, stream)
                     : add_to_residual<LargeResidual>(args, by, stream);
}
