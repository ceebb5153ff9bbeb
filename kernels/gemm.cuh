/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm.cuh - the matrix product that every linear layer shares
 *
 *     c = a b^T          a [rows, depth], b [columns, depth], bf16; c in fp32
 *
 * c never reaches memory: an epilogue takes it in registers, adds bias,
 * residual or activation in fp32, and rounds once when it stores
 * (docs/numerics.md).
 *
 * Limits   columns % 8 == 0, depth % 8 == 0, a and b 16-byte aligned, a bias
 *          4-byte aligned; rows any
 *
 * Launch   128 threads a tile of 128 x 128: 4 warps of 64 x 64 each, 128
 *          accumulators a thread.  A ring of 3 stages of 32 depth, 16 KiB each,
 *          49,152 bytes of shared memory, filled by cp.async two stages ahead.
 *          Two blocks share a multiprocessor on every architecture, so that one's
 *          epilogue and barriers run during the other's products.  Tiles are
 *          taken in the order of tile_order.cuh.
 *
 * Order    an element is one chain of mma over ascending depth into one fp32
 *          accumulator, whatever the tile, the row or the batch; rows beyond the
 *          last are zeros.  So a row's bytes depend on that row alone.
 *
 * Banks    tiles are swizzled (tile.cuh): ldmatrix and cp.async have no
 *          conflicts.
 *
 * Sectors  cp.async reads whole ones.  Pairs of bf16 are stored, and a residual
 *          read, with twice the least, 16 bytes of a row by a quad; of fp32 with
 *          the least.  The other half of a sector follows at once.  A bias is
 *          read once a column and warp, not once a value.
 *
 * Bound    2 rows columns depth operations; 8 ldmatrix.x4 feed 32 mma.  With warp
 *          tiles of 64 x 32 it were 12, and shared memory the limit.
 *
 * Error    |c - exact| <= d = 22 2^-24 (|s| + sum |a b|), summed over every 16
 *          of the depth, s being the exact sum before them.  An mma may add two
 *          groups of eight products and the accumulator, each of the nine cut at
 *          2^-24 of the largest, and the sum toward zero: 9 + 2 a group
 *          (sim/tensor_core.hpp).  Adding a bias adds 2^-23 |exact|; below
 *          that is part of d.
 */
#pragma once

#include "tile.cuh"
#include "tile_order.cuh"

#include <ptx.cuh>

namespace gemm
{

constexpr int ROWS = 128, COLUMNS = 128; /* of a tile */
constexpr int DEPTH = tile::ROW_VALUES;  /* of a stage */
constexpr int STAGES = 3;
constexpr int THREADS = 128;
constexpr int A_BYTES = ROWS * tile::ROW_BYTES;
constexpr int STAGE_BYTES = A_BYTES + COLUMNS * tile::ROW_BYTES;
constexpr int SHARED_BYTES = STAGES * STAGE_BYTES;

constexpr int WARP_ROWS = 64, WARP_COLUMNS = 64;
constexpr int ROW_GROUPS = WARP_ROWS / 16, COLUMN_GROUPS = WARP_COLUMNS / 8;
constexpr int WARPS_WIDE = COLUMNS / WARP_COLUMNS;
/* A thread brings one chunk of every so many rows of an operand. */
constexpr int PART_ROWS = THREADS / tile::ROW_CHUNKS;

struct Operands {
    const uint16_t *a, *b;
    int64_t rows;
    int32_t columns, depth;
};

/* What a launcher checks of every product; 'out' is where it stores, 'bias' what
   the epilogue adds or null. */
inline bool
within_limits(const Operands &op, const void *out, const uint16_t *bias)
{
    return op.rows >= 0 && op.columns > 0 && op.depth > 0 &&
           op.columns % 8 == 0 && op.depth % 8 == 0 &&
           ((uintptr_t)op.a | (uintptr_t)op.b | (uintptr_t)out) % 16 == 0 &&
           (uintptr_t)bias % 4 == 0;
}

__host__ __device__ __forceinline__ int64_t
tile_count(int64_t rows, int32_t columns)
{
    return tile_order::count<ROWS, COLUMNS>(rows, columns);
}

/*
 * What one thread brings of a 128-row operand: of every stage the 16-byte chunk
 * thread % 4 of the rows thread / 4 + 32 i.  What lies outside is zero and not
 * read, and its address is the operand's first: an address outside of memory may
 * not even be named.
 */
struct Part {
    const uint16_t *from; /* the operand */
    int64_t at, step;     /* values to the chunk of the first row, then on */
    int32_t left;         /* depth from there to the operand's end */
    int n;                /* rows inside */
    uint32_t to;          /* in a stage */

