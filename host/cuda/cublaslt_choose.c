/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt_choose.c - one algorithm a product
 *
 * The library's heuristic reads the whole shape, so it is asked once, about
 * REFERENCE_ROWS rows; and an algorithm that it offers is taken only if it sums
 * in one sequence and runs at the least and at the most rows there can be.
 */
#include "cuda/cublaslt.h"

#include "base/fail.h"

#include <stdio.h>

enum {
    REFERENCE_ROWS = 4096,
    LEAST_ROWS = 4, /* a token's patches */
    CANDIDATES = 32,
    ALIGNMENT = 16,          /* of every operand: rows start anywhere */
    CAPABILITY_CLUSTERS = 90 /* the least that has them */
};

/* ---- What the product is ------------------------------------------------- */

/*
 * In the library's columns: out [columns, rows] = op(weight) x, where weight is
 * [depth, columns], transposed, and x is [depth, rows].  Rows are set later.
 */
static oriel_lt_status
make_layouts(const oriel_lt_library *l, oriel_lt_product *p)
{
    uint64_t columns = (uint64_t)p->columns, depth = (uint64_t)p->depth;
    oriel_lt_status status = l->MatrixLayoutCreate(&p->weight, ORIEL_LT_R_16BF,
                                                   depth, columns, p->depth);

    if (!status)
        status = l->MatrixLayoutCreate(&p->x, ORIEL_LT_R_16BF, depth,
                                       REFERENCE_ROWS, p->depth);
    if (!status)
        status = l->MatrixLayoutCreate(&p->out, ORIEL_LT_R_16BF, columns,
                                       REFERENCE_ROWS, p->columns);
    return status;
}

static oriel_lt_status
make_desc(const oriel_lt_library *l, oriel_lt_product *p)
{
    const int32_t transposed = ORIEL_LT_OP_T, type = ORIEL_LT_R_16BF;
    const uint32_t epilogue = ORIEL_LT_EPILOGUE_BIAS;
    /* Nothing is read there: the heuristic asks it how biases are aligned. */
    const uintptr_t somewhere = ALIGNMENT;
    const struct {
        oriel_lt_desc_attribute attribute;
        const void *value;
        size_t bytes;
    } settings[] = {
        {ORIEL_LT_DESC_TRANSA, &transposed, sizeof(transposed)},
        {ORIEL_LT_DESC_EPILOGUE, &epilogue, sizeof(epilogue)},
        {ORIEL_LT_DESC_BIAS_DATA_TYPE, &type, sizeof(type)},
        {ORIEL_LT_DESC_BIAS_POINTER, &somewhere, sizeof(somewhere)},
    };
    oriel_lt_status status =
        l->MatmulDescCreate(&p->desc, ORIEL_LT_COMPUTE_32F, ORIEL_LT_R_32F);

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && !status;
         i++)
        status =
            l->MatmulDescSetAttribute(p->desc, settings[i].attribute,
                                      settings[i].value, settings[i].bytes);
    return status;
}

static oriel_lt_status
make_preference(const oriel_lt_library *l, oriel_lt_preference *preference)
{
    static const oriel_lt_preference_attribute operands[] = {
        ORIEL_LT_PREF_ALIGNMENT_A, ORIEL_LT_PREF_ALIGNMENT_B,
        ORIEL_LT_PREF_ALIGNMENT_C, ORIEL_LT_PREF_ALIGNMENT_D};
    const uint64_t workspace = ORIEL_LT_WORKSPACE_BYTES;
    const uint32_t alignment = ALIGNMENT, mask = ORIEL_LT_REDUCTION_NONE;
    oriel_lt_status status = l->MatmulPreferenceCreate(preference);

    if (!status)
        status = l->MatmulPreferenceSetAttribute(*preference,
                                                 ORIEL_LT_PREF_WORKSPACE_BYTES,
                                                 &workspace, sizeof(workspace));
    if (!status)
        status = l->MatmulPreferenceSetAttribute(
            *preference, ORIEL_LT_PREF_REDUCTION_MASK, &mask, sizeof(mask));
    for (int i = 0; i < 4 && !status; i++)
        status = l->MatmulPreferenceSetAttribute(*preference, operands[i],
                                                 &alignment, sizeof(alignment));
    return status;
}

/* ---- Which algorithm ----------------------------------------------------- */

/* Attributes of four bytes, and of two; what the library lacks is 0. */
static int32_t
config(const oriel_lt_library *l, const oriel_lt_algo *algo,
       oriel_lt_config_attribute attribute)
{
    uint32_t value = 0;
    uint16_t narrow = 0;
    size_t written;

    if (!l->MatmulAlgoConfigGetAttribute(algo, attribute, &value, sizeof(value),
                                         &written))
        return (int32_t)value;
    if (!l->MatmulAlgoConfigGetAttribute(algo, attribute, &narrow,
                                         sizeof(narrow), &written))
        return narrow;
    return 0;
}

/* A cluster that the library would shape anew for every size is given one. */
static bool
pin_cluster(const oriel_lt *lt, oriel_lt_algo *algo)
{
    const uint16_t single = ORIEL_LT_CLUSTER_1X1X1;
    const oriel_lt_library *l = &lt->calls;

    if (lt->capability < CAPABILITY_CLUSTERS ||
        config(l, algo, ORIEL_LT_CONFIG_CLUSTER) != ORIEL_LT_CLUSTER_AUTO)
        return true;
    return !l->MatmulAlgoConfigSetAttribute(algo, ORIEL_LT_CONFIG_CLUSTER,
                                            &single, sizeof(single));
}

