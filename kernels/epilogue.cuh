/* SPDX-License-Identifier: Apache-2.0 */
/* epilogue.cuh - what the epilogues of matrix products share */
#pragma once

#include "tile.cuh"

#include <ptx.cuh>

namespace epilogue
{

/* An epilogue that reads nothing of what it stores to. */
struct Plain {
    static constexpr int BATCHES = 2;
    struct Fetched {
    };

    __device__ __forceinline__ Fetched fetch(int64_t, int32_t, bool) const
    {
        return {};
    }
};

/* What epilogues that add a bias begin with: it may be absent; 4-byte aligned. */
struct Biased {
    using Columns = float4;

    const uint16_t *bias;

    /* Of columns 'column', + 1, and if 'both' + 8, + 9; 'column' is even. */
    __device__ __forceinline__ float4 columns(int32_t column, bool both) const
    {
        if (!bias)
            return {0, 0, 0, 0};
        const uint32_t first = *(const uint32_t *)(bias + column);
        const uint32_t second =
            both ? *(const uint32_t *)(bias + column + 8) : 0;
        return {tile::low_half(first), tile::high_half(first),
                tile::low_half(second), tile::high_half(second)};
    }
};

/* Two values as they are stored where a residual is wide: hi is the nearest bf16
   of each, lo the nearest of what is left.  hi + lo is exact in fp32. */
struct HiLo {
    uint32_t hi, lo; /* pairs */
};

__device__ __forceinline__ HiLo
split(float low, float high)
{
    const uint32_t hi = ptx::pack_bf16(low, high);
    return {hi, ptx::pack_bf16(low - tile::low_half(hi),
                               high - tile::high_half(hi))};
}

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
