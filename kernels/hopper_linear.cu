/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"

#include "hopper_epilogue.cuh"
#include "hopper_gemm.cuh"

#include <launch.cuh>

namespace
{

using namespace hopper_gemm;

template <class T>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear(const __grid_constant__ CUtensorMap x,
                  const __grid_constant__ CUtensorMap weight, Product p,
                  hopper_epilogue::StoreBias store)
{
    run<T>({&x, &weight, {}}, p, store);
}

template <class T>
__global__ void __launch_bounds__(T::THREADS, 1)
    hopper_linear_residual(const __grid_constant__ CUtensorMap x,
                           const __grid_constant__ CUtensorMap weight,
                           const __grid_constant__ CUtensorMap hi,
                           const __grid_constant__ CUtensorMap lo, Product p,
                           hopper_epilogue::AddResidual<T::PLANES == 2> store)
{
    run<T>({&x, &weight, {&hi, &lo}}, p, store);
}

} // namespace
