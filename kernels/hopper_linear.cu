/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"

#include "epilogue.cuh"
#include "hopper_gemm.cuh"

#include <launch.cuh>

namespace
{

using hopper_gemm::Product;
using hopper_gemm::Wide;

struct StoreBias : epilogue::Biased {
    static constexpr int WIDTH = 1;
    uint16_t *out;
    int32_t pitch;

    __device__ __forceinline__ float2 of(int32_t column, const Product &p) const
    {
        if (!bias || column >= p.columns)
            return {0, 0};
        const uint32_t pair = *(const uint32_t *)(bias + column);
        return {tile::low_half(pair), tile::high_half(pair)};
    }
    __device__ __forceinline__ uint32_t pair(const float2 &b,
                                             const float *v) const
    {
        return ptx::pack_bf16(v[0] + b.x, v[1] + b.y);
    }
    __device__ __forceinline__ void put(int64_t row, int32_t column,
                                        uint4 values) const
    {
        *(uint4 *)(out + row * pitch + column) = values;
    }
};

__global__ void __launch_bounds__(Wide::THREADS, 1)
    hopper_linear(const __grid_constant__ CUtensorMap x,
                  const __grid_constant__ CUtensorMap weight, Product p,
                  StoreBias store)
{
    hopper_gemm::run<Wide>(&x, &weight, p, store);
}

} // namespace
