/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand_plan.cu - a plan's arrays from one record an item
 *
 * The host sends what an item is and what came before it; where a token, a
 * window or a tile stands follows in closed form.  With a window's column wx of
 * an item's row wy of windows, height tokens high, a token's place is
 *
 *     first_token + frame rows columns + wy side columns + wx side height
 *         + its place in the window, row by row
 *
 * Windows of a frame come in four kinds: whole, cut at the right, cut below, cut
 * at both; how many of a kind come before a window is a product.
 *
 * Shapes   records in global memory, ascending by first_token; outputs as in
 *          ops.h, positions and packs 16-byte aligned, is_still 4-byte aligned
 *
 * Limits   tokens of four patches, 2^24 patches in all: no index exceeds 2^25,
 *          so all are of 32 bits, but for offsets of values.  Packs: side <= 4,
 *          windows of 64 patches.  Lists of frames: 256 of them, which the caller
 *          counts.
 *
 * Launch   a thread a token, in image order; blocks of 256.  The first token of a
 *          window writes its prefix sum and its place in a pack, the first of every 32
 *          of a segment, 128 patches, a tile; the last one how much there is of all.
 *          Where frames are listed, one block more, of another kernel, with a thread a
 *          sequence.
 *
 * Sectors  of 16 windows of 4 x 4 tokens: stores 693 where 409 would do, as the
 *          places of neighbours lie in turn in rows of 4 and the two stores of a
 *          token's positions share sectors; loads the least.
 *
 * Order    Packs hold the classes from large to small, small windows beside
 *          large ones, each class in window order; tiles of windows come in
 *          window order, those of frames where the records say.  No result
 *          depends on either.
 *
 * Bound    what is written: 48 bytes a token, and little beside it.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    none: integers.
 *
 * In plain C: host/plan/windows.c, tests/support/segments.c.
 */
#include "ops.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int THREADS = 256;
constexpr int PATCHES = 4;      /* of a token */
constexpr int SLOT_TOKENS = 4;  /* 16 patches */
constexpr int SLOTS = 4;        /* of a pack */
constexpr int SIDE_MOST = 4;    /* of a window in a pack */
constexpr int TILE_TOKENS = 32; /* 128 queries */
constexpr int32_t TOKENS_MOST = 1 << 22;

__device__ __forceinline__ int32_t
lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

__device__ __forceinline__ int32_t
divide_up(int32_t a, int32_t b)
{
    return (a + b - 1) / b;
}

/* The last record whose first token is at or before this one. */
__device__ __forceinline__ const oriel_plan_record &
find_record(const oriel_expand_plan_args &args, int32_t token)
{
    int32_t low = 0, high = args.n_records; /* it is in [low, high) */

    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        if (args.records[middle].first_token <= token)
            low = middle;
        else
            high = middle;
    }
    return args.records[low];
}

/* Rows or columns of a frame, cut into windows. */
struct Cut {
    int32_t whole, rest; /* windows; tokens of the last one, if it is smaller */

    __device__ __forceinline__ Cut(int32_t length, int32_t side)
        : whole(length / side), rest(length % side)
    {
    }
    __device__ __forceinline__ int32_t pieces() const
    {
        return whole + (rest > 0);
    }
};

/* A window, and the token that a thread has of it. */
struct Place {
    int32_t frame, y, x;           /* the token's */
    int32_t window_y, window_x;    /* the window's among those of the frame */
    int32_t height, width;         /* of the window */
    int32_t frame_start, in_frame; /* first token of the frame; from there */
    int32_t start, inside;         /* of the window; from there */
};

__device__ __forceinline__ Place
locate(const oriel_plan_record &r, int32_t side, int32_t token)
{
    const int32_t local = token - r.first_token;
    const int32_t per_frame = r.rows * r.columns;
    Place p;

    p.frame = local / per_frame;
    p.in_frame = local % per_frame;
    p.frame_start = r.first_token + p.frame * per_frame;
    p.y = p.in_frame / r.columns;
    p.x = p.in_frame % r.columns;
    p.window_y = p.y / side;
    p.window_x = p.x / side;
    p.height = lesser(side, r.rows - p.window_y * side);
    p.width = lesser(side, r.columns - p.window_x * side);
    p.start = p.frame_start + p.window_y * side * r.columns +
              p.window_x * side * p.height;
    p.inside = (p.y - p.window_y * side) * p.width + p.x - p.window_x * side;
    return p;
}

