/* SPDX-License-Identifier: Apache-2.0 */
/* op_report.c - see op_report.h */
#include "op_report.h"

#include <inttypes.h>
#include <time.h>

void
op_report_begin(op_report *r, const op_flags *f, const char *device,
                const op_roofline *roofline)
{
    const time_t now = time(NULL);
    char date[32] = "";

    *r = (op_report){.flags = f};
    if (roofline->bytes_per_s > 0)
        printf("memory %.1f GB/s by %s, products %.2f TFLOP/s by %s\n",
               roofline->bytes_per_s * 1e-9, roofline->bytes_by,
               roofline->flops_per_s * 1e-12, roofline->flops_by);
    if (!f->json)
        return;
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fprintf(f->json,
            "{\"format\": \"oriel bench 1\", \"version\": \"%s\", \"date\": "
            "\"%s\",\n \"device\": {%s},\n \"model\": {\"hidden\": %d, "
            "\"intermediate\": %d, \"heads\": %d, \"out_hidden\": %d, "
            "\"depth\": %d, \"full_attention_blocks\": %d},\n \"roofline\": "
            "{\"bytes_per_s\": %.6g, \"bytes_by\": \"%s\", \"flops_per_s\": "
            "%.6g, \"flops_by\": \"%s\"},\n \"rows\": [",
            oriel_version(), date, device, (int)f->info.hidden_size,
            (int)f->info.intermediate_size, (int)f->info.num_heads,
            (int)f->info.out_hidden_size, (int)f->info.depth,
            (int)f->info.n_full_attention_blocks, roofline->bytes_per_s,
            roofline->bytes_by, roofline->flops_per_s, roofline->flops_by);
}

/* Lengths of segments, equal neighbours together: [[length, count], ...]. */
static void
write_segments(FILE *to, const op_row *row)
{
    int32_t count = 0;

    fprintf(to, ",\n   \"heads\": %d, \"head_dim\": %d, \"segments\": [",
            (int)row->heads, (int)row->head_dim);
    for (int32_t i = 0; i < row->n_segments; i++) {
        const int32_t length = row->cu[i + 1] - row->cu[i];

        count++;
        if (i + 1 < row->n_segments &&
            row->cu[i + 2] - row->cu[i + 1] == length)
            continue;
        fprintf(to, "%s[%d, %d]", count == i + 1 ? "" : ", ", (int)length,
                (int)count);
        count = 0;
    }
    fprintf(to, "]");
}

static void
write_row(FILE *to, bool first, const op_size *size, const op_row *row)
{
    fprintf(to,
            "%s\n  {\"size\": \"%s\", \"step\": \"%s\", \"op\": \"%s\", "
            "\"by\": \"%s\", \"a_call\": %d, \"rows\": %" PRId64
            ", \"columns\": %" PRId64 ", \"depth\": %" PRId64
            ", \"bytes\": %.0f, \"flops\": %.0f",
            first ? "" : ",", size->name, row->step, row->op, row->by,
            (int)row->a_call, row->rows, row->columns, row->depth, row->bytes,
            row->flops);
    if (row->cu)
        write_segments(to, row);
    if (row->algorithm)
        fprintf(to, ",\n   \"algorithm\": \"%s\"", row->algorithm);
    if (row->times)
        fprintf(to,
                ",\n   \"cache\": \"%s\", \"seconds\": {\"median\": %.6g, "
                "\"p10\": %.6g, \"p90\": %.6g, \"n\": %d}",
                row->cache, row->times->median, row->times->p10,
                row->times->p90, row->times->n);
    if (row->sm_mhz)
        fprintf(to, ", \"sm_mhz\": %u", row->sm_mhz);
    if (row->throttled)
        fprintf(to, ", \"throttled\": \"%s\"", row->throttled);
    fprintf(to, "}");
    fflush(to);
}

void
op_report_row(op_report *r, const op_size *size, const op_row *row)
{
    printf("%-12s %-9s %-22s %-18s ", size->name, row->step, row->op, row->by);
    if (row->times)
        printf("%-4s %10.1f us\n", row->cache, row->times->median * 1e6);
    else
        printf("right, not timed\n");
    fflush(stdout);
    if (r->flags->json)
        write_row(r->flags->json, r->n == 0, size, row);
    r->n++;
}

int
op_report_end(op_report *r)
{
    FILE *json = r->flags->json;

    if (json && (fprintf(json, "\n ],\n \"wrong\": %d}\n", r->wrong) < 0 ||
                 fclose(json))) {
        fprintf(stderr, "the JSON could not be written\n");
        return -1;
    }
    return r->wrong ? -1 : 0;
}
