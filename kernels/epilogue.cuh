/* SPDX-License-Identifier: Apache-2.0 */
/* epilogue.cuh - what the epilogues of matrix products share */
#pragma once

#include "tile.cuh"

#include <ptx.cuh>

namespace epilogue
{

/* A bias that may be absent. */
struct Bias {
    const uint16_t *bias;

    __device__ __forceinline__ float operator()(int32_t column) const
    {
        return bias ? ptx::bits_to_float((uint32_t)bias[column] << 16) : 0.0f;
    }
};

/* x / (1 + e^-x).  An exponential that overflows gives -0, as it should. */
__device__ __forceinline__ float
silu(float x)
{
    constexpr float LOG2_E = 1.44269504f;
    return x * ptx::rcp_approx(1.0f + ptx::ex2_approx(-x * LOG2_E));
}

/* The erf form. */
__device__ __forceinline__ float
gelu(float x)
{
    constexpr float SQRT_HALF = 0.707106781f;
    return 0.5f * x * (1.0f + erff(x * SQRT_HALF));
}

} // namespace epilogue