    __device__ __forceinline__ void load(uint32_t shared, int32_t k) const
    {
        const int inside = k < left ? n : 0;
#pragma unroll
        for (int i = 0; i < ROWS / PART_ROWS; i++)
            ptx::copy_async_16(shared + to + i * PART_ROWS * tile::ROW_BYTES,
                               from + (i < inside ? at + k + i * step : 0),
                               i < inside);
    }
};

__device__ __forceinline__ Part
part_of(const uint16_t *from, int64_t first_row, int64_t n_rows, int32_t depth)
{
    const int row = (int)ptx::thread_index() / tile::ROW_CHUNKS;
    const int chunk = (int)ptx::thread_index() % tile::ROW_CHUNKS;
    const int32_t column = chunk * tile::CHUNK_VALUES;
    const int64_t rows = n_rows - first_row - row;
    return {from,
            (first_row + row) * depth + column,
            int64_t{PART_ROWS} * depth,
            depth - column,
            rows < ROWS ? (int)(rows + PART_ROWS - 1) / PART_ROWS
                        : ROWS / PART_ROWS,
            tile::chunk_address(0, row, chunk)};
}

/*
 * Where the rows of a come from: memory as it is.  patch_embed.cu has others.
 * begin() is called before the products of an earlier stage and end() after them,
 * so that what it loads into registers arrives meanwhile.
 */
struct CopyRows {
    struct Rows {
        struct Begun {
        };
        Part part;

        __device__ __forceinline__ Begun begin(uint32_t shared, int32_t k) const
        {
            part.load(shared, k);
            return {};
        }

        __device__ __forceinline__ void end(char *, const Begun &,
                                            int32_t) const
        {
        }
    };

