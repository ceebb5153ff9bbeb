/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full_attention.cu - softmax attention over whole frames of any length
 *
 * For each frame and head, with n = its patches, keys are taken 64 at a time
 * and the softmax is carried along (running maximum m, sum l, both fp32):
 *     S = q k^T                             fp32
 *     P = 2^(c (S - m))                     rounded once to bf16
 *     l = l 2^(c (m' - m)) + sum(rounded P)
 *     O = O 2^(c (m' - m)) + P v            fp32
 *     out = O / l                           rounded once to bf16
 * with c = head_dim^-1/2 log2 e and m' the maximum before this tile.  q and k
 * have been turned already (rope.cu).
 *
 * Shapes   qkv    bf16 [rows, 3, heads, head_dim], 16-byte aligned
 *          out    bf16 [rows, heads, head_dim], must not alias qkv
 *          tiles  int32 [n_tiles, 3]: first row of the frame, its patches, and
 *                 the tile's first query within it, a multiple of 128
 *
 * Limits   head_dim % 8 == 0, at most 128; frames of any length
 *
 * Launch   block = tile x heads + head, heads fastest; with a count, blocks beyond it
 *          end at once.  256 threads = 8 warps of 16 queries.  Two stages of 64 keys
 *          and 64 values: 45,056 bytes at head_dim 80; queries pass through the first
 *          stage into registers.  Keys and values are committed apart, so that the
 *          scores of a tile start before its values have come.
 *
 * Banks    ldmatrix: no conflicts.  cp.async writes take 8/5 of the least phases
 *          at head_dim 80, twice the least at 16 and 32, the least at 64 and 128.
 *
 * Sectors  cp.async reads whole ones; stores take twice the least, 16 bytes of a
 *          row by a quad.
 *
 * Order    key tiles start at the frame's first row and go up; nothing is split
 *          over keys.  A row's bytes depend on its frame alone.
 *
 * Bound    4 n^2 head_dim operations a head and frame; the exponentials, n^2 of
 *          them, take 80 % of the time of the products at head_dim 80.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1280 / 1392 / 956 on sm_80, 1032 / 1392 / 954 on sm_90a.
 *
 * Error    attention.cuh: about 2^-7 max|v| while scores are small, and at most
 *          2^-17 max|v| more for each tile of keys.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/attention.c.
 */
#include "ops.h"

#include "attention.cuh"
#include "counted.cuh"

#include <launch.cuh>

namespace
{

constexpr int WARPS = 8;
constexpr int THREADS = WARPS * 32;
constexpr int QUERIES = WARPS * 16;
using attention::KEYS;

/* N_ROWS rows from 'from' on, of which 'left' are the frame's; zeros beyond. */
template <int HEAD_DIM, int N_ROWS>
__device__ __forceinline__ void
load_rows(uint32_t shared, const uint16_t *from, int32_t row_values,
          int32_t left, int head_dim)
{
    constexpr int CHUNKS = HEAD_DIM / 8, ALL = N_ROWS * CHUNKS;
#pragma unroll 1 /* the addresses of all at once cost registers */
    for (int i = (int)ptx::thread_index(); i < ALL; i += THREADS) {
        const int row = i / CHUNKS, chunk = i % CHUNKS;
        const bool inside = row < left && chunk * 8 < head_dim;
        const int from_row = inside ? row : 0, from_chunk = inside ? chunk : 0;

        ptx::copy_async_16(
            attention::chunk_address<HEAD_DIM>(shared, row, chunk),
            from + (int64_t{from_row} * row_values + from_chunk * 8), inside);
    }
    ptx::copy_commit();
}

/* Of the last tile of keys some may lie beyond the frame, and nothing follows. */
template <bool LAST> struct Last {
    static constexpr bool value = LAST;
};

/* The state of a row's softmax as it moves along the keys. */
template <int HEAD_DIM> struct Running {
    float o[HEAD_DIM / 8][4];
    float most[2], sums[2];
};

/*
 * Take in the scores of one tile: new maximum, everything so far rescaled.  Where
 * no lane's maximum moved, the factors would all be 1: nothing is multiplied.
 */
template <int HEAD_DIM>
__device__ __forceinline__ void
advance(Running<HEAD_DIM> &r, uint32_t (&p)[attention::KEY_GROUPS][2],
        const attention::Scores &scores, float scale)
{
    const float before[2] = {r.most[0], r.most[1]};

    attention::row_maxima(r.most, scores);
    if (ptx::reduce_or(before[0] != r.most[0] || before[1] != r.most[1]))
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float keep =
                ptx::ex2_approx((before[half] - r.most[half]) * scale);
            r.sums[half] *= keep;
#pragma unroll
            for (int d = 0; d < HEAD_DIM / 8; d++) {
                r.o[d][2 * half] *= keep;
                r.o[d][2 * half + 1] *= keep;
            }
        }
    attention::exponentiate(p, r.sums, scores, r.most, scale);
}

/* Two blocks a multiprocessor, so that one multiplies while the other takes
   exponentials; at 128 the accumulators leave no room. */
template <int HEAD_DIM>
__global__ void __launch_bounds__(THREADS, HEAD_DIM <= 80 ? 2 : 1)
    full_attention(oriel_full_attention_args args)
{
    constexpr uint32_t PART_BYTES = KEYS * attention::row_bytes<HEAD_DIM>();
    const uint32_t shared = ptx::shared_address(ptx::dynamic_shared());
    const int lane = (int)ptx::thread_index() % 32;
    const int warp = (int)ptx::thread_index() / 32;
    const int head = (int)(ptx::block_index() % (uint32_t)args.heads);
    const uint32_t tile = ptx::block_index() / (uint32_t)args.heads;
    const int32_t *at = args.tiles + (int64_t)tile * 3;

    counted::begin();
    if (tile >= counted::count(args.counted, args.n_tiles))
        return;
    const int32_t first_row = at[0], n = at[1], first_query = at[2];
    const int64_t hidden = (int64_t)args.heads * args.head_dim;
    const int32_t row_values = 3 * args.heads * args.head_dim;
    const uint16_t *const queries =
        args.qkv + first_row * int64_t{row_values} + head * args.head_dim;
    const uint16_t *next_rows = queries + hidden; /* keys; values: + hidden */
    const int n_tiles = (n + KEYS - 1) / KEYS;

    uint32_t q[HEAD_DIM / 16][4];
    load_rows<HEAD_DIM, QUERIES>(shared,
                                 queries + first_query * int64_t{row_values},
                                 row_values, n - first_query, args.head_dim);
    ptx::copy_wait<0>();
    ptx::sync_block();
#pragma unroll
    for (int step = 0; step < HEAD_DIM / 16; step++)
        attention::load_queries<HEAD_DIM>(q[step], shared, warp * 16, step,
                                          lane);
    ptx::sync_block();

    /* Stage s: keys at 2 s parts, values after them. */
    load_rows<HEAD_DIM, KEYS>(shared, next_rows, row_values, n, args.head_dim);
    load_rows<HEAD_DIM, KEYS>(shared + PART_BYTES, next_rows + hidden,
                              row_values, n, args.head_dim);
    Running<HEAD_DIM> r = {};
    r.most[0] = r.most[1] = attention::MASKED;
    const auto take_tile = [&](int t, auto is_last) {
        constexpr bool LAST = decltype(is_last)::value;
        const uint32_t keys = shared + t % 2 * 2 * PART_BYTES;
        const uint32_t next = shared + (t + 1) % 2 * 2 * PART_BYTES;
        const int left = n - (t + 1) * KEYS; /* after this tile */
        attention::Scores scores = {};
        uint32_t p[attention::KEY_GROUPS][2];

        ptx::copy_wait<1>(); /* the keys */
        ptx::sync_block();
        /* All are done with the other stage's keys: they may be replaced. */
        next_rows += KEYS * int64_t{row_values};
        if (!LAST)
            load_rows<HEAD_DIM, KEYS>(next, next_rows, row_values, left,
                                      args.head_dim);
        attention::multiply_keys<HEAD_DIM>(scores, q, keys, 0,
                                           attention::KEY_GROUPS, lane);
        if (LAST)
            attention::mask_keys(scores, left + KEYS, lane);
        advance<HEAD_DIM>(r, p, scores, args.scale_log2);

        ptx::copy_wait<LAST ? 0 : 1>(); /* the values */
        ptx::sync_block();
        if (!LAST)
            load_rows<HEAD_DIM, KEYS>(next + PART_BYTES, next_rows + hidden,
                                      row_values, left, args.head_dim);
        attention::multiply_values<HEAD_DIM>(r.o, p, keys + PART_BYTES, 0,
                                             attention::KEY_GROUPS, lane);
    };
    for (int t = 0; t < n_tiles - 1; t++)
        take_tile(t, Last<false>{});
    take_tile(n_tiles - 1, Last<true>{});

#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float scale = 1.0f / attention::quad_sum(r.sums[half]);
        const int32_t query = first_query + warp * 16 + half * 8 + lane / 4;
        if (query < n)
            attention::store_row<HEAD_DIM>(
                args.out + (first_row + (int64_t)query) * hidden +
                    head * args.head_dim,
                r.o, half, scale, args.head_dim, lane);
    }
}

template <class Run>
cudaError_t
with_head_dim(int head_dim, const Run &run)
{
    if (head_dim <= 16)
        return run(full_attention<16>, 16);
    if (head_dim <= 32)
        return run(full_attention<32>, 32);
    if (head_dim <= 64)
        return run(full_attention<64>, 64);
    if (head_dim <= 80)
        return run(full_attention<80>, 80);
    return run(full_attention<128>, 128);
}

size_t
shared_bytes(int head_dim)
{
    return (size_t)4 * KEYS * (size_t)(head_dim / 8 | 1) * 16;
}

} // namespace

extern "C" cudaError_t
oriel_cuda_full_attention_prepare(int32_t head_dim, oriel_cuda_loaded *loaded)
{
    return with_head_dim(head_dim, [loaded](auto kernel, int padded) {
        return prepare(loaded, kernel, shared_bytes(padded));
    });
}

extern "C" cudaError_t
oriel_cuda_full_attention(const oriel_full_attention_args *args,
                          cudaStream_t stream)
{
    if (args->n_tiles < 0 || args->heads <= 0 || args->head_dim <= 0 ||
        args->head_dim > 128 || args->head_dim % 8 ||
        ((uintptr_t)args->qkv | (uintptr_t)args->out) % 16 ||
        ((uintptr_t)args->tiles | (uintptr_t)args->counted.count) % 4)
        return cudaErrorInvalidValue;
    return with_head_dim(args->head_dim, [=](auto kernel, int padded) {
        return launch_as(counted::shape(args->counted), kernel,
                         (int64_t)args->n_tiles * args->heads, THREADS,
                         shared_bytes(padded), stream, *args);
    });
}
