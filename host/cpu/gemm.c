/* SPDX-License-Identifier: Apache-2.0 */
/* gemm.c - a product's heights, and what each thread needs to run them */
#include "cpu/gemm.h"

#include "base/fail.h"
#include "base/memory.h"

typedef struct height {
    oriel_cpu_onednn_primitive *product;
    oriel_cpu_onednn_slot *slots; /* [threads] */
} height;

struct oriel_cpu_gemm {
    oriel_hooks hooks;
    oriel_cpu_onednn_engine *engine;
    const oriel_cpu_onednn_packing *packing;
    int32_t threads;
    size_t scratch_bytes; /* of the neediest height */
    height heights[ORIEL_ROW_HEIGHTS];
    oriel_cpu_onednn_stream **streams; /* [threads] */
    oriel_cpu_onednn_slot *slots;      /* [heights][threads] */
};

oriel_status
oriel_cpu_gemm_create(oriel_cpu_gemm **out, oriel_cpu_onednn_engine *engine,
                      const oriel_cpu_onednn_packing *packing, int32_t threads,
                      const oriel_hooks *hooks, oriel_error *err)
{
    oriel_cpu_gemm *gemm = oriel_calloc(hooks, 1, sizeof(*gemm));
    size_t n = (size_t)threads;

    *out = NULL;
    if (!gemm)
        return oriel_fail_memory(err, sizeof(*gemm), "matrix products");
    if (hooks)
        gemm->hooks = *hooks;
    gemm->engine = engine;
    gemm->packing = packing;
    gemm->threads = threads;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of handles */
    gemm->streams = oriel_calloc(hooks, n, sizeof(gemm->streams[0]));
    gemm->slots =
        oriel_calloc(hooks, n * ORIEL_ROW_HEIGHTS, sizeof(gemm->slots[0]));
    if (!gemm->streams || !gemm->slots) {
        oriel_cpu_gemm_destroy(gemm);
        return oriel_fail_memory(err,
                                 n * ORIEL_ROW_HEIGHTS * sizeof(gemm->slots[0]),
                                 "matrix products");
    }
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS; i++)
        gemm->heights[i].slots = gemm->slots + (size_t)i * n;
    *out = gemm;
    return ORIEL_OK;
}

oriel_status
oriel_cpu_gemm_compile(oriel_cpu_gemm *gemm, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int32_t t = 0; t < gemm->threads && !status; t++)
        status = oriel_cpu_onednn_stream_create(&gemm->streams[t], gemm->engine,
                                                err);
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS && !status; i++) {
        size_t bytes = 0;

        status = oriel_cpu_onednn_product_create(
            &gemm->heights[i].product, gemm->heights[i].slots, gemm->threads,
            &bytes, gemm->packing, (i + 1) * ORIEL_ROW_STEP, err);
        if (bytes > gemm->scratch_bytes)
            gemm->scratch_bytes = bytes;
    }
    if (!status && !oriel_cpu_gemm_has(gemm, ORIEL_ROW_TILE))
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "oneDNN has no code for %d rows of a matrix product, "
                          "although it planned them",
                          ORIEL_ROW_TILE);
    return status;
}

bool
oriel_cpu_gemm_has(const oriel_cpu_gemm *gemm, int32_t rows)
{
    return gemm->heights[rows / ORIEL_ROW_STEP - 1].product != NULL;
}

size_t
oriel_cpu_gemm_scratch_bytes(const oriel_cpu_gemm *gemm)
{
    return gemm->scratch_bytes;
}

oriel_status
oriel_cpu_gemm_run(const oriel_cpu_gemm *gemm, int32_t thread, const void *src,
                   const oriel_cpu_onednn_matrix *matrix, float *dst,
                   int32_t rows, void *scratch)
{
    const height *h = &gemm->heights[rows / ORIEL_ROW_STEP - 1];

    return oriel_cpu_onednn_product_run(h->product, &h->slots[thread],
                                        gemm->streams[thread], matrix, src, dst,
                                        scratch);
}

void
oriel_cpu_gemm_destroy(oriel_cpu_gemm *gemm)
{
    if (!gemm)
        return;
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS; i++)
        oriel_cpu_onednn_product_destroy(gemm->heights[i].product);
    for (int32_t i = 0; gemm->slots && i < gemm->threads * ORIEL_ROW_HEIGHTS;
         i++)
        oriel_cpu_onednn_slot_clear(&gemm->slots[i]);
    for (int32_t t = 0; gemm->streams && t < gemm->threads; t++)
        oriel_cpu_onednn_stream_destroy(gemm->streams[t]);

    oriel_hooks hooks = gemm->hooks;
    oriel_free(&hooks, gemm->slots);
    oriel_free(&hooks, gemm->streams);
    oriel_free(&hooks, gemm);
}
