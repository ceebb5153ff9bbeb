/* SPDX-License-Identifier: Apache-2.0 */
/* extract_batch.c - one batch, from pictures to rows */
#include "base/fail.h"
#include "bulk/clock.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <stdlib.h>

struct cli_extract_batch {
    cli_extract_window *window;
    bulk_item **items;
    size_t n;
    int64_t number; /* of all batches */
    oriel_plan *plan;
    const void **frames;
    oriel_plan_info info;
    bulk_block *rows;
    double began;
};

/* ---- The plan --------------------------------------------------------------- */

static int
plan_batch(const cli_extract_job *job, cli_extract_batch *b)
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
    if (oriel_plan_create(&b->plan, job->settings.model, shapes, b->n,
                          &job->settings.plan, &err))
        failed = cli_report_failure(
            &err, err.item >= 0 ? b->items[err.item]->entry->source : NULL);
    else if (oriel_plan_get_info(b->plan, &b->info, &err))
        failed = cli_report_failure(&err, NULL);
    free(shapes);
    return failed;
}

static void
free_batch(cli_extract_batch *b)
{
    oriel_plan_destroy(b->plan);
    free(b->frames);
    bulk_block_release(b->rows);
    free(b);
}

/* ---- Rows ------------------------------------------------------------------- */

static oriel_status
pool_rows(const cli_extract_job *job, bulk_item *item, const void *from,
          oriel_error *err)
{
    const bulk_pooling *pooling = &job->given.pooling;
    const bool is_hidden = job->engine.layer != CLI_NOT_GIVEN;
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    int64_t merge; /* patches to a token, in each direction */
    int64_t tokens[3] = {item->grid[0], item->grid[1], item->grid[2]};
    size_t bytes;

    item->n_rows = (int64_t)pooling->rows * pooling->columns;
    bytes = (size_t)item->n_rows * bulk_row_bytes(&job->layout);
    item->block = bulk_block_new(bytes);
    if (!item->block)
        return oriel_fail_memory(err, bytes, "rows");
    item->rows = item->block->memory;
    if (oriel_model_get_info(job->settings.model, &model, err))
        return err->status;
    merge = model.spatial_merge_size;
    tokens[1] /= merge;
    tokens[2] /= merge;
    return bulk_pool_rows(pooling, from, tokens, is_hidden ? merge * merge : 1,
                          job->layout.columns, job->layout.dtype,
                          item->block->memory, err);
}

/* The item's rows are 'n' of the batch's, from row 'first' on. */
static oriel_status
keep_rows(const cli_extract_job *job, const cli_extract_batch *b,
          bulk_item *item, int64_t first, int64_t n, oriel_error *err)
{
    const size_t width = job->engine.dtype == ORIEL_DTYPE_F32 ? 4 : 2;
    const size_t row = (size_t)job->layout.columns * width;
    const char *from = (const char *)b->rows->memory + (size_t)first * row;

    if (job->given.pools)
        return pool_rows(job, item, from, err);
    bulk_block_share(b->rows);
    item->block = b->rows;
    item->rows = from;
    item->n_rows = n;
    return ORIEL_OK;
}

static oriel_status
keep_results(const cli_extract_job *job, cli_extract_batch *b, oriel_error *err)
{
    const bool is_hidden = job->engine.layer != CLI_NOT_GIVEN;
    const int64_t *flops = b->info.flops_per_item;
    int64_t first = 0;

    for (size_t i = 0; flops && i < b->n; i++) {
        bulk_item *item = b->items[i];
        const int64_t n = is_hidden ? item->patches : item->tokens;

        if (keep_rows(job, b, item, first, n, err))
            return err->status;
        first += n;
        item->flops = flops[i];
        item->encoded = true;
    }
    return ORIEL_OK;
}

/* ---- Starting and finishing ------------------------------------------------- */

/* Processor time of the process without that of the pool's threads. */
static double
cpu_seconds(const cli_extract_job *job)
{
    return bulk_clock_read(CLOCK_PROCESS_CPUTIME_ID) -
           bulk_pool_get_times(job->pool).cpu;
}

/* What failed before is returned, and then a failure is not reported: it mostly is
   the same one. */
