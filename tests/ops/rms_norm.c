/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>

/* Larger than the lo of a residual, which the rounding of the result would hide. */
static int
make_lo(op_case *c, random_stream *random)
{
    const size_t n = (size_t)(c->rows * c->columns);
    uint16_t *lo;

    if (op_array_make(&c->lo, n * sizeof(*lo)))
        return -1;
    lo = c->lo.host;
    for (size_t i = 0; i < n; i++)
        lo[i] = random_rest(random, ((const uint16_t *)c->x.host)[i], 0.25);
    return op_array_send(&c->lo);
}

static int
make(op_case *c, random_stream *random)
{
    const double scale = c->shape.scale > 0 ? c->shape.scale : 30;
    uint16_t *x;

    if (op_array_random(&c->x, random, (size_t)(c->rows * c->columns), scale,
                        0) ||
        op_array_random(&c->weight, random, (size_t)c->columns, 0.2, 1))
        return -1;
    x = c->x.host;
    x[c->columns / 2] = 0x4480; /* an outlier channel: 1024 */
    return op_array_send(&c->x) || (c->shape.wide && make_lo(c, random));
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_rms_norm_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const uint16_t *lo = c->lo.device.data;
    const oriel_rms_norm_args args = {(const uint16_t *)c->x.device.data +
                                          first * c->columns,
                                      c->weight.device.data,
                                      out,
                                      op_told(c, rows),
                                      c->columns,
                                      lo ? lo + first * c->columns : NULL,
                                      op_counted(c)};

    return oriel_cuda_rms_norm(&args, NULL);
}

/* The bound at the head of rms_norm.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const uint16_t *x = (const uint16_t *)c->x.host + first * c->columns;
    const uint16_t *lo = c->lo.host;
    double *weight = bf16_values(c->weight.host, (size_t)c->columns);

    for (int64_t i = 0; i < rows * c->columns; i++) {
        exact[i] = bf16_value(x[i]);
        if (lo)
            exact[i] += bf16_value(lo[first * c->columns + i]);
    }
    oracle_rms_norm(exact, exact, weight, rows, c->columns, 1e-6);
    for (int64_t i = 0; i < rows * c->columns; i++)
        bound[i] = fabs(exact[i]) * (0x1p-8 + 0x1p-18) + 0x1p-133;
    free(weight);
}

const op op_rms_norm = {"rms_norm", true,  make,          prepare,
                        run,        exact, op_bytes_once, op_no_flops};
