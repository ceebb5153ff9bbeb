/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx.cuh - the hardware, one inline function an instruction
 *
 * The only place with inline PTX.  sim/ptx_sim.hpp declares the same
 * functions for the simulated GPU; kernels include <ptx.cuh> and never ask which
 * of the two they got.  Whatever touches or orders memory is volatile and
 * clobbers memory, so that the compiler moves nothing across it.
 */
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

namespace ptx
{

/* ---- Who am I ---------------------------------------------------------- */

__device__ __forceinline__ uint32_t
thread_index()
{
    return threadIdx.x;
}

__device__ __forceinline__ uint32_t
block_index()
{
    return blockIdx.x;
}

__device__ __forceinline__ uint32_t
grid_blocks()
{
    return gridDim.x;
}

/* The same value, of which the compiler knows nothing: what depends on it is computed
   where it stands, and not kept in registers through a loop. */
__device__ __forceinline__ uint32_t
opaque(uint32_t value)
{
    asm volatile("" : "+r"(value)::"memory");
    return value;
}

/* ---- Kernels that overlap ---------------------------------------------- */

/* Until the kernel before has ended and its writes are seen: before anything else is
   done with memory that it, or one after it, writes.  Before 9.0 none overlap. */
__device__ __forceinline__ void
grid_wait()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* The next kernel may begin when every block has said so, or has ended. */
__device__ __forceinline__ void
grid_launch_dependents()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* ---- Shared memory ----------------------------------------------------- */

/* What the launch asked for; 16-byte aligned. */
__device__ __forceinline__ char *
dynamic_shared()
{
    extern __shared__ __align__(16) char oriel_dynamic_shared[];
    return oriel_dynamic_shared;
}

/* Its address in the shared window, as instructions take it. */
__device__ __forceinline__ uint32_t
shared_address(const void *pointer)
{
    return (uint32_t)__cvta_generic_to_shared(pointer);
}

/* ---- Meetings ---------------------------------------------------------- */

__device__ __forceinline__ void
sync_block()
{
    asm volatile("barrier.sync.aligned 0;" ::: "memory");
}

__device__ __forceinline__ void
sync_warp()
{
    asm volatile("bar.warp.sync 0xffffffff;" ::: "memory");
}

/* Barriers 1 to 15, for 'threads' threads in whole warps. */
__device__ __forceinline__ void
sync_named(uint32_t barrier, uint32_t threads)
{
    asm volatile("barrier.sync.aligned %0, %1;" ::"r"(barrier), "r"(threads)
                 : "memory");
}

/* Shuffles pass registers; they do not order memory. */
__device__ __forceinline__ uint32_t
shuffle_xor(uint32_t value, uint32_t mask)
{
    uint32_t out;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;"
                 : "=r"(out)
                 : "r"(value), "r"(mask));
    return out;
}

__device__ __forceinline__ float
shuffle_xor(float value, uint32_t mask)
{
    return __uint_as_float(shuffle_xor(__float_as_uint(value), mask));
}

/* The value of lane 'lane'. */
__device__ __forceinline__ uint32_t
shuffle(uint32_t value, uint32_t lane)
{
    uint32_t out;
    asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;"
                 : "=r"(out)
                 : "r"(value), "r"(lane));
    return out;
}

/* All lanes' values, or'ed; every lane gets it. */
__device__ __forceinline__ uint32_t
reduce_or(uint32_t value)
{
    uint32_t out;
    asm volatile("redux.sync.or.b32 %0, %1, 0xffffffff;"
                 : "=r"(out)
                 : "r"(value));
    return out;
}

/* ---- Tensor cores ------------------------------------------------------ */

/*
 * Matrices of 8 x 8 16-bit values; lanes 8i to 8i + 7 give the addresses of the
 * rows of matrix i, 16 bytes each.  Register i of a lane holds row lane / 4,
 * columns 2 (lane % 4) and one more; with _trans, of the transposed matrix.
 */
__device__ __forceinline__ void
ldmatrix_x4(uint32_t (&r)[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                 "{%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void
ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
                 "{%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void
ldmatrix_x2(uint32_t (&r)[2], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void
ldmatrix_x2_trans(uint32_t (&r)[2], uint32_t address)
{
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
        : "=r"(r[0]), "=r"(r[1])
        : "r"(address)
        : "memory");
}

/*
 * d += a b, with a 16 x 16 and b 16 x 8 in bf16, d 16 x 8 in fp32.  For
 * g = lane / 4 and t = 2 (lane % 4), pairs from the low half up:
 *   a  (g, t)  (g + 8, t)  (g, t + 8)  (g + 8, t + 8)    rows x k
 *   b  (t, g)  (t + 8, g)                                k x columns
 *   d  (g, t)  (g, t + 1)  (g + 8, t)  (g + 8, t + 1)    rows x columns
 */
__device__ __forceinline__ void
mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
}

/* ---- Asynchronous copies ----------------------------------------------- */

/* 16 bytes to shared memory; zeros when not 'valid', then nothing is read. */
__device__ __forceinline__ void
copy_async_16(uint32_t shared, const void *global, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared),
                 "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
}

__device__ __forceinline__ void
copy_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until at most GROUPS_LEFT of this thread's groups are on their way. */
template <int GROUPS_LEFT>
__device__ __forceinline__ void
copy_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS_LEFT) : "memory");
}

/* ---- Numbers ----------------------------------------------------------- */

__device__ __forceinline__ float
bits_to_float(uint32_t bits)
{
    return __uint_as_float(bits);
}

__device__ __forceinline__ uint32_t
float_to_bits(float value)
{
    return __float_as_uint(value);
}

/* Two roundings to nearest even; any NaN becomes 0x7fff. */
__device__ __forceinline__ uint32_t
pack_bf16(float low, float high)
{
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ uint32_t
pack_f16(float low, float high)
{
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ float
f16_to_float(uint32_t half)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"((uint16_t)half));
    return value;
}

/* 2^x, relative error below 2^-22; subnormals are flushed in all three. */
__device__ __forceinline__ float
ex2_approx(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* 1 / x, relative error below 2^-23. */
__device__ __forceinline__ float
rcp_approx(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* x^-1/2, relative error below 2^-22.9. */
__device__ __forceinline__ float
rsqrt_approx(float x)
{
    float y;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

} // namespace ptx
