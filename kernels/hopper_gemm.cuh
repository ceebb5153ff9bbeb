/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_gemm.cuh - the matrix product by wgmma and tensor copies, for sm_90a alone
 *
 *     c = a b^T          a [rows, depth], b [columns, depth], bf16; c in fp32
 *
 * The counterpart of gemm.cuh: c never reaches memory, an epilogue takes it in
 * registers and rounds once when it stores.
 *
 * Limits   columns % 8 == 0, depth % 8 == 0, a and b 16-byte aligned, a bias 4-byte
 *          aligned; rows up to 2^31 - 256.  Rows, columns and depth beyond those of
 *          a map are zeros that tensor copies make.
 *
 * Launch   a block a multiprocessor, which takes tiles until there are none; with a
 *          count, of the rows that there are.  The last warpgroup copies: one lane of
 *          it keeps a ring of stages full, each 64 of the depth of a tile's a and b.
 *          Each of the others multiplies 64 rows.  Registers go from the one to the
 *          others.  Tiles are taken in the order of tile_order.cuh.  In pairs two
 *          blocks are resident together and take tiles of the same columns: each
 *          copies its a, and a half of b to both, so that b crosses from L2 once.
 *          With skew the second warpgroup begins two stages later and stays so: the
 *          one's results are stored while the other multiplies.
 *
 * Barriers full[s]: one arrival and the bytes of a stage; who multiplies waits.
 *          empty[s]: an arrival of each multiplying warp, when the products that
 *          read the stage have ended: after those of the next stage were issued, so
 *          that the tensor core never waits for a warp.  The number of stages so
 *          far says which stage and which parity.  In pairs full[s] of each block
 *          counts the bytes of both, which may come before it expects them: its own
 *          arrival still holds the phase.  empty[s] counts the warps of both.  They
 *          meet before the first copy, and before either ends.
 *
 * Order    an element is one chain of wgmma over ascending depth into one fp32
 *          accumulator, whatever the tile, the row or the batch.  The tensor core
 *          may group a wgmma's products otherwise than an mma's: rows have other
 *          bytes than gemm.cuh's, and the same in every batch.
 *
 * Banks    stages are swizzled over 128 bytes, as the copies write and wgmma reads
 *          them.  A warp stores 16 rows through 2 KiB of its own with the same
 *          swizzle: neither side has conflicts.  Rows of a residual are not
 *          swizzled: fragments of it are read and written in twice the least
 *          phases, and the rows that are stored have no conflicts.
 *
 * Sectors  tensor copies read whole ones.  Results are stored 128 bytes of a row at a
 *          time, those of a residual 160, in fp32 32 by a quad: whole sectors.
 *
 * Traffic  of a step of 64, through shared memory: large tiles read 81,920 bytes and
 *          copies write 49,152, which together take as long as the products; those of
 *          a residual 57,344 and 36,864; small ones of 128 columns 24,576 each; of
 *          160 columns 28,672 each.
 *
 * Error    that of gemm.cuh, whose bound does not depend on the grouping.
 */
#pragma once

#include "hopper_ops.h"

#include "counted.cuh"
#include "hopper_ring.cuh"
#include "tile.cuh"
#include "tile_order.cuh"

#include <launch.cuh>

