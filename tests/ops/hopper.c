/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/hopper.h"

#include "cuda/hopper.h"
#include "ops/attention.h"
#include "ops/linear.h"

#include <string.h>

static const struct {
    const op *of;
    const char *name;
    cudaError_t (*prepare)(oriel_cuda_loaded *loaded);
} ops[] = {
    [ORIEL_HOPPER_LINEAR] = {&op_linear, "hopper_linear",
                             oriel_cuda_hopper_linear_prepare},
    [ORIEL_HOPPER_RESIDUAL] = {&op_linear_residual, "hopper_linear_residual",
                               oriel_cuda_hopper_linear_prepare},
    [ORIEL_HOPPER_SWIGLU] = {&op_linear_swiglu, "hopper_linear_swiglu",
                             oriel_cuda_hopper_linear_swiglu_prepare},
    [ORIEL_HOPPER_GELU] = {&op_linear_gelu, "hopper_linear_gelu",
                           oriel_cuda_hopper_linear_gelu_prepare},
    [ORIEL_HOPPER_ROWS] = {&op_linear_rows, "hopper_linear_rows",
                           oriel_cuda_hopper_linear_rows_prepare},
};
enum { OPS = sizeof(ops) / sizeof(ops[0]) };

static const op_hopper *
of(const op_case *c)
{
    return (const op_hopper *)c->op;
}

static cudaError_t
prepare(const op_case *c)
{
    return ops[of(c)->which].prepare(NULL);
}

static oriel_hopper_encode
find_encode(void)
{
    static oriel_hopper_encode encode; /* it costs time */
    enum cudaDriverEntryPointQueryResult found;
    void *symbol = NULL;

    if (!encode && op_must(cudaGetDriverEntryPointByVersion(
                               "cuTensorMapEncodeTiled", &symbol, 12000,
                               cudaEnableDefault, &found),
                           "cudaGetDriverEntryPointByVersion") == 0)
        memcpy(&encode, &symbol, sizeof(encode));
    return encode;
}

typedef struct maps {
    CUtensorMap x, weight, hi, lo;
} maps;

/* x to its last row, though fewer are run: what lies behind them must not matter. */
static cudaError_t
make_maps(maps *m, const op_case *c, int64_t first, int64_t rows, void *out)
{
    const op_hopper *h = of(c);
    const oriel_hopper_encode encode = find_encode();
    const int32_t columns = (int32_t)(c->bias.device.bytes / 2);
    cudaError_t error;

    if (!encode)
        return cudaErrorInvalidValue;
    error = oriel_cuda_hopper_map_x(&m->x, encode, op_product_x(c, first),
                                    c->rows - first, c->depth, h->small);
    if (!error)
        error = oriel_cuda_hopper_map_weight(&m->weight, encode, h->which,
                                             c->weight.device.data, columns,
                                             c->depth, h->small);
    if (!error && h->which == ORIEL_HOPPER_RESIDUAL)
        error = oriel_cuda_hopper_map_residual(&m->hi, encode, out, rows,
                                               columns, h->small);
    if (!error && c->shape.wide)
        error = oriel_cuda_hopper_map_residual(
            &m->lo, encode, op_case_lo(c, out, rows), rows, columns, h->small);
    return error;
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const op_hopper *h = of(c);
    maps m;
    const oriel_hopper_product by = {&m.x,     &m.weight, &m.hi,    &m.lo,
                                     h->small, h->blocks, h->pairs, h->skew};
    const cudaError_t error = make_maps(&m, c, first, rows, out);

    if (error)
        return error;
    if (h->which == ORIEL_HOPPER_SWIGLU) {
        const oriel_linear_swiglu_args args =
            op_swiglu_args(c, first, rows, out);

        return oriel_cuda_hopper_linear_swiglu(&args, &by, NULL);
    }
    if (h->which == ORIEL_HOPPER_ROWS) {
        const oriel_linear_rows_args args = op_rows_args(c, first, rows, out);

        return oriel_cuda_hopper_linear_rows(&args, &by, NULL);
    }
    const oriel_linear_args args = op_product_args(c, first, rows, out);

    return h->which == ORIEL_HOPPER_LINEAR
               ? oriel_cuda_hopper_linear(&args, &by, NULL)
           : h->which == ORIEL_HOPPER_GELU
               ? oriel_cuda_hopper_linear_gelu(&args, &by, NULL)
               : oriel_cuda_hopper_linear_residual(&args, &by, NULL);
}

static cudaError_t
prepare_attention(const op_case *c)
{
    (void)c;
    return oriel_cuda_hopper_full_attention_prepare(NULL);
}

static cudaError_t
run_attention(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_full_attention_args args = op_full_attention_args(c, out);
    const oriel_hopper_encode encode = find_encode();
    CUtensorMap box, rest;
    const oriel_hopper_attention by = {&box, &rest, of(c)->blocks};
    const cudaError_t error =
        encode ? oriel_cuda_hopper_map_qkv(&box, &rest, encode, args.qkv,
                                           c->rows, args.heads)
               : cudaErrorInvalidValue;

    (void)first;
    (void)rows;
    return error ? error : oriel_cuda_hopper_full_attention(&args, &by, NULL);
}

bool
op_hopper_has(const op *of_)
{
    bool has = of_ == &op_full_attention;

    for (int i = 0; i < OPS; i++)
        has |= ops[i].of == of_;
    return has;
}

bool
op_hopper_takes(const op_case *c)
{
    return op_hopper_has(c->op) &&
           (c->op != &op_full_attention ||
            oriel_cuda_hopper_attends(c->shape.head_dim));
}

bool
op_hopper_runs_here(void)
{
    return op_capability() == ORIEL_HOPPER_CAPABILITY;
}

op_hopper
op_hopper_make(const op *of_, int32_t small, int32_t blocks)
{
    op_hopper h = {.op = *of_, .small = small, .blocks = blocks};

    if (of_ == &op_full_attention) {
        h.op.name = "hopper_full_attention";
        h.op.prepare = prepare_attention;
        h.op.run = run_attention;
        return h;
    }
    for (int i = 0; i < OPS; i++)
        if (ops[i].of == of_)
            h.which = (oriel_hopper_op)i;
    if (h.which == ORIEL_HOPPER_SWIGLU)
        h.small = 0;
    h.op.name = ops[h.which].name;
    h.op.prepare = prepare;
    h.op.run = run;
    return h;
}
