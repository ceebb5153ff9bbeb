/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include "base/half.h"
#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 256 };

/* ---- Columns ---------------------------------------------------------------- */

/* Of the checkpoint: (channel, slice, y, x). */
static int32_t
official_columns(const op_shape *s)
{
    return 3 * s->slices * s->patch_size * s->patch_size;
}

#define EACH_COLUMN(shape) \
    for (int ch = 0, column = 0; ch < 3; ch++) \
        for (int s = 0; s < (shape)->slices; s++) \
            for (int y = 0; y < (shape)->patch_size; y++) \
                for (int x = 0; x < (shape)->patch_size; x++, column++)

/* Where one of them goes in the kernel's weight: (y, slice, line). */
static int32_t
packed_column(const op_shape *shape, int channel, int slice, int y, int x)
{
    return (y * shape->slices + slice) *
               oriel_cuda_patch_line(shape->patch_size) +
           3 * x + channel;
}

/* Rows of official columns in the kernel's order, zeros between; caller frees. */
static double *
packed_rows(const op_case *c, const double *from, int64_t rows)
{
    const int64_t columns = official_columns(&c->shape);
    double *to = calloc((size_t)(rows * c->depth), sizeof(*to));

    for (int64_t r = 0; r < rows; r++)
        EACH_COLUMN(&c->shape)
    to[r * c->depth + packed_column(&c->shape, ch, s, y, x)] =
        from[r * columns + column];
    return to;
}

/* ---- Pictures --------------------------------------------------------------- */

static int64_t
patch_bytes(const op_shape *s)
{
    return (int64_t)s->patch_size * s->patch_size * 3;
}

static uint8_t
level_of(const op_case *c, int64_t row, int s, int y, int x, int ch)
{
    const int64_t slice = row * c->shape.slices + s;

    return c->levels[slice * patch_bytes(&c->shape) +
                     (y * c->shape.patch_size + x) * 3 + ch];
}

/* Two of three tokens show one frame twice. */
static bool
is_still(const op_case *c, int64_t row)
{
    return row / c->shape.merge2 % 3 != 1;
}

/* The row in image order of one in window order. */
static int64_t
image_row(const op_case *c, int64_t row)
{
    const int32_t *tokens = c->index[OP_TOKENS].host;

    return tokens[row / c->shape.merge2] * (int64_t)c->shape.merge2 +
           row % c->shape.merge2;
}

static int
make_levels(op_case *c, random_stream *random)
{
    const op_shape *s = &c->shape;
    const size_t one = (size_t)patch_bytes(s), row = one * (size_t)s->slices;

    c->levels = malloc((size_t)c->rows * row);
    if (!c->levels)
        return op_complain("patch_embed", "out of memory");
    for (size_t i = 0; i < (size_t)c->rows * row; i++)
        c->levels[i] = (uint8_t)random_u64(random);
    for (int64_t r = 0; r < c->rows; r++)
        for (int k = 1; is_still(c, r) && k < s->slices; k++)
            memcpy(c->levels + (size_t)r * row + (size_t)k * one,
                   c->levels + (size_t)r * row, one);
    return 0;
}

/* What a level of a channel becomes. */
static uint16_t
value_of(const op_case *c, int channel, uint8_t level)
{
    return (
        (const uint16_t *)c->index[OP_TABLE].host)[channel * LEVELS + level];
}

/* ---- Operands --------------------------------------------------------------- */

static int
make_tokens(op_case *c)
{
    const int64_t n = c->rows / c->shape.merge2;
    int32_t *tokens;

    if (op_array_make(&c->index[OP_TOKENS], (size_t)n * sizeof(*tokens)))
        return -1;
    tokens = c->index[OP_TOKENS].host;
    for (int64_t t = 0; t < n; t++)
        tokens[t] = c->shape.places ? c->shape.places[t] : (int32_t)t;
    return op_array_send(&c->index[OP_TOKENS]);
}

/* As the kernel wants it: lines padded with zeros. */
static int
make_weight(op_case *c, random_stream *random)
{
    const int64_t columns = official_columns(&c->shape);
    uint16_t *packed;

    c->official = random_bf16(random, (size_t)(c->columns * columns), 0.1, 0);
    if (!c->official ||
        op_array_make(&c->weight,
                      (size_t)c->columns * (size_t)c->depth * sizeof(*packed)))
        return -1;
    packed = c->weight.host;
    for (int64_t h = 0; h < c->columns; h++)
        EACH_COLUMN(&c->shape)
    packed[h * c->depth + packed_column(&c->shape, ch, s, y, x)] =
        c->official[h * columns + column];
    return op_array_send(&c->weight);
}

/* Patches in window order; the second slice of a still holds another picture,
   which must not be read. */
