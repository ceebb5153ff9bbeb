/* SPDX-License-Identifier: Apache-2.0 */
/* op_linear.c - the matrix products of the tower */
#include "op.h"

#include <math.h>
#include <stdlib.h>

enum { PLACES = 0, PIXELS_TABLE = 0, PIXELS_STILL = 1, LEVELS = 256 };

/* ---- Shared -------------------------------------------------------------- */

/* 'per_column' rows of weight a column of the result. */
static int
make_operands(op_case *c, int32_t columns, int32_t depth, int32_t per_column)
{
    const size_t weights = (size_t)columns * (size_t)per_column;

    c->columns = columns;
    c->depth = depth;
    if (!c->row_bytes)
        c->row_bytes = (size_t)columns * 2;
    return op_array_random(&c->x, 1, (size_t)c->rows * (size_t)depth, 2, 0) ||
           op_array_random(&c->weight, 2, weights * (size_t)depth, 0.05, 0) ||
           op_array_random(&c->bias, 3, weights, 1, 0);
}

static double
dot(const op_case *c, int64_t row, int64_t weight_row)
{
    double sum = op_bf16(c->bias.host, (size_t)weight_row);

    for (int32_t k = 0; k < c->depth; k++)
        sum += op_bf16(c->x.host, (size_t)(row * c->depth + k)) *
               op_bf16(c->weight.host, (size_t)(weight_row * c->depth + k));
    return sum;
}

static const uint16_t *
x_of(const op_case *c, int64_t first)
{
    return (const uint16_t *)c->x.device + first * c->depth;
}

static oriel_linear_args
linear_args(const op_case *c, int64_t first, int64_t rows, void *out)
{
    return (oriel_linear_args){
        x_of(c, first), c->weight.device, c->bias.device, out,
        rows,           c->columns,       c->depth};
}

/* Operands and result once; the old result too where it is added to. */
static double
product_bytes(const op_case *c)
{
    const double out = (double)c->row_bytes * (double)c->rows;

    return (double)(c->x.bytes + c->weight.bytes + c->bias.bytes) + out +
           (c->initial.device ? out : 0);
}

static double
product_flops(const op_case *c)
{
    return 2.0 * (double)c->rows * (double)(c->weight.bytes / 2);
}

/* ---- qkv, proj, down, fc1 ------------------------------------------------ */

static int
make_qkv(op_case *c)
{
    return make_operands(c, 3 * c->geometry->hidden, c->geometry->hidden, 1);
}

static cudaError_t
prepare_linear(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_prepare(NULL);
}

static cudaError_t
run_linear(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = linear_args(c, first, rows, out);

    return oriel_cuda_linear(&args, NULL);
}

static void
exact_linear(const op_case *c, int64_t row, double *out)
{
    for (int32_t j = 0; j < c->columns; j++)
        out[j] = dot(c, row, j);
}

static int
make_residual(op_case *c)
{
    return op_array_random(&c->initial, 4, (size_t)c->rows * (size_t)c->columns,
                           4, 0);
}

static int
make_proj(op_case *c)
{
    return make_operands(c, c->geometry->hidden, c->geometry->hidden, 1) ||
           make_residual(c);
}

static int
make_down(op_case *c)
{
    return make_operands(c, c->geometry->hidden, c->geometry->intermediate,
                         1) ||
           make_residual(c);
}

static cudaError_t
run_residual(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = linear_args(c, first, rows, out);

    return oriel_cuda_linear_residual(&args, NULL);
}

static void
exact_residual(const op_case *c, int64_t row, double *out)
{
    for (int32_t j = 0; j < c->columns; j++)
        out[j] = dot(c, row, j) +
                 op_bf16(c->initial.host, (size_t)(row * c->columns + j));
}

static int32_t
merged(const op_case *c)
{
    return c->geometry->hidden * c->geometry->merge2;
}

/* After the merger a row is a token. */
static void
take_tokens(op_case *c)
{
    if (c->info)
        c->rows = c->info->tokens;
}

static int
make_gelu(op_case *c)
{
    take_tokens(c);
    return make_operands(c, merged(c), merged(c), 1);
}

