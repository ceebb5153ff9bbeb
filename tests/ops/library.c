/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/library.h"

#include <math.h>

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

bool
op_library_has(const op *which)
{
    return which == &op_linear || which == &op_linear_residual ||
           which == &op_linear_swiglu;
}

int
op_library_open(const op_case *c, op_library *l)
{
    const bool apart = c->op == &op_linear_swiglu;
    int device = 0;
    oriel_error err;

    *l = (op_library){.product = {.op = c->op->name,
                                  .columns = (apart ? 2 : 1) * c->columns,
                                  .depth = c->depth,
                                  .adds = c->op == &op_linear_residual}};
    if (op_must(cudaGetDevice(&device), "cudaGetDevice"))
        return -1;
    if (oriel_lt_open(&l->lt, &no_hooks, device, &err) ||
        oriel_lt_choose(&l->lt, &l->product, &err))
        return op_complain(c->op->name, err.message);
    if (!apart)
        return 0;
    return op_must(oriel_cuda_swiglu_prepare(NULL), "swiglu") ||
           op_must(cudaMalloc((void **)&l->gate_up,
                              (size_t)c->rows * (size_t)l->product.columns * 2),
                   "cudaMalloc");
}

void
op_library_close(op_library *l)
{
    if (l->lt.handle)
        oriel_lt_forget(&l->lt, &l->product);
    oriel_lt_close(&l->lt);
    if (l->gate_up)
        (void)cudaFree(l->gate_up);
    *l = (op_library){0};
}

cudaError_t
op_library_run(const op_case *c, const op_library *l, int64_t first,
               int64_t rows, void *out)
{
    const oriel_linear_args args = {(const uint16_t *)c->x.device.data +
                                        first * c->depth,
                                    c->weight.device.data,
                                    c->bias.device.data,
                                    l->gate_up ? l->gate_up : out,
                                    rows,
                                    l->product.columns,
                                    c->depth,
                                    NULL,
                                    {0}};
    const oriel_swiglu_args swiglu = {l->gate_up, out, rows, c->columns};

    if (oriel_lt_run(&l->lt, &l->product, &args, NULL, NULL))
        return cudaErrorInvalidConfiguration;
    return l->gate_up ? oriel_cuda_swiglu(&swiglu, NULL) : cudaSuccess;
}

void
op_library_loosen(const op_case *c, const double *exact, double *bound)
{
    double square = 0;

    for (int32_t i = 0; i < c->columns; i++)
        square += exact[i] * exact[i];
    for (int32_t i = 0; i < c->columns; i++)
        bound[i] = 0x1p-7 * (fabs(exact[i]) + sqrt(square / c->columns));
}
