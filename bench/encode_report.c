/* SPDX-License-Identifier: Apache-2.0 */
/* encode_report.c - see encode_report.h */
#include "encode_report.h"

#include "yardstick.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct encode_report {
    json_t *root, *results;
};

static const char *
precision_name(int32_t precision)
{
    return precision == ORIEL_PRECISION_BF16 ? "bf16" : "fp32";
}

encode_report *
encode_report_create(const char *commit, const oriel_model_info *model)
{
    encode_report *report = calloc(1, sizeof(*report));
    char processor[128], onednn[32];

    if (!report)
        return NULL;
    bench_processor_name(processor, sizeof(processor));
    yardstick_version(onednn, sizeof(onednn));
    report->root = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, s:i}, s:[], s:[]}",
        "benchmark", "encode", "oriel", oriel_version(), "commit", commit,
        "processor", processor, "onednn", onednn, "network", "depth",
        model->depth, "hidden_size", model->hidden_size, "intermediate_size",
        model->intermediate_size, "out_hidden_size", model->out_hidden_size,
        "encoders", "results");
    if (!report->root) {
        free(report);
        return NULL;
    }
    report->results = json_object_get(report->root, "results");
    printf("%s, oneDNN %s\n", processor, onednn);
    return report;
}

int
encode_report_begin(encode_report *report, const oriel_encoder_info *info,
                    double seconds)
{
    printf("\n%s, %s: created in %.1f s, %.2f GB of weights, %.1f MB of "
           "workspace\n",
           precision_name(info->precision), info->description, seconds,
           (double)info->weight_bytes * 1e-9,
           (double)info->workspace_bytes * 1e-6);
    printf("%-11s %7s %8s %8s %8s %9s %9s %9s %8s\n", "size", "patches",
           "seconds", "p10", "p90", "GFLOP/s", "oneDNN", "fraction", "peak MB");
    return json_array_append_new(
        json_object_get(report->root, "encoders"),
        json_pack("{s:s, s:s, s:i, s:f, s:I, s:I}", "precision",
                  precision_name(info->precision), "description",
                  info->description, "threads", info->threads, "create_seconds",
                  seconds, "weight_bytes", (json_int_t)info->weight_bytes,
                  "workspace_bytes", (json_int_t)info->workspace_bytes));
}

static json_t *
times_json(const bench_times *times)
{
    if (times->n == 0)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:i}", "median", times->median, "p10",
                     times->p10, "p90", times->p90, "n", times->n);
}

int
encode_report_add(encode_report *report, const encode_row *row)
{
    const double rate = (double)row->plan->flops / row->ours.median * 1e-9;
    double yard_rate = 0, fraction = 0;
    json_t *json;
    char size[32];

    snprintf(size, sizeof(size), "%dx%d", row->width, row->height);
    if (row->yardstick.n) {
        yard_rate = row->yardstick_flops / row->yardstick.median * 1e-9;
        fraction = rate / yard_rate;
    }
    printf("%-11s %7lld %8.3f %8.3f %8.3f %9.1f %9.1f %8.1f%% %8.0f\n", size,
           (long long)row->plan->patches, row->ours.median, row->ours.p10,
           row->ours.p90, rate, yard_rate, 100 * fraction,
           (double)row->peak_bytes * 1e-6);
    if (!row->yardstick.n)
        printf("  no yardstick: %s\n", row->why);
    fflush(stdout);
    json = json_pack("{s:s, s:s, s:I, s:I, s:o, s:f, s:o, s:f, s:I}",
                     "precision", precision_name(row->precision), "size", size,
                     "patches", (json_int_t)row->plan->patches, "flops",
                     (json_int_t)row->plan->flops, "seconds",
                     times_json(&row->ours), "gflops", rate,
                     "onednn_linears_seconds", times_json(&row->yardstick),
                     "onednn_linears_flops", row->yardstick_flops, "peak_bytes",
                     (json_int_t)row->peak_bytes);
    if (json && row->yardstick.n &&
        (json_object_set_new(json, "onednn_gflops", json_real(yard_rate)) ||
         json_object_set_new(json, "fraction_of_onednn",
                             json_real(fraction)))) {
        json_decref(json);
        return -1;
    }
    return json_array_append_new(report->results, json);
}

int
encode_report_write(const encode_report *report, const char *path)
{
    return json_dump_file(report->root, path,
                          JSON_INDENT(2) | JSON_REAL_PRECISION(6));
}

void
encode_report_destroy(encode_report *report)
{
    if (!report)
        return;
    json_decref(report->root);
    free(report);
}