/* For each kind: how large a window is and how many of the item came before; a
   kind that the item lacks has no tokens, and its count means nothing. */
struct Kinds {
    int32_t tokens[4], before[4];
};

__device__ __forceinline__ Kinds
count_kinds(const oriel_plan_record &r, int32_t side, const Place &p)
{
    const Cut down(r.rows, side), across(r.columns, side);
    const int32_t height = down.whole ? side : 0;
    const int32_t width = across.whole ? side : 0;
    const int32_t upper = p.frame * down.whole + lesser(p.window_y, down.whole);
    const bool below = p.window_y >= down.whole;
    Kinds k;

    k.tokens[0] = height * width;
    k.tokens[1] = height * across.rest;
    k.tokens[2] = down.rest * width;
    k.tokens[3] = down.rest * across.rest;
    k.before[0] = upper * across.whole + (below ? 0 : p.window_x);
    k.before[1] = upper;
    k.before[2] = p.frame * across.whole + (below ? p.window_x : 0);
    k.before[3] = p.frame;
    return k;
}

/* A window of 'size' slots that is the rank-th of its class: which pack, from
   which slot on, and whether the slots after it stay empty. */
struct Pack {
    int32_t pack, slot;
    bool last;
};

__device__ __forceinline__ Pack
find_pack(const int32_t (&windows_of)[SLOTS], int32_t size, int32_t rank)
{
    const int32_t ones = windows_of[0], twos = windows_of[1];
    const int32_t threes = windows_of[2], fours = windows_of[3];
    const int32_t pairs = fours + threes; /* the first pack of twos */
    const int32_t beside_two = twos % 2 * 2;

    if (size == 4)
        return {rank, 0, true};
    if (size == 3)
        return {fours + rank, 0, rank >= ones};
    if (size == 2)
        return {pairs + rank / 2, rank % 2 * 2,
                rank == twos - 1 && ones <= threes};
    if (rank < threes)
        return {fours + rank, 3, true};
    rank -= threes;
    const bool last = rank == ones - threes - 1;
    if (rank < beside_two)
        return {pairs + twos / 2, 2 + rank, last};
    rank -= beside_two;
    return {pairs + divide_up(twos, 2) + rank / SLOTS, rank % SLOTS, last};
}

__device__ __forceinline__ int32_t
slots_of(int32_t tokens)
{
    return divide_up(tokens, SLOT_TOKENS);
}

__device__ __forceinline__ void
write_pack(const oriel_expand_plan_args &args, const oriel_plan_record &r,
           const Place &p, const Kinds &kinds, int32_t window)
{
    const int32_t size = slots_of(p.height * p.width);
    int32_t rank = r.first_of[size - 1];

#pragma unroll
    for (int k = 0; k < 4; k++)
        if (slots_of(kinds.tokens[k]) == size)
            rank += kinds.before[k];
    const Pack to = find_pack(args.windows_of, size, rank);
    int32_t *pack = args.packs + (int64_t)to.pack * SLOTS;
    int32_t slot = to.slot;

    for (int32_t i = 0; i < size; i++)
        pack[slot++] = window;
    while (to.last && slot < SLOTS)
        pack[slot++] = -1;
}

__device__ __forceinline__ void
write_tile(int32_t *tiles, int32_t index, int32_t start, int32_t tokens,
           int32_t first)
{
    int32_t *tile = tiles + (int64_t)index * 3;

    tile[0] = start * PATCHES;
    tile[1] = tokens * PATCHES;
    tile[2] = first * PATCHES;
}

/* What a window has once, or once every TILE_TOKENS. */
__device__ __forceinline__ void
write_window(const oriel_expand_plan_args &args, const oriel_plan_record &r,
             const Place &p)
{
    const Cut down(r.rows, args.side), across(r.columns, args.side);
    const int32_t window =
        r.first_window +
        (p.frame * down.pieces() + p.window_y) * across.pieces() + p.window_x;
    const Kinds kinds = count_kinds(r, args.side, p);

    if (p.inside == 0) {
        args.cu_window[window] = p.start * PATCHES;
        if (args.packs)
            write_pack(args, r, p, kinds, window);
    }
    if (!args.window_tiles)
        return;
    int32_t tile = r.first_window_tile + p.inside / TILE_TOKENS;
#pragma unroll
    for (int k = 0; k < 4; k++)
        tile += kinds.before[k] * divide_up(kinds.tokens[k], TILE_TOKENS);
    write_tile(args.window_tiles, tile, p.start, p.height * p.width, p.inside);
}

