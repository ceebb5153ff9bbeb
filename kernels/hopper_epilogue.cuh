/* SPDX-License-Identifier: Apache-2.0 */
/* hopper_epilogue.cuh - what hopper_gemm.cuh's products become */
#pragma once

#include "ops.h"

#include "epilogue.cuh"
#include "hopper_gemm.cuh"

namespace hopper_epilogue
{

/* What is added to two columns, of which both or none are there. */
struct Biased {
    static constexpr bool FLOATS = false;
    static constexpr int WIDTH = 1;
    const uint16_t *bias;

    __device__ __forceinline__ float2 of(int32_t column,
                                         const hopper_gemm::Product &p) const
    {
        if (!bias || column >= p.columns)
            return {0, 0};
        const uint32_t pair = *(const uint32_t *)(bias + column);
        return {tile::low_half(pair), tile::high_half(pair)};
    }
};

/* To bf16 [rows, pitch]. */
struct Rows {
    uint16_t *out;
    int32_t pitch;

    __device__ __forceinline__ void put(int64_t row, int32_t column,
                                        uint4 values) const
    {
        *(uint4 *)(out + row * pitch + column) = values;
    }
};

struct StoreBias : Biased, Rows {
    __device__ __forceinline__ uint32_t pair(const float2 &b,
                                             const float *v) const
    {
        return ptx::pack_bf16(v[0] + b.x, v[1] + b.y);
    }
};

struct StoreGelu : Biased, Rows {
    __device__ __forceinline__ uint32_t pair(const float2 &b,
                                             const float *v) const
    {
        return ptx::pack_bf16(epilogue::gelu(v[0] + b.x),
                              epilogue::gelu(v[1] + b.y));
    }
};

/* Groups of gate and up alternate. */
struct StoreSwiglu : Rows {
    static constexpr bool FLOATS = false;
    static constexpr int WIDTH = 2;
    Biased biased;

    struct Added {
        float2 gate, up;
    };
    __device__ __forceinline__ Added of(int32_t column,
                                        const hopper_gemm::Product &p) const
    {
        return {biased.of(column, p), biased.of(column + 8, p)};
    }
    __device__ __forceinline__ uint32_t pair(const Added &b,
                                             const float *v) const
    {
        return ptx::pack_bf16(epilogue::silu(v[0] + b.gate.x) * (v[4] + b.up.x),
                              epilogue::silu(v[1] + b.gate.y) *
                                  (v[5] + b.up.y));
    }
};

/* A residual of one plane, or of two: hi and what it leaves. */
template <bool WIDE> struct AddResidual : Biased {
    uint16_t *plane[2];
    int32_t pitch;

    /* To the pair at 'old', and 'apart' words on that of the second plane. */
    __device__ __forceinline__ void add(uint32_t *old, int apart, float low,
                                        float high) const
    {
        low += tile::low_half(*old);
        high += tile::high_half(*old);
        if constexpr (WIDE) {
            uint32_t *const rest = old + apart;
            const epilogue::HiLo sum = epilogue::split(
                low + tile::low_half(*rest), high + tile::high_half(*rest));
            *old = sum.hi;
            *rest = sum.lo;
        } else {
            *old = ptx::pack_bf16(low, high);
        }
    }
    __device__ __forceinline__ void put(int which, int64_t row, int32_t column,
                                        uint4 values) const
    {
        *(uint4 *)(plane[which] + row * pitch + column) = values;
    }
};

/* Rows that change places, in bf16 or f16. */
struct Places {
    const int32_t *places, *row_index;
    char *out;
    int64_t row_bytes;
    int32_t out_rows;

    /* Null: the row is not stored. */
    __device__ __forceinline__ char *at(int64_t row) const
    {
        int32_t place = places[row];
        if (row_index)
            place = row_index[place];
        return (uint32_t)place < (uint32_t)out_rows ? out + place * row_bytes
                                                    : nullptr;
    }
};

struct StoreHalves : Biased, Places {
    int32_t dtype;

    __device__ __forceinline__ uint32_t pair(const float2 &b,
                                             const float *v) const
    {
        return dtype == ORIEL_CUDA_BF16 ? ptx::pack_bf16(v[0] + b.x, v[1] + b.y)
                                        : ptx::pack_f16(v[0] + b.x, v[1] + b.y);
    }
    __device__ __forceinline__ void put(int64_t row, int32_t column,
                                        uint4 values) const
    {
        char *const to = at(row);
        if (to)
            *(uint4 *)(to + column * 2) = values;
    }
};

struct StoreFloats : Biased, Places {
    static constexpr bool FLOATS = true;

    __device__ __forceinline__ void put(int64_t row, int32_t column,
                                        float2 values) const
    {
        char *const to = at(row);
        if (to)
            *(float2 *)(to + column * 4) = values;
    }
};

} // namespace hopper_epilogue
