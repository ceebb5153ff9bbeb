/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>

static int
make(op_case *c, random_stream *random)
{
    return op_make_product(c, random, 2 * c->columns);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_swiglu_prepare(NULL);
}

oriel_linear_swiglu_args
op_swiglu_args(const op_case *c, int64_t first, int64_t rows, void *out)
{
    return (oriel_linear_swiglu_args){op_product_x(c, first),
                                      c->weight.device.data,
                                      c->bias.device.data,
                                      out,
                                      op_told(c, rows),
                                      c->columns,
                                      c->depth,
                                      op_counted(c)};
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_swiglu_args args = op_swiglu_args(c, first, rows, out);

    return oriel_cuda_linear_swiglu(&args, NULL);
}

/* Eight rows of gate, then the same eight of up; the bound at the head of
   linear_swiglu.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const int64_t width = 2 * c->columns;
    double *products = malloc((size_t)(rows * width) * sizeof(*products));
    double *slack = malloc((size_t)(rows * width) * sizeof(*slack));

    op_product_exact(c, first, rows, products, slack);
    for (int64_t r = 0; r < rows; r++)
        for (int32_t j = 0; j < c->columns; j++) {
            const int64_t g = r * width + j / 8 * 16 + j % 8, u = g + 8;
            const double one = 1, gate = products[g], up = products[u];
            double *truth = &exact[r * c->columns + j], silu;

            oracle_swiglu(&silu, &gate, &one, 1);
            oracle_swiglu(truth, &gate, &up, 1);
            bound[r * c->columns + j] =
                fabs(*truth) * (0x1p-8 + 0x1p-20) + 1.1 * fabs(up) * slack[g] +
                fabs(silu) * slack[u] + slack[g] * slack[u] + 0x1p-126;
        }
    free(products);
    free(slack);
}

const op op_linear_swiglu = {
    "linear_swiglu", true, make, prepare, run, exact, op_bytes_once,
    op_product_flops};
