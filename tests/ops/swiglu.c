/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

#include "oracle/oracle.h"

#include <math.h>

static int
make(op_case *c, random_stream *random)
{
    return op_array_random(&c->x, random, (size_t)(2 * c->rows * c->columns),
                           c->shape.scale > 0 ? c->shape.scale : 4, 0);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_swiglu_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_swiglu_args args = {(const uint16_t *)c->x.device.data +
                                        2 * first * c->columns,
                                    out, rows, c->columns};

    return oriel_cuda_swiglu(&args, NULL);
}

/* Groups of 8 gates, each before its 8 ups; the bound at the head of
   swiglu.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const uint16_t *x = (const uint16_t *)c->x.host + 2 * first * c->columns;

    for (int64_t i = 0; i < rows * c->columns; i++) {
        const double gate = bf16_value(x[i / 8 * 16 + i % 8]);
        const double up = bf16_value(x[i / 8 * 16 + 8 + i % 8]);

        oracle_swiglu(&exact[i], &gate, &up, 1);
        bound[i] = (0x1p-8 + 0x1p-20) * fabs(exact[i]) +
                   0x1p-126 * (1 + fabs(gate * up));
    }
}

const op op_swiglu = {"swiglu", true,  make,          prepare,
                      run,      exact, op_bytes_once, op_no_flops};