namespace hopper_gemm
{

constexpr int DEPTH = 64; /* of a stage: rows of 128 bytes */
constexpr int ROW_BYTES = 128;
constexpr int STEPS = DEPTH / mma_desc::STEP_DEPTH;
using namespace hopper_ring;
/* Through which a warp stores: 16 rows of 64 columns. */
constexpr int STORE_COLUMNS = 64, STORE_CHUNKS = STORE_COLUMNS / 8;
constexpr int STORE_BYTES = WARP_ROWS * ROW_BYTES;
/* At which the second warpgroup waits for the first. */
constexpr uint32_t SKEW_BARRIER = 1;
/* Of a residual: rows of 80 columns without a swizzle, so that four rows of a
   fragment fall into different banks. */
constexpr int BOX_COLUMNS = 80, BOX_BYTES = BOX_COLUMNS * 2;
constexpr mma_desc::Swizzle SWIZZLE = mma_desc::Swizzle::B128;

/*
 * GROUPS warpgroups multiply 64 rows each.  PLANES of a residual, 0 to 2, lie in
 * shared memory while a tile is multiplied; without any, results are stored through
 * what each warp has there instead.
 */
template <int GROUPS_, int COLUMNS_, int STAGES_, int PLANES_ = 0> struct Tile {
    static constexpr int GROUPS = GROUPS_, PLANES = PLANES_;
    static constexpr int ROWS = GROUPS * GROUP_ROWS, COLUMNS = COLUMNS_;
    static constexpr int STAGES = STAGES_;
    static constexpr int THREADS = (GROUPS + 1) * GROUP_THREADS;
    static constexpr int WARPS = GROUPS * GROUP_WARPS; /* that multiply */
    static constexpr int A_BYTES = ROWS * ROW_BYTES;
    /* b comes in as many boxes: of a pair's blocks each copies one. */
    static constexpr int B_BOXES = GROUPS;
    static constexpr int B_BOX_BYTES = COLUMNS / B_BOXES * ROW_BYTES;
    static constexpr int STAGE_BYTES = A_BYTES + COLUMNS * ROW_BYTES;
    static constexpr int PLANE_BYTES = ROWS * COLUMNS * 2;
    static constexpr int RESULT_AT = STAGES * STAGE_BYTES;
    static constexpr int BARRIERS_AT =
        RESULT_AT + (PLANES ? PLANES * PLANE_BYTES : WARPS * STORE_BYTES);
    static constexpr int SHARED_BYTES = BARRIERS_AT + BARRIERS_BYTES;
    static_assert(SHARED_BYTES <= SHARED_MOST, "more than a block has");
};
/* For many rows and for few; those of a residual. */
using Large = Tile<2, 256, 4>;
using Small = Tile<1, 128, 8>;
using SmallMerger = Tile<1, 160, 6>;
using LargeResidual = Tile<2, 160, 5, 1>;
using SmallResidual = Tile<1, 160, 6, 1>;
using LargeWideResidual = Tile<2, 160, 4, 2>;
using SmallWideResidual = Tile<1, 160, 6, 2>;

struct Product {
    int64_t rows; /* in a kernel: those that there are */
    int32_t columns, depth;
    bool pairs, skew; /* of oriel_hopper_product */
    oriel_counted counted;
};

/* What a launcher is asked for. */
inline Product
product_of(int64_t rows, int32_t columns, int32_t depth,
           const oriel_hopper_product *by, const oriel_counted &counted = {})
{
    return {rows, columns, depth, by->pairs != 0, by->skew != 0, counted};
}

/* What a launcher checks; 'out' is where it stores, 'bias' what it adds or null. */
inline bool
within_limits(const Product &p, const oriel_hopper_product *by, const void *out,
              const uint16_t *bias)
{
    return p.rows >= 0 && p.rows <= 0x7fffff00 && p.columns > 0 &&
           p.depth > 0 && p.columns % 8 == 0 && p.depth % 8 == 0 &&
           (uintptr_t)p.counted.count % 4 == 0 && by->blocks > 0 && by->x &&
           by->weight && !(by->small && by->pairs) &&
           (uintptr_t)out % 16 == 0 && (uintptr_t)bias % 4 == 0;
}

/* The tiles of a block, or of a pair, which takes two below each other. */
template <class T> struct Tiles {
    const Product &p;
    uint32_t rank; /* in the pair; 0 */

    __device__ __forceinline__ bool pairs() const
    {
        return T::B_BOXES == 2 && p.pairs;
    }

    __device__ __forceinline__ int64_t count() const
    {
        return pairs()
                   ? tile_order::count<2 * T::ROWS, T::COLUMNS>(p.rows,
                                                                p.columns)
                   : tile_order::count<T::ROWS, T::COLUMNS>(p.rows, p.columns);
    }
    __device__ __forceinline__ int64_t first() const
    {
        return pairs() ? ptx::block_index() / 2 : ptx::block_index();
    }
    __device__ __forceinline__ int64_t step() const
    {
        return pairs() ? ptx::grid_blocks() / 2 : ptx::grid_blocks();
    }
    /* Beyond the last row where a pair has one tile too many. */
    __device__ __forceinline__ tile_order::Place at(int64_t i) const
    {
        if (!pairs())
            return tile_order::at<T::ROWS, T::COLUMNS>(p.rows, p.columns, i);
        tile_order::Place place =
            tile_order::at<2 * T::ROWS, T::COLUMNS>(p.rows, p.columns, i);
        place.row += rank * T::ROWS;
        return place;
    }
};

__device__ __forceinline__ void
meet_pair()
{
    ptx::cluster_arrive();
    ptx::cluster_wait();
}

/* Where a stage and its two barriers lie. */
template <class T> struct Ring {
    uint32_t base; /* of the block's shared memory */

    __device__ __forceinline__ uint32_t a(uint32_t stage) const
    {
        return base + stage * T::STAGE_BYTES;
    }
    __device__ __forceinline__ uint32_t b(uint32_t stage) const
    {
        return a(stage) + T::A_BYTES;
    }
    __device__ __forceinline__ uint32_t full(uint32_t stage) const
    {
        return base + T::BARRIERS_AT + stage * BARRIER_BYTES;
    }
    __device__ __forceinline__ uint32_t empty(uint32_t stage) const
    {
        return full(stage) + T::STAGES * BARRIER_BYTES;
    }

    /* The residual came; its place is free again. */
    __device__ __forceinline__ uint32_t residual_full() const
    {
        return full(2 * T::STAGES);
    }
    __device__ __forceinline__ uint32_t residual_empty() const
    {
        return full(2 * T::STAGES + 1);
    }
    /* Box 'box' of a plane of it. */
    __device__ __forceinline__ uint32_t residual(int plane, int box) const
    {
        return base + T::RESULT_AT + plane * T::PLANE_BYTES +
               box * (T::ROWS * BOX_BYTES);
    }

    /* By one thread, before the block, or the pair, meets. */
    __device__ __forceinline__ void init(bool pairs) const
    {
        for (uint32_t s = 0; s < T::STAGES; s++) {
            ptx::mbarrier_init(full(s), 1);
            ptx::mbarrier_init(empty(s), pairs ? 2 * T::WARPS : T::WARPS);
        }
        if constexpr (T::PLANES > 0) {
            ptx::mbarrier_init(residual_full(), 1);
            ptx::mbarrier_init(residual_empty(), T::WARPS);
        }
        ptx::mbarrier_fence();
    }
};

__device__ __forceinline__ int32_t
stage_count(const Product &p)
{
    return (p.depth + DEPTH - 1) / DEPTH;
}

/* The tensor maps of a product: of a and b boxes of 64 of the depth and as many
   rows as the tile's sides, of a residual's planes boxes of 80 columns. */
struct Maps {
    const CUtensorMap *a, *b, *residual[2];
};

/* ---- Copying ------------------------------------------------------------- */

template <class T>
__device__ __forceinline__ void
copy_residual(const Ring<T> &ring, const Maps &maps,
              const tile_order::Place &at, uint32_t parity)
{
    const uint32_t full = ring.residual_full();

    ptx::mbarrier_wait(ring.residual_empty(), parity ^ 1);
    ptx::mbarrier_expect(full, T::PLANES * T::PLANE_BYTES);
#pragma unroll
    for (int plane = 0; plane < T::PLANES; plane++)
#pragma unroll
        for (int box = 0; box < T::COLUMNS / BOX_COLUMNS; box++)
            ptx::tensor_load_2d(ring.residual(plane, box), maps.residual[plane],
                                at.column + box * BOX_COLUMNS, (int32_t)at.row,
                                full);
}

/* b of a stage: all of it, or this block's half to both of a pair. */
template <class T>
__device__ __forceinline__ void
copy_b(const Ring<T> &ring, const CUtensorMap *map, const Tiles<T> &tiles,
       int32_t depth, int32_t column, uint32_t stage)
{
    constexpr int BOX_ROWS = T::COLUMNS / T::B_BOXES;
    const uint32_t to = ring.b(stage), full = ring.full(stage);

    if (tiles.pairs()) {
        ptx::tensor_load_2d_multicast(
            to + tiles.rank * T::B_BOX_BYTES, map, depth,
            column + (int32_t)tiles.rank * BOX_ROWS, full, 3);
        return;
    }
#pragma unroll
    for (int box = 0; box < T::B_BOXES; box++)
        ptx::tensor_load_2d(to + box * T::B_BOX_BYTES, map, depth,
                            column + box * BOX_ROWS, full);
}

template <class T>
__device__ __forceinline__ void
copy_tiles(const Ring<T> &ring, const Maps &maps, const Tiles<T> &of)
{
    uint32_t tiles = 0;
    const int64_t n_tiles = of.count();
    const int32_t n_stages = stage_count(of.p);
    Turn<T::STAGES> turn;

    for (int64_t i = of.first(); i < n_tiles; i += of.step()) {
        const tile_order::Place at = of.at(i);

        if constexpr (T::PLANES > 0)
            copy_residual(ring, maps, at, tiles++ & 1);
#pragma unroll 1 /* one lane waits here; budgets.py counts its bytes */
        for (int32_t k = 0; k < n_stages; k++, turn.next()) {
            const uint32_t full = ring.full(turn.stage);

            ptx::mbarrier_wait(ring.empty(turn.stage), turn.parity ^ 1);
            ptx::mbarrier_expect(full, T::STAGE_BYTES);
            ptx::tensor_load_2d(ring.a(turn.stage), maps.a, k * DEPTH,
                                (int32_t)at.row, full);
            copy_b(ring, maps.b, of, k * DEPTH, at.column, turn.stage);
        }
    }
}

/* ---- Multiplying --------------------------------------------------------- */

/* This warp has read a stage, into which the other of a pair copies too. */
template <class T>
__device__ __forceinline__ void
release_stage(const Ring<T> &ring, uint32_t stage, const Tiles<T> &of)
{
    release(ring.empty(stage));
    if (of.pairs() && ptx::thread_index() % 32 == 0)
        ptx::mbarrier_arrive_remote(ring.empty(stage), of.rank ^ 1);
}

/* All of a tile's depth; d needs no zeros beforehand.  'leads': after two stages the
   other warpgroup may begin. */
template <class T>
__device__ __forceinline__ void
multiply(float (&d)[T::COLUMNS / 2], const Ring<T> &ring, Turn<T::STAGES> &turn,
         const Tiles<T> &of, int32_t n_stages, uint32_t group, bool leads)
{
    uint32_t before = 0;

    ptx::wgmma_hold(d);
#pragma unroll 1
    for (int32_t k = 0; k < n_stages; k++) {
        const uint32_t stage = turn.stage;
        const uint32_t a = ring.a(stage) + group * (GROUP_ROWS * ROW_BYTES);
        const uint32_t b = ring.b(stage);

        ptx::mbarrier_wait(ring.full(stage), turn.parity);
        ptx::wgmma_fence();
#pragma unroll
        for (uint32_t i = 0; i < STEPS; i++)
            ptx::wgmma_ss<T::COLUMNS, false, false>(
                d, mma_desc::k_major(a + i * mma_desc::k_major_step(), SWIZZLE),
                mma_desc::k_major(b + i * mma_desc::k_major_step(), SWIZZLE),
                (k | (int32_t)i) != 0);
        ptx::wgmma_commit();
        if (k > 0) {
            if (leads && k == 1)
                ptx::named_arrive(SKEW_BARRIER, 2 * GROUP_THREADS);
            ptx::wgmma_wait<1>();
            release_stage(ring, before, of);
        }
        before = stage;
        turn.next();
    }
    ptx::wgmma_wait<0>();
    ptx::wgmma_hold(d);
    release_stage(ring, before, of);
}

/* ---- Storing ------------------------------------------------------------- */

/* Of a thread: which of the warp's rows and columns its accumulators are of. */
struct Lane {
    uint32_t lane;

