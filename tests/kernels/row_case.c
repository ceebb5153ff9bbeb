/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/row_case.h"

#include "ops.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Several stages of depth, the last in part; one tile of columns, in part. */
enum { DEPTH = 200, COLUMNS = 112, TILE_ROWS = 128 };
enum { PATCH = 6, SLICES = 2, MERGE2 = 4 };
enum { NORM_COLUMNS = 264, HEADS = 2, HEAD_DIM = 24, POSITIONS = 8 };
enum { GATED_COLUMNS = 64, STORE_COLUMNS = 112, INDEXED = 131072 };

static int32_t
patch_depth(void)
{
    return oriel_cuda_patch_depth(PATCH, SLICES);
}

/* Values, in and out, of a row; and the rows of a block. */
static const struct {
    const char *name;
    int in, out, out_size, rows_per_block;
} shapes[ROW_OPS] = {
    {"linear", DEPTH, COLUMNS, 2, TILE_ROWS},
    {"linear_residual", DEPTH, COLUMNS, 2, TILE_ROWS},
    {"linear_gelu", DEPTH, COLUMNS, 2, TILE_ROWS},
    {"linear_swiglu", DEPTH, COLUMNS / 2, 2, TILE_ROWS},
    {"linear_rows", DEPTH, COLUMNS, 4, TILE_ROWS},
    {"patch_embed of pixels", PATCH *SLICES * 16, COLUMNS, 2, TILE_ROWS},
    {"patch_embed of values", 3 * SLICES *PATCH *PATCH, COLUMNS, 2, TILE_ROWS},
    {"rms_norm", NORM_COLUMNS, NORM_COLUMNS, 2, 4},
    {"swiglu", 2 * GATED_COLUMNS, GATED_COLUMNS, 2, 32},
    {"rope", 3 * HEADS *HEAD_DIM, 3 * HEADS *HEAD_DIM, 2, 1},
    {"store_rows", STORE_COLUMNS, STORE_COLUMNS, 4, 1},
};

const char *
row_op_name(enum row_op op)
{
    return shapes[op].name;
}

static device_buffer
upload_bf16(random_stream *random, size_t n, double scale)
{
    uint16_t *values = random_bf16(random, n, scale, 0);
    device_buffer buffer = device_upload(values, n * 2);

    free(values);
    return buffer;
}

/* cos and sin need not belong together. */
static device_buffer
upload_rope(random_stream *random)
{
    float table[POSITIONS * HEAD_DIM / 2];

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        table[i] = (float)random_unit(random);
    return device_upload(table, sizeof(table));
}

/* Places of rows or tokens, or pairs of positions: the row's number where it is
   one of the last, turned into what each means. */
static device_buffer
make_index(const row_case *c)
{
    const bool tokens = c->op == ROW_VALUES || c->op == ROW_STORE;
    const bool pairs = c->op == ROW_ROPE;
    const int64_t n = tokens ? c->rows / MERGE2 : pairs ? 2 * c->rows : c->rows;
    const int64_t first = n > INDEXED ? n - INDEXED : 0;
    device_buffer buffer = device_sparse((size_t)n * sizeof(int32_t));
    int32_t *values = calloc(INDEXED, sizeof(*values));

    for (int64_t i = first; i < n; i++)
        values[i - first] = (int32_t)(pairs ? 3 + i % 2 : i);
    device_put(buffer, (size_t)first * sizeof(int32_t), values,
               (size_t)(n - first) * sizeof(int32_t));
    free(values);
    return buffer;
}

static void
prepare_all(void)
{
    ck_assert_int_eq(oriel_cuda_linear_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_linear_gelu_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_linear_swiglu_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_linear_rows_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_patch_embed_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_rms_norm_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_rope_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_store_rows_prepare(NULL), cudaSuccess);
}

row_case
row_case_make(enum row_op op, int64_t rows)
{
    random_stream random = {(uint64_t)op + 900};
    const size_t depth =
        op == ROW_PIXELS || op == ROW_VALUES ? (size_t)patch_depth() : DEPTH;
    row_case c = {.op = op,
                  .rows = rows,
                  .in_bytes = (size_t)shapes[op].in * 2,
                  .out_bytes = (size_t)(shapes[op].out * shapes[op].out_size),
                  .rows_per_block = shapes[op].rows_per_block,
                  .in_place = op == ROW_RESIDUAL || op == ROW_ROPE};

    prepare_all();
    /* rope works in place: its input is the output beforehand. */
    c.in = device_sparse(op == ROW_ROPE ? 0 : (size_t)rows * c.in_bytes);
    if (op == ROW_NORM)
        c.weight = upload_bf16(&random, NORM_COLUMNS, 1);
    else
        c.weight = upload_bf16(&random, COLUMNS * depth, 0.1);
    c.bias = upload_bf16(&random, COLUMNS, 1);
    if (op == ROW_ROPE)
        c.table = upload_rope(&random);
    else
        c.table = upload_bf16(&random, 3 * 256, 2);
    if (op == ROW_PIXELS)
        c.index = device_sparse((size_t)rows); /* nothing is still */
    else
        c.index = make_index(&c);
    return c;
}

