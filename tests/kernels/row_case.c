/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/row_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Several stages of depth, the last in part; one tile of columns, in part. */
enum { DEPTH = 200, COLUMNS = 112, TILE_ROWS = 128 };
enum { PATCH = 6, SLICES = 2, MERGE2 = 4, PATCH_DEPTH = PATCH * SLICES * 32 };
enum { NORM_COLUMNS = 264, HEADS = 2, HEAD_DIM = 24, POSITIONS = 8 };
enum { GATED_COLUMNS = 64, STORE_COLUMNS = 112, INDEXED = 131072 };

/* Each by the launch of its case; store_rows, which has none, by its own. */
static const struct {
    const char *name;
    const op *op;
    int in, out; /* values of a row */
    int depth, out_size, rows_per_block;
} shapes[ROW_OPS] = {
    {"linear", &op_linear, DEPTH, COLUMNS, DEPTH, 2, TILE_ROWS},
    {"linear_residual", &op_linear_residual, DEPTH, COLUMNS, DEPTH, 2,
     TILE_ROWS},
    {"linear_gelu", &op_linear_gelu, DEPTH, COLUMNS, DEPTH, 2, TILE_ROWS},
    {"linear_swiglu", &op_linear_swiglu, DEPTH, COLUMNS / 2, DEPTH, 2,
     TILE_ROWS},
    {"linear_rows", &op_linear_rows, DEPTH, COLUMNS, DEPTH, 4, TILE_ROWS},
    {"patch_embed of pixels", &op_patch_embed, PATCH *SLICES * 16, COLUMNS,
     PATCH_DEPTH, 2, TILE_ROWS},
    {"patch_embed of values", &op_patch_embed, 3 * SLICES *PATCH *PATCH,
     COLUMNS, PATCH_DEPTH, 2, TILE_ROWS},
    {"rms_norm", &op_rms_norm, NORM_COLUMNS, NORM_COLUMNS, 0, 2, 4},
    {"swiglu", &op_swiglu, 2 * GATED_COLUMNS, GATED_COLUMNS, 0, 2, 32},
    {"rope", &op_rope, 3 * HEADS *HEAD_DIM, 3 * HEADS *HEAD_DIM, 0, 2, 1},
    {"store_rows", NULL, STORE_COLUMNS, STORE_COLUMNS, 0, 4, 1},
    {"linear_residual of two planes", &op_linear_residual, DEPTH, COLUMNS,
     DEPTH, 2, TILE_ROWS},
    {"patch_embed to two planes", &op_patch_embed, PATCH *SLICES * 16, COLUMNS,
     PATCH_DEPTH, 2, TILE_ROWS},
    {"rms_norm of two planes", &op_rms_norm, NORM_COLUMNS, NORM_COLUMNS, 0, 2,
     4},
    {"store_rows of two planes", NULL, STORE_COLUMNS, STORE_COLUMNS, 0, 4, 1},
};

const char *
row_op_name(enum row_op which)
{
    return shapes[which].name;
}

