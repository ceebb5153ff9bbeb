/* SPDX-License-Identifier: Apache-2.0 */
/* encode_pixels.c - the items of a pixel_values file through the encoder */
#include "base/fail.h"
#include "bulk/json_line.h"
#include "cli/encode_job.h"
#include "cli/exits.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"

#include <stdlib.h>
#include <string.h>

/* A list that preprocess wrote; NULL where the file has none. */
static int
load_list(json_t **list, const char *text)
{
    oriel_error err;

    *list = NULL;
    if (text && bulk_json_parse(list, text, strlen(text), 0, &err))
        return cli_report_memory("a list of pictures");
    if (!json_is_array(*list)) {
        json_decref(*list);
        *list = NULL;
    }
    return CLI_DONE;
}

static json_t *
source_of(const cli_encode_job *job, const json_t *sources, size_t item)
{
    json_t *known = json_array_get(sources, item);
    json_t *name, *source = NULL;

    if (json_is_string(known) && json_array_size(sources) == job->pixels.n)
        return json_incref(known);
    name = cli_text_name(job->inputs.names[0]);
    if (name)
        source = json_sprintf("%s#%zu", json_string_value(name), item);
    json_decref(name);
    return source;
}

static int
list_pixels(cli_encode_job *job)
{
    json_t *sources, *failures = NULL, *padded = NULL;
    int failed = load_list(&sources, job->pixels.sources);

    if (!failed)
        failed = load_list(&failures, job->pixels.failed);
    if (!failed)
        failed = load_list(&padded, job->pixels.padded);
    for (size_t i = 0; !failed && i < job->pixels.n; i++) {
        const int64_t *grid = job->pixels.grids + 3 * i;
        oriel_model_info info = ORIEL_MODEL_INFO_INIT;
        int64_t merge;

        oriel_model_get_info(job->settings.model, &info, NULL);
        merge = (int64_t)info.spatial_merge_size * info.spatial_merge_size;
        failed = cli_packed_add(&job->packed, source_of(job, sources, i), grid,
                                grid[0] * grid[1] * grid[2] / merge);
    }
    if (!failed && failures && json_array_extend(job->packed.failed, failures))
        failed = cli_report_memory("the list of failures");
    if (!failed && padded && json_array_extend(job->packed.padded, padded))
        failed = cli_report_memory("the list of padded pictures");
    json_decref(sources);
    json_decref(failures);
    json_decref(padded);
    return failed;
}

/* How many items from 'first' on make a batch. */
static size_t
count_items(const cli_encode_job *job, size_t first)
{
    const int64_t *row = job->pixels.first_row;
    size_t n = 1;

    while (first + n < job->pixels.n &&
           n < cli_engine_batch_items(&job->engine) &&
           row[first + n + 1] - row[first] <= job->batch_patches)
        n++;
    return n;
}

static int
encode_items(cli_encode_job *job, size_t first, size_t n)
{
    const cli_pixel_file *pixels = &job->pixels;
    size_t rows =
        (size_t)(pixels->first_row[first + n] - pixels->first_row[first]);
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_plan *plan = NULL;
    oriel_error err;
    void *values = malloc(rows * pixels->row_bytes);
    int failed = CLI_DONE;

    if (!values) {
        oriel_fail_memory(&err, rows * pixels->row_bytes, "patches");
        return cli_report_failure(&err, job->inputs.names[0]);
    }
    if (cli_pixel_file_read(pixels, first, n, values, &err))
        failed = cli_report_failure(&err, NULL);
    else if (oriel_plan_create_from_grids(&plan, job->settings.model,
                                          pixels->grids + 3 * first, n,
                                          &job->settings.plan, &err))
        failed = cli_report_failure(&err, job->inputs.names[0]);
    if (failed) {
        free(values);
        return failed;
    }
    input.pixel_values = values;
    input.pixel_values_bytes = rows * pixels->row_bytes;
    input.dtype = pixels->dtype;
    failed =
        cli_engine_encode(&job->engine, plan, &input, job->inputs.names[0]);
    if (!failed)
        failed = cli_packed_append(&job->packed, job->engine.result,
                                   job->engine.result_bytes);
    oriel_plan_destroy(plan);
    free(values);
    return failed;
}

int
cli_encode_pixels(cli_encode_job *job)
{
    int failed = CLI_DONE;

    for (size_t first = 0, n; !failed && first < job->pixels.n; first += n) {
        n = count_items(job, first);
        failed = encode_items(job, first, n);
        job->done = first + n;
        cli_progress_update((int64_t)job->done);
    }
    return failed ? failed : list_pixels(job);
}
