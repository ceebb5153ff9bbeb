/* SPDX-License-Identifier: Apache-2.0 */
/* encode_images.c - batches of pictures through the encoder */
#include "cli/encode_job.h"
#include "cli/exits.h"
#include "cli/loader.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"

#include <stdlib.h>

/* The 'item'th of the good photos. */
static const char *
name_of(const cli_batch *batch, int32_t item)
{
    for (size_t i = 0; i < batch->n; i++)
        if (!batch->photos[i].err.status && item-- == 0)
            return batch->photos[i].name;
    return NULL;
}

/* Plan and frames of the good photos; *plan is NULL if there is none. */
static int
plan_batch(const cli_encode_job *job, const cli_batch *batch, oriel_plan **plan,
           const void ***frames)
{
    oriel_item *items = calloc(batch->n, sizeof(*items));
    const void **pixels = calloc(batch->n, sizeof(*pixels));
    size_t n = 0;
    oriel_error err;
    int failed = CLI_DONE;

    *plan = NULL;
    *frames = pixels;
    if (!items || !pixels) {
        free(items);
        return cli_report_memory("a batch");
    }
    for (size_t i = 0; i < batch->n; i++)
        if (!batch->photos[i].err.status) {
            items[n] = batch->photos[i].item;
            pixels[n++] = batch->photos[i].rgb;
        }
    if (n > 0 && oriel_plan_create(plan, job->settings.model, items, n,
                                   &job->settings.plan, &err))
        failed = cli_report_failure(&err, name_of(batch, err.item));
    free(items);
    return failed;
}

/* The photos' entries, in the order of the inputs; no offsets: all failed. */
static int
list_batch(cli_encode_job *job, const cli_batch *batch,
           const oriel_plan_info *info)
{
    size_t item = 0;
    int failed = CLI_DONE;

    for (size_t i = 0; !failed && i < batch->n; i++) {
        const cli_photo *photo = &batch->photos[i];

        if (photo->err.status || !info->offsets) {
            failed =
                cli_packed_add_failed(&job->packed, photo->name, &photo->err);
            continue;
        }
        if (photo->padded[0] != '\0')
            failed =
                cli_packed_add_padded(&job->packed, photo->name, photo->padded);
        if (failed)
            break;
        failed = cli_packed_add(&job->packed, cli_text_name(photo->name),
                                info->grid_thw + 3 * item,
                                info->offsets[item + 1] - info->offsets[item]);
        item++;
    }
    return failed;
}

static int
encode_batch(cli_encode_job *job, const cli_batch *batch)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    const void **frames;
    oriel_plan *plan;
    oriel_error err;
    int failed = plan_batch(job, batch, &plan, &frames);

    if (!failed && plan) {
        input.frames = frames;
        failed = cli_engine_encode(&job->engine, plan, &input,
                                   cli_batch_blame(batch));
        if (!failed && oriel_plan_get_info(plan, &info, &err))
            failed = cli_report_failure(&err, NULL);
        if (!failed)
            failed = cli_packed_append(&job->packed, job->engine.result,
                                       job->engine.result_bytes);
    }
    if (!failed)
        failed = list_batch(job, batch, &info);
    oriel_plan_destroy(plan);
    free(frames);
    return failed;
}

int
cli_encode_images(cli_encode_job *job)
{
    cli_loader *loader;
    cli_batch *batch;
    oriel_error err;
    int failed = CLI_DONE;

    if (cli_loader_start(&loader, &job->settings, &job->inputs,
                         job->batch_patches,
                         cli_engine_batch_items(&job->engine),
                         job->engine.options.threads, &err))
        return cli_report_failure(&err, NULL);
    while (!failed && (batch = cli_loader_next(loader))) {
        failed = batch->err.status
                     ? cli_report_failure(&batch->err, batch->failed_input)
                     : encode_batch(job, batch);
        job->done += batch->n;
        cli_progress_update((int64_t)job->done);
        cli_batch_free(batch);
    }
    cli_loader_stop(loader);
    return failed;
}
