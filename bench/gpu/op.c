/* SPDX-License-Identifier: Apache-2.0 */
/* op.c - operands, one run, one check */
#include "op.h"

#include "base/half.h"
#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random numbers repeat after as many as this, a prime. */
#define PERIOD 1048573u

const op_geometry op_geometry_7b = {1280, 16, 80, 3456, 3584, 14, 2, 4};
const op_geometry op_geometry_tiny = {32, 2, 16, 64, 48, 4, 2, 4};

int
op_complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return -1;
}

int
op_must(cudaError_t error, const char *what)
{
    return error ? op_complain(what, cudaGetErrorString(error)) : 0;
}

/* ---- Arrays -------------------------------------------------------------- */

int
op_array_make(op_array *a, size_t bytes)
{
    a->bytes = bytes;
    a->host = calloc(bytes, 1);
    if (!a->host)
        return op_complain("operands", "out of memory");
    return op_must(cudaMalloc(&a->device, bytes), "cudaMalloc");
}

int
op_array_send(op_array *a)
{
    return op_must(
        cudaMemcpy(a->device, a->host, a->bytes, cudaMemcpyHostToDevice),
        "cudaMemcpy");
}

int
op_array_random(op_array *a, uint64_t seed, size_t n, double scale,
                double offset)
{
    const size_t own = n < PERIOD ? n : PERIOD;
    uint16_t *values;

    if (op_array_make(a, n * sizeof(*values)))
        return -1;
    values = a->host;
    for (size_t i = 0; i < own; i++) {
        const double unit =
            (double)(bench_random(seed, i) >> 40) * 0x1p-23 - 1.0;

        values[i] = oriel_f32_to_bf16((float)(unit * scale + offset));
    }
    for (size_t i = own; i < n; i += own)
        memcpy(values + i, values, (n - i < own ? n - i : own) * 2);
    return op_array_send(a);
}

static void
array_free(op_array *a)
{
    free(a->host);
    if (a->device)
        cudaFree(a->device);
}

double
op_bf16(const void *values, size_t i)
{
    return (double)oriel_bf16_to_f32(((const uint16_t *)values)[i]);
}

/* ---- Cases --------------------------------------------------------------- */

int
op_case_make(op_case *c, const op *which, const op_geometry *geometry,
             const oriel_plan_info *info, int64_t rows)
{
    *c = (op_case){.op = which,
                   .geometry = geometry,
                   .info = info,
                   .rows = info ? info->patches : rows};
    if (which->make(c) || op_must(which->prepare(c), which->name) ||
        op_must(cudaMalloc(&c->out, (size_t)c->rows * c->row_bytes),
                "cudaMalloc")) {
        op_case_free(c);
        return -1;
    }
    return 0;
}

void
op_case_free(op_case *c)
{
    array_free(&c->x);
    array_free(&c->weight);
    array_free(&c->bias);
    array_free(&c->initial);
    for (size_t i = 0; i < sizeof(c->index) / sizeof(c->index[0]); i++)
        array_free(&c->index[i]);
    if (c->out)
        cudaFree(c->out);
    *c = (op_case){0};
}

/* Enqueued before the op: its old result, or what shows if it is not written. */
static cudaError_t
fill_out(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const size_t bytes = (size_t)rows * c->row_bytes;

    if (!c->initial.device)
        return cudaMemsetAsync(out, 0xff, bytes, NULL);
    return cudaMemcpyAsync(
        out, (char *)c->initial.device + (size_t)first * c->row_bytes, bytes,
        cudaMemcpyDeviceToDevice, NULL);
}

int
op_case_run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    cudaError_t error = fill_out(c, first, rows, out);

    if (!error)
        error = c->op->run(c, first, rows, out);
    if (!error)
        error = cudaDeviceSynchronize();
    return op_must(error, c->op->name);
}

static double
result_value(const op_case *c, const void *row, int32_t column)
{
    return c->row_bytes == (size_t)c->columns * 4
               ? (double)((const float *)row)[column]
               : op_bf16(row, (size_t)column);
}

/* One row against its exact values: each within two roundings of itself and of
   the row's root mean square. */
static int
check_row(const op_case *c, int64_t row, const void *got, double *exact)
{
    double square = 0;
    char why[160];

    c->op->exact(c, row, exact);
    for (int32_t i = 0; i < c->columns; i++)
        square += exact[i] * exact[i];
    for (int32_t i = 0; i < c->columns; i++) {
        const double value = result_value(c, got, i);
        const double bound =
            0x1p-7 * (fabs(exact[i]) + sqrt(square / c->columns));

        if (fabs(value - exact[i]) <= bound)
            continue;
        snprintf(why, sizeof(why), "row %lld column %d is %g, expected %g",
                 (long long)row, (int)i, value, exact[i]);
        return op_complain(c->op->name, why);
    }
    return 0;
}

int
op_case_check(const op_case *c)
{
    const int64_t rows[] = {0, c->rows / 2, c->rows - 1};
    double *exact = malloc((size_t)c->columns * sizeof(*exact));
    void *got = malloc(c->row_bytes);
    int result = exact && got ? 0 : op_complain(c->op->name, "out of memory");

    if (!result)
        result = op_case_run(c, 0, c->rows, c->out);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !result; i++) {
        result = op_must(
            cudaMemcpy(got, (char *)c->out + (size_t)rows[i] * c->row_bytes,
                       c->row_bytes, cudaMemcpyDeviceToHost),
            "cudaMemcpy");
        if (!result)
            result = check_row(c, rows[i], got, exact);
    }
    free(exact);
    free(got);
    return result;
}