    __device__ __forceinline__ Rows rows(const Operands &op, int64_t row) const
    {
        return {part_of(op.a, row, op.rows, op.depth)};
    }
};

using Accumulators = float[ROW_GROUPS][COLUMN_GROUPS][4];

/* One stage's 32 of depth into a warp's 64 x 64. */
__device__ __forceinline__ void
multiply_stage(Accumulators &c, uint32_t shared, int row, int column, int lane)
{
#pragma unroll
    for (int chunk = 0; chunk < DEPTH / tile::CHUNK_VALUES; chunk += 2) {
        uint32_t a[ROW_GROUPS][4], b[COLUMN_GROUPS / 2][4];
#pragma unroll
        for (int i = 0; i < ROW_GROUPS; i++)
            tile::load_a(a[i], shared, row + i * 16, chunk, lane);
#pragma unroll
        for (int j = 0; j < COLUMN_GROUPS / 2; j++)
            tile::load_b_pair(b[j], shared + A_BYTES, column + j * 16, chunk,
                              lane);
#pragma unroll
        for (int i = 0; i < ROW_GROUPS; i++)
#pragma unroll
            for (int j = 0; j < COLUMN_GROUPS; j++) {
                const uint32_t pair[2] = {b[j / 2][j % 2 * 2],
                                          b[j / 2][j % 2 * 2 + 1]};
                ptx::mma_m16n8k16_bf16(c[i][j], a[i], pair);
            }
    }
}

/*
 * Hand the accumulators over.  store(row, column, c, old, v, both) gets four
 * values of a row: v[0], v[1] of columns 'column', + 1 and v[2], v[3] of
 * 'column' + 8, + 9, the first 8 columns and the next of a group of 16; c is what
 * columns(column, both) gave, once for all rows, and 'old' what fetch(row, column,
 * both) gave.  Rows and columns are inside, the latter two only if 'both'.
 *
 * A batch is fetched whole before any of it is stored: the compiler cannot know
 * that a store changes nothing that a later fetch reads, and would wait for memory
 * once a value.  An epilogue says in how many BATCHES.
 */
template <class Epilogue>
__device__ __forceinline__ void
finish(const Accumulators &c, const Operands &op, const Epilogue &epilogue,
       int64_t row, int32_t column, int lane)
{
    constexpr int ALL_ROWS = 2 * ROW_GROUPS; /* of a thread */
    /* Groups of 8 columns. */
    constexpr int BATCH = COLUMN_GROUPS / Epilogue::BATCHES;
    constexpr int PAIRS = BATCH / 2;
    const int64_t first_row = row + lane / 4;
#pragma unroll
    for (int batch = 0; batch < COLUMN_GROUPS; batch += BATCH) {
        typename Epilogue::Fetched old[PAIRS][ALL_ROWS];
        typename Epilogue::Columns of_columns[PAIRS];
#pragma unroll
        for (int pair = 0; pair < PAIRS; pair++) {
            const int32_t group = column + batch * 8 + pair * 16;
            const int32_t first = group + lane % 4 * 2;
            if (group >= op.columns)
                break;
            of_columns[pair] = epilogue.columns(first, group + 8 < op.columns);
#pragma unroll
            for (int i = 0; i < ALL_ROWS; i++)
                if (first_row + i * 8 < op.rows)
                    old[pair][i] = epilogue.fetch(first_row + i * 8, first,
                                                  group + 8 < op.columns);
        }
#pragma unroll
        for (int pair = 0; pair < PAIRS; pair++) {
            const int32_t group = column + batch * 8 + pair * 16;
            const int32_t first = group + lane % 4 * 2;
            if (group >= op.columns)
                break;
#pragma unroll
            for (int i = 0; i < ALL_ROWS; i++) {
                const float(&even)[4] = c[i / 2][batch + 2 * pair];
                const float(&odd)[4] = c[i / 2][batch + 2 * pair + 1];
                const float v[4] = {even[i % 2 * 2], even[i % 2 * 2 + 1],
                                    odd[i % 2 * 2], odd[i % 2 * 2 + 1]};
                if (first_row + i * 8 < op.rows)
                    epilogue.store(first_row + i * 8, first, of_columns[pair],
                                   old[pair][i], v, group + 8 < op.columns);
            }
        }
    }
}

/* 'loader' gives the rows of a: what puts 128 rows x 32, swizzled, into a stage,
   by asynchronous copies, or by plain stores, which the next barriers order. */
template <class Loader, class Epilogue>
__device__ __forceinline__ void
run(const Operands &op, const Loader &loader, const Epilogue &epilogue)
{
    char *const memory = ptx::dynamic_shared();
    const uint32_t shared = ptx::shared_address(memory);
    const int lane = (int)ptx::thread_index() % 32;
    const int warp = (int)ptx::thread_index() / 32;
    const int row = warp / WARPS_WIDE * WARP_ROWS;
    const int column = warp % WARPS_WIDE * WARP_COLUMNS;
    const tile_order::Place at =
        tile_order::at<ROWS, COLUMNS>(op.rows, op.columns, ptx::block_index());
    const auto a = loader.rows(op, at.row);
    const Part b = part_of(op.b, at.column, op.columns, op.depth);
    const int n_stages = (op.depth + DEPTH - 1) / DEPTH;
    Accumulators c = {};

#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < n_stages) {
            const uint32_t stage = shared + s * STAGE_BYTES;
            const auto begun = a.begin(stage, s * DEPTH);
            b.load(stage + A_BYTES, s * DEPTH);
            a.end(memory + s * STAGE_BYTES, begun, s * DEPTH);
        }
        ptx::copy_commit();
    }
    for (int s = 0; s < n_stages; s++) {
        const int ahead = s + STAGES - 1;
        const int to = ahead % STAGES * STAGE_BYTES;
        decltype(a.begin(shared, 0)) begun;

        ptx::copy_wait<STAGES - 2>();
        /* Stage s is there for all, and all are done with stage s - 1, whose
           place the next load takes. */
        ptx::sync_block();
        if (ahead < n_stages) {
            begun = a.begin(shared + to, ahead * DEPTH);
            b.load(shared + to + A_BYTES, ahead * DEPTH);
        }
        ptx::copy_commit();
        multiply_stage(c, shared + s % STAGES * STAGE_BYTES, row, column, lane);
        if (ahead < n_stages)
            a.end(memory + to, begun, ahead * DEPTH);
    }
    ptx::copy_wait<0>();
    finish(c, op, epilogue, at.row + row, at.column + column, lane);
}

template <class Epilogue>
__device__ __forceinline__ void
run(const Operands &op, const Epilogue &epilogue)
{
    run(op, CopyRows{}, epilogue);
}

} // namespace gemm
