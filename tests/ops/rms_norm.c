/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>

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
    return op_array_send(&c->x);
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
    const oriel_rms_norm_args args = {
        (const uint16_t *)c->x.device.data + first * c->columns,
        c->weight.device.data, out, rows, c->columns};

    return oriel_cuda_rms_norm(&args, NULL);
}

/* The bound at the head of rms_norm.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const uint16_t *x = (const uint16_t *)c->x.host + first * c->columns;
    double *weight = bf16_values(c->weight.host, (size_t)c->columns);

    for (int64_t i = 0; i < rows * c->columns; i++)
        exact[i] = bf16_value(x[i]);
    oracle_rms_norm(exact, exact, weight, rows, c->columns, 1e-6);
    for (int64_t i = 0; i < rows * c->columns; i++)
        bound[i] = fabs(exact[i]) * (0x1p-8 + 0x1p-18) + 0x1p-133;
    free(weight);
}

const op op_rms_norm = {"rms_norm", true,  make,          prepare,
                        run,        exact, op_bytes_once, op_no_flops};
