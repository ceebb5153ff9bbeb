/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include "oracle/oracle.h"

#include <math.h>

static int
make(op_case *c, random_stream *random)
{
    return op_make_product(c, random, c->columns);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_gelu_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = op_product_args(c, first, rows, out);

    return oriel_cuda_linear_gelu(&args, NULL);
}

/* The bound at the head of linear_gelu.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    op_product_exact(c, first, rows, exact, bound);
    for (int64_t i = 0; i < rows * c->columns; i++) {
        const double x = exact[i];

        oracle_gelu(&exact[i], &x, 1);
        bound[i] = fabs(exact[i]) * 0x1p-8 + 1.13 * bound[i] +
                   fabs(x) * 0x1p-21 + 0x1p-126;
    }
}

const op op_linear_gelu = {
    "linear_gelu", true,  make,          prepare,
    run,           exact, op_bytes_once, op_product_flops};
