/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_attention.cu - softmax attention inside windows of up to 64 patches,
 * rotary embedding included
 *
 * For each window and head, with n = its patches:
 *     q, k = rope(q, k)               fp32, rounded once to bf16
 *     S = q k^T                       [n, n]         fp32
 *     P = 2^(c (S - rowmax))          [n, n]         rounded once to bf16
 *     O = P v / rowsum(rounded P)     [n, head_dim]  rounded once to bf16
 * with c = head_dim^-1/2 log2 e.
 *
 * Shapes   qkv        bf16 [rows, 3, heads, head_dim], 16-byte aligned
 *          out        bf16 [rows, heads, head_dim], must not alias qkv
 *          cu_window  int32 [n_windows + 1]: window w is rows cu_window[w] ..
 *          packs      int32 [n_packs, 4]: the window of each 16 rows of a
 *                     block, or -1; a window takes ceil(n / 16) neighbours
 *          rope       fp32 (cos, sin) [positions, head_dim / 4]
 *          positions  int32 [rows, 2], row and column of each patch
 *
 * Limits   n <= 64; head_dim % 8 == 0, at most 128
 *
 * Launch   block = pack x heads + head: heads fastest, so that the slices of a
 *          row are fetched together; with a count the blocks that are resident
 *          take them in turns.  128 threads = 4 warps of 16 queries.  3 x 64
 *          rows of head_dim: 33,792 bytes at head_dim 80.  A window fits
 *          whole, so there is no loop over keys and no running maximum.  Small
 *          windows share a block, each from a multiple of 16 on, so where a
 *          window lies does not change how its keys fall into instructions.  A
 *          warp copies and turns its own 16 rows; then all meet once.
 *
 * Banks    rows are an odd number of 16-byte chunks apart.  ldmatrix: no
 *          conflicts.  cp.async writes run along rows and where a row ends within
 *          eight lanes two may meet: 8/5 of the least phases at head_dim 80, twice
 *          the least at 16 and 32, the least at 64 and 128.  The turn of q and k
 *          loads and stores 16 bytes a lane, in twice the least phases at 32, 64
 *          and 80.
 *
 * Sectors  cp.async reads whole ones; at head_dim 80 the rope table and positions
 *          take 612 where 372 would do, 1,528 when each pair was turned alone;
 *          stores take twice the least, 16 bytes of a row by a quad.
 *
 * Bound    q, k, v, o move once: 8 head_dim bytes a patch and head for 4 n
 *          head_dim operations: n / 2 a byte, memory-bound on every GPU.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          640 / 1676 / 2292 on sm_80, 516 / 1676 / 2347 on sm_90a.
 *
 * Error    attention.cuh, with a single tile of keys: about 2^-7 max|v|, of q and
 *          k turned and rounded.  Their rounding moves a score by no more than
 *          2^-7 sum |q k| head_dim^-1/2, and a weight by as much, relatively.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/attention.c, rope.c.
 */
#include "ops.h"

#include "attention.cuh"
#include "counted.cuh"
#include "rope.cuh"

#include <launch.cuh>