static int
finish(cli_extract_job *job, cli_extract_lane *lane, int failed)
{
    cli_extract_batch *b = lane->batch;
    const double began = cli_progress_seconds();
    oriel_error err;
    bool is_there;

    lane->batch = NULL;
    if (lane->engine.stream)
        cli_progress_expect(b->info.n_items, b->info.flops);
    is_there = cli_engine_wait(&lane->engine, &err) == ORIEL_OK;
    job->times.encode += cli_progress_seconds() - began;
    if (!is_there && !failed)
        failed = cli_report_failure(&err, NULL);
    if (is_there) {
        cli_engine_report(&b->info, cli_progress_seconds() - b->began);
        is_there = keep_results(job, b, &err) == ORIEL_OK;
        if (!is_there && !failed)
            failed = cli_report_failure(&err, NULL);
    }
    if (is_there) {
        job->times.images += (int64_t)b->n;
        job->times.tokens += b->info.tokens;
        job->times.passed += (int64_t)b->n;
        cli_extract_show(job);
        cli_progress_update(job->times.passed);
    }
    b->window->pending--;
    free_batch(b);
    return failed;
}

static oriel_status
take_rows(const cli_extract_job *job, cli_extract_batch *b, size_t bytes,
          oriel_error *err)
{
    if (job->rows)
        return cli_extract_rows_take(job->rows, bytes, &b->rows, err);
    b->rows = bulk_block_new(bytes);
    return b->rows ? ORIEL_OK : oriel_fail_memory(err, bytes, "the result");
}

/* Onto the lane, which is free. */
static int
start(cli_extract_job *job, cli_extract_lane *lane, cli_extract_batch *b)
{
    const char *blame = b->n == 1 ? b->items[0]->entry->source : NULL;
    const size_t bytes = cli_engine_result_bytes(&lane->engine, &b->info);
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_error err;
    int failed = cli_engine_prepare(&lane->engine, b->plan, blame);

    if (failed)
        return failed;
    if (take_rows(job, b, bytes, &err))
        return cli_report_failure(&err, blame);
    input.frames = b->frames;
    b->began = cli_progress_seconds();
    if (!lane->engine.stream)
        cli_progress_expect(b->info.n_items, b->info.flops);
    failed = cli_engine_start(&lane->engine, b->plan, &input, b->rows->memory,
                              bytes, blame);
    for (size_t i = 0; i < b->n && !failed; i++)
        bulk_pool_release(job->pool, b->items[i]);
    return failed;
}

static int
start_timed(cli_extract_job *job, cli_extract_lane *lane, cli_extract_batch *b)
{
    const double began = cli_progress_seconds(), cpu = cpu_seconds(job);
    const int failed = start(job, lane, b);

    job->times.encode += cli_progress_seconds() - began;
    job->times.encode_cpu += cpu_seconds(job) - cpu;
    return failed;
}

int
cli_extract_start_batch(cli_extract_job *job, cli_extract_window *window,
                        bulk_item **items, size_t n)
{
    cli_extract_batch *b = calloc(1, sizeof(*b));
    cli_extract_lane *lane;
    int failed;

    if (!b)
        return cli_report_memory("a batch");
    *b = (cli_extract_batch){
        .window = window,
        .items = items,
        .n = n,
        .number = job->started++,
        .info = ORIEL_PLAN_INFO_INIT,
    };
    failed = plan_batch(job, b);
    if (!failed) {
        lane = cli_extract_next_lane(job, (double)b->info.flops);
        if (lane->batch)
            failed = finish(job, lane, CLI_DONE);
    }
    if (!failed)
        failed = start_timed(job, lane, b);
    if (failed) {
        free_batch(b);
        return failed;
    }
    lane->batch = b;
    window->pending++;
    return lane->engine.stream ? CLI_DONE : finish(job, lane, CLI_DONE);
}

/* The lane whose batch was started first; NULL: there is none. */
static cli_extract_lane *
oldest(const cli_extract_job *job)
{
    cli_extract_lane *found = NULL;

    for (size_t d = 0; d < job->n_devices; d++)
        for (int32_t i = 0; i < job->devices[d].n_lanes; i++) {
            cli_extract_lane *lane = &job->devices[d].lanes[i];

            if (lane->batch &&
                (!found || lane->batch->number < found->batch->number))
                found = lane;
        }
    return found;
}

bool
cli_extract_is_busy(const cli_extract_job *job)
{
    return oldest(job) != NULL;
}

int
cli_extract_settle(cli_extract_job *job, int failed)
{
    cli_extract_lane *lane;

    while ((lane = oldest(job)) != NULL)
        failed = finish(job, lane, failed);
    return failed;
}