    __device__ __forceinline__ int row() const
    {
        return (int)lane / 4;
    }
    __device__ __forceinline__ int column() const
    {
        return (int)lane % 4 * 2;
    }
    /* Where its matrix of store_matrix_x4() begins: of two groups of 8 columns the
       two halves of 16 rows. */
    __device__ __forceinline__ int matrix_row() const
    {
        return (int)(lane & 7) + (int)(lane >> 3 & 1) * 8;
    }
    __device__ __forceinline__ int matrix_chunk() const
    {
        return (int)lane >> 4;
    }
};

__device__ __forceinline__ uint32_t
staged(int row, int chunk)
{
    return (uint32_t)(row * ROW_BYTES + (chunk ^ (row & 7)) * 16);
}

/*
 * The warp's 16 rows from 'row' on, in bf16 or f16.  Store tells how many groups of
 * 8 accumulated columns are one of the result's (WIDTH, 1 or 2), what is added to
 * columns (of), what a pair of values becomes (pair), and where 8 of them go (put).
 */
template <class T, class Store>
__device__ __forceinline__ void
store_rows(const float (&d)[T::COLUMNS / 2], const Store &store,
           const Product &p, int64_t row, int32_t first_column, char *staging,
           const Lane &lane)
{
    constexpr int OUT = T::COLUMNS / Store::WIDTH;
    const uint32_t to = ptx::shared_address(staging);
    const int32_t out_columns = p.columns / Store::WIDTH;
    const int32_t out_first = first_column / Store::WIDTH;

#pragma unroll
    for (int c = 0; c < OUT; c += STORE_COLUMNS) {
        const int chunks =
            OUT - c < STORE_COLUMNS ? (OUT - c) / 8 : STORE_CHUNKS;
#pragma unroll
        for (int k = 0; k < chunks; k += 2) {
            uint32_t pairs[4];
#pragma unroll
            for (int u = 0; u < 2; u++) {
                const int group = (c / 8 + k + u) * Store::WIDTH;
                const auto added =
                    store.of(first_column + group * 8 + lane.column(), p);

                pairs[2 * u] = store.pair(added, &d[group * 4]);
                pairs[2 * u + 1] = store.pair(added, &d[group * 4 + 2]);
            }
            ptx::store_matrix_x4(
                to + staged(lane.matrix_row(), k + lane.matrix_chunk()), pairs);
        }
        ptx::sync_warp();
#pragma unroll
        for (int i = 0; i < WARP_ROWS / 4; i++) {
            const int r = i * 4 + (int)lane.lane / 8;
            const int chunk = (int)lane.lane % 8;
            const int32_t column = out_first + c + chunk * 8;

            if (chunk < chunks && row + r < p.rows && column < out_columns)
                store.put(row + r, column,
                          *(const uint4 *)(staging + staged(r, chunk)));
        }
        ptx::sync_warp();
    }
}

/* In fp32: what a quad stores of a row is a whole sector, so nothing is gained by
   a detour. */
template <class T, class Store>
__device__ __forceinline__ void
store_floats(const float (&d)[T::COLUMNS / 2], const Store &store,
             const Product &p, int64_t row, int32_t first_column,
             const Lane &lane)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int64_t r = row + lane.row() + 8 * half;