const op *
row_op_of(enum row_op which)
{
    return shapes[which].op;
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
    const bool tokens = c->which == ROW_VALUES || c->which == ROW_STORE ||
                        c->which == ROW_STORE_WIDE;
    const bool pairs = c->which == ROW_ROPE;
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

/* The arrays as the case of an op has them. */
static op_case
case_of(const row_case *c)
{
    op_case k = {.op = c->by,
                 .rows = c->rows,
                 .columns = shapes[c->which].out,
                 .depth = shapes[c->which].depth,
                 .dtype = ORIEL_CUDA_F32, /* of linear_rows */
                 .row_bytes = (int64_t)c->out_bytes,
                 .out_rows = c->rows,
                 .x.device = c->in,
                 .weight.device = c->weight,
                 .bias.device = c->bias};

    k.shape = (op_shape){.heads = HEADS,
                         .head_dim = HEAD_DIM,
                         .patch_size = PATCH,
                         .slices = SLICES,
                         .merge2 = MERGE2};
    k.shape.wide = c->lo.bytes != 0;
    k.lo.device = c->lo;
    switch (c->which) {
    case ROW_NORM_WIDE:
        k.lo.device = c->in;
        break;
    case ROW_PIXELS:
    case ROW_PIXELS_WIDE:
        k.index[OP_TABLE].device = c->table;
        k.index[OP_STILL].device = c->index;
        break;
    case ROW_VALUES:
        k.shape.dtype = ORIEL_CUDA_BF16;
        k.index[OP_TOKENS].device = c->index;
        break;
    case ROW_ROPE:
        k.index[OP_ROPE].device = c->table;
        k.index[OP_POSITIONS].device = c->index;
        break;
    case ROW_ROWS:
        k.index[OP_PLACES].device = c->index;
        break;
    default:
        break;
    }
    return k;
}

static void
prepare(const row_case *c)
{
    const op_case k = case_of(c);

    ck_assert_int_eq(k.op ? k.op->prepare(&k)
                          : oriel_cuda_store_rows_prepare(NULL),
                     cudaSuccess);
}

row_case
row_case_make(enum row_op which, int64_t rows)
{
    return row_case_make_by(which, rows, shapes[which].op,
                            shapes[which].rows_per_block);
}

row_case
row_case_make_by(enum row_op which, int64_t rows, const op *by,
                 int64_t rows_per_block)
{
    random_stream random = {(uint64_t)which + 900};
    const size_t depth = (size_t)shapes[which].depth;
    row_case c = {.which = which,
                  .by = by,
                  .rows = rows,
                  .in_bytes = (size_t)shapes[which].in * 2,
                  .out_bytes =
                      (size_t)(shapes[which].out * shapes[which].out_size),
                  .rows_per_block = rows_per_block,
                  .in_place = which == ROW_RESIDUAL ||
                              which == ROW_RESIDUAL_WIDE || which == ROW_ROPE};

    /* rope works in place: its input is the output beforehand. */
    c.in = device_sparse(which == ROW_ROPE ? 0 : (size_t)rows * c.in_bytes);
    if (which == ROW_RESIDUAL_WIDE || which == ROW_PIXELS_WIDE)
        c.lo = device_sparse((size_t)rows * c.out_bytes);
    if (which == ROW_NORM || which == ROW_NORM_WIDE)
        c.weight = upload_bf16(&random, NORM_COLUMNS, 1);
    else if (depth)
        c.weight = upload_bf16(&random, COLUMNS * depth, 0.1);
    c.bias = upload_bf16(&random, COLUMNS, 1);
    if (which == ROW_ROPE)
        c.table = upload_rope(&random);
    else
        c.table = upload_bf16(&random, 3 * 256, 2);
    if (which == ROW_PIXELS || which == ROW_PIXELS_WIDE)
        c.index = device_sparse((size_t)rows); /* nothing is still */
    else
        c.index = make_index(&c);
    prepare(&c);
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
    if (c->lo.bytes)
        device_release(c->lo);
}

void
row_case_clear(row_case *c)
{
    void *zeros = calloc(1, c->lo.bytes + 1);

    if (c->lo.bytes)
        device_put(c->lo, 0, zeros, c->lo.bytes);
    free(zeros);
}

unsigned char *
row_case_input(const row_case *c, int64_t n, uint64_t seed)
{
    random_stream random = {seed};
    size_t values = (size_t)n * c->in_bytes / 2;

    if (c->which != ROW_PIXELS && c->which != ROW_PIXELS_WIDE)
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

cudaError_t
row_case_run(void *context, void *out)
{
    const row_case *c = context;
    const op_case k = case_of(c);
    const oriel_store_rows_args store = {
        .x = c->in.data,
        .tokens = c->index.data,
        .out = out,
        .row_bytes = STORE_COLUMNS * (int64_t)sizeof(float),
        .rows = c->rows,
        .columns = STORE_COLUMNS,
        .merge2 = MERGE2,
        .dtype = ORIEL_CUDA_F32,
        .lo = c->which == ROW_STORE_WIDE ? c->in.data : NULL,
    };

    return k.op ? k.op->run(&k, 0, c->rows, out)
                : oriel_cuda_store_rows(&store, NULL);
}

void
row_case_run_last(row_case *c, int64_t n, const unsigned char *ours,
                  unsigned char *got)
{
    const int64_t first = c->rows - n;
    device_buffer out = device_sparse((size_t)c->rows * c->out_bytes);
    const char *report;

    if (c->which != ROW_ROPE)
        device_put(c->in, (size_t)first * c->in_bytes, ours,
                   (size_t)n * c->in_bytes);
    if (c->in_place)
        device_put(out, (size_t)first * c->out_bytes, ours,
                   (size_t)n * c->out_bytes);
    row_case_only(c, first, n);
    ck_assert_int_eq(row_case_run(c, out.data), cudaSuccess);
    report = device_finish();
    ck_assert_msg(report[0] == '\0', "%s: %s", row_op_name(c->which), report);
    device_only_blocks(NULL, 0);
    device_get(got, out, (size_t)first * c->out_bytes,
               (size_t)n * c->out_bytes);
    device_check_guard(out);
    device_release(out);
}