static int
make_pixels(op_case *c)
{
    const op_shape *shape = &c->shape;
    const int32_t line = oriel_cuda_patch_line(shape->patch_size);
    uint8_t *pixels, *still;

    if (op_array_make(&c->x, (size_t)c->rows * (size_t)c->depth) ||
        op_array_make(&c->index[OP_STILL], (size_t)c->rows))
        return -1;
    pixels = c->x.host;
    still = c->index[OP_STILL].host;
    for (int64_t r = 0; r < c->rows; r++) {
        const int64_t from = image_row(c, r);
        uint8_t *row = pixels + r * c->depth;

        still[r] = is_still(c, from);
        EACH_COLUMN(shape)
        {
            const uint8_t level = level_of(c, from, s, y, x, ch);

            row[(s * shape->patch_size + y) * line + 3 * x + ch] =
                s && still[r] ? (uint8_t)~level : level;
            (void)column;
        }
    }
    return op_array_send(&c->x) || op_array_send(&c->index[OP_STILL]);
}

static void
store_value(void *values, int64_t i, int32_t dtype, uint8_t level,
            uint16_t value)
{
    const float wide = oriel_bf16_to_f32(value);

    if (dtype == ORIEL_CUDA_U8)
        ((uint8_t *)values)[i] = level;
    else if (dtype == ORIEL_CUDA_F32)
        ((float *)values)[i] = wide;
    else if (dtype == ORIEL_CUDA_BF16)
        ((uint16_t *)values)[i] = value;
    else
        ((uint16_t *)values)[i] = oriel_f32_to_f16(wide);
}

/* Patches in image order. */
static int
make_values(op_case *c)
{
    static const size_t sizes[] = {[ORIEL_CUDA_F32] = 4,
                                   [ORIEL_CUDA_BF16] = 2,
                                   [ORIEL_CUDA_F16] = 2,
                                   [ORIEL_CUDA_U8] = 1};
    const int32_t dtype = c->shape.dtype;
    const int64_t columns = official_columns(&c->shape);

    if (op_array_make(&c->x, (size_t)(c->rows * columns) * sizes[dtype]))
        return -1;
    for (int64_t r = 0; r < c->rows; r++)
        EACH_COLUMN(&c->shape)
        {
            const uint8_t level = level_of(c, r, s, y, x, ch);

            store_value(c->x.host, r * columns + column, dtype, level,
                        value_of(c, ch, level));
        }
    return op_array_send(&c->x);
}

static int
make(op_case *c, random_stream *random)
{
    c->depth = oriel_cuda_patch_depth(c->shape.patch_size, c->shape.slices);
    if (make_tokens(c) || make_levels(c, random) ||
        op_array_random(&c->index[OP_TABLE], random, 3 * LEVELS, 2, 0) ||
        make_weight(c, random))
        return -1;
    return c->shape.dtype ? make_values(c) : make_pixels(c);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_patch_embed_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    oriel_patch_embed_args args = {.weight = c->weight.device.data,
                                   .out = out,
                                   .lo = op_case_lo(c, out, rows),
                                   .rows = rows,
                                   .hidden = c->columns,
                                   .patch_size = c->shape.patch_size,
                                   .slices = c->shape.slices,
                                   .table = c->index[OP_TABLE].device.data};

    if (c->shape.dtype) {
        args.pixel_values = c->x.device.data;
        args.tokens = (const int32_t *)c->index[OP_TOKENS].device.data +
                      first / c->shape.merge2;
        args.merge2 = c->shape.merge2;
        args.dtype = c->shape.dtype;
    } else {
        args.pixels = (const uint8_t *)c->x.device.data + first * c->depth;
        args.is_still = (const uint8_t *)c->index[OP_STILL].device.data + first;
    }
    return oriel_cuda_patch_embed(&args, NULL);
}

/* One rounding, of a wide result to hi and lo, and the sum in the kernel's order of
   columns. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const int64_t columns = official_columns(&c->shape);
    double *values = malloc((size_t)(rows * columns) * sizeof(*values));
    double *w = bf16_values(c->official, (size_t)(c->columns * columns));
    const double rounding = c->shape.wide ? 0x1p-17 : 0x1p-8;
    double *pixels, *weight;

    for (int64_t r = 0; r < rows; r++) {
        const int64_t from = image_row(c, first + r);
        double *row = values + r * columns;

        EACH_COLUMN(&c->shape)
        row[column] =
            bf16_value(value_of(c, ch, level_of(c, from, s, y, x, ch)));
    }
    oracle_patch_embed(exact, values, w, rows, c->columns, columns);
    pixels = packed_rows(c, values, rows);
    weight = packed_rows(c, w, c->columns);
    for (int64_t r = 0; r < rows; r++)
        for (int32_t h = 0; h < c->columns; h++) {
            const int64_t i = r * c->columns + h;

            bound[i] = fabs(exact[i]) * rounding + 0x1p-133 +
                       op_sum_slack(pixels + r * c->depth,
                                    weight + (int64_t)h * c->depth, c->depth);
        }
    free(pixels);
    free(weight);
    free(values);
    free(w);
}

const op op_patch_embed = {
    "patch_embed", true,  make,          prepare,
    run,           exact, op_bytes_once, op_product_flops};
