/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_full_attention.cu - softmax attention over whole frames, by wgmma
 *
 * What full_attention.cu computes, of heads of 80, with 128 keys at a time:
 *     S = q k^T                             fp32
 *     P = 2^(c (S - m))                     rounded once to bf16
 *     l = l 2^(c (m' - m)) + sum(rounded P)
 *     O = O 2^(c (m' - m)) + P v            fp32
 *     out = O / l                           rounded once to bf16
 *
 * Shapes   as full_attention.cu, head_dim 80
 *
 * Launch   a block a multiprocessor, which takes tiles of 128 queries of a head in
 *          turns, heads fastest; with a count, of the tiles that there are.  Two
 *          warpgroups multiply 64 queries each; of the third one lane copies and one
 *          warp makes the end of a frame.
 *
 * Tiles    queries and keys are boxes of 64 columns, swizzled over 128 bytes, and of
 *          16, over 32.  Values are two boxes of 64 columns, read along the keys
 *          (MN-major); of the second only the first 16 columns are of the head.
 *
 * Barriers q_full, k_full[s], v_full[s]: one arrival and the bytes of a copy.
 *          q_empty, k_empty[s], v_empty[s]: an arrival of each multiplying warp,
 *          after the products that read them have ended.
 *          tail[s]: the copy of a frame's last values, if the frame ends within the
 *          tile.  Beyond the end a warp then stores zeros, since 0 times what is
 *          there might be NaN, and arrives at v_full[s] in the copy's place.  One
 *          a stage: of short frames several ends are under way.
 *
 * Banks    ldmatrix, wgmma and what clears a frame's end: no conflicts.
 *
 * Sectors  tensor copies read whole ones, of a value's row 256 bytes where 160 would
 *          do; stores take twice the least, 16 bytes of a row by a quad.
 *
 * Order    key tiles start at the frame's first row and go up; nothing is split
 *          over keys.  A row's bytes depend on its frame alone, and differ from
 *          those of full_attention.cu.
 *
 * Overlap  the scores of a tile and the product of P and v of the one before are
 *          issued together; the softmax of the scores runs beside the latter.  P is
 *          kept as rounded fp32 in the scores' registers until that has ended: the
 *          registers of an operand may not change before.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          1280 / 1056 / 1204 on sm_90a.
 *
 * Error    that of attention.cuh, with tiles of 128 keys: eight products into O for
 *          each of them instead of four.
 *
 * Roundings: docs/numerics.md.  In plain C: tests/oracle/attention.c.
 */
#include "hopper_ops.h"

#include "attention.cuh"
#include "counted.cuh"
#include "hopper_ring.cuh"

#include <launch.cuh>

namespace
{

using namespace hopper_ring;
using mma_desc::Swizzle;

constexpr int HEAD_DIM = 80, GROUPS = 2, STAGES = 3;
constexpr int QUERIES = GROUPS * GROUP_ROWS, KEYS = 128;
constexpr int WARPS = GROUPS * GROUP_WARPS;
constexpr int THREADS = (GROUPS + 1) * GROUP_THREADS;
/* A head in boxes: so many columns in rows of 128 bytes, the rest in rows of 32. */
constexpr int BOX_COLUMNS = 64, REST_COLUMNS = HEAD_DIM - BOX_COLUMNS;
constexpr int BOX_ROW = BOX_COLUMNS * 2, REST_ROW = REST_COLUMNS * 2;
constexpr int STEPS = HEAD_DIM / 16, BOX_STEPS = BOX_COLUMNS / 16;

constexpr int Q_BYTES = QUERIES * HEAD_DIM * 2;
constexpr int K_BYTES = KEYS * HEAD_DIM * 2, V_BYTES = 2 * KEYS * BOX_ROW;
constexpr int STAGE_BYTES = K_BYTES + V_BYTES;
constexpr int BARRIERS_AT = Q_BYTES + STAGES * STAGE_BYTES;
constexpr int SHARED_BYTES = BARRIERS_AT + BARRIERS_BYTES;
static_assert(SHARED_BYTES <= SHARED_MOST, "more than a block has");

constexpr int SCORES = KEYS / 2, OUT = HEAD_DIM / 2, WEIGHTS = KEYS / 4;

struct Shared {
    uint32_t base;

    __device__ __forceinline__ uint32_t q() const
    {
        return base;
    }
    __device__ __forceinline__ uint32_t k(uint32_t stage) const
    {
        return base + Q_BYTES + stage * STAGE_BYTES;
    }
    __device__ __forceinline__ uint32_t v(uint32_t stage) const
    {
        return k(stage) + K_BYTES;
    }
    __device__ __forceinline__ uint32_t barrier(uint32_t which) const
    {
        return base + BARRIERS_AT + which * BARRIER_BYTES;
    }
    __device__ __forceinline__ uint32_t q_full() const
    {
        return barrier(0);
    }
    __device__ __forceinline__ uint32_t q_empty() const
    {
        return barrier(1);
    }
    __device__ __forceinline__ uint32_t k_full(uint32_t stage) const
    {
        return barrier(2 + stage);
    }
    __device__ __forceinline__ uint32_t k_empty(uint32_t stage) const
    {
        return barrier(2 + STAGES + stage);
    }
    __device__ __forceinline__ uint32_t v_full(uint32_t stage) const
    {
        return barrier(2 + 2 * STAGES + stage);
    }
    __device__ __forceinline__ uint32_t v_empty(uint32_t stage) const
    {
        return barrier(2 + 3 * STAGES + stage);
    }
    __device__ __forceinline__ uint32_t tail(uint32_t stage) const
    {
        return barrier(2 + 4 * STAGES + stage);
    }

    /* By one thread, before the block meets. */
    __device__ __forceinline__ void init() const
    {
        ptx::mbarrier_init(q_full(), 1);
        ptx::mbarrier_init(q_empty(), WARPS);
        for (uint32_t s = 0; s < STAGES; s++) {
            ptx::mbarrier_init(k_full(s), 1);
            ptx::mbarrier_init(k_empty(s), WARPS);
            ptx::mbarrier_init(v_full(s), 1);
            ptx::mbarrier_init(v_empty(s), WARPS);
            ptx::mbarrier_init(tail(s), 1);
        }
        ptx::mbarrier_fence();
    }
};

/* What a block takes next: 128 queries of a frame, and a head. */
struct Item {
    int32_t first_row, n, first_query, head;

    __device__ __forceinline__ Item(const oriel_full_attention_args &args,
                                    int64_t index)
        : head((int32_t)(index % args.heads))
    {
        const int32_t *at = args.tiles + index / args.heads * 3;

        first_row = at[0];
        n = at[1];
        first_query = at[2];
    }
    __device__ __forceinline__ int32_t key_tiles() const
    {
        return (n + KEYS - 1) / KEYS;
    }
};

/* ---- Copying ------------------------------------------------------------- */

/* 128 rows of a head's q, k or v from 'column' on. */
__device__ __forceinline__ void
copy_head(uint32_t to, const CUtensorMap *box, const CUtensorMap *rest,
          int32_t column, int32_t row, uint32_t full)
{
    ptx::mbarrier_expect(full, K_BYTES);
    ptx::tensor_load_2d(to, box, column, row, full);
    ptx::tensor_load_2d(to + KEYS * BOX_ROW, rest, column + BOX_COLUMNS, row,
                        full);
}

__device__ __forceinline__ void
copy_items(const Shared &shared, const CUtensorMap *box,
           const CUtensorMap *rest, const oriel_full_attention_args &args,
           int64_t n_items)
{
    const int32_t hidden = args.heads * HEAD_DIM;
    uint32_t items = 0;
    Turn<STAGES> turn;

    for (int64_t i = ptx::block_index(); i < n_items;
         i += ptx::grid_blocks(), items++) {
        const Item item(args, i);
        const int32_t q = item.head * HEAD_DIM, k = q + hidden, v = k + hidden;

        ptx::mbarrier_wait(shared.q_empty(), (items & 1) ^ 1);
        copy_head(shared.q(), box, rest, q, item.first_row + item.first_query,
                  shared.q_full());
#pragma unroll 1 /* one lane waits here; budgets.py counts its bytes */
        for (int32_t first = 0; first < item.n; first += KEYS, turn.next()) {
            const uint32_t s = turn.stage;
            const int32_t row = item.first_row + first;
            const uint32_t full =
                item.n - first < KEYS ? shared.tail(s) : shared.v_full(s);

            ptx::mbarrier_wait(shared.k_empty(s), turn.parity ^ 1);
            copy_head(shared.k(s), box, rest, k, row, shared.k_full(s));
            ptx::mbarrier_wait(shared.v_empty(s), turn.parity ^ 1);
            ptx::mbarrier_expect(full, V_BYTES);
            ptx::tensor_load_2d(shared.v(s), box, v, row, full);
            ptx::tensor_load_2d(shared.v(s) + KEYS * BOX_ROW, box,
                                v + BOX_COLUMNS, row, full);
        }
    }
}

/* By a warp: the values of no patch become zeros. */
__device__ __forceinline__ void
clear_tails(const Shared &shared, char *memory,
            const oriel_full_attention_args &args, int64_t n_items)
{
    constexpr int CHUNKS = BOX_ROW / 16;
    const int lane = (int)ptx::thread_index() % 32;
    uint32_t parities = 0; /* of each stage's tail */
    Turn<STAGES> turn;

    for (int64_t i = ptx::block_index(); i < n_items; i += ptx::grid_blocks()) {
        const Item item(args, i);

        for (int32_t first = 0; first < item.n; first += KEYS, turn.next()) {
            const uint32_t s = turn.stage;
            const int32_t left = item.n - first;

            if (left >= KEYS)
                continue;
            ptx::mbarrier_wait(shared.tail(s), parities >> s & 1);
            parities ^= 1u << s;
            char *const v = memory + (shared.v(s) - shared.base);
            for (int j = left * CHUNKS + lane; j < KEYS * CHUNKS; j += 32) {
                *(uint4 *)(v + j * 16) = uint4{0, 0, 0, 0};
                *(uint4 *)(v + KEYS * BOX_ROW + j * 16) = uint4{0, 0, 0, 0};
            }
            ptx::fence_async_shared();
            ptx::sync_warp();
            if (lane == 0)
                ptx::mbarrier_arrive(shared.v_full(s));
        }
    }
}

/* ---- Softmax ------------------------------------------------------------- */

/* What a warp has of its 16 queries; lanes have rows lane / 4 and 8 more. */
struct Rows {
    float most[2], sums[2];
    float keep[2]; /* by how much the last tile shrank what was before it */
    bool moved;    /* whether any of the warp's maxima did */
};

__device__ __forceinline__ void
mask_keys(float (&scores)[SCORES], int n_keys)
{
    const int first = (int)ptx::thread_index() % 4 * 2;

#pragma unroll
    for (int i = 0; i < SCORES; i++)
        if (i / 4 * 8 + first + (i & 1) >= n_keys)
            scores[i] = attention::MASKED;
}

__device__ __forceinline__ void
find_maxima(Rows &r, const float (&scores)[SCORES], float scale)
{
    const float before[2] = {r.most[0], r.most[1]};

#pragma unroll
    for (int i = 0; i < SCORES; i++)
        r.most[i / 2 % 2] = fmaxf(r.most[i / 2 % 2], scores[i]);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float &most = r.most[half];

        most = fmaxf(most, ptx::shuffle_xor(most, uint32_t{1}));
        most = fmaxf(most, ptx::shuffle_xor(most, uint32_t{2}));
    }
    r.moved =
        ptx::reduce_or(before[0] != r.most[0] || before[1] != r.most[1]) != 0;
    if (r.moved)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            r.keep[half] =
                ptx::ex2_approx((before[half] - r.most[half]) * scale);
            r.sums[half] *= r.keep[half];
        }
}

/* Scores become weights, rounded to bf16 but still in fp32; the sums grow by the
   rounded ones, as attention.cuh says. */
__device__ __forceinline__ void
exponentiate(Rows &r, float (&scores)[SCORES], float scale)
{
#pragma unroll
    for (int i = 0; i < SCORES; i += 2) {
        const int half = i / 2 % 2;
        const float shift = r.most[half] * scale;
        const uint32_t pair =
            ptx::pack_bf16(ptx::ex2_approx(fmaf(scores[i], scale, -shift)),
                           ptx::ex2_approx(fmaf(scores[i + 1], scale, -shift)));

        scores[i] = tile::low_half(pair);
        scores[i + 1] = tile::high_half(pair);
        r.sums[half] += scores[i];
        r.sums[half] += scores[i + 1];
    }
}

template <bool LAST>
__device__ __forceinline__ void
take_scores(Rows &r, float (&scores)[SCORES], int n_keys, float scale)
{
    if (LAST)
        mask_keys(scores, n_keys);
    find_maxima(r, scores, scale);
    exponentiate(r, scores, scale);
}

/* The registers of the weights as an operand; they are rounded already. */
__device__ __forceinline__ void
pack_weights(uint32_t (&p)[WEIGHTS], const float (&scores)[SCORES])
{
#pragma unroll
    for (int i = 0; i < WEIGHTS; i++)
        p[i] = ptx::float_to_bits(scores[2 * i]) >> 16 |
               (ptx::float_to_bits(scores[2 * i + 1]) & 0xffff0000u);
}

__device__ __forceinline__ void
rescale(float (&o)[OUT], const Rows &r)
{
    if (r.moved)
#pragma unroll
        for (int i = 0; i < OUT; i++)
            o[i] *= r.keep[i / 2 % 2];
}

/* ---- Multiplying --------------------------------------------------------- */

using Queries = uint32_t[STEPS * 4];

/* The warp's 16 rows, from either box. */
__device__ __forceinline__ void
load_queries(Queries &q, uint32_t base)
{
    const int lane = (int)ptx::thread_index() % 32;
    const int row = (int)ptx::thread_index() / 32 * WARP_ROWS + (lane & 15);

#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        const int chunk = 2 * (i % BOX_STEPS) + (lane >> 4);
        const uint32_t at =
            i < BOX_STEPS
                ? base + (uint32_t)(row * BOX_ROW + (chunk ^ (row & 7)) * 16)
                : base + (uint32_t)(QUERIES * BOX_ROW + row * REST_ROW +
                                    (chunk ^ (row >> 2 & 1)) * 16);
        uint32_t r[4];

        ptx::ldmatrix_x4(r, at);
#pragma unroll
        for (int j = 0; j < 4; j++)
            q[4 * i + j] = r[j];
    }
}

__device__ __forceinline__ void
multiply_keys(float (&scores)[SCORES], Queries &q, uint32_t k)
{
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        const uint64_t keys =
            i < BOX_STEPS ? mma_desc::k_major(k + i * mma_desc::k_major_step(),
                                              Swizzle::B128)
                          : mma_desc::k_major(k + KEYS * BOX_ROW, Swizzle::B32);

        ptx::wgmma_rs<KEYS, false>(scores, q, 4 * i, keys, i > 0);
    }
    ptx::wgmma_commit();
}

__device__ __forceinline__ void
multiply_values(float (&o)[OUT], uint32_t (&p)[WEIGHTS], uint32_t v)
{
#pragma unroll
    for (int i = 0; i < KEYS / 16; i++)
        ptx::wgmma_rs<HEAD_DIM, true>(
            o, p, 4 * i,
            mma_desc::mn_major(v + i * mma_desc::mn_major_step(Swizzle::B128),
                               Swizzle::B128, KEYS),
            true);
    ptx::wgmma_commit();
}

/* A warpgroup's 64 queries, along the keys. */
struct Walk {
    const Shared &shared;
    float scale;
    Queries q;
    float o[OUT], scores[SCORES];
    uint32_t p[WEIGHTS];
    Rows rows;
    Turn<STAGES> keys, values;

    __device__ __forceinline__ Walk(const Shared &shared_, float scale_)
        : shared(shared_), scale(scale_)
    {
    }

    /* The first tile: there is no P yet. */
    template <bool LAST> __device__ __forceinline__ void begin(int n_keys)
    {
        ptx::mbarrier_wait(shared.k_full(keys.stage), keys.parity);
        ptx::wgmma_hold(q);
        ptx::wgmma_hold(scores);
        ptx::wgmma_fence();
        multiply_keys(scores, q, shared.k(keys.stage));
        ptx::wgmma_wait<0>();
        ptx::wgmma_hold(scores);
        release(shared.k_empty(keys.stage));
        keys.next();
        take_scores<LAST>(rows, scores, n_keys, scale);
        pack_weights(p, scores);
    }

    /* The scores of one more, beside the values of the one before. */
    template <bool LAST> __device__ __forceinline__ void go_on(int n_keys)
    {
        ptx::mbarrier_wait(shared.k_full(keys.stage), keys.parity);
        ptx::mbarrier_wait(shared.v_full(values.stage), values.parity);
        ptx::wgmma_hold(scores);
        ptx::wgmma_hold(p);
        ptx::wgmma_hold(o);
        ptx::wgmma_fence();
        multiply_keys(scores, q, shared.k(keys.stage));
        multiply_values(o, p, shared.v(values.stage));
        ptx::wgmma_wait<1>();
        ptx::wgmma_hold(scores);
        release(shared.k_empty(keys.stage));
        keys.next();
        take_scores<LAST>(rows, scores, n_keys, scale);
        ptx::wgmma_wait<0>();
        ptx::wgmma_hold(o);
        ptx::wgmma_hold(scores); /* they are no operand until here */
        release(shared.v_empty(values.stage));
        values.next();
        rescale(o, rows);
        pack_weights(p, scores);
    }

    /* The last tile's values. */
    __device__ __forceinline__ void end()
    {
        ptx::mbarrier_wait(shared.v_full(values.stage), values.parity);
        ptx::wgmma_hold(p);
        ptx::wgmma_hold(o);
        ptx::wgmma_fence();
        multiply_values(o, p, shared.v(values.stage));
        ptx::wgmma_wait<0>();
        ptx::wgmma_hold(o);
        release(shared.v_empty(values.stage));
        values.next();
    }

    __device__ __forceinline__ void run(const Item &item, uint32_t items)
    {
        const int32_t n_tiles = item.key_tiles();
        const int last_keys = item.n - (n_tiles - 1) * KEYS;

        rows.most[0] = rows.most[1] = attention::MASKED;
        rows.sums[0] = rows.sums[1] = 0;
#pragma unroll
        for (int i = 0; i < OUT; i++)
            o[i] = 0;
        ptx::mbarrier_wait(shared.q_full(), items & 1);
        load_queries(q, shared.q());
        ptx::sync_warp();
        release(shared.q_empty());
        if (n_tiles == 1) {
            begin<true>(last_keys);
        } else {
            begin<false>(KEYS);
#pragma unroll 1
            for (int32_t t = 1; t < n_tiles - 1; t++)
                go_on<false>(KEYS);
            go_on<true>(last_keys);
        }
        end();
    }
};

__device__ __forceinline__ void
store(const Walk &walk, const Item &item, const oriel_full_attention_args &args)
{
    const int lane = (int)ptx::thread_index() % 32;
    const int warp = (int)ptx::thread_index() / 32;

#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float scale = 1.0f / attention::quad_sum(walk.rows.sums[half]);
        const int32_t query =
            item.first_query + warp * WARP_ROWS + half * 8 + lane / 4;
        uint16_t *const to =
            args.out +
            ((item.first_row + (int64_t)query) * args.heads + item.head) *
                HEAD_DIM +
            lane % 4 * 2;

        if (query >= item.n)
            continue;
#pragma unroll
        for (int j = 0; j < HEAD_DIM / 8; j++)
            *(uint32_t *)(to + j * 8) =
                ptx::pack_bf16(walk.o[4 * j + 2 * half] * scale,
                               walk.o[4 * j + 2 * half + 1] * scale);
    }
}