static cudaError_t
prepare_gelu(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_gelu_prepare(NULL);
}

static cudaError_t
run_gelu(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = linear_args(c, first, rows, out);

    return oriel_cuda_linear_gelu(&args, NULL);
}

static void
exact_gelu(const op_case *c, int64_t row, double *out)
{
    for (int32_t j = 0; j < c->columns; j++) {
        const double x = dot(c, row, j);

        out[j] = x * 0.5 * erfc(-x * sqrt(0.5));
    }
}

/* ---- gate and up --------------------------------------------------------- */

static int
make_swiglu(op_case *c)
{
    return make_operands(c, c->geometry->intermediate, c->geometry->hidden, 2);
}

static cudaError_t
prepare_swiglu(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_swiglu_prepare(NULL);
}

static cudaError_t
run_swiglu(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_swiglu_args args = {
        x_of(c, first), c->weight.device, c->bias.device, out,
        rows,           c->columns,       c->depth};

    return oriel_cuda_linear_swiglu(&args, NULL);
}

/* Eight rows of gate, then the same eight of up. */
static void
exact_swiglu(const op_case *c, int64_t row, double *out)
{
    for (int32_t j = 0; j < c->columns; j++) {
        const int64_t gate_row = j / 8 * 16 + j % 8;
        const double gate = dot(c, row, gate_row);

        out[j] = gate / (1 + exp(-gate)) * dot(c, row, gate_row + 8);
    }
}

/* ---- fc2, stored in image order ------------------------------------------ */

static int
make_rows(op_case *c)
{
    int32_t *places;

    take_tokens(c);
    c->row_bytes = (size_t)c->geometry->out_hidden * 4;
    if (make_operands(c, c->geometry->out_hidden, merged(c), 1) ||
        op_array_make(&c->index[PLACES], (size_t)c->rows * sizeof(*places)))
        return -1;
    places = c->index[PLACES].host;
    for (int64_t r = 0; r < c->rows; r++)
        places[r] = c->info ? c->info->window_index[r] : (int32_t)r;
    return op_array_send(&c->index[PLACES]);
}

static cudaError_t
prepare_rows(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_rows_prepare(NULL);
}

static cudaError_t
run_rows(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_rows_args args = {.x = x_of(c, first),
                                         .weight = c->weight.device,
                                         .bias = c->bias.device,
                                         .places = c->index[PLACES].device,
                                         .out = out,
                                         .row_bytes = (int64_t)c->row_bytes,
                                         .out_rows = INT32_MAX,
                                         .rows = rows,
                                         .columns = c->columns,
                                         .depth = c->depth,
                                         .dtype = ORIEL_CUDA_F32};

    return oriel_cuda_linear_rows(&args, NULL);
}

static void
exact_rows(const op_case *c, int64_t row, double *out)
{
    const int64_t from = c->info ? c->info->window_inverse[row] : row;

    for (int32_t j = 0; j < c->columns; j++)
        out[j] = dot(c, from, j);
}

/* ---- Patch embedding from pixels ----------------------------------------- */

/* Which of a line's bytes are pixels; the rest is padding, zero. */
static bool
is_pixel(const op_case *c, int64_t k)
{
    return k % oriel_cuda_patch_line(c->geometry->patch_size) <
           3 * c->geometry->patch_size;
}

static int
make_pixels(op_case *c)
{
    const size_t depth = (size_t)c->depth;
    uint16_t *weight = c->weight.host;
    uint8_t *bytes, *still;

    if (op_array_make(&c->x, (size_t)c->rows * depth) ||
        op_array_make(&c->index[PIXELS_STILL], (size_t)c->rows))
        return -1;
    bytes = c->x.host;
    still = c->index[PIXELS_STILL].host;
    for (size_t i = 0; i < c->x.bytes; i++)
        if (is_pixel(c, (int64_t)(i % depth)))
            bytes[i] = (uint8_t)((i * 2654435761u) >> 13);
    for (int64_t r = 0; r < c->rows; r++)
        still[r] = r / c->geometry->merge2 % 3 != 1;
    for (size_t i = 0; i < c->weight.bytes / 2; i++)
        if (!is_pixel(c, (int64_t)(i % depth)))
            weight[i] = 0;
    return op_array_send(&c->x) || op_array_send(&c->index[PIXELS_STILL]) ||
           op_array_send(&c->weight);
}

