/* SPDX-License-Identifier: Apache-2.0 */
/* bench_run.c - rows out of a run's JSON */
#include "cli/bench_run.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/read_file.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 64 << 20 };

/* "file: rows[3].op: expected text" */
static int
report_field(const char *file, size_t row, const char *field,
             const char *expected)
{
    return cli_report_error(CLI_INPUTS, "%s: rows[%zu].%s: expected %s",
                            ORIEL_QUOTE(file), row, field, expected);
}

static double
number(const json_t *object, const char *key)
{
    const double value = json_number_value(json_object_get(object, key));

    return isfinite(value) ? value : 0;
}

/* NULL where it would not be shown as it is. */
static const char *
text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    for (const char *c = value; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return NULL;
    return value;
}

/* The share of what memory and products allow at best. */
static double
share_of(const cli_bench_run *run, const cli_bench_row *row)
{
    double least;

    if (run->bytes_per_s <= 0 || run->flops_per_s <= 0 || row->median <= 0)
        return 0;
    least = fmax(row->bytes / run->bytes_per_s, row->flops / run->flops_per_s);
    return least / row->median;
}

static int
take_times(cli_bench_row *row, const json_t *json, const char *file, size_t i)
{
    const json_t *seconds = json_object_get(json, "seconds");

    row->cache = text(json, "cache");
    if (!row->cache)
        return CLI_DONE;
    row->median = number(seconds, "median");
    row->p10 = number(seconds, "p10");
    row->p90 = number(seconds, "p90");
    row->n = number(seconds, "n");
    if (!(row->p10 > 0 && row->p10 <= row->median && row->median <= row->p90))
        return report_field(file, i, "seconds",
                            "p10 <= median <= p90, all above 0");
    if (!(row->n >= 1))
        return report_field(file, i, "seconds.n", "a count of samples");
    return CLI_DONE;
}

static int
take_row(cli_bench_run *run, const json_t *json, const char *file, size_t i)
{
    cli_bench_row *row = &run->rows[i];
    int failed;

    *row = (cli_bench_row){.size = text(json, "size"),
                           .step = text(json, "step"),
                           .op = text(json, "op"),
                           .by = text(json, "by"),
                           .a_call = number(json, "a_call"),
                           .rows = number(json, "rows"),
                           .columns = number(json, "columns"),
                           .depth = number(json, "depth"),
                           .bytes = number(json, "bytes"),
                           .flops = number(json, "flops"),
                           .predicted = number(json, "predicted_s"),
                           .sm_mhz = number(json, "sm_mhz"),
                           .throttled = text(json, "throttled")};
    if (!row->size)
        return report_field(file, i, "size", "text");
    if (!row->step)
        return report_field(file, i, "step", "text");
    if (!row->op)
        return report_field(file, i, "op", "text");
    if (!row->by)
        return report_field(file, i, "by", "text");
    failed = take_times(row, json, file, i);
    row->share = share_of(run, row);
    return failed;
}

int
cli_bench_take(cli_bench_run *run, json_t *json, const char *file)
{
    const json_t *rows = json_object_get(json, "rows");
    const json_t *roofline = json_object_get(json, "roofline");
    const char *format = text(json, "format");
    int failed = CLI_DONE;

    *run =
        (cli_bench_run){.json = json,
                        .name = text(json_object_get(json, "device"), "name"),
                        .bytes_per_s = number(roofline, "bytes_per_s"),
                        .flops_per_s = number(roofline, "flops_per_s")};
    if (!format || strcmp(format, CLI_BENCH_FORMAT) != 0)
        failed = cli_report_error(
            CLI_INPUTS, "%s: format is %s, expected \"%s\"", ORIEL_QUOTE(file),
            format ? ORIEL_QUOTE(format) : "absent", CLI_BENCH_FORMAT);
    else if (!run->name)
        failed = cli_report_error(CLI_INPUTS, "%s: device.name: expected text",
                                  ORIEL_QUOTE(file));
    else if (!json_is_array(rows))
        failed = cli_report_error(CLI_INPUTS, "%s: rows: expected a list",
                                  ORIEL_QUOTE(file));
    if (!failed) {
        run->n = json_array_size(rows);
        run->rows = calloc(run->n + 1, sizeof(*run->rows));
        if (!run->rows)
            failed = cli_report_memory("the rows of a benchmark");
    }
    for (size_t i = 0; run->rows && i < run->n && !failed; i++)
        failed = take_row(run, json_array_get(rows, i), file, i);
    if (failed)
        cli_bench_free(run);
    return failed;
}

int
cli_bench_load(cli_bench_run *run, const char *file)
{
    char *bytes = NULL;
    size_t n;
    json_error_t wrong;
    json_t *json;
    oriel_error err;

    *run = (cli_bench_run){0};
    if (cli_read_file(file, FILE_MOST, NULL, &bytes, &n, &err))
        return cli_report_failure(&err, file);
    json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &wrong);
    free(bytes);
    if (!json)
        return cli_report_error(CLI_INPUTS, "%s: no JSON, line %d: %s",
                                ORIEL_QUOTE(file), wrong.line,
                                ORIEL_QUOTE(wrong.text));
    return cli_bench_take(run, json, file);
}

void
cli_bench_free(cli_bench_run *run)
{
    json_decref(run->json);
    free(run->rows);
    *run = (cli_bench_run){0};
}

const cli_bench_row *
cli_bench_find(const cli_bench_run *run, const cli_bench_row *like)
{
    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *row = &run->rows[i];

        if (row->cache && like->cache && strcmp(row->cache, like->cache) == 0 &&
            strcmp(row->size, like->size) == 0 &&
            strcmp(row->step, like->step) == 0 &&
            strcmp(row->op, like->op) == 0 && strcmp(row->by, like->by) == 0)
            return row;
    }
    return NULL;
}

double
cli_bench_bytes_per_s(const cli_bench_row *row)
{
    return row->median > 0 ? row->bytes / row->median : 0;
}

double
cli_bench_flops_per_s(const cli_bench_row *row)
{
    return row->median > 0 ? row->flops / row->median : 0;
}