namespace
{

constexpr int WARPS = 4;
constexpr int SLOT_ROWS = 16; /* of a warp */
constexpr int ROWS = WARPS * SLOT_ROWS;

/* The window that a warp's rows belong to. */
struct Slot {
    int32_t first_row; /* of the window, in qkv */
    int32_t n;         /* its patches; 0: nothing here */
    int32_t first;     /* the window's first slot */
};

__device__ __forceinline__ Slot
slot_of(const oriel_window_attention_args &args, const int32_t *pack, int slot)
{
    const int32_t window = pack[slot];
    int first = slot;

    if (window < 0)
        return {0, 0, slot};
    while (first > 0 && pack[first - 1] == window)
        first--;
    const int32_t begin = args.cu_window[window];
    return {begin, args.cu_window[window + 1] - begin, first};
}

/* q, k and v of the warp's 16 rows, the first being 'first' of its window; rows
   and columns beyond are zeros. */
template <int HEAD_DIM>
__device__ __forceinline__ void
load_rows(uint32_t shared, const oriel_window_attention_args &args,
          const Slot &slot, int first, int head, int lane)
{
    constexpr int CHUNKS = HEAD_DIM / 8, PER_LANE = SLOT_ROWS * CHUNKS / 32;
    constexpr uint32_t PART_BYTES = ROWS * attention::row_bytes<HEAD_DIM>();
    const int32_t hidden = args.heads * args.head_dim;
    const uint16_t *const from =
        args.qkv + (int64_t)(slot.first_row + first) * 3 * hidden +
        head * args.head_dim;
#pragma unroll
    for (int i = 0; i < PER_LANE; i++) {
        const int row = (i * 32 + lane) / CHUNKS;
        const int chunk = (i * 32 + lane) % CHUNKS;
        const bool inside = first + row < slot.n && chunk * 8 < args.head_dim;
        const uint16_t *q =
            inside ? from + (int64_t)row * 3 * hidden + chunk * 8 : args.qkv;
        const uint32_t to =
            attention::chunk_address<HEAD_DIM>(shared, row, chunk);
#pragma unroll
        for (int part = 0; part < 3; part++)
            ptx::copy_async_16(to + part * PART_BYTES,
                               inside ? q + part * hidden : q, inside);
    }
}

/* The rotary embedding, in place on q and k of the warp's rows; a Unit of one half
   of a head meets its partner in the other. */
template <int HEAD_DIM, class Unit>
__device__ __forceinline__ void
turn_rows(uint16_t *rows, const oriel_window_attention_args &args,
          const Slot &slot, int first, int lane)
{
    constexpr int VALUES = sizeof(Unit) / 2, UNITS = HEAD_DIM / 2 / VALUES;
    constexpr int ANGLES = VALUES / 2;
    constexpr int PART = ROWS * attention::pitch<HEAD_DIM>();
    const int half = args.head_dim / 2;
#pragma unroll
    for (int i = 0; i < SLOT_ROWS * UNITS; i += 32) {
        const int row = (i + lane) / UNITS, d = (i + lane) % UNITS * VALUES;
        float4 cs[ANGLES];

        if (row >= SLOT_ROWS || first + row >= slot.n || d >= half)
            continue;
        const int32_t *position =
            args.positions + (int64_t)(slot.first_row + first + row) * 2;
        const int32_t at[2] = {position[0], position[1]};
#pragma unroll
        for (int e = 0; e < ANGLES; e++)
            cs[e] = rope::angle(args.rope, at, d + 2 * e, args.head_dim);
#pragma unroll
        for (int part = 0; part < 2; part++) {
            uint16_t *head =
                rows + part * PART + row * attention::pitch<HEAD_DIM>() + d;
            Unit low = *(const Unit *)head, high = *(const Unit *)(head + half);
            rope::turn(low, high, cs);
            *(Unit *)head = low;
            *(Unit *)(head + half) = high;
        }
    }
}

/*
 * A warp copies and turns the rows of its own slot; then all meet once, since its
 * queries meet the keys of the whole window.
 */
template <int HEAD_DIM>
__device__ __forceinline__ void
attend(const oriel_window_attention_args &args, uint32_t pack, int head)
{
    constexpr uint32_t PART_BYTES = ROWS * attention::row_bytes<HEAD_DIM>();
    uint16_t *const memory = (uint16_t *)ptx::dynamic_shared();
    const uint32_t shared = ptx::shared_address(memory);
    const uint32_t thread = ptx::opaque(ptx::thread_index());
    const int lane = (int)thread % 32, warp = (int)thread / 32;
    const Slot slot = slot_of(args, args.packs + (int64_t)pack * WARPS, warp);
    const int first =
        (warp - slot.first) * SLOT_ROWS; /* of the window's rows */

    if (slot.n > 0) {
        uint16_t *own =
            memory + warp * SLOT_ROWS * attention::pitch<HEAD_DIM>();

        load_rows<HEAD_DIM>(ptx::shared_address(own), args, slot, first, head,
                            lane);
        ptx::copy_commit();
        ptx::copy_wait<0>();
        ptx::sync_warp();
        if (args.head_dim % 16 == 0)
            turn_rows<HEAD_DIM, uint4>(own, args, slot, first, lane);
        else
            turn_rows<HEAD_DIM, uint2>(own, args, slot, first, lane);
    }
    ptx::sync_block();
    if (slot.n == 0)
        return;

    const int first_key = slot.first * SLOT_ROWS;
    const int n_groups = (slot.n + 15) / 16 * 2;
    uint32_t q[HEAD_DIM / 16][4];
    attention::Scores scores = {};
#pragma unroll
    for (int step = 0; step < HEAD_DIM / 16; step++)
        attention::load_queries<HEAD_DIM>(q[step], shared, warp * SLOT_ROWS,
                                          step, lane);
    attention::multiply_keys<HEAD_DIM>(scores, q, shared + PART_BYTES,
                                       first_key, n_groups, lane);
    attention::mask_keys(scores, slot.n, lane);

    float most[2] = {attention::MASKED, attention::MASKED}, sums[2] = {};
    uint32_t p[attention::KEY_GROUPS][2];
    float o[HEAD_DIM / 8][4] = {};
    attention::row_maxima(most, scores);
    attention::exponentiate(p, sums, scores, most, args.scale_log2);
    attention::multiply_values<HEAD_DIM>(o, p, shared + 2 * PART_BYTES,
                                         first_key, n_groups, lane);
    /* Asked again: no register is left for it. */
    const int of_warp = (int)ptx::opaque(ptx::thread_index()) % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float scale = 1.0f / attention::quad_sum(sums[half]);
        const int local = first + half * 8 + of_warp / 4;
        if (local < slot.n)
            attention::store_row<HEAD_DIM>(
                args.out +
                    ((int64_t)(slot.first_row + local) * args.heads + head) *
                        args.head_dim,
                o, half, scale, args.head_dim, of_warp);
    }
}