static bool
sums_in_one_sequence(const oriel_lt_library *l, const oriel_lt_algo *algo)
{
    return config(l, algo, ORIEL_LT_CONFIG_SPLITK) <= 1 &&
           config(l, algo, ORIEL_LT_CONFIG_REDUCTION) ==
               ORIEL_LT_REDUCTION_NONE;
}

static bool
runs_at(const oriel_lt *lt, oriel_lt_product *p, const oriel_lt_algo *algo,
        int64_t rows)
{
    oriel_lt_heuristic result = {0};

    if (oriel_lt_set_rows(lt, p, rows) ||
        lt->calls.MatmulAlgoCheck(lt->handle, p->desc, p->weight, p->x, p->out,
                                  p->out, algo, &result) ||
        result.workspace_bytes > ORIEL_LT_WORKSPACE_BYTES)
        return false;
    if (result.workspace_bytes > p->workspace_bytes)
        p->workspace_bytes = result.workspace_bytes;
    return true;
}

static bool
will_do(const oriel_lt *lt, oriel_lt_product *p, oriel_lt_heuristic *offered)
{
    p->workspace_bytes = 0;
    return offered->state == ORIEL_LT_SUCCESS &&
           sums_in_one_sequence(&lt->calls, &offered->algo) &&
           pin_cluster(lt, &offered->algo) &&
           runs_at(lt, p, &offered->algo, LEAST_ROWS) &&
           runs_at(lt, p, &offered->algo, REFERENCE_ROWS) &&
           runs_at(lt, p, &offered->algo, p->most_rows);
}

static oriel_status
choose(const oriel_lt *lt, oriel_lt_product *p, oriel_error *err)
{
    const oriel_lt_library *l = &lt->calls;
    oriel_lt_heuristic offered[CANDIDATES];
    oriel_lt_preference preference = NULL;
    int n = 0;
    oriel_lt_status status = make_preference(l, &preference);

    if (!status)
        status = l->MatmulAlgoGetHeuristic(lt->handle, p->desc, p->weight, p->x,
                                           p->out, p->out, preference,
                                           CANDIDATES, offered, &n);
    if (preference)
        (void)l->MatmulPreferenceDestroy(preference);
    if (status && status != ORIEL_LT_NOT_SUPPORTED)
        return oriel_lt_check(l, status, "cublasLtMatmulAlgoGetHeuristic", err);
    for (int i = 0; i < n; i++)
        if (will_do(lt, p, &offered[i])) {
            p->algo = offered[i].algo;
            return ORIEL_OK;
        }
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                      "cuBLASLt %d.%d has no algorithm for %s (%d columns, "
                      "depth %d) that sums in one sequence for any number of "
                      "rows (%d offered); expected kernels own",
                      lt->version / 10000, lt->version % 10000 / 100, p->op,
                      p->columns, p->depth, n);
}

oriel_status
oriel_lt_choose(const oriel_lt *lt, oriel_lt_product *p, oriel_error *err)
{
    oriel_lt_status made;
    oriel_status status;

    /* Of 31 bits are the values of a matrix: beyond, some releases failed. */
    p->most_rows = INT32_MAX / (p->columns > p->depth ? p->columns : p->depth);
    made = make_desc(&lt->calls, p);
    if (!made)
        made = make_layouts(&lt->calls, p);
    status = oriel_lt_check(&lt->calls, made, "describing a product", err);
    if (!status)
        status = choose(lt, p, err);
    if (status)
        oriel_lt_forget(lt, p);
    return status;
}

void
oriel_lt_forget(const oriel_lt *lt, oriel_lt_product *p)
{
    const oriel_lt_library *l = &lt->calls;
    oriel_lt_layout *layouts[] = {&p->weight, &p->x, &p->out};

    for (int i = 0; i < 3; i++) {
        if (*layouts[i])
            (void)l->MatrixLayoutDestroy(*layouts[i]);
        *layouts[i] = NULL;
    }
    if (p->desc)
        (void)l->MatmulDescDestroy(p->desc);
    p->desc = NULL;
}

void
oriel_lt_describe(const oriel_lt *lt, const oriel_lt_product *p, char *line,
                  size_t line_bytes)
{
    const oriel_lt_library *l = &lt->calls;
    const oriel_lt_algo *a = &p->algo;

    snprintf(line, line_bytes,
             "cuBLASLt %d.%d.%d: %s %d x %d, bias%s: algorithm %d, tile %d, "
             "stages %d, cluster %d, inner %d, swizzle %d, custom %d, split "
             "%d, workspace %zu",
             lt->version / 10000, lt->version % 10000 / 100, lt->version % 100,
             p->op, p->columns, p->depth, p->adds ? " and residual" : "",
             config(l, a, ORIEL_LT_CONFIG_ID),
             config(l, a, ORIEL_LT_CONFIG_TILE),
             config(l, a, ORIEL_LT_CONFIG_STAGES),
             config(l, a, ORIEL_LT_CONFIG_CLUSTER),
             config(l, a, ORIEL_LT_CONFIG_INNER),
             config(l, a, ORIEL_LT_CONFIG_SWIZZLE),
             config(l, a, ORIEL_LT_CONFIG_CUSTOM),
             config(l, a, ORIEL_LT_CONFIG_SPLITK), p->workspace_bytes);
}