        if (r >= p.rows)
            continue;
#pragma unroll
        for (int group = 0; group < T::COLUMNS / 8; group++) {
            const int32_t column = first_column + group * 8 + lane.column();
            const float2 added = store.of(column, p);

            if (column < p.columns)
                store.put(r, column,
                          float2{d[group * 4 + 2 * half] + added.x,
                                 d[group * 4 + 2 * half + 1] + added.y});
        }
    }
}

/* Added to the residual where it lies in shared memory, and then stored from there:
   16 bytes a lane. */
template <class T, class Store>
__device__ __forceinline__ void
add_rows(const float (&d)[T::COLUMNS / 2], const Store &store, const Product &p,
         int64_t row, int32_t first_column, char *residual, const Lane &lane)
{
    constexpr int CHUNKS = BOX_COLUMNS / 8, BOXES = T::COLUMNS / BOX_COLUMNS;
    constexpr int BOX = T::ROWS * BOX_BYTES;

#pragma unroll
    for (int group = 0; group < T::COLUMNS / 8; group++) {
        const float2 added =
            store.of(first_column + group * 8 + lane.column(), p);
        char *const at = residual + group / CHUNKS * BOX +
                         lane.row() * BOX_BYTES + group % CHUNKS * 16 +
                         lane.column() * 2;
#pragma unroll
        for (int half = 0; half < 2; half++)
            store.add((uint32_t *)(at + 8 * half * BOX_BYTES),
                      T::PLANE_BYTES / 4, d[group * 4 + 2 * half] + added.x,
                      d[group * 4 + 2 * half + 1] + added.y);
    }
    ptx::sync_warp();
    for (int plane = 0; plane < T::PLANES; plane++)
        for (int box = 0; box < BOXES; box++)
#pragma unroll
            for (int i = (int)lane.lane; i < WARP_ROWS * CHUNKS; i += 32) {
                const int r = i / CHUNKS;
                const int32_t column =
                    first_column + box * BOX_COLUMNS + i % CHUNKS * 8;

                if (row + r < p.rows && column < p.columns)
                    store.put(plane, row + r, column,
                              *(const uint4 *)(residual +
                                               plane * T::PLANE_BYTES +
                                               box * BOX + i * 16));
            }
    /* The next tile's copy may overwrite what was stored here. */
    ptx::fence_async_shared();
    ptx::sync_warp();
}

