/* SPDX-License-Identifier: Apache-2.0 */
/* extract_run.c - from the first entry to the last part */
#include "base/fail.h"
#include "cli/again.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/limits.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { WINDOW_BATCHES = 16, SHARE_FROM = 1000 };
/* Rows of a window, which wait in memory for the writer: of three windows, and of
   those that have a batch on its way. */
#define WINDOW_BYTES ((int64_t)384 << 20)
/* Decoded pictures of two windows: an eighth of the memory, and no more than
   this. */
#define PICTURE_BYTES ((size_t)2 << 30)

int
cli_extract_report(const oriel_error *err)
{
    if (err->status == ORIEL_ERR_INPUT || err->status == ORIEL_ERR_BUSY)
        return cli_report_error(CLI_USAGE, "%s", err->message);
    if (err->status == ORIEL_ERR_MODEL || err->status == ORIEL_ERR_NOT_FOUND)
        return cli_report_error(CLI_OUTPUT, "%s", err->message);
    return cli_report_failure(err, NULL);
}

/* ---- Failures ---------------------------------------------------------------- */

static bool
reached(const cli_extract_job *job, bool at_end)
{
    const cli_extract_options *given = &job->given;

    if (given->most_failures > 0 && job->failed >= given->most_failures)
        return true;
    return given->most_share > 0 && job->failed > 0 &&
           (at_end || job->inputs >= SHARE_FROM) &&
           (double)job->failed * 100 >= given->most_share * (double)job->inputs;
}

static void
count_window(cli_extract_job *job, const bulk_window *window)
{
    for (size_t i = 0; i < window->n; i++) {
        const bulk_item *item = window->items[i];

        if (item->entry->named_only || (!item->encoded && !item->err.status))
            continue;
        job->inputs++;
        if (item->err.status) {
            job->failed++;
            job->times.passed++;
            cli_extract_count_reason(job, item->err.message);
            cli_report_input(item->entry->source, item->err.message);
        } else if (item->padded[0]) {
            cli_report_warning("%s: %s", ORIEL_QUOTE(item->entry->source),
                               item->padded);
        }
    }
}

/* ---- The pool ------------------------------------------------------------------ */

static size_t
picture_bytes(void)
{
    const uint64_t limit = cli_limits_read().memory_bytes;
    uint64_t bytes =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    if (limit > 0 && limit < bytes)
        bytes = limit;
    return bytes / 8 < PICTURE_BYTES ? (size_t)(bytes / 8) : PICTURE_BYTES;
}

static int64_t
window_patches(const cli_extract_job *job)
{
    const int64_t wanted = WINDOW_BATCHES * job->batch_patches;
    const int64_t most =
        WINDOW_BYTES * job->batch_patches / cli_extract_batch_bytes(job);

    if (most < job->batch_patches)
        return job->batch_patches;
    return wanted < most ? wanted : most;
}

static int
start_pool(cli_extract_job *job)
{
    const bulk_pool_options options = {
        .source = job->source,
        .settings = &job->settings,
        .threads = job->engine.options.threads,
        .bytes = picture_bytes(),
        .window_patches = window_patches(job),
    };
    oriel_error err;

    if (bulk_pool_start(&job->pool, &options, &err))
        return cli_report_failure(&err, NULL);
    return CLI_DONE;
}

/* ---- The loop ----------------------------------------------------------------- */

/* Start what is in the window.  CLI_DONE, or reports. */
static int
start_window(cli_extract_job *job, bulk_window *window)
{
    const oriel_error *why = &window->err;
    int failed = CLI_DONE, encoded;

    if (why->status && why->status != ORIEL_ERR_CANCELLED)
        failed = cli_report_failure(why, window->failed_input);
    encoded =
        cli_extract_take_window(job, window, !failed && !cli_signal_caught());
    return failed ? failed : encoded;
}

/* Windows whose batches are finished go to the writer.  CLI_DONE, or reports. */
static int
pass_windows(cli_extract_job *job, cli_extract_writer *writer)
{
    bulk_window *window;
    oriel_error err;
    int failed = CLI_DONE;

    while ((window = cli_extract_done_window(job)) != NULL) {
        const double start = cli_progress_seconds();

        count_window(job, window);
        cli_progress_update(job->times.passed);
        /* It frees the window. */
        if (cli_extract_writer_put(writer, window, &err))
            failed = failed ? failed : cli_extract_report(&err);
        job->times.hand_over += cli_progress_seconds() - start;
    }
    return failed;
}

