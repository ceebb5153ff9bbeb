/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counted.cuh - kernels that read on the device how much a batch has
 *
 * So a graph of them serves every batch of a size class.  What is done for a row, a
 * pack or a tile is the same for one batch and for many: no byte depends on it.
 *
 * Such a kernel may begin before the one before it has ended, and lets the next one
 * do likewise.  Each of its threads waits for that end before it reads or writes what
 * another kernel of the run writes, the count included.  By then all blocks of the
 * kernel before are resident, so blocks that wait take no place from it.
 */
#pragma once

#include "ops.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace counted
{

/* First of all in a kernel, by every thread. */
__device__ __forceinline__ void
begin()
{
    ptx::grid_launch_dependents();
    ptx::grid_wait();
}

/* After that: how many there are. */
__device__ __forceinline__ int64_t
count(const oriel_counted &by, int64_t most)
{
    return by.count ? *by.count : most;
}

/* For 'blocks' that take one thing each: all of them, or as many as 'resident' on each
   multiprocessor, which take more in turns. */
inline int64_t
grid(const oriel_counted &by, int64_t blocks, int resident)
{
    const int64_t held = (int64_t)by.multiprocessors * resident;

    return by.count && held < blocks ? held : blocks;
}

inline launch_shape
shape(const oriel_counted &by)
{
    launch_shape shape;

    shape.overlaps = by.overlaps != 0;
    return shape;
}

inline bool
within_limits(const oriel_counted &by)
{
    return (uintptr_t)by.count % 4 == 0 &&
           (!by.count || by.multiprocessors > 0);
}

/* Of a kernel that serves one batch alone. */
inline bool
is_none(const oriel_counted &by)
{
    return !by.count && !by.overlaps;
}

} // namespace counted
