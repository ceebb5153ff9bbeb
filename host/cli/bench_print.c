/* SPDX-License-Identifier: Apache-2.0 */
/* bench_print.c - a run of the benchmarks as a table, as CSV, and beside another */
#include "cli/bench_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cli_bench_text
cli_bench_seconds(double seconds)
{
    cli_bench_text t;
    const double value = seconds < 1e-3 ? seconds * 1e6 : seconds * 1e3;

    snprintf(t.text, sizeof(t.text), "%.*f %s",
             value < 10    ? 2
             : value < 100 ? 1
                           : 0,
             value, seconds < 1e-3 ? "us" : "ms");
    return t;
}

/* "-" for 0, which stands for what is not known. */
static cli_bench_text
plain(double value, int digits, const char *unit)
{
    cli_bench_text t = {"-"};

    if (value > 0)
        snprintf(t.text, sizeof(t.text), "%.*f%s", digits, value, unit);
    return t;
}

/* ---- The table ------------------------------------------------------------------ */

static void
print_head(const cli_bench_run *run)
{
    const json_t *roofline = json_object_get(run->json, "roofline");
    const json_t *absent = json_object_get(run->json, "absent");
    size_t i;
    json_t *line;

    puts(run->name);
    if (run->bytes_per_s > 0)
        printf("roofline: %.1f GB/s by %s, %.2f TFLOP/s by %s\n",
               run->bytes_per_s * 1e-9,
               json_string_value(json_object_get(roofline, "bytes_by")),
               run->flops_per_s * 1e-12,
               json_string_value(json_object_get(roofline, "flops_by")));
    json_array_foreach(absent, i, line) puts(json_string_value(line));
}

static void
print_row(const cli_bench_row *row)
{
    const char *predicted = "-";
    cli_bench_text by_budget;

    if (row->predicted > 0) {
        by_budget = cli_bench_seconds(row->predicted);
        predicted = by_budget.text;
    }
    printf("%-9s %-22s %-14s ", row->step, row->op, row->by);
    if (!row->cache) {
        printf("%-4s %9s %9s %9s %8s %8s %6s %9s\n", "-", "right", "-", "-",
               "-", "-", "-", predicted);
        return;
    }
    printf("%-4s %9s %9s %9s %8s %8s %6s %9s%s%s\n", row->cache,
           cli_bench_seconds(row->median).text,
           cli_bench_seconds(row->p10).text, cli_bench_seconds(row->p90).text,
           plain(cli_bench_bytes_per_s(row) * 1e-9, 1, "").text,
           plain(cli_bench_flops_per_s(row) * 1e-12, 3, "").text,
           plain(row->share * 100, 0, " %").text, predicted,
           row->throttled && *row->throttled ? "  throttled: " : "",
           row->throttled ? row->throttled : "");
}

/* Whether an earlier row has this size. */
static bool
is_seen(const cli_bench_run *run, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(run->rows[k].size, run->rows[i].size) == 0)
            return true;
    return false;
}

void
cli_bench_print(const cli_bench_run *run)
{
    print_head(run);
    for (size_t i = 0; i < run->n; i++) {
        if (is_seen(run, i))
            continue;
        printf("\n%s\n%-9s %-22s %-14s %-4s %9s %9s %9s %8s %8s %6s %9s\n",
               run->rows[i].size, "step", "op", "by", "", "median", "p10",
               "p90", "GB/s", "TFLOP/s", "roof", "predicted");
        for (size_t k = i; k < run->n; k++)
            if (strcmp(run->rows[k].size, run->rows[i].size) == 0)
                print_row(&run->rows[k]);
    }
}

/* ---- CSV ------------------------------------------------------------------------- */

/* A number, or nothing for what is not known. */
static void
put_number(FILE *to, double value)
{
    if (value > 0)
        fprintf(to, ",%.9g", value);
    else
        fputc(',', to);
}

/* In quotes, as names of ops may hold a comma one day. */
static void
put_text(FILE *to, const char *value, const char *before)
{
    fputs(before, to);
    fputc('"', to);
    for (; value && *value; value++) {
        if (*value == '"')
            fputc('"', to);
        fputc(*value, to);
    }
    fputc('"', to);
}

char *
cli_bench_csv(const cli_bench_run *run, size_t *bytes)
{
    char *out = NULL;
    FILE *to = open_memstream(&out, bytes);

    if (!to)
        return NULL;
    fputs("size,step,op,by,cache,a_call,rows,columns,depth,bytes,flops,"
          "median_s,p10_s,p90_s,samples,bytes_per_s,flops_per_s,of_roofline,"
          "predicted_s,sm_mhz,throttled\n",
          to);
    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *r = &run->rows[i];
        const double numbers[] = {r->a_call,
                                  r->rows,
                                  r->columns,
                                  r->depth,
                                  r->bytes,
                                  r->flops,
                                  r->median,
                                  r->p10,
                                  r->p90,
                                  r->n,
                                  cli_bench_bytes_per_s(r),
                                  cli_bench_flops_per_s(r),
                                  r->share,
                                  r->predicted,
                                  r->sm_mhz};

        put_text(to, r->size, "");
        put_text(to, r->step, ",");
        put_text(to, r->op, ",");
        put_text(to, r->by, ",");
        put_text(to, r->cache, ",");
        for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
            put_number(to, numbers[k]);
        put_text(to, r->throttled, ",");
        fputc('\n', to);
    }
    if (fclose(to) == 0)
        return out;
    free(out);
    return NULL;
}

/* ---- Beside another run ------------------------------------------------------------ */

#define NEAR 0.02 /* of the median: less than two runs of one build differ */
enum { SAMPLES_LEAST = 5 };

cli_bench_verdict
cli_bench_judge(const cli_bench_row *old, const cli_bench_row *now)
{
    if (old->n < SAMPLES_LEAST || now->n < SAMPLES_LEAST)
        return CLI_BENCH_UNKNOWN;
    if (fabs(now->median - old->median) <= NEAR * old->median)
        return CLI_BENCH_NOISE;
    if (now->p10 > old->p90)
        return CLI_BENCH_SLOWER;
    return now->p90 < old->p10 ? CLI_BENCH_FASTER : CLI_BENCH_NOISE;
}

size_t
cli_bench_compare(const cli_bench_run *old, const cli_bench_run *now)
{
    static const char *const words[] = {"within noise", "faster", "slower",
                                        "too few samples"};
    size_t slower = 0, alone = 0;

    printf("\n%-12s %-9s %-22s %-14s %-4s %9s %9s %6s\n", "", "step", "op",
           "by", "", "before", "now", "ratio");
    for (size_t i = 0; i < now->n; i++) {
        const cli_bench_row *row = &now->rows[i],
                            *before = cli_bench_find(old, row);
        cli_bench_verdict verdict;

        alone += row->cache && !before;
        if (!before)
            continue;
        verdict = cli_bench_judge(before, row);
        slower += verdict == CLI_BENCH_SLOWER && strcmp(row->by, "oriel") == 0;
        printf("%-12s %-9s %-22s %-14s %-4s %9s %9s %6.3f  %s\n", row->size,
               row->step, row->op, row->by, row->cache,
               cli_bench_seconds(before->median).text,
               cli_bench_seconds(row->median).text,
               row->median / before->median, words[verdict]);
    }
    if (alone)
        printf("%zu rows have none to be compared with\n", alone);
    if (strcmp(old->name, now->name) != 0)
        printf("not the same device: before, %s\n", old->name);
    return slower;
}
