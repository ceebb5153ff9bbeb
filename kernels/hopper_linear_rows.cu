/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_linear_rows.cu - the merger's last layer, whose rows change places, by wgmma
 *
 *     out[place of r] = x[r] weight^T + bias   in fp32, or rounded once
 *
 * Shapes, limits, roundings and bounds are linear_rows.cu's; launch, order and
 * barriers hopper_gemm.cuh's.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1024 / 1024 / 210 on sm_90a.
 *          Of the tiles for few rows shared memory binds.
 */
#include "hopper_epilogue.cuh"
#include "hopper_gemm.cuh"

namespace
{

using namespace hopper_gemm;
using hopper_epilogue::Places;
using hopper_epilogue::StoreFloats;
using hopper_epilogue::StoreHalves;

template <class T, class Store>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear_rows(const __grid_constant__ CUtensorMap x,
                       const __grid_constant__ CUtensorMap weight, Product p,
                       Store store)
{
    run<T>({&x, &weight, {}}, p, store);
}

template <class Store>
cudaError_t
store_rows_by(const Product &p, const oriel_hopper_product *by,
              const Store &store, cudaStream_t stream)
{
    return by->small ? launch_tiles<Small>(hopper_linear_rows<Small, Store>, p,
                                           by, store, stream)
                     : launch_tiles<Large>(hopper_linear_rows<Large, Store>, p,
                                           by, store, stream);
}

template <class Store>
cudaError_t
prepare_both(oriel_cuda_loaded *loaded, const char *large, const char *small)
{
    cudaError_t error = prepare(loaded, hopper_linear_rows<Large, Store>,
                                Large::SHARED_BYTES, large);

    return error != cudaSuccess
               ? error
               : prepare(loaded, hopper_linear_rows<Small, Store>,
                         Small::SHARED_BYTES, small);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_hopper_linear_rows_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error =
        prepare_both<StoreHalves>(loaded, "hopper_linear_rows<large,halves>",
                                  "hopper_linear_rows<small,halves>");

    return error != cudaSuccess
               ? error
               : prepare_both<StoreFloats>(loaded,
                                           "hopper_linear_rows<large,floats>",
                                           "hopper_linear_rows<small,floats>");
}

extern "C" cudaError_t
oriel_cuda_hopper_linear_rows(const oriel_linear_rows_args *args,
                              const oriel_hopper_product *by,
                              cudaStream_t stream)
{
    const Product p = product_of(args->rows, args->columns, args->depth, by);
    const Places places = {args->places, args->row_index, (char *)args->out,
                           args->row_bytes, args->out_rows};
    const int64_t width = args->dtype == ORIEL_CUDA_F32 ? 4 : 2;

    if (!within_limits(p, by, args->out, args->bias) || args->row_bytes % 16 ||
        args->row_bytes < args->columns * width ||
        args->dtype < ORIEL_CUDA_F32 || args->dtype > ORIEL_CUDA_F16 ||
        args->out_rows < 0 ||
        ((uintptr_t)args->places | (uintptr_t)args->row_index) % 4)
        return cudaErrorInvalidValue;
    return args->dtype == ORIEL_CUDA_F32
               ? store_rows_by(p, by, StoreFloats{{args->bias}, places}, stream)
               : store_rows_by(p, by,
                               StoreHalves{{args->bias}, places, args->dtype},
                               stream);
}
