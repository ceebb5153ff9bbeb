/* SPDX-License-Identifier: Apache-2.0 */
/* op_library.c - cuBLASLt in the place of our own product */
#include "op_library.h"

#include "cuda/cublaslt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 16 };

struct op_library {
    const op *own;
    op variant;
    char name[48], algorithm[320];
    oriel_lt lt;
    oriel_lt_product product;
    uint16_t *gate_up; /* of all rows; SwiGLU only */
};

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

bool
op_library_has(const op *own)
{
    return own->library != OP_LIBRARY_NONE;
}

static cudaError_t
run_library(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const op_library *l = c->library;
    const bool apart = l->own->library == OP_LIBRARY_SWIGLU;
    const oriel_linear_args args = {(const uint16_t *)c->x.device +
                                        first * c->depth,
                                    c->weight.device,
                                    c->bias.device,
                                    apart ? l->gate_up : out,
                                    rows,
                                    l->product.columns,
                                    c->depth};
    const oriel_swiglu_args swiglu = {l->gate_up, out, rows, c->columns};

    if (oriel_lt_run(&l->lt, &l->product, &args, NULL, NULL))
        return cudaErrorInvalidConfiguration;
    return apart ? oriel_cuda_swiglu(&swiglu, NULL) : cudaSuccess;
}

static int
fill(op_library *l, const op_case *c)
{
    const bool apart = l->own->library == OP_LIBRARY_SWIGLU;
    oriel_error err;

    l->product =
        (oriel_lt_product){.op = l->own->name,
                           .columns = (apart ? 2 : 1) * c->columns,
                           .depth = c->depth,
                           .adds = l->own->library == OP_LIBRARY_RESIDUAL};
    if (oriel_lt_open(&l->lt, &no_hooks, 0, &err) ||
        oriel_lt_choose(&l->lt, &l->product, &err))
        return op_complain(l->own->name, err.message);
    if (!apart)
        return 0;
    return op_must(oriel_cuda_swiglu_prepare(NULL), "swiglu") ||
           op_must(cudaMalloc((void **)&l->gate_up,
                              (size_t)c->rows * (size_t)l->product.columns * 2),
                   "cudaMalloc");
}

int
op_library_attach(op_case *c)
{
    op_library *l = calloc(1, sizeof(*l));
    int result;

    if (!l)
        return op_complain(c->op->name, "out of memory");
    l->own = c->op;
    l->variant = *c->op;
    snprintf(l->name, sizeof(l->name), "cublaslt %s",
             strchr(c->op->name, ' ') + 1);
    l->variant.name = l->name;
    l->variant.run = run_library;
    c->library = l;
    result = fill(l, c);
    if (result)
        op_library_detach(c);
    else
        c->op = &l->variant;
    return result ? -1 : 0;
}

const char *
op_library_algorithm(const op_case *c)
{
    op_library *l = c->library;

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
op_library_best(op_case *c, double (*seconds)(op_case *c))
{
    op_library *l = c->library;
    oriel_lt_heuristic offered[CANDIDATES];
    oriel_lt_algo best = l->product.algo;
    double least = -1;
    int n = 0;

    if (oriel_lt_set_rows(&l->lt, &l->product, c->rows) || ask(l, offered, &n))
        return op_complain(c->op->name, "the heuristic has no answer");
    for (int i = 0; i < n; i++) {
        double taken;

        if (offered[i].state != ORIEL_LT_SUCCESS)
            continue;
        l->product.algo = offered[i].algo;
        l->product.workspace_bytes = offered[i].workspace_bytes;
        taken = seconds(c);
        if (taken >= 0 && (least < 0 || taken < least)) {
            least = taken;
            best = l->product.algo;
        }
    }
    l->product.algo = best;
    return least < 0 ? op_complain(c->op->name, "no algorithm runs") : 0;
}

void
op_library_detach(op_case *c)
{
    op_library *l = c->library;

    if (!l)
        return;
    c->op = l->own;
    c->library = NULL;
    if (l->lt.handle)
        oriel_lt_forget(&l->lt, &l->product);
    oriel_lt_close(&l->lt);
    if (l->gate_up)
        cudaFree(l->gate_up);
    free(l);
}
