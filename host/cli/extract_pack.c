/* SPDX-License-Identifier: Apache-2.0 */
/* extract_pack.c - a window of items through the encoder, batch by batch */
#include "base/checked.h"
#include "base/fail.h"
#include "bulk/clock.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

/* Items that are encoded together. */
typedef struct batch {
    cli_extract_job *job;
    bulk_item **items;
    size_t n;
    oriel_plan *plan;
    const void **frames;
    oriel_plan_info info;
} batch;

/* Larger ones first, so that batches fill and shapes return. */
static int
compare(const void *a, const void *b)
{
    const bulk_item *x = *(bulk_item *const *)a, *y = *(bulk_item *const *)b;

    if (x->patches != y->patches)
        return x->patches < y->patches ? 1 : -1;
    return x->entry->ordinal < y->entry->ordinal ? -1 : 1;
}

/* ---- One batch ------------------------------------------------------------- */

static int
plan_batch(batch *b)
{
    oriel_item *shapes = calloc(b->n, sizeof(*shapes));
    size_t n_frames = 0, at = 0;
    oriel_error err;
    int failed = CLI_DONE;

    for (size_t i = 0; i < b->n; i++)
        n_frames += b->items[i]->n_frames;
    b->frames = calloc(n_frames, sizeof(*b->frames));
    if (!shapes || !b->frames) {
        free(shapes);
        return cli_report_memory("a batch");
    }
    for (size_t i = 0; i < b->n; i++) {
        const bulk_item *item = b->items[i];

        shapes[i] = item->shape;
        for (size_t f = 0; f < item->n_frames; f++)
            b->frames[at++] = item->frames[f].rgb;
    }
    if (oriel_plan_create(&b->plan, b->job->settings.model, shapes, b->n,
                          &b->job->settings.plan, &err))
        failed = cli_report_failure(
            &err, err.item >= 0 ? b->items[err.item]->entry->source : NULL);
    else if (oriel_plan_get_info(b->plan, &b->info, &err))
        failed = cli_report_failure(&err, NULL);
    free(shapes);
    return failed;
}

/* Rows of the encoder's result that are the item's: 'row' is their first. */
static oriel_status
keep_rows(const batch *b, bulk_item *item, int64_t first, int64_t n,
          oriel_error *err)
{
    const cli_extract_job *job = b->job;
    const bool is_hidden = job->engine.layer != CLI_NOT_GIVEN;
    const size_t width = job->engine.dtype == ORIEL_DTYPE_F32 ? 4 : 2;
    const size_t row = (size_t)job->layout.columns * width;
    const char *from = (const char *)job->engine.result + (size_t)first * row;
    const bulk_pooling *pooling = &job->given.pooling;
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    int64_t merge; /* patches to a token, in each direction */
    int64_t tokens[3] = {item->grid[0], item->grid[1], item->grid[2]};
    size_t bytes = (size_t)n * row;

    item->n_rows = n;
    if (job->given.pools) {
        item->n_rows = (int64_t)pooling->rows * pooling->columns;
        bytes = (size_t)item->n_rows * bulk_row_bytes(&job->layout);
    }
    item->rows = malloc(bytes);
    if (!item->rows)
        return oriel_fail_memory(err, bytes, "rows");
    if (!job->given.pools) {
        memcpy(item->rows, from, bytes);
        return ORIEL_OK;
    }
    if (oriel_model_get_info(job->settings.model, &model, err))
        return err->status;
    merge = model.spatial_merge_size;
    tokens[1] /= merge;
    tokens[2] /= merge;
    return bulk_pool_rows(pooling, (const float *)(const void *)from, tokens,
                          is_hidden ? merge * merge : 1, job->layout.columns,
                          job->layout.dtype, item->rows, err);
}

static int
keep_results(batch *b)
{
    const bool is_hidden = b->job->engine.layer != CLI_NOT_GIVEN;
    const int64_t *flops = b->info.flops_per_item;
    int64_t first = 0;
    oriel_error err;

    for (size_t i = 0; flops && i < b->n; i++) {
        bulk_item *item = b->items[i];
        const int64_t n = is_hidden ? item->patches : item->tokens;

        if (keep_rows(b, item, first, n, &err))
            return cli_report_failure(&err, item->entry->source);
        first += n;
        item->flops = flops[i];
        item->encoded = true;
        bulk_pool_release(b->job->pool, item);
    }
    return CLI_DONE;
}

/* Processor time of the process without that of the pool's threads. */
static double
cpu_seconds(const cli_extract_job *job)
{
    return bulk_clock_read(CLOCK_PROCESS_CPUTIME_ID) -
           bulk_pool_get_times(job->pool).cpu;
}

static int
encode_timed(cli_extract_job *job, const oriel_plan *plan,
             const oriel_input *input, const char *blame)
{
    const double start = cli_progress_seconds(), cpu = cpu_seconds(job);
    const int failed = cli_engine_encode(&job->engine, plan, input, blame);

    job->times.encode += cli_progress_seconds() - start;
    job->times.encode_cpu += cpu_seconds(job) - cpu;
    return failed;
}

static int
encode_batch(cli_extract_job *job, bulk_item **items, size_t n)
{
    batch b = {
        .job = job, .items = items, .n = n, .info = ORIEL_PLAN_INFO_INIT};
    oriel_input input = ORIEL_INPUT_INIT;
    int failed = plan_batch(&b);

    if (!failed) {
        input.frames = b.frames;
        failed = encode_timed(job, b.plan, &input,
                              n == 1 ? items[0]->entry->source : NULL);
    }
    if (!failed)
        failed = keep_results(&b);
    if (!failed) {
        job->times.images += (int64_t)n;
        job->times.tokens += b.info.tokens;
        job->times.passed += (int64_t)n;
        cli_extract_show(job);
        cli_progress_update(job->times.passed);
    }
    oriel_plan_destroy(b.plan);
    free(b.frames);
    return failed;
}

/* ---- A window --------------------------------------------------------------- */

int
cli_extract_encode(cli_extract_job *job, bulk_window *window)
{
    bulk_item **sorted = calloc(window->n + 1, sizeof(void *));
    size_t n = 0, end;
    int failed = CLI_DONE;

    if (!sorted)
        return cli_report_memory("a window");
    for (size_t i = 0; i < window->n; i++)
        if (!window->items[i]->err.status &&
            !window->items[i]->entry->named_only)
            sorted[n++] = window->items[i];
    qsort(sorted, n, sizeof(void *), compare);
    for (size_t first = 0; first < n && !failed && !cli_signal_caught();
         first = end) {
        int64_t patches = sorted[first]->patches;

        for (end = first + 1;
             end < n && patches + sorted[end]->patches <= job->batch_patches;
             end++)
            patches += sorted[end]->patches;
        failed = encode_batch(job, sorted + first, end - first);
    }
    free(sorted);
    return failed;
}
