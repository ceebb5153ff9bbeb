/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx_sim.hpp - the instructions of kernels/ptx.cuh, emulated
 *
 * The same names with the same parameters; signatures.cpp compares them.  A
 * last parameter that the other file lacks, the place of the call, defaults to
 * where it stands.
 */
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __restrict__ __restrict
#define __launch_bounds__(...)

/*
 * Vectors go to and from memory whole, as they do on a GPU: 'volatile' keeps g++
 * from taking them apart, so that the counters see one access.
 */
namespace sim
{

template <size_t BYTES> struct Whole {
    typedef uint32_t words __attribute__((vector_size(BYTES), may_alias));

    static void move(void *to, const void *from)
    {
        *static_cast<volatile words *>(to) =
            *static_cast<const volatile words *>(from);
    }
};

} // namespace sim

template <class T> struct alignas(8) SimVector2 {
    T x, y;

    SimVector2() = default;
    SimVector2(T a, T b) : x(a), y(b)
    {
    }
    SimVector2(const SimVector2 &other)
    {
        sim::Whole<sizeof(*this)>::move(this, &other);
    }
    SimVector2 &operator=(const SimVector2 &other)
    {
        sim::Whole<sizeof(*this)>::move(this, &other);
        return *this;
    }
};

template <class T> struct alignas(16) SimVector4 {
    T x, y, z, w;

    SimVector4() = default;
    SimVector4(T a, T b, T c, T d) : x(a), y(b), z(c), w(d)
    {
    }
    SimVector4(const SimVector4 &other)
    {
        sim::Whole<sizeof(*this)>::move(this, &other);
    }
    SimVector4 &operator=(const SimVector4 &other)
    {
        sim::Whole<sizeof(*this)>::move(this, &other);
        return *this;
    }
};

using float2 = SimVector2<float>;
using float4 = SimVector4<float>;
using uint2 = SimVector2<uint32_t>;
using uint4 = SimVector4<uint32_t>;

/* Where an instruction stands, for the reports. */
#define ORIEL_SIM_HERE \
    const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace ptx
{

/* ---- Who am I ---------------------------------------------------------- */

uint32_t thread_index();
uint32_t block_index();
uint32_t grid_blocks();

/* The same value. */
uint32_t opaque(uint32_t value);

/* ---- Kernels that overlap ---------------------------------------------- */

void grid_wait(ORIEL_SIM_HERE);
void grid_launch_dependents();

/* ---- Shared memory ----------------------------------------------------- */

char *dynamic_shared();
/* Its address in the shared window, as instructions take it. */
uint32_t shared_address(const void *pointer);

/* ---- Meetings ---------------------------------------------------------- */

void sync_block(ORIEL_SIM_HERE);
void sync_warp(ORIEL_SIM_HERE);
void sync_named(uint32_t barrier, uint32_t threads, ORIEL_SIM_HERE);
float shuffle_xor(float value, uint32_t mask, ORIEL_SIM_HERE);
uint32_t shuffle_xor(uint32_t value, uint32_t mask, ORIEL_SIM_HERE);
/* The value of lane 'lane'. */
uint32_t shuffle(uint32_t value, uint32_t lane, ORIEL_SIM_HERE);
/* All lanes' values, or'ed; every lane gets it. */
uint32_t reduce_or(uint32_t value, ORIEL_SIM_HERE);

/* ---- Tensor cores ------------------------------------------------------ */

void ldmatrix_x4(uint32_t (&r)[4], uint32_t address, ORIEL_SIM_HERE);
void ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address, ORIEL_SIM_HERE);
void ldmatrix_x2(uint32_t (&r)[2], uint32_t address, ORIEL_SIM_HERE);
void ldmatrix_x2_trans(uint32_t (&r)[2], uint32_t address, ORIEL_SIM_HERE);
void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4],
                       const uint32_t (&b)[2], ORIEL_SIM_HERE);

/* ---- Asynchronous copies ----------------------------------------------- */

/* 16 bytes to shared memory; zeros when not 'valid', then nothing is read. */
void copy_async_16(uint32_t shared, const void *global, bool valid);
void copy_commit();
void copy_wait_groups(uint32_t groups_left);
template <int GROUPS_LEFT>
inline void
copy_wait()
{
    copy_wait_groups(GROUPS_LEFT);
}

/* ---- Numbers ----------------------------------------------------------- */

inline float
bits_to_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

inline uint32_t
float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* cvt.rn.bf16x2.f32: nearest even; any NaN becomes 0x7fff. */
uint32_t pack_bf16(float low, float high);
uint32_t pack_f16(float low, float high);
float f16_to_float(uint32_t half);

/* The approximations, here correctly rounded; subnormals flushed as there. */
float ex2_approx(float x);
float rcp_approx(float x);
float rsqrt_approx(float x);

} // namespace ptx
