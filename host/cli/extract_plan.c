/* SPDX-License-Identifier: Apache-2.0 */
/* extract_plan.c - oriel extract --dry-run: what a run would amount to */
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few pictures dominate when a tenth of them takes more than half of the work. */
enum { FEW = 10 };
#define MUCH 0.5

typedef struct planned {
    oriel_item shape;
    int64_t tokens, patches;
    double flops;
} planned;

typedef struct dry_run {
    cli_extract_job *job;
    planned *items; /* sorted by flops in the end, larger ones first */
    size_t n, room;
    int64_t failed;
    int64_t tokens, rows;
    double flops;
    double seconds; /* of all, by the time of one batch */
    double few;     /* the share of a tenth of the pictures */
    int64_t limit;  /* tokens that all but these have at most; 0: no advice */
    double saved;   /* the share that the limit would save */
    cli_extract_split *split;
    double dearest;
} dry_run;

/* ---- Looking at the inputs -------------------------------------------------------- */

static oriel_status
flops_of(const dry_run *d, const oriel_item *shape,
         const oriel_plan_options *options, double *flops, oriel_error *err)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_plan *plan;
    oriel_status status = oriel_plan_create(&plan, d->job->settings.model,
                                            shape, 1, options, err);

    if (!status)
        status = oriel_plan_get_info(plan, &info, err);
    oriel_plan_destroy(plan);
    *flops = (double)info.flops;
    return status;
}

static int
keep(dry_run *d, const bulk_item *item, double *cost)
{
    const cli_extract_job *job = d->job;
    const bulk_pooling *pooling = &job->given.pooling;
    planned *at;
    oriel_error err;

    if (d->n == d->room) {
        size_t room = d->room ? 2 * d->room : 1024;
        planned *items = reallocarray(d->items, room, sizeof(*items));

        if (!items)
            return cli_report_memory("the plan");
        d->items = items;
        d->room = room;
    }
    at = &d->items[d->n];
    *at = (planned){item->shape, item->tokens, item->patches, 0};
    if (flops_of(d, &item->shape, &job->settings.plan, &at->flops, &err))
        return cli_report_failure(&err, item->entry->source);
    d->n++;
    *cost = at->flops;
    d->tokens += item->tokens;
    d->flops += at->flops;
    d->rows += job->given.pools ? (int64_t)pooling->rows * pooling->columns
               : job->engine.layer != CLI_NOT_GIVEN ? item->patches
                                                    : item->tokens;
    return CLI_DONE;
}

static int
take_window(dry_run *d, const bulk_window *window)
{
    int failed = CLI_DONE;

    for (size_t i = 0; i < window->n && !failed; i++) {
        const bulk_item *item = window->items[i];
        double cost = 0;

        if (item->err.status) {
            d->failed++;
            cli_report_input(item->entry->source, item->err.message);
        } else
            failed = keep(d, item, &cost);
        if (!failed && d->split)
            failed = cli_extract_split_add(d->split, item->entry, cost);
    }
    cli_progress_update((int64_t)d->n + d->failed);
    if (!failed && window->err.status)
        failed = cli_report_failure(&window->err, window->failed_input);
    return failed;
}

static int
look_at_all(dry_run *d)
{
    const bulk_pool_options options = {
        .source = d->job->source,
        .settings = &d->job->settings,
        .threads = d->job->engine.options.threads,
        .measures_only = true,
    };
    bulk_window *window = NULL;
    oriel_error err;
    int failed = CLI_DONE;

    if (bulk_pool_start(&d->job->pool, &options, &err))
        return cli_report_failure(&err, NULL);
    do {
        if (bulk_pool_next(d->job->pool, BULK_UNTIL_THERE, &window, &err))
            failed = cli_report_failure(&err, NULL);
        else if (window)
            failed = take_window(d, window);
        bulk_window_free(window);
    } while (window && !failed);
    bulk_pool_stop(d->job->pool);
    d->job->pool = NULL;
    return failed;
}

/* ---- What one batch takes ----------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
    const planned *x = a, *y = b;

    return x->flops < y->flops ? 1 : x->flops > y->flops ? -1 : 0;
}

/* 'n' copies of one shape, all of one grey picture: the time does not depend on
   what they show. */
static int
time_shapes(dry_run *d, const oriel_item *shape, size_t n, double flops)
{
    const size_t frames = n * (size_t)(shape->frames ? shape->frames : 1);
    const size_t bytes = (size_t)shape->width * (size_t)shape->height * 3;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_item *shapes = calloc(n, sizeof(*shapes));
    const void **pictures = calloc(frames, sizeof(void *));
    void *grey = malloc(bytes);
    oriel_plan *plan = NULL;
    oriel_error err;
    double start;
    int failed = CLI_DONE;

    if (!shapes || !pictures || !grey) {
        free(grey);
        free(pictures);
        free(shapes);
        return cli_report_memory("a batch");
    }
    for (size_t i = 0; i < n; i++)
        shapes[i] = *shape;
    for (size_t i = 0; i < frames; i++)
        pictures[i] = grey;
    memset(grey, 127, bytes);
    if (oriel_plan_create(&plan, d->job->settings.model, shapes, n,
                          &d->job->settings.plan, &err))
        failed = cli_report_failure(&err, NULL);
    input.frames = pictures;
    /* The first one also loads weights and compiles products. */
    if (!failed)
        failed = cli_engine_encode(&d->job->engine, plan, &input, NULL);
    start = cli_progress_seconds();
    if (!failed)
        failed = cli_engine_encode(&d->job->engine, plan, &input, NULL);
    d->seconds = (cli_progress_seconds() - start) * d->flops /
                 (flops * (double)n * (double)d->job->n_devices);
    oriel_plan_destroy(plan);
    free(grey);
    free(pictures);
    free(shapes);
    return failed;
}

