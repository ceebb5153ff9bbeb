/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include <math.h>

static int
make(op_case *c, random_stream *random)
{
    const op_shape *shape = &c->shape;
    const size_t bytes = (size_t)c->rows * sizeof(int32_t);
    int32_t *places;

    c->dtype = shape->dtype ? shape->dtype : ORIEL_CUDA_F32;
    if (op_make_product(c, random, c->columns) ||
        op_array_make(&c->index[OP_PLACES], bytes))
        return -1;
    places = c->index[OP_PLACES].host;
    for (int64_t r = 0; r < c->rows; r++)
        places[r] = shape->places ? shape->places[r] : (int32_t)r;
    if (op_array_send(&c->index[OP_PLACES]))
        return -1;
    return shape->row_index && op_array_copy(&c->index[OP_ROW_INDEX],
                                             shape->row_index, bytes)
               ? -1
               : 0;
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_rows_prepare(NULL);
}

/* Rows that are run alone go where the first rows go. */
oriel_linear_rows_args
op_rows_args(const op_case *c, int64_t first, int64_t rows, void *out)
{
    return (oriel_linear_rows_args){
        .x = op_product_x(c, first),
        .weight = c->weight.device.data,
        .bias = c->bias.device.data,
        .places = c->index[OP_PLACES].device.data,
        .row_index = c->index[OP_ROW_INDEX].device.data,
        .out = out,
        .row_bytes = c->row_bytes,
        .out_rows = (int32_t)c->out_rows,
        .rows = rows,
        .columns = c->columns,
        .depth = c->depth,
        .dtype = c->dtype,
    };
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_rows_args args = op_rows_args(c, first, rows, out);

    return oriel_cuda_linear_rows(&args, NULL);
}

/* The bound at the head of linear_rows.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    static const double roundings[] = {[ORIEL_CUDA_F32] = 0x1p-24,
                                       [ORIEL_CUDA_BF16] = 0x1p-8,
                                       [ORIEL_CUDA_F16] = 0x1p-11};

    op_product_exact(c, first, rows, exact, bound);
    for (int64_t i = 0; i < rows * c->columns; i++)
        bound[i] += fabs(exact[i]) * roundings[c->dtype] +
                    (c->dtype == ORIEL_CUDA_F16 ? 0x1p-25 : 0);
}

const op op_linear_rows = {
    "linear_rows", true,  make,          prepare,
    run,           exact, op_bytes_once, op_product_flops};
