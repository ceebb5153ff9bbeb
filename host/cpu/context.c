/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - threads, their tiles and the compiled products */
#include "cpu/context.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cpu/pages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Helpers of the steps ----------------------------------------------- */

int32_t
oriel_cpu_tile_rows(const oriel_backend_context *c, int64_t rows)
{
    /* As many tiles as a multiple of the threads, of nearly equal height. */
    int64_t tiles = (rows + ORIEL_ROW_TILE - 1) / ORIEL_ROW_TILE;

    tiles = (tiles + c->n_threads - 1) / c->n_threads * c->n_threads;
    return oriel_cpu_height_for(c, (rows + tiles - 1) / tiles);
}

void
oriel_cpu_multiply(oriel_backend_context *c, oriel_layer layer, int32_t panel,
                   int32_t thread, const void *src, float *dst, int32_t rows)
{
    oriel_status status;

    /* What a cancelled run leaves is not read; the rest of a task is short. */
    if (atomic_load_explicit(oriel_team_stop_flag(c->team),
                             memory_order_relaxed))
        return;
    status =
        oriel_cpu_gemm_run(c->products[layer], thread, src,
                           oriel_cpu_matrix(c->weights, layer, c->block, panel),
                           dst, rows, c->threads[thread].scratch);
    if (status)
        atomic_store_explicit(&c->failed, (int)status, memory_order_relaxed);
}

oriel_status
oriel_cpu_run(oriel_backend_context *c, oriel_team_task *task, int64_t n_tasks,
              oriel_error *err)
{
    return oriel_cpu_run_on(c, task, c, n_tasks, err);
}

oriel_status
oriel_cpu_run_on(oriel_backend_context *c, oriel_team_task *task,
                 void *argument, int64_t n_tasks, oriel_error *err)
{
    if (!oriel_team_run_unless_cancelled(c->team, task, argument, n_tasks,
                                         &c->hooks))
        return oriel_fail(err, ORIEL_ERR_CANCELLED,
                          "cancelled by the caller's hook");
    return oriel_cpu_products_status(c, err);
}

oriel_status
oriel_cpu_products_status(const oriel_backend_context *c, oriel_error *err)
{
    int status = atomic_load_explicit(&c->failed, memory_order_relaxed);

    if (status == ORIEL_ERR_MEMORY)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: oneDNN, while multiplying");
    return status
               ? oriel_fail(err, ORIEL_ERR_FAULT, "oneDNN failed to multiply")
               : ORIEL_OK;
}

/* ---- Create and destroy ------------------------------------------------- */

/* Everything a thread owns, after one another in one allocation. */
static oriel_status
allocate_threads(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cpu_shapes *s = &c->weights->shapes;
    size_t unit = oriel_cpu_storage_bytes(c->weights->storage);
    size_t operand = oriel_round_up(
        ORIEL_ROW_TILE * (size_t)s->operand_columns * unit, ORIEL_ALIGNMENT);
    size_t tile =
        oriel_round_up(ORIEL_ROW_TILE * (size_t)s->tile_columns * sizeof(float),
                       ORIEL_ALIGNMENT);
    size_t scratch =
        c->kernels->attention_scratch(c->weights->network.head_dim);
    size_t each, all;

    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++)
        if (oriel_cpu_gemm_scratch_bytes(c->products[p]) > scratch)
            scratch = oriel_cpu_gemm_scratch_bytes(c->products[p]);
    each = 2 * operand + tile + oriel_round_up(scratch, ORIEL_ALIGNMENT);
    c->threads =
        oriel_calloc(&c->hooks, (size_t)c->n_threads, sizeof(c->threads[0]));
    if (!oriel_mul_size(&all, each, (size_t)c->n_threads))
        all = SIZE_MAX;
    c->thread_memory = oriel_alloc(&c->hooks, all);
    if (!c->threads || !c->thread_memory)
        return oriel_fail_memory(err, all, "tiles of the threads");
    oriel_cpu_wish_large_pages(c->thread_memory, all);
    memset(c->thread_memory, 0, all);
    for (int32_t t = 0; t < c->n_threads; t++) {
        char *at = c->thread_memory + (size_t)t * each;

        c->threads[t].operand = at;
        c->threads[t].merged = at + operand;
        c->threads[t].tile = (float *)(void *)(at + 2 * operand);
        c->threads[t].scratch = at + 2 * operand + tile;
    }
    return ORIEL_OK;
}