/* Of blocks, on a multiprocessor of sm_90 and sm_100. */
constexpr int
resident(int head_dim)
{
    return head_dim <= 80 ? 6 : 4;
}

template <int HEAD_DIM>
__global__ void __launch_bounds__(WARPS * 32, resident(HEAD_DIM))
    window_attention(oriel_window_attention_args args)
{
    const uint32_t heads = (uint32_t)args.heads;

    counted::begin();
    /* How many there are is read again: no register is left for it. */
    for (uint32_t i = ptx::block_index();
         i < (uint32_t)counted::count(args.counted, args.n_packs) * heads;
         i += ptx::grid_blocks()) {
        if (i >= ptx::grid_blocks())
            ptx::sync_block(); /* others may read what the last one had */
        attend<HEAD_DIM>(args, i / heads, (int)(i % heads));
    }
}

/* The smallest instance that holds a head. */
template <class Run>
cudaError_t
with_head_dim(int head_dim, const Run &run)
{
    if (head_dim <= 16)
        return run(window_attention<16>, 16);
    if (head_dim <= 32)
        return run(window_attention<32>, 32);
    if (head_dim <= 64)
        return run(window_attention<64>, 64);
    if (head_dim <= 80)
        return run(window_attention<80>, 80);
    return run(window_attention<128>, 128);
}

size_t
shared_bytes(int head_dim)
{
    return (size_t)3 * ROWS * (size_t)(head_dim / 8 | 1) * 16;
}

} // namespace

extern "C" cudaError_t
oriel_cuda_window_attention_prepare(int32_t head_dim, oriel_cuda_loaded *loaded)
{
    return with_head_dim(head_dim, [loaded](auto kernel, int padded) {
        return prepare(loaded, kernel, shared_bytes(padded));
    });
}

extern "C" cudaError_t
oriel_cuda_window_attention(const oriel_window_attention_args *args,
                            cudaStream_t stream)
{
    if (args->n_packs < 0 || args->heads <= 0 || args->head_dim <= 0 ||
        args->head_dim > 128 || args->head_dim % 8 ||
        !counted::within_limits(args->counted) ||
        ((uintptr_t)args->qkv | (uintptr_t)args->out | (uintptr_t)args->rope) %
            16 ||
        ((uintptr_t)args->cu_window | (uintptr_t)args->packs |
         (uintptr_t)args->positions) %
            4)
        return cudaErrorInvalidValue;
    return with_head_dim(args->head_dim, [=](auto kernel, int padded) {
        const int64_t blocks = (int64_t)args->n_packs * args->heads;

        return launch_as(counted::shape(args->counted), kernel,
                         counted::grid(args->counted, blocks, resident(padded)),
                         WARPS * 32, shared_bytes(padded), stream, *args);
    });
}
