/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope.cu - the rotary embedding of q and k, in place, as a pass of its own
 *
 * Full attention reads a key once for every tile of queries, so there the turn
 * must have been made before; window attention makes it while loading.
 *
 * For d < head_dim / 2, with (a, b) = (x[d], x[d + head_dim / 2]):
 *     (a, b) = (a cos - b sin, b cos + a sin)     fp32, rounded once to bf16
 * The angle of d < head_dim / 4 comes from the patch's row, else its column.
 *
 * Shapes   qkv        bf16 [rows, 3, heads, head_dim], 16-byte aligned
 *          rope       fp32 (cos, sin) [positions, head_dim / 4]
 *          positions  int32 [rows, 2]
 *
 * Limits   head_dim % 8 == 0
 *
 * Launch   a block of 256 threads a row; with a count the blocks that are resident
 *          take rows in turns.  A thread turns two neighbouring pairs.
 *
 * Sectors  at head_dim 80: loads 1,296 where 1,104 would do, stores 832 where 640
 *          would: half a head is 80 bytes, so its warps begin within sectors.
 *
 * Bound    q and k move in and out: 8 bytes a value of hidden.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    2^-8 of the pair's length: one rounding.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/rope.c.
 */
#include "ops.h"

#include "counted.cuh"
#include "rope.cuh"

#include <launch.cuh>

namespace
{

constexpr int THREADS = 256, RESIDENT = 5; /* blocks */

__device__ __forceinline__ void
turn_row(const oriel_rope_args &args, int64_t row)
{
    const int half = args.head_dim / 2, pairs = half / 2;
    const int32_t at[2] = {args.positions[row * 2],
                           args.positions[row * 2 + 1]};
    uint16_t *x = args.qkv + row * 3 * args.heads * args.head_dim;

    /* k follows q: 2 x heads heads. */
    for (int i = (int)ptx::thread_index(); i < 2 * args.heads * pairs;
         i += THREADS) {
        const int d = i % pairs * 2;
        uint16_t *head = x + i / pairs * args.head_dim + d;
        rope::turn(*(uint32_t *)head, *(uint32_t *)(head + half),
                   rope::angle(args.rope, at, d, args.head_dim));
    }
}

__global__ void __launch_bounds__(THREADS, RESIDENT)
    turn_rows(oriel_rope_args args)
{
    counted::begin();
    const int64_t rows = counted::count(args.counted, args.rows);

    for (int64_t row = ptx::block_index(); row < rows;
         row += ptx::grid_blocks())
        turn_row(args, row);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_rope_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, turn_rows, 0, "turn_rows");
}

extern "C" cudaError_t
oriel_cuda_rope(const oriel_rope_args *args, cudaStream_t stream)
{
    if (args->rows < 0 || args->heads <= 0 || args->head_dim <= 0 ||
        args->head_dim % 8 || !counted::within_limits(args->counted) ||
        ((uintptr_t)args->qkv | (uintptr_t)args->rope) % 16 ||
        (uintptr_t)args->positions % 4)
        return cudaErrorInvalidValue;
    return launch_as(counted::shape(args->counted), turn_rows,
                     counted::grid(args->counted, args->rows, RESIDENT),
                     THREADS, 0, stream, *args);
}