/* ---- A block ------------------------------------------------------------- */

template <class T, class Store>
__device__ __forceinline__ void
finish(const float (&d)[T::COLUMNS / 2], const Ring<T> &ring, char *shared,
       const Product &p, const Store &store, const tile_order::Place &at,
       uint32_t tiles)
{
    const uint32_t warp = ptx::thread_index() / 32;
    const Lane lane = {ptx::thread_index() % 32};
    const int64_t row = at.row + warp * WARP_ROWS;
    char *const result = shared + T::RESULT_AT;

    if constexpr (T::PLANES > 0) {
        ptx::mbarrier_wait(ring.residual_full(), tiles & 1);
        add_rows<T>(d, store, p, row, at.column,
                    result + warp * (WARP_ROWS * BOX_BYTES), lane);
        release(ring.residual_empty());
    } else if constexpr (Store::FLOATS) {
        store_floats<T>(d, store, p, row, at.column, lane);
    } else {
        store_rows<T>(d, store, p, row, at.column, result + warp * STORE_BYTES,
                      lane);
    }
}

template <class T, class Store>
__device__ __forceinline__ void
multiply_tiles(const Ring<T> &ring, char *shared, const Tiles<T> &of,
               const Store &store)
{
    const uint32_t group = ptx::thread_index() / GROUP_THREADS;
    const int64_t n_tiles = of.count();
    const int32_t n_stages = stage_count(of.p);
    /* Both warpgroups judge alike, or one would wait for ever. */
    const bool skew =
        T::GROUPS == 2 && of.p.skew && n_stages > 1 && of.first() < n_tiles;
    Turn<T::STAGES> turn;
    uint32_t tiles = 0;

    if (skew && group == 1)
        ptx::sync_named(SKEW_BARRIER, 2 * GROUP_THREADS);
    for (int64_t i = of.first(); i < n_tiles; i += of.step(), tiles++) {
        float d[T::COLUMNS / 2];

        multiply(d, ring, turn, of, n_stages, group,
                 skew && group == 0 && tiles == 0);
        finish(d, ring, shared, of.p, store, of.at(i), tiles);
    }
}