/* The item in the middle of the work, as often as it fits into a batch. */
static int
time_batch(dry_run *d)
{
    double so_far = 0;
    size_t middle = 0, n;

    if (d->n == 0)
        return CLI_DONE;
    while (middle + 1 < d->n &&
           (so_far += d->items[middle].flops) < d->flops / 2)
        middle++;
    n = (size_t)(d->job->batch_patches / d->items[middle].patches);
    if (n > cli_engine_batch_items(&d->job->engine))
        n = cli_engine_batch_items(&d->job->engine);
    return time_shapes(d, &d->items[middle].shape, n > 0 ? n : 1,
                       d->items[middle].flops);
}

/* ---- What giants cost ------------------------------------------------------------------ */

static int
look_at_giants(dry_run *d)
{
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    oriel_plan_options options = d->job->settings.plan;
    const size_t few = (d->n + FEW - 1) / FEW;
    double limited = 0, side;
    oriel_error err;

    if (d->n == 0 || d->flops <= 0)
        return CLI_DONE;
    for (size_t i = 0; i < few; i++)
        d->few += d->items[i].flops / d->flops;
    if (d->few <= MUCH || few == d->n)
        return CLI_DONE;
    if (oriel_model_get_info(d->job->settings.model, &model, &err))
        return cli_report_failure(&err, NULL);
    side = (double)model.patch_size * model.spatial_merge_size;
    d->limit = d->items[few].tokens;
    options.max_pixels = d->limit * (int64_t)(side * side);
    options.video_max_pixels = options.max_pixels;
    for (size_t i = 0; i < d->n; i++) {
        double flops;

        if (flops_of(d, &d->items[i].shape, &options, &flops, &err))
            return cli_report_failure(&err, NULL);
        limited += flops;
    }
    d->saved = 1 - limited / d->flops;
    return CLI_DONE;
}

/* ---- Printing ------------------------------------------------------------------------------ */

static int
print_json(const dry_run *d)
{
    const int64_t others = bulk_source_others(d->job->source);
    json_t *document = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:f}", "inputs",
        (json_int_t)d->n + (json_int_t)d->failed, "failed",
        (json_int_t)d->failed, "other_files", (json_int_t)others, "tokens",
        (json_int_t)d->tokens, "rows", (json_int_t)d->rows, "bytes",
        (json_int_t)d->rows * (json_int_t)bulk_row_bytes(&d->job->layout),
        "flops", d->flops, "seconds", d->seconds, "share_of_largest_tenth",
        d->few, "advised_max_tokens", (json_int_t)d->limit, "share_saved",
        d->saved);

    return cli_report_document(document);
}

static int
print_text(const dry_run *d)
{
    printf("inputs   %zu, %" PRId64 " of them failed\n",
           d->n + (size_t)d->failed, d->failed);
    printf("others   %" PRId64 " files that are no pictures\n",
           bulk_source_others(d->job->source));
    printf("tokens   %" PRId64 "\n", d->tokens);
    printf("output   %" PRId64 " rows, %s\n", d->rows,
           cli_text_bytes((uint64_t)d->rows * bulk_row_bytes(&d->job->layout))
               .text);
    printf("work     %s\n", cli_text_flops(d->flops).text);
    printf("time     %s (%.2f hours), by the time of one batch; reading and "
           "decoding not counted\n",
           cli_text_seconds(d->seconds).text, d->seconds / 3600);
    if (d->limit > 0)
        printf("giants   a tenth of the pictures takes %.0f %% of the work: "
               "--max-tokens %" PRId64 " would save %.0f %%\n",
               d->few * 100, d->limit, d->saved * 100);
    return CLI_DONE;
}

static int
write_lists(dry_run *d)
{
    const cli_options *options = d->job->options;
    int failed = cli_extract_split_write(d->split, options->output,
                                         options->split, &d->dearest);

    if (!failed)
        cli_report_note("%" PRId64 " lists, the dearest %.1f %% above the "
                        "mean: %s",
                        options->split, (d->dearest - 1) * 100,
                        ORIEL_QUOTE(options->output));
    return failed;
}

int
cli_extract_plan(cli_extract_job *job)
{
    dry_run d = {.job = job};
    int failed = CLI_DONE;

    if (job->options->split && !(d.split = cli_extract_split_new()))
        failed = cli_report_memory("the lists");
    if (!failed)
        failed = look_at_all(&d);
    cli_progress_end();
    if (!failed)
        failed = cli_report_signal();
    if (!failed && d.n > 0) {
        qsort(d.items, d.n, sizeof(*d.items), compare);
        failed = look_at_giants(&d);
    }
    if (!failed)
        failed = time_batch(&d);
    if (!failed)
        failed = job->options->json ? print_json(&d) : print_text(&d);
    if (!failed && d.split)
        failed = write_lists(&d);
    if (!failed && d.failed > 0)
        failed = d.n > 0 ? CLI_INPUTS : CLI_NONE;
    cli_extract_split_free(d.split);
    free(d.items);
    return failed;
}
