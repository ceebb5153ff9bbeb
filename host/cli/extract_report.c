/* SPDX-License-Identifier: Apache-2.0 */
/* extract_report.c - what a run says of its speed, its failures and its end */
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"
#include "files/json_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { REASONS_SHOWN = 5, REASONS_KEPT = 1000 };

/* Numbers in a reason are of one input: 5000 cut files are one reason. */
void
cli_extract_count_reason(cli_extract_job *job, const char *reason)
{
    char kind[sizeof(((oriel_error *)NULL)->message)];
    size_t n = 0;
    json_int_t before;

    for (const char *c = reason; *c && n + 1 < sizeof(kind); c++)
        if (!isdigit((unsigned char)*c))
            kind[n++] = *c;
        else if (n == 0 || kind[n - 1] != 'N')
            kind[n++] = 'N';
    kind[n] = '\0';
    if (!job->reasons)
        job->reasons = json_object();
    before = json_integer_value(json_object_get(job->reasons, kind));
    if (before > 0 || json_object_size(job->reasons) < REASONS_KEPT)
        json_object_set_new(job->reasons, kind, json_integer(before + 1));
}

/* What the encoder waits for, or itself. */
static const char *
bottleneck(const cli_extract_times *t, int32_t threads)
{
    const double decode = t->pool.decode / threads;
    const double read = t->pool.read / threads;

    if (t->encode >= t->wait && t->encode >= t->hand_over)
        return "encoding";
    if (t->hand_over > t->wait)
        return "writing";
    if (t->pool.list > read && t->pool.list > decode)
        return "listing";
    return read > decode ? "reading" : "decoding";
}

void
cli_extract_show(cli_extract_job *job)
{
    cli_extract_times *t = &job->times;
    const double seconds = cli_progress_seconds();
    const double images = seconds > 0 ? (double)t->images / seconds : 0;
    const double tokens = seconds > 0 ? (double)t->tokens / seconds : 0;
    const char *slowest;
    char text[128];
    bool ended;
    int64_t listed = bulk_pool_listed(job->pool, &ended);

    t->pool = bulk_pool_get_times(job->pool);
    slowest = bottleneck(t, job->engine.options.threads);
    if (ended)
        cli_progress_total(
            (uint64_t)(listed - bulk_dataset_named(job->dataset)));
    snprintf(text, sizeof(text),
             "%.*f images/s, %.0f tokens/s, %" PRId64
             " failed, the others wait for %s",
             images < 10 ? 2 : 0, images, tokens, job->failed, slowest);
    cli_progress_say(text,
                     json_pack("{s:f, s:f, s:I, s:s}", "images_per_second",
                               images, "tokens_per_second", tokens, "failed",
                               (json_int_t)job->failed, "bottleneck", slowest));
}

/* ---- The end ---------------------------------------------------------------------- */

/* The commonest first; a reason that was shown is taken out. */
static void
report_reasons(const cli_extract_job *job)
{
    json_t *left = oriel_json_copy(job->reasons);

    if (json_object_size(left) < 2) /* each was said as it came */
        json_object_clear(left);
    for (int shown = 0; shown < REASONS_SHOWN && json_object_size(left) > 0;
         shown++) {
        const char *key, *most = NULL;
        json_int_t times = 0;
        json_t *value;

        json_object_foreach(left, key, value)
        {
            if (json_integer_value(value) > times) {
                times = json_integer_value(value);
                most = key;
            }
        }
        if (!most)
            break;
        cli_report_note("failed %" JSON_INTEGER_FORMAT " time%s: %s", times,
                        times == 1 ? "" : "s", most);
        json_object_del(left, most);
    }
    json_decref(left);
}

static void
report_times(const cli_extract_job *job)
{
    const cli_extract_times *t = &job->times;
    const double seconds = cli_progress_seconds();

    if (t->images == 0 || seconds <= 0)
        return;
    cli_report_note("%.2f images/s, %.0f tokens/s; seconds: encoding %.1f, "
                    "waiting for pictures %.1f and for the writer %.1f; over "
                    "%d threads reading %.1f, decoding %.1f; writing %.1f",
                    (double)t->images / seconds, (double)t->tokens / seconds,
                    t->encode, t->wait, t->hand_over,
                    job->engine.options.threads, t->pool.read, t->pool.decode,
                    t->write);
}

static void
report_event(const cli_extract_job *job, int exit_status)
{
    const bulk_totals *totals = bulk_dataset_totals(job->dataset);
    const cli_extract_times *t = &job->times;

    cli_report_event(json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:{s:f, s:f, s:f, s:f, s:f, "
        "s:f, s:f, s:f}, s:O?, s:i}",
        "event", "done", "inputs", (json_int_t)totals->inputs, "failed",
        (json_int_t)totals->failed, "other_files",
        (json_int_t)bulk_source_others(job->source), "tokens",
        (json_int_t)totals->tokens, "rows", (json_int_t)totals->rows, "parts",
        (json_int_t)bulk_dataset_parts(job->dataset), "seconds",
        cli_progress_seconds(), "stages", "list", t->pool.list, "read",
        t->pool.read, "decode", t->pool.decode, "wait", t->wait, "encode",
        t->encode, "hand_over", t->hand_over, "write", t->write, "encode_cpu",
        t->encode_cpu, "reasons", job->reasons, "exit", exit_status));
}

void
cli_extract_report_end(const cli_extract_job *job, int exit_status)
{
    const bulk_totals *t = bulk_dataset_totals(job->dataset);
    const int64_t others = bulk_source_others(job->source);
    const int64_t parts = bulk_dataset_parts(job->dataset);
    const int64_t images = t->inputs - t->failed;

    if (t->inputs == 0 && job->given.of == 1)
        cli_report_warning("there is no picture among the inputs");
    if (others > 0)
        cli_report_note("%" PRId64 " other file%s passed over: no picture by "
                        "name or content",
                        others, others == 1 ? " was" : "s were");
    report_reasons(job);
    report_times(job);
    cli_report_note(
        "%" PRId64 " image%s, %" PRId64 " rows in %s, %" PRId64
        " part%s, %" PRId64 " failed, %s: %s",
        images, images == 1 ? "" : "s", t->rows,
        cli_text_bytes((uint64_t)t->rows * bulk_row_bytes(&job->layout)).text,
        parts, parts == 1 ? "" : "s", t->failed,
        cli_text_seconds(cli_progress_seconds()).text,
        ORIEL_QUOTE(job->layout.folder));
    if (cli_report_json())
        report_event(job, exit_status);
}