static int
make_patch_embed(op_case *c)
{
    const op_geometry *g = c->geometry;

    c->columns = g->hidden;
    c->depth = oriel_cuda_patch_depth(g->patch_size, g->slices);
    c->row_bytes = (size_t)c->columns * 2;
    return op_array_random(&c->weight, 2, (size_t)c->columns * (size_t)c->depth,
                           0.05, 0) ||
           op_array_random(&c->index[PIXELS_TABLE], 5, 3 * LEVELS, 2, 0) ||
           make_pixels(c);
}

static cudaError_t
prepare_patch_embed(const op_case *c)
{
    (void)c;
    return oriel_cuda_patch_embed_prepare(NULL);
}

static cudaError_t
run_patch_embed(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_patch_embed_args args = {
        .weight = c->weight.device,
        .out = out,
        .rows = rows,
        .hidden = c->columns,
        .patch_size = c->geometry->patch_size,
        .slices = c->geometry->slices,
        .pixels = (const uint8_t *)c->x.device + first * c->depth,
        .is_still = (const uint8_t *)c->index[PIXELS_STILL].device + first,
        .table = c->index[PIXELS_TABLE].device,
        .merge2 = c->geometry->merge2};

    return oriel_cuda_patch_embed(&args, NULL);
}

/* Columns are (y, slice, line); of a still every slice is the first. */
static void
exact_patch_embed(const op_case *c, int64_t row, double *out)
{
    const int32_t line = oriel_cuda_patch_line(c->geometry->patch_size);
    const int32_t slices = c->geometry->slices;
    const int32_t slice_bytes = line * c->geometry->patch_size;
    const uint8_t *bytes =
        (const uint8_t *)c->x.host + (size_t)row * (size_t)c->depth;
    const bool still = ((const uint8_t *)c->index[PIXELS_STILL].host)[row];

    for (int32_t j = 0; j < c->columns; j++) {
        out[j] = 0;
        for (int32_t k = 0; k < c->depth; k++) {
            const int32_t y = k / (slices * line), at = k % line;
            const int32_t slice = still ? 0 : k / line % slices;
            const uint8_t level = bytes[slice * slice_bytes + y * line + at];

            if (is_pixel(c, k))
                out[j] += op_bf16(c->index[PIXELS_TABLE].host,
                                  (size_t)(at % 3 * LEVELS + level)) *
                          op_bf16(c->weight.host, (size_t)(j * c->depth + k));
        }
    }
}

/* ---- The table ----------------------------------------------------------- */

const op ops_linear[] = {
    {"patch_embed", true, make_patch_embed, prepare_patch_embed,
     run_patch_embed, exact_patch_embed, product_bytes, product_flops,
     OP_LIBRARY_NONE},
    {"linear qkv", true, make_qkv, prepare_linear, run_linear, exact_linear,
     product_bytes, product_flops, OP_LIBRARY_BIAS},
    {"linear_residual proj", true, make_proj, prepare_linear, run_residual,
     exact_residual, product_bytes, product_flops, OP_LIBRARY_RESIDUAL},
    {"linear_swiglu gate_up", true, make_swiglu, prepare_swiglu, run_swiglu,
     exact_swiglu, product_bytes, product_flops, OP_LIBRARY_SWIGLU},
    {"linear_residual down", true, make_down, prepare_linear, run_residual,
     exact_residual, product_bytes, product_flops, OP_LIBRARY_RESIDUAL},
    {"linear_gelu fc1", true, make_gelu, prepare_gelu, run_gelu, exact_gelu,
     product_bytes, product_flops, OP_LIBRARY_NONE},
    {"linear_rows fc2", true, make_rows, prepare_rows, run_rows, exact_rows,
     product_bytes, product_flops, OP_LIBRARY_NONE},
};
const int n_ops_linear = sizeof(ops_linear) / sizeof(ops_linear[0]);