template <class T, class Store>
__device__ __forceinline__ void
run(const Maps &maps, const Product &given, const Store &store)
{
    constexpr bool GIVES = T::GROUPS > 1; /* else there are enough registers */
    char *const shared = ptx::dynamic_shared_1024();
    const Ring<T> ring = {ptx::shared_address(shared)};
    const uint32_t thread = ptx::thread_index();
    Product p = given;
    const Tiles<T> tiles = {p, p.pairs ? ptx::cluster_rank() : 0};

    if (thread == 0)
        ring.init(tiles.pairs());
    if (tiles.pairs())
        meet_pair();
    else
        ptx::sync_block();
    counted::begin();
    p.rows = counted::count(p.counted, p.rows);
    if (thread >= T::WARPS * 32) {
        if constexpr (GIVES)
            ptx::registers_down<COPY_REGISTERS>();
        if (thread == T::WARPS * 32)
            copy_tiles(ring, maps, tiles);
    } else {
        if constexpr (GIVES)
            ptx::registers_up<MULTIPLY_REGISTERS>();
        multiply_tiles(ring, shared, tiles, store);
    }
    /* The other one may still copy to this block, and arrive at its barriers. */
    if (tiles.pairs())
        meet_pair();
}

/* ---- Launching ----------------------------------------------------------- */

/* In pairs an even number, also where one block was allowed. */
template <class T>
inline int64_t
block_count(const Product &p, const oriel_hopper_product *by)
{
    const int64_t n_tiles =
        p.pairs ? tile_order::count<2 * T::ROWS, T::COLUMNS>(p.rows, p.columns)
                : tile_order::count<T::ROWS, T::COLUMNS>(p.rows, p.columns);
    const int64_t most = p.pairs ? (by->blocks + 1) / 2 : by->blocks;
    const int64_t n = n_tiles < most ? n_tiles : most;

    return p.pairs ? 2 * n : n;
}

inline launch_shape
shape_of(const Product &p)
{
    launch_shape shape = counted::shape(p.counted);

    shape.cluster = p.pairs ? 2 : 1;
    return shape;
}

/* Of a kernel that takes the maps of its operands, the product and what stores. */
template <class T, class Store>
cudaError_t
launch_tiles(void (*kernel)(CUtensorMap, CUtensorMap, Product, Store),
             const Product &p, const oriel_hopper_product *by,
             const Store &store, cudaStream_t stream)
{
    return launch_as(shape_of(p), kernel, block_count<T>(p, by),
                     (uint32_t)T::THREADS, (size_t)T::SHARED_BYTES, stream,
                     *by->x, *by->weight, p, store);
}

} // namespace hopper_gemm