/* While batches are on their way, an input that takes long does not keep them from
   being finished. */
static int
take_windows(cli_extract_job *job, cli_extract_writer *writer)
{
    int failed = CLI_DONE;
    oriel_error err;

    while (!failed && !cli_signal_caught() && !reached(job, false)) {
        const double start = cli_progress_seconds();
        bulk_window *window;

        if (bulk_pool_next(job->pool,
                           cli_extract_is_busy(job) ? BULK_A_WHILE
                                                    : BULK_UNTIL_THERE,
                           &window, &err))
            return cli_report_failure(&err, NULL);
        job->times.wait += cli_progress_seconds() - start;
        if (!window && bulk_pool_is_over(job->pool))
            return CLI_DONE;
        failed = window ? start_window(job, window)
                        : cli_extract_settle(job, CLI_DONE);
        if (!failed)
            failed = pass_windows(job, writer);
    }
    return failed;
}

/* All inputs, and what is on its way in the end. */
static int
encode_all(cli_extract_job *job, cli_extract_writer *writer)
{
    int failed = cli_extract_open_lanes(job), last;

    if (!failed)
        failed = start_pool(job);
    if (!failed)
        failed = take_windows(job, writer);
    failed = cli_extract_settle(job, failed);
    last = pass_windows(job, writer);
    return failed ? failed : last;
}

/* ---- The end ------------------------------------------------------------------- */

static void
say_how_to_go_on(void)
{
    char *command = cli_again_text("--resume");

    if (command)
        cli_report_warning("to go on: %s", command);
    free(command);
}

/* What the whole folder amounts to. */
static int
exit_status_of(const cli_extract_job *job)
{
    const bulk_totals *totals = bulk_dataset_totals(job->dataset);

    if (totals->inputs == 0)
        return job->given.of > 1 ? CLI_DONE : CLI_NONE;
    if (totals->failed == 0)
        return CLI_DONE;
    if (totals->failed == totals->inputs || reached(job, true))
        return CLI_NONE;
    return CLI_INPUTS;
}

/* The inputs did not end: the part at hand is closed as it is. */
static int
suspend(cli_extract_job *job, int failed)
{
    const int caught = cli_signal_caught();
    oriel_error err;

    /* Where the output itself is at fault, nothing more is put into it. */
    if (failed != CLI_USAGE && failed != CLI_OUTPUT &&
        bulk_dataset_suspend(job->dataset, &err))
        failed = cli_extract_report(&err);
    else if (!failed && caught)
        failed = cli_report_error(CLI_SIGNAL + caught,
                                  "stopped by a signal after %" PRId64
                                  " inputs; what is done is kept in %s",
                                  bulk_dataset_totals(job->dataset)->inputs,
                                  ORIEL_QUOTE(job->layout.folder));
    else if (!failed)
        failed = cli_report_error(
            CLI_NONE,
            "%" PRId64 " inputs failed: --max-failures is reached; what is "
            "done is kept in %s",
            job->failed, ORIEL_QUOTE(job->layout.folder));
    if (job->given.mode != BULK_RETRY && failed != CLI_USAGE)
        say_how_to_go_on();
    return failed;
}

int
cli_extract_end(const cli_extract_job *job)
{
    const int exit_status = exit_status_of(job);

    cli_extract_report_end(job, exit_status);
    return exit_status;
}

static int
finish(cli_extract_job *job)
{
    oriel_error err;
    int exit_status;

    if (bulk_dataset_expect_end(job->dataset, bulk_source_given(job->source),
                                &err) ||
        bulk_dataset_finish(job->dataset, bulk_source_others(job->source),
                            &err)) {
        exit_status = cli_extract_report(&err);
        if (exit_status != CLI_USAGE)
            say_how_to_go_on();
        return exit_status;
    }
    return cli_extract_end(job);
}

int
cli_extract_run(cli_extract_job *job)
{
    cli_extract_writer *writer;
    oriel_error err;
    int failed;

    if (cli_extract_writer_start(&writer, job->dataset, &err))
        return cli_report_failure(&err, NULL);
    failed = encode_all(job, writer);
    if (cli_extract_writer_stop(writer, &job->times.write, &err) && !failed)
        failed = cli_extract_report(&err);
    if (job->pool)
        job->times.pool = bulk_pool_get_times(job->pool);
    bulk_pool_stop(job->pool);
    job->pool = NULL;
    cli_progress_end();
    if (failed || cli_signal_caught() || reached(job, false))
        return suspend(job, failed);
    return finish(job);
}
