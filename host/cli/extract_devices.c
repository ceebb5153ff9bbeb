/* SPDX-License-Identifier: Apache-2.0 */
/* extract_devices.c - the devices of a run, and what works on each */
#include "base/fail.h"
#include "cli/cuda_driver.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

/* A block of rows is pinned for a whole batch, but for no more than this. */
#define ROW_BYTES ((size_t)256 << 20)

/* ---- Choosing --------------------------------------------------------------- */

/* Also those that --device cuda:all stands for. */
static int
list_devices(cli_device_list *list, const char *text)
{
    int32_t n;
    oriel_error err;

    (void)cli_device_list_parse(list, text);
    if (!list->all)
        return CLI_DONE;
    if (cli_cuda_open(&n, &err))
        return cli_report_failure(&err, NULL);
    for (int32_t i = 0; i < n; i++)
        list->devices[list->n++] = (cli_device){ORIEL_DEVICE_CUDA, i};
    if (n == 0)
        return cli_report_error(
            CLI_DEVICE, "--device cuda:all: there is no GPU, expected one");
    return CLI_DONE;
}

/* Rows' bytes depend on the kind of the device, which run.json therefore names. */
static int
check_kind(const cli_engine *first, const cli_engine *other)
{
    const oriel_device_info *a = &first->device, *b = &other->device;

    if (a->device == b->device && strcmp(a->description, b->description) == 0)
        return CLI_DONE;
    return cli_report_error(
        CLI_DEVICE,
        "--device names two kinds of devices, \"%s\" and \"%s\": expected "
        "devices of one kind, as the bytes of rows depend on it",
        a->description, b->description);
}

int
cli_extract_choose_devices(cli_extract_job *job)
{
    cli_device_list list;
    int failed = list_devices(&list, job->options->device);

    if (failed)
        return failed;
    job->devices = calloc(list.n, sizeof(*job->devices));
    if (!job->devices)
        return cli_report_memory("the devices");
    for (size_t i = 0; i < list.n && !failed; i++) {
        cli_engine engine;

        failed = cli_engine_choose(&engine, job->settings.model, job->options,
                                   list.devices[i]);
        if (!failed && i == 0)
            job->engine = engine;
        if (!failed)
            failed = check_kind(&job->engine, &engine);
        job->devices[i].index = engine.options.device_index;
        job->n_devices = i + 1;
    }
    return failed;
}

/* ---- Lanes ------------------------------------------------------------------ */

/* A signal ends the loading of weights at once, but a batch is finished: its work
   would be lost. */
static int32_t
cancel(void *user)
{
    const cli_engine *engine = user;

    return engine->encoder ? 0 : cli_signal_caught();
}

static int
open_lane(const cli_extract_job *job, cli_extract_device *device,
          cli_extract_lane *lane)
{
    const bool is_cuda = job->engine.device.device == ORIEL_DEVICE_CUDA;
    oriel_error err;

    lane->engine = job->engine;
    lane->engine.is_second = device->n_lanes > 0;
    lane->engine.options.device_index = device->index;
    lane->hooks = cli_hooks;
    lane->hooks.cancel = cancel;
    lane->hooks.user = &lane->engine;
    lane->engine.options.hooks = &lane->hooks;
    device->n_lanes++;
    if (is_cuda &&
        cli_cuda_create_stream(&lane->engine.stream, device->index, &err))
        return cli_report_failure(&err, NULL);
    return CLI_DONE;
}

int64_t
cli_extract_batch_bytes(const cli_extract_job *job)
{
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    oriel_plan_info full = ORIEL_PLAN_INFO_INIT;
    int64_t per_token;

    (void)oriel_model_get_info(job->settings.model, &model, NULL);
    per_token = (int64_t)model.spatial_merge_size * model.spatial_merge_size;
    full.patches = job->batch_patches;
    full.tokens = (full.patches + per_token - 1) / per_token;
    return (int64_t)cli_engine_result_bytes(&job->engine, &full);
}

/* Pinned rows of a batch that is full. */
static int
open_rows(cli_extract_job *job)
{
    const size_t bytes = (size_t)cli_extract_batch_bytes(job);

    job->rows = cli_extract_rows_new(job->devices[0].index,
                                     bytes < ROW_BYTES ? bytes : ROW_BYTES);
    return job->rows ? CLI_DONE : cli_report_memory("rows");
}

int
cli_extract_open_lanes(cli_extract_job *job)
{
    const bool is_cuda = job->engine.device.device == ORIEL_DEVICE_CUDA;
    const int32_t n_lanes = is_cuda ? CLI_EXTRACT_LANES : 1;
    int32_t n_gpus;
    oriel_error err;
    int failed = CLI_DONE;

    if (is_cuda && cli_cuda_open(&n_gpus, &err))
        return cli_report_failure(&err, NULL);
    for (size_t d = 0; d < job->n_devices; d++)
        if (is_cuda && job->devices[d].index >= n_gpus)
            return cli_report_error(CLI_DEVICE,
                                    "--device: GPU %d is not among the %d of "
                                    "NVIDIA's driver",
                                    job->devices[d].index, n_gpus);
    for (size_t d = 0; d < job->n_devices; d++)
        for (int32_t i = 0; i < n_lanes && !failed; i++)
            failed =
                open_lane(job, &job->devices[d], &job->devices[d].lanes[i]);
    if (!failed && is_cuda)
        failed = open_rows(job);
    return failed;
}

cli_extract_lane *
cli_extract_next_lane(cli_extract_job *job, double flops)
{
    cli_extract_device *least = &job->devices[0];
    cli_extract_lane *lane;

    for (size_t d = 1; d < job->n_devices; d++)
        if (job->devices[d].flops < least->flops)
            least = &job->devices[d];
    least->flops += flops;
    lane = &least->lanes[least->next];
    least->next = (least->next + 1) % least->n_lanes;
    return lane;
}

void
cli_extract_close_devices(cli_extract_job *job)
{
    for (size_t d = 0; d < job->n_devices; d++)
        for (int32_t i = 0; i < job->devices[d].n_lanes; i++)
            cli_engine_free(&job->devices[d].lanes[i].engine);
    cli_extract_rows_free(job->rows);
    free(job->devices);
    job->devices = NULL;
    job->n_devices = 0;
    job->rows = NULL;
}