typedef struct compilation {
    oriel_backend_context *context;
    oriel_status status[ORIEL_N_LINEAR_LAYERS];
    oriel_error errors[ORIEL_N_LINEAR_LAYERS];
} compilation;

static void
compile_task(void *argument, int64_t task, int32_t thread)
{
    compilation *all = argument;

    (void)thread;
    all->status[task] = oriel_cpu_gemm_compile(all->context->products[task],
                                               &all->errors[task]);
}

static oriel_status
create_products(oriel_backend_context *c, oriel_error *err)
{
    compilation all = {.context = c};
    oriel_status status;

    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++) {
        status = oriel_cpu_gemm_create(&c->products[p], c->weights->engine,
                                       c->weights->packings[p], c->n_threads,
                                       &c->hooks, err);

        if (status)
            return status;
    }
    status =
        oriel_cpu_run_on(c, compile_task, &all, ORIEL_N_LINEAR_LAYERS, err);
    if (status)
        return status;
    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++)
        if (all.status[p]) {
            if (err)
                *err = all.errors[p];
            return all.status[p];
        }
    return ORIEL_OK;
}

static void
describe(oriel_backend_context *c)
{
    snprintf(c->description, sizeof(c->description), "cpu %s, %s, %d thread%s",
             oriel_isa_name(oriel_processor_isa()),
             oriel_cpu_onednn_description(), c->n_threads,
             c->n_threads == 1 ? "" : "s");
}

oriel_status
oriel_cpu_create_context(oriel_backend_context **out,
                         const oriel_backend_weights *weights,
                         const oriel_backend_config *config, oriel_error *err)
{
    oriel_backend_context *c = oriel_calloc(config->hooks, 1, sizeof(*c));
    oriel_status status;

    *out = NULL;
    if (!c)
        return oriel_fail_memory(err, sizeof(*c), "a cpu context");
    c->hooks = *config->hooks;
    c->weights = weights;
    c->kernels = oriel_cpu_kernels_get(oriel_processor_isa());
    c->n_threads = config->threads;
    describe(c);
    status =
        oriel_team_create(&c->team, config->threads,
                          oriel_cpu_onednn_thread_start, config->hooks, err);
    if (!status)
        status = create_products(c, err);
    if (!status)
        status = allocate_threads(c, err);
    if (!status)
        status = oriel_cpu_check_heights(c, err);
    if (status) {
        oriel_cpu_destroy_context(c);
        return status;
    }
    *out = c;
    return ORIEL_OK;
}

const char *
oriel_cpu_description(const oriel_backend_context *context)
{
    return context->description;
}

void
oriel_cpu_destroy_context(oriel_backend_context *c)
{
    if (!c)
        return;
    oriel_hooks hooks = c->hooks;

    oriel_team_destroy(c->team);
    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++)
        oriel_cpu_gemm_destroy(c->products[p]);
    oriel_free(&hooks, c->threads);
    oriel_free(&hooks, c->thread_memory);
    oriel_free(&hooks, c);
}

/* ---- Workspace ----------------------------------------------------------- */

oriel_status
oriel_cpu_alloc_workspace(void **out, size_t bytes,
                          const oriel_backend_config *config, oriel_error *err)
{
    char *memory = NULL;
    size_t all;

    /* Hooks align to 64; the address before the start remembers theirs. */
    *out = NULL;
    if (oriel_add_size(&all, bytes, 256))
        memory = oriel_alloc(config->hooks, all);
    if (!memory)
        return oriel_fail_memory(err, bytes, "the workspace");
    oriel_cpu_wish_large_pages(memory, all);
    size_t gap = 256 - (uintptr_t)memory % 256;
    *out = memory + gap;
    ((void **)*out)[-1] = memory;
    return ORIEL_OK;
}

void
oriel_cpu_free_workspace(void *workspace, const oriel_backend_config *config)
{
    if (workspace)
        oriel_free(config->hooks, ((void **)workspace)[-1]);
}
