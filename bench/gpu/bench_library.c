/* SPDX-License-Identifier: Apache-2.0 */
/* bench_library.c - a case by cuBLASLt in the place of our own product */
#include "bench_library.h"

#include "ops/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 16 };

struct bench_library {
    char name[48], algorithm[320];
    op_library of;
};

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

bool
bench_library_is_there(oriel_error *why)
{
    oriel_lt lt = {0};
    int device = 0;
    bool there;

    (void)cudaGetDevice(&device);
    there = !oriel_lt_open(&lt, &no_hooks, device, why);
    oriel_lt_close(&lt);
    return there;
}

cudaError_t
bench_library_run(const bench_case *b, int64_t first, int64_t rows, void *out)
{
    return op_library_run(&b->operands, &b->library->of, first, rows, out);
}

int
bench_library_attach(bench_case *b)
{
    bench_library *l = calloc(1, sizeof(*l));

    if (!l)
        return op_complain(b->name, "out of memory");
    snprintf(l->name, sizeof(l->name), "cublaslt %s",
             strchr(b->which->name, ' ') + 1);
    b->library = l;
    if (op_library_open(&b->operands, &l->of)) {
        bench_library_detach(b);
        return -1;
    }
    b->name = l->name;
    return 0;
}

const char *
bench_library_algorithm(const bench_case *b)
{
    bench_library *l = b->library;

    oriel_lt_describe(&l->of.lt, &l->of.product, l->algorithm,
                      sizeof(l->algorithm));
    return l->algorithm;
}

/* What the library offers when nothing is asked of it. */
static oriel_lt_status
ask(const bench_library *l, oriel_lt_heuristic *offered, int *n)
{
    const uint64_t workspace = ORIEL_LT_WORKSPACE_BYTES;
    const oriel_lt_library *f = &l->of.lt.calls;
    oriel_lt_preference preference = NULL;
    oriel_lt_status status = f->MatmulPreferenceCreate(&preference);

    if (!status)
        status = f->MatmulPreferenceSetAttribute(preference,
                                                 ORIEL_LT_PREF_WORKSPACE_BYTES,
                                                 &workspace, sizeof(workspace));
    if (!status)
        status = f->MatmulAlgoGetHeuristic(
            l->of.lt.handle, l->of.product.desc, l->of.product.weight,
            l->of.product.x, l->of.product.out, l->of.product.out, preference,
            CANDIDATES, offered, n);
    if (preference)
        (void)f->MatmulPreferenceDestroy(preference);
    return status;
}

int
bench_library_best(bench_case *b, double (*seconds)(bench_case *b))
{
    bench_library *l = b->library;
    oriel_lt_heuristic offered[CANDIDATES];
    oriel_lt_algo best = l->of.product.algo;
    double least = -1;
    int n = 0;

    if (oriel_lt_set_rows(&l->of.lt, &l->of.product, b->operands.rows) ||
        ask(l, offered, &n))
        return op_complain(b->name, "the heuristic has no answer");
    for (int i = 0; i < n; i++) {
        double taken;

        if (offered[i].state != ORIEL_LT_SUCCESS)
            continue;
        l->of.product.algo = offered[i].algo;
        l->of.product.workspace_bytes = offered[i].workspace_bytes;
        taken = seconds(b);
        if (taken >= 0 && (least < 0 || taken < least)) {
            least = taken;
            best = l->of.product.algo;
        }
    }
    l->of.product.algo = best;
    return least < 0 ? op_complain(b->name, "no algorithm runs") : 0;
}

void
bench_library_detach(bench_case *b)
{
    bench_library *l = b->library;

    if (!l)
        return;
    b->name = b->which->name;
    b->library = NULL;
    op_library_close(&l->of);
    free(l);
}
