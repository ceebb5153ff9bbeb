/* SPDX-License-Identifier: Apache-2.0 */
/* extract_write.c - windows to the dataset, on a thread of its own */
#include "base/fail.h"
#include "bulk/clock.h"
#include "cli/extract_job.h"

#include <pthread.h>
#include <stdlib.h>

struct cli_extract_writer {
    bulk_dataset *dataset;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bulk_window *waiting; /* or being written, until 'busy' is false */
    bool busy, stopped;
    bool cut; /* an item without rows was met: nothing after it is written */
    double seconds;
    oriel_error err;
};

static oriel_status
write_item(cli_extract_writer *writer, bulk_item *item, oriel_error *err)
{
    const bulk_entry *entry = item->entry;
    oriel_status status;
    json_t *line;

    if (entry->named_only)
        return bulk_dataset_expect(writer->dataset, entry->index, entry->id,
                                   entry->source, err);
    line = bulk_item_line(item);
    if (!line)
        return oriel_fail_memory(err, sizeof(*item), "a line");
    status = bulk_dataset_add(writer->dataset, entry->ordinal, line, item->rows,
                              item->n_rows, err);
    json_decref(line);
    return status;
}

static void
write_window(cli_extract_writer *writer, bulk_window *window)
{
    for (size_t i = 0; i < window->n && !writer->err.status; i++) {
        const bulk_item *item = window->items[i];

        writer->cut =
            writer->cut ||
            (!item->encoded && !item->err.status && !item->entry->named_only) ||
            (item->err.status && !bulk_item_is_at_fault(item));
        if (writer->cut)
            break;
        write_item(writer, window->items[i], &writer->err);
    }
    bulk_window_free(window);
}

static void *
run(void *context)
{
    cli_extract_writer *writer = context;

    pthread_mutex_lock(&writer->lock);
    for (;;) {
        bulk_window *window;
        double start;

        while (!writer->waiting && !writer->stopped)
            pthread_cond_wait(&writer->changed, &writer->lock);
        if (!writer->waiting)
            break;
        window = writer->waiting;
        writer->waiting = NULL;
        writer->busy = true;
        pthread_cond_broadcast(&writer->changed);
        pthread_mutex_unlock(&writer->lock);
        start = bulk_clock_now();
        write_window(writer, window);
        pthread_mutex_lock(&writer->lock);
        writer->seconds += bulk_clock_now() - start;
        writer->busy = false;
        pthread_cond_broadcast(&writer->changed);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

oriel_status
cli_extract_writer_start(cli_extract_writer **out, bulk_dataset *dataset,
                         oriel_error *err)
{
    cli_extract_writer *writer = calloc(1, sizeof(*writer));

    *out = NULL;
    if (!writer)
        return oriel_fail_memory(err, sizeof(*writer), "the writer");
    writer->dataset = dataset;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    if (pthread_create(&writer->thread, NULL, run, writer) != 0) {
        pthread_cond_destroy(&writer->changed);
        pthread_mutex_destroy(&writer->lock);
        free(writer);
        return oriel_fail(err, ORIEL_ERR_MEMORY, "cannot start a thread");
    }
    *out = writer;
    return oriel_ok(err);
}

oriel_status
cli_extract_writer_put(cli_extract_writer *writer, bulk_window *window,
                       oriel_error *err)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->waiting)
        pthread_cond_wait(&writer->changed, &writer->lock);
    writer->waiting = window;
    *err = (oriel_error){.status = ORIEL_OK};
    if (!writer->busy)
        *err = writer->err;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return err->status;
}

oriel_status
cli_extract_writer_stop(cli_extract_writer *writer, double *seconds,
                        oriel_error *err)
{
    pthread_mutex_lock(&writer->lock);
    writer->stopped = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    *err = writer->err;
    *seconds = writer->seconds;
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
    return err->status;
}
