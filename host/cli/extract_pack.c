/* SPDX-License-Identifier: Apache-2.0 */
/* extract_pack.c - windows of items to batches, and back in the order of the inputs */
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <stdlib.h>

/* Larger ones first, so that batches fill and shapes return. */
static int
compare(const void *a, const void *b)
{
    const bulk_item *x = *(bulk_item *const *)a, *y = *(bulk_item *const *)b;

    if (x->patches != y->patches)
        return x->patches < y->patches ? 1 : -1;
    return x->entry->ordinal < y->entry->ordinal ? -1 : 1;
}

/* Sorted, and cut where a batch is full. */
static int
start_batches(cli_extract_job *job, cli_extract_window *window, size_t n)
{
    bulk_item **items = window->sorted;
    size_t end;
    int failed = CLI_DONE;

    qsort(items, n, sizeof(void *), compare);
    for (size_t first = 0; first < n && !failed && !cli_signal_caught();
         first = end) {
        int64_t patches = items[first]->patches;

        for (end = first + 1;
             end < n && end - first < cli_engine_batch_items(&job->engine) &&
             patches + items[end]->patches <= job->batch_patches;
             end++)
            patches += items[end]->patches;
        failed =
            cli_extract_start_batch(job, window, items + first, end - first);
    }
    return failed;
}

int
cli_extract_take_window(cli_extract_job *job, bulk_window *window, bool encodes)
{
    cli_extract_window *taken =
        calloc(1, sizeof(*taken) + window->n * sizeof(void *));
    size_t n = 0;

    if (!taken) {
        bulk_window_free(window);
        return cli_report_memory("a window");
    }
    taken->window = window;
    if (job->last)
        job->last->after = taken;
    else
        job->windows = taken;
    job->last = taken;
    for (size_t i = 0; i < window->n && encodes; i++)
        if (!window->items[i]->err.status &&
            !window->items[i]->entry->named_only)
            taken->sorted[n++] = window->items[i];
    return start_batches(job, taken, n);
}

bulk_window *
cli_extract_done_window(cli_extract_job *job)
{
    cli_extract_window *first = job->windows;
    bulk_window *window;

    if (!first || first->pending > 0)
        return NULL;
    window = first->window;
    job->windows = first->after;
    if (!job->windows)
        job->last = NULL;
    free(first);
    return window;
}