__device__ __forceinline__ void
multiply_items(const Shared &shared, const oriel_full_attention_args &args,
               int64_t n_items)
{
    Walk walk(shared, args.scale_log2);
    uint32_t items = 0;

    for (int64_t i = ptx::block_index(); i < n_items;
         i += ptx::grid_blocks(), items++) {
        const Item item(args, i);

        walk.run(item, items);
        store(walk, item, args);
    }
}

__global__ void __launch_bounds__(THREADS, 1)
    hopper_full_attention(const __grid_constant__ CUtensorMap box,
                          const __grid_constant__ CUtensorMap rest,
                          oriel_full_attention_args args)
{
    char *const memory = ptx::dynamic_shared_1024();
    const Shared shared = {ptx::shared_address(memory)};
    const uint32_t thread = ptx::thread_index();

    if (thread == 0)
        shared.init();
    ptx::sync_block();
    counted::begin();
    const int64_t n_items =
        counted::count(args.counted, args.n_tiles) * args.heads;
    if (thread >= WARPS * 32) {
        ptx::registers_down<COPY_REGISTERS>();
        if (thread == WARPS * 32)
            copy_items(shared, &box, &rest, args, n_items);
        else if (thread / 32 == WARPS + 1)
            clear_tails(shared, memory, args, n_items);
    } else {
        ptx::registers_up<MULTIPLY_REGISTERS>();
        multiply_items(shared, args, n_items);
    }
}

} // namespace

extern "C" cudaError_t
oriel_cuda_hopper_full_attention_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, hopper_full_attention, SHARED_BYTES);
}

extern "C" cudaError_t
oriel_cuda_hopper_full_attention(const oriel_full_attention_args *args,
                                 const oriel_hopper_attention *by,
                                 cudaStream_t stream)
{
    const int64_t items = (int64_t)args->n_tiles * args->heads;

    if (args->n_tiles < 0 || args->heads <= 0 || args->head_dim != HEAD_DIM ||
        ((uintptr_t)args->qkv | (uintptr_t)args->out) % 16 ||
        ((uintptr_t)args->tiles | (uintptr_t)args->counted.count) % 4 ||
        by->blocks <= 0 || !by->box || !by->rest)
        return cudaErrorInvalidValue;
    return launch_as(counted::shape(args->counted), hopper_full_attention,
                     items < by->blocks ? items : int64_t{by->blocks}, THREADS,
                     SHARED_BYTES, stream, *by->box, *by->rest, *args);
}