void
row_case_free(row_case *c)
{
    device_release(c->in);
    device_release(c->weight);
    device_release(c->bias);
    device_release(c->table);
    device_release(c->index);
}

unsigned char *
row_case_input(const row_case *c, int64_t n, uint64_t seed)
{
    random_stream random = {seed};
    size_t values = (size_t)n * c->in_bytes / 2;

    if (c->op != ROW_PIXELS)
        return (unsigned char *)random_bf16(&random, values, 2, 0);
    uint16_t *levels = malloc(values * 2);
    for (size_t i = 0; i < values; i++)
        levels[i] = (uint16_t)random_u64(&random);
    return (unsigned char *)levels;
}

void
row_case_only(const row_case *c, int64_t first, int64_t n)
{
    uint32_t blocks[8];
    size_t n_blocks = 0;

    for (int64_t b = first / c->rows_per_block;
         n && b <= (first + n - 1) / c->rows_per_block; b++) {
        ck_assert_uint_lt(n_blocks, sizeof(blocks) / sizeof(blocks[0]));
        blocks[n_blocks++] = (uint32_t)b;
    }
    device_only_blocks(blocks, n_blocks);
}

static cudaError_t
run_embed(const row_case *c, void *out)
{
    oriel_patch_embed_args args = {.weight = c->weight.data,
                                   .out = out,
                                   .rows = c->rows,
                                   .hidden = COLUMNS,
                                   .patch_size = PATCH,
                                   .slices = SLICES};

    if (c->op == ROW_PIXELS) {
        args.pixels = c->in.data;
        args.is_still = c->index.data;
        args.table = c->table.data;
    } else {
        args.pixel_values = c->in.data;
        args.tokens = c->index.data;
        args.merge2 = MERGE2;
        args.dtype = ORIEL_CUDA_BF16;
    }
    return oriel_cuda_patch_embed(&args, NULL);
}

static cudaError_t
run_linear(const row_case *c, void *out)
{
    const oriel_linear_args args = {
        c->in.data, c->weight.data, c->bias.data, out, c->rows, COLUMNS, DEPTH};
    const oriel_linear_swiglu_args swiglu = {
        c->in.data, c->weight.data, c->bias.data, out,
        c->rows,    COLUMNS / 2,    DEPTH};
    const oriel_linear_rows_args rows = {
        .x = c->in.data,
        .weight = c->weight.data,
        .bias = c->bias.data,
        .places = c->index.data,
        .out = out,
        .row_bytes = (int64_t)c->out_bytes,
        .out_rows = (int32_t)c->rows,
        .rows = c->rows,
        .columns = COLUMNS,
        .depth = DEPTH,
        .dtype = ORIEL_CUDA_F32,
    };

    switch (c->op) {
    case ROW_LINEAR:
        return oriel_cuda_linear(&args, NULL);
    case ROW_RESIDUAL:
        return oriel_cuda_linear_residual(&args, NULL);
    case ROW_GELU:
        return oriel_cuda_linear_gelu(&args, NULL);
    case ROW_SWIGLU:
        return oriel_cuda_linear_swiglu(&swiglu, NULL);
    default:
        return oriel_cuda_linear_rows(&rows, NULL);
    }
}

cudaError_t
row_case_run(void *context, void *out)
{
    const row_case *c = context;
    const oriel_rms_norm_args norm = {c->in.data, c->weight.data, out, c->rows,
                                      NORM_COLUMNS};
    const oriel_swiglu_args gated = {c->in.data, out, c->rows, GATED_COLUMNS};
    const oriel_rope_args rope = {out,     c->table.data, c->index.data,
                                  c->rows, HEADS,         HEAD_DIM};
    const oriel_store_rows_args store = {
        .x = c->in.data,
        .tokens = c->index.data,
        .out = out,
        .row_bytes = STORE_COLUMNS * (int64_t)sizeof(float),
        .rows = c->rows,
        .columns = STORE_COLUMNS,
        .merge2 = MERGE2,
        .dtype = ORIEL_CUDA_F32,
    };

    switch (c->op) {
    case ROW_PIXELS:
    case ROW_VALUES:
        return run_embed(c, out);
    case ROW_NORM:
        return oriel_cuda_rms_norm(&norm, NULL);
    case ROW_GATED:
        return oriel_cuda_swiglu(&gated, NULL);
    case ROW_ROPE:
        return oriel_cuda_rope(&rope, NULL);
    case ROW_STORE:
        return oriel_cuda_store_rows(&store, NULL);
    default:
        return run_linear(c, out);
    }
}
