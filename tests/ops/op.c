/* SPDX-License-Identifier: Apache-2.0 */
/* op.c - operands and results, whatever the op */
#include "ops/op.h"

#include "base/half.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random numbers repeat after as many as this, a prime: gigabytes of them are
   made for a benchmark. */
enum { PERIOD = 1048573 };

int
op_must(cudaError_t error, const char *what)
{
    return error ? op_complain(what, cudaGetErrorString(error)) : 0;
}

int
op_capability(void)
{
    int device = 0, major = 0, minor = 0;
    cudaError_t error = cudaGetDevice(&device);

    if (!error)
        error = cudaDeviceGetAttribute(
            &major, cudaDevAttrComputeCapabilityMajor, device);
    if (!error)
        error = cudaDeviceGetAttribute(
            &minor, cudaDevAttrComputeCapabilityMinor, device);
    return op_must(error, "compute capability") ? -1 : 10 * major + minor;
}

/* ---- Arrays ---------------------------------------------------------------- */

int
op_array_make(op_array *a, size_t bytes)
{
    const size_t guard = device_guard_bytes();

    a->device.bytes = bytes;
    a->host = calloc(bytes + 1, 1);
    if (!a->host)
        return op_complain("operands", "out of memory");
    if (op_must(cudaMalloc(&a->device.data, bytes + guard), "cudaMalloc"))
        return -1;
    if (!guard)
        return 0;
    return op_must(cudaMemsetAsync((char *)a->device.data + bytes, DEVICE_GUARD,
                                   guard, NULL),
                   "cudaMemsetAsync");
}

int
op_array_send(op_array *a)
{
    if (!a->device.bytes)
        return 0;
    return op_must(cudaMemcpy(a->device.data, a->host, a->device.bytes,
                              cudaMemcpyHostToDevice),
                   "cudaMemcpy");
}

int
op_array_copy(op_array *a, const void *from, size_t bytes)
{
    if (op_array_make(a, bytes))
        return -1;
    memcpy(a->host, from, bytes);
    return op_array_send(a);
}

int
op_array_random(op_array *a, random_stream *random, size_t n, double scale,
                double offset)
{
    const size_t own = n < PERIOD ? n : PERIOD;
    uint16_t *values;

    if (op_array_make(a, n * sizeof(*values)))
        return -1;
    values = a->host;
    for (size_t i = 0; i < own; i++)
        values[i] =
            oriel_f32_to_bf16((float)(random_unit(random) * scale + offset));
    for (size_t i = own; i < n; i += own)
        memcpy(values + i, values, (n - i < own ? n - i : own) * 2);
    return op_array_send(a);
}

static void
array_free(op_array *a)
{
    free(a->host);
    if (a->device.data)
        (void)cudaFree(a->device.data);
}

/* ---- Cases ----------------------------------------------------------------- */

static int
value_bytes(int32_t dtype)
{
    return dtype == ORIEL_CUDA_F32 ? 4 : 2;
}

int
op_case_make(op_case *c, const op *which, const op_shape *shape, uint64_t seed)
{
    random_stream random = {seed};
    int result;

    *c = (op_case){.op = which,
                   .shape = *shape,
                   .rows = shape->rows,
                   .columns = shape->columns,
                   .depth = shape->depth,
                   .dtype = ORIEL_CUDA_BF16,
                   .out_rows = shape->out_rows};
    result = which->make(c, &random) || op_must(which->prepare(c), which->name);
    c->shape.cu = c->shape.positions = NULL;
    c->shape.places = c->shape.row_index = NULL;
    if (!c->out_rows)
        c->out_rows = c->rows;
    c->row_bytes = shape->row_bytes
                       ? shape->row_bytes
                       : (int64_t)c->columns * value_bytes(c->dtype);
    if (result)
        op_case_free(c);
    return result ? -1 : 0;
}

void
op_case_free(op_case *c)
{
    array_free(&c->x);
    array_free(&c->weight);
    array_free(&c->bias);
    array_free(&c->initial);
    array_free(&c->lo);
    for (int i = 0; i < OP_INDEXES; i++)
        array_free(&c->index[i]);
    array_free(&c->count);
    free(c->levels);
    free(c->official);
    *c = (op_case){0};
}

/* ---- A count on the device --------------------------------------------------- */

int
op_case_count(op_case *c, int32_t more)
{
    const int32_t n = c->n_work ? c->n_work : (int32_t)c->rows;
    const int capability = op_capability();

    c->more = more;
    c->overlaps = capability >= 90; /* before that no kernel overlaps another */
    return capability < 0 ? -1 : op_array_copy(&c->count, &n, sizeof(n));
}

int64_t
op_told(const op_case *c, int64_t there)
{
    return there + c->more;
}

oriel_counted
op_counted(const op_case *c)
{
    const oriel_counted none = {0};
    const oriel_counted counted = {c->count.device.data, 1, c->overlaps};

    return c->count.host ? counted : none;
}

/* rms_norm has it in x. */
static bool
has_wide_result(const op_case *c)
{
    return c->shape.wide && c->op != &op_rms_norm;
}

int
op_case_planes(const op_case *c)
{
    return has_wide_result(c) ? 2 : 1;
}

size_t
op_case_out_bytes(const op_case *c)
{
    return (size_t)(c->out_rows * c->row_bytes * op_case_planes(c));
}

uint16_t *
op_case_lo(const op_case *c, void *out, int64_t rows)
{
    if (!has_wide_result(c))
        return NULL;
    return c->lo.device.data ? c->lo.device.data
                             : (uint16_t *)out + rows * c->columns;
}

int64_t
op_case_place(const op_case *c, int64_t row)
{
    const int32_t *places = c->index[OP_PLACES].host;
    const int32_t *row_index = c->index[OP_ROW_INDEX].host;
    int64_t place = row;

    /* Of whichever kernel, with the same oracle. */
    if (c->op->exact != op_linear_rows.exact)
        return row;
    place = places[row];
    if (row_index)
        place = row_index[place];
    return place >= 0 && place < c->out_rows ? place : -1;
}

double
op_case_value(const op_case *c, const void *row, int32_t column)
{
    if (c->dtype == ORIEL_CUDA_F32)
        return (double)((const float *)row)[column];
    uint16_t half = ((const uint16_t *)row)[column];

    if (has_wide_result(c))
        return bf16_value(half) +
               bf16_value(
                   ((const uint16_t *)row)[c->rows * c->columns + column]);
    return c->dtype == ORIEL_CUDA_BF16 ? bf16_value(half)
                                       : (double)oriel_f16_to_f32(half);
}

/* ---- Counts ---------------------------------------------------------------- */

double
op_bytes_once(const op_case *c)
{
    const double out =
        (double)c->rows * c->columns * (double)value_bytes(c->dtype);

    return (double)(c->x.device.bytes + c->weight.device.bytes +
                    c->bias.device.bytes) +
           (double)c->lo.device.bytes +
           (c->initial.host ? 2 : 1) * op_case_planes(c) * out;
}

double
op_no_flops(const op_case *c)
{
    (void)c;
    return 0;
}
