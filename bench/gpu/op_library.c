/* SPDX-License-Identifier: Apache-2.0 */
/* op_library.c - cuBLASLt in the place of our own product */
#include "op_library.h"

#include "cuda/cublaslt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 16 };

struct op_library {
    char name[48], algorithm[320];
    oriel_lt lt;
    oriel_lt_product product;
    uint16_t *gate_up; /* of all rows; SwiGLU only */
};

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

bool
op_library_is_there(oriel_error *why)
{
    oriel_lt lt = {0};
    int device = 0;
    bool there;

    (void)cudaGetDevice(&device);
    there = !oriel_lt_open(&lt, &no_hooks, device, why);
    oriel_lt_close(&lt);
    return there;
}

bool
op_library_has(const bench_op *own)
{
    return own->library != OP_LIBRARY_NONE;
}

/* SwiGLU is a kernel of its own after the product. */
static bool
is_apart(const bench_case *b)
{
    return b->which->library == OP_LIBRARY_SWIGLU;
}

cudaError_t
op_library_run(const bench_case *b, int64_t first, int64_t rows, void *out)
{
    const op_library *l = b->library;
    const op_case *c = &b->operands;
    const bool apart = is_apart(b);
    const oriel_linear_args args = {(const uint16_t *)c->x.device.data +
                                        first * c->depth,
                                    c->weight.device.data,
                                    c->bias.device.data,
                                    apart ? l->gate_up : out,
                                    rows,
                                    l->product.columns,
                                    c->depth,
                                    NULL};
    const oriel_swiglu_args swiglu = {l->gate_up, out, rows, c->columns};

    if (oriel_lt_run(&l->lt, &l->product, &args, NULL, NULL))
        return cudaErrorInvalidConfiguration;
    return apart ? oriel_cuda_swiglu(&swiglu, NULL) : cudaSuccess;
}

static int
fill(op_library *l, const bench_case *b)
{
    const op_case *c = &b->operands;
    const bool apart = is_apart(b);
    oriel_error err;
    int device = 0;

    (void)cudaGetDevice(&device);
    l->product =
        (oriel_lt_product){.op = b->which->name,
                           .columns = (apart ? 2 : 1) * c->columns,
                           .depth = c->depth,
                           .adds = b->which->library == OP_LIBRARY_RESIDUAL};
    if (oriel_lt_open(&l->lt, &no_hooks, device, &err) ||
        oriel_lt_choose(&l->lt, &l->product, &err))
        return op_complain(b->which->name, err.message);
    if (!apart)
        return 0;
    return op_must(oriel_cuda_swiglu_prepare(NULL), "swiglu") ||
           op_must(cudaMalloc((void **)&l->gate_up,
                              (size_t)c->rows * (size_t)l->product.columns * 2),
                   "cudaMalloc");
}

int
op_library_attach(bench_case *b)
{
    op_library *l = calloc(1, sizeof(*l));

    if (!l)
        return op_complain(b->name, "out of memory");
    snprintf(l->name, sizeof(l->name), "cublaslt %s",
             strchr(b->which->name, ' ') + 1);
    b->library = l;
    if (fill(l, b)) {
        op_library_detach(b);
        return -1;
    }
    b->name = l->name;
    return 0;
}

const char *
op_library_algorithm(const bench_case *b)
{
    op_library *l = b->library;

    oriel_lt_describe(&l->lt, &l->product, l->algorithm, sizeof(l->algorithm));
    return l->algorithm;
}

/* What the library offers when nothing is asked of it. */
static oriel_lt_status
ask(const op_library *l, oriel_lt_heuristic *offered, int *n)
{
    const uint64_t workspace = ORIEL_LT_WORKSPACE_BYTES;
    const oriel_lt_library *f = &l->lt.calls;
    oriel_lt_preference preference = NULL;
    oriel_lt_status status = f->MatmulPreferenceCreate(&preference);

    if (!status)
        status = f->MatmulPreferenceSetAttribute(preference,
                                                 ORIEL_LT_PREF_WORKSPACE_BYTES,
                                                 &workspace, sizeof(workspace));
    if (!status)
        status = f->MatmulAlgoGetHeuristic(
            l->lt.handle, l->product.desc, l->product.weight, l->product.x,
            l->product.out, l->product.out, preference, CANDIDATES, offered, n);
    if (preference)
        (void)f->MatmulPreferenceDestroy(preference);
    return status;
}

int
op_library_best(bench_case *b, double (*seconds)(bench_case *b))
{
    op_library *l = b->library;
    oriel_lt_heuristic offered[CANDIDATES];
    oriel_lt_algo best = l->product.algo;
    double least = -1;
    int n = 0;

    if (oriel_lt_set_rows(&l->lt, &l->product, b->operands.rows) ||
        ask(l, offered, &n))
        return op_complain(b->name, "the heuristic has no answer");
    for (int i = 0; i < n; i++) {
        double taken;

        if (offered[i].state != ORIEL_LT_SUCCESS)
            continue;
        l->product.algo = offered[i].algo;
        l->product.workspace_bytes = offered[i].workspace_bytes;
        taken = seconds(b);
        if (taken >= 0 && (least < 0 || taken < least)) {
            least = taken;
            best = l->product.algo;
        }
    }
    l->product.algo = best;
    return least < 0 ? op_complain(b->name, "no algorithm runs") : 0;
}

void
op_library_detach(bench_case *b)
{
    op_library *l = b->library;

    if (!l)
        return;
    b->name = b->which->name;
    b->library = NULL;
    if (l->lt.handle)
        oriel_lt_forget(&l->lt, &l->product);
    oriel_lt_close(&l->lt);
    if (l->gate_up)
        cudaFree(l->gate_up);
    free(l);
}