__device__ __forceinline__ void
write_token(const oriel_expand_plan_args &args, const oriel_plan_record &r,
            const Place &p, int32_t token)
{
    const int32_t place = p.start + p.inside;
    const uint32_t y = 2 * (uint32_t)p.y, x = 2 * (uint32_t)p.x;
    uint4 *positions = (uint4 *)(args.positions + (int64_t)place * PATCHES * 2);

    args.window_index[place] = token;
    if (args.window_inverse)
        args.window_inverse[token] = place;
    positions[0] = uint4{y, x, y, x + 1};
    positions[1] = uint4{y + 1, x, y + 1, x + 1};
    if (args.is_still)
        *(uint32_t *)(args.is_still + (int64_t)place * PATCHES) =
            p.frame >= r.first_still ? 0x01010101u : 0u;
}

__global__ void __launch_bounds__(THREADS, 4)
    expand_plan(oriel_expand_plan_args args)
{
    const int64_t thread =
        (int64_t)ptx::block_index() * THREADS + ptx::thread_index();

    if (thread >= args.tokens)
        return;
    const int32_t token = (int32_t)thread;
    const oriel_plan_record &r = find_record(args, token);
    const Place p = locate(r, args.side, token);

    write_token(args, r, p, token);
    if (p.inside % TILE_TOKENS == 0)
        write_window(args, r, p);
    if (p.in_frame % TILE_TOKENS == 0)
        write_tile(args.frame_tiles,
                   r.first_frame_tile +
                       p.frame * divide_up(r.rows * r.columns, TILE_TOKENS) +
                       p.in_frame / TILE_TOKENS,
                   p.frame_start, r.rows * r.columns, p.in_frame);
    if (token < args.tokens - 1)
        return;
    args.cu_window[args.n_windows] = args.tokens * PATCHES;
    if (args.counts_out)
        *args.counts_out = args.counts;
}

__device__ __forceinline__ void
write_offsets(const oriel_expand_plan_args &args, int32_t sequence,
              int32_t token)
{
    const int64_t value = (int64_t)token * PATCHES * args.hidden;

    args.qkv_offsets[sequence] = 3 * value;
    args.out_offsets[sequence] = value;
}

/* Items have a frame at least, so that there are as few as sequences. */
__global__ void __launch_bounds__(ORIEL_CUDA_SEQUENCES, 1)
    list_frames(oriel_expand_plan_args args)
{
    const int32_t sequence = ptx::thread_index();
    int32_t item = 0, before = 0;
    int32_t start = args.tokens, tokens = 0;

    while (item < args.n_records &&
           before + args.records[item].frames <= sequence)
        before += args.records[item++].frames;
    if (item < args.n_records) {
        const oriel_plan_record &r = args.records[item];

        tokens = r.rows * r.columns;
        start = r.first_token + (sequence - before) * tokens;
    }
    args.lengths[sequence] = tokens * PATCHES;
    write_offsets(args, sequence, start);
    if (sequence == ORIEL_CUDA_SEQUENCES - 1)
        write_offsets(args, ORIEL_CUDA_SEQUENCES, args.tokens);
}

} // namespace

extern "C" cudaError_t
oriel_cuda_expand_plan_prepare(oriel_cuda_loaded *loaded)
{
    const cudaError_t error = prepare(loaded, expand_plan, 0);

    return error == cudaSuccess ? prepare(loaded, list_frames, 0, "list_frames")
                                : error;
}

extern "C" cudaError_t
oriel_cuda_expand_plan(const oriel_expand_plan_args *args, cudaStream_t stream)
{
    if (args->tokens < 0 || args->tokens > TOKENS_MOST || args->n_records < 0 ||
        (args->tokens > 0 && args->n_records == 0) || args->side <= 0 ||
        (args->packs && args->side > SIDE_MOST) ||
        ((uintptr_t)args->positions | (uintptr_t)args->packs) % 16 ||
        ((uintptr_t)args->is_still | (uintptr_t)args->counts_out) % 4 ||
        (args->lengths &&
         (args->hidden <= 0 || !args->qkv_offsets || !args->out_offsets)))
        return cudaErrorInvalidValue;
    const cudaError_t error =
        launch(expand_plan, ((int64_t)args->tokens + THREADS - 1) / THREADS,
               THREADS, 0, stream, *args);
    return error == cudaSuccess && args->lengths && args->tokens > 0
               ? launch(list_frames, 1, ORIEL_CUDA_SEQUENCES, 0, stream, *args)
               : error;
}
