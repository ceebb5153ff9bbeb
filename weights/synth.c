/* SPDX-License-Identifier: Apache-2.0 */
/* synth.c - the maker of synthetic checkpoints in the official layout */
#include "weights/synth.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/processor.h"
#include "base/retry.h"
#include "base/team.h"
#include "weights/counter.h"
#include "weights/describe.h"
#include "weights/layout.h"
#include "weights/scales.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARD_BYTES ((uint64_t)512 << 20)
#define GROUP 128 /* chunks, a MiB each, between two looks at cancel */

/* What the threads share. */
typedef struct work {
    const oriel_synth_config *config;
    const oriel_synth_options *options;
    const char *folder;
    oriel_layout layout;
    oriel_team *team;
    char *buffers;         /* a chunk for each thread */
    _Atomic uint64_t done; /* bytes of tensors */

    oriel_writer *writer; /* of the shard at hand */
    int32_t first, end;   /* its tensors */
    int64_t base;         /* first chunk of this group */
    pthread_mutex_t lock;
    oriel_error error; /* the first, under the lock */
} work;

static const oriel_layout_tensor *
tensor_of_chunk(const work *w, int64_t chunk)
{
    int32_t low = w->first, high = w->end;

    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;

        if (w->layout.tensors[middle].first_chunk <= chunk)
            low = middle;
        else
            high = middle;
    }
    return &w->layout.tensors[low];
}

static void
make_rows(const work *w, const oriel_layout_tensor *t, int64_t first,
          int64_t end, uint16_t *out)
{
    const oriel_network *net = &w->config->network;
    const oriel_synth_schedule schedule =
        oriel_synth_schedule_at(net, t->block);
    /* The prefix belongs to the file, not to the tensor. */
    const uint64_t key = oriel_counter_key(
        w->options->seed, t->name + strlen(ORIEL_LAYOUT_PREFIX));
    const size_t columns = (size_t)t->shape.columns;

    for (int64_t row = first; row < end; row++) {
        oriel_synth_row r = oriel_synth_row_at(net, &schedule, t->tensor, row);

        oriel_counter_fill(out, key, (uint64_t)row * columns, columns, r.scale,
                           r.offset);
        out += columns;
    }
}

static void
make_chunk(void *context, int64_t task, int32_t thread)
{
    work *w = context;
    const int64_t chunk = w->base + task;
    const oriel_layout_tensor *t = tensor_of_chunk(w, chunk);
    const int64_t rows = oriel_layout_chunk_rows(t->shape);
    const int64_t first = (chunk - t->first_chunk) * rows;
    const int64_t left = t->shape.rows - first;
    const int64_t end = first + (left < rows ? left : rows);
    const uint64_t row_bytes = (uint64_t)t->shape.columns * sizeof(uint16_t);
    char *out = w->buffers + (size_t)thread * w->layout.largest_chunk_bytes;
    size_t bytes = (size_t)(end - first) * row_bytes;
    oriel_error err;

    make_rows(w, t, first, end, (uint16_t *)(void *)out);
    atomic_fetch_add(&w->done, bytes);
    if (oriel_writer_write(w->writer, t->offset + (uint64_t)first * row_bytes,
                           out, bytes, &err) == ORIEL_OK)
        return;
    pthread_mutex_lock(&w->lock);
    if (w->error.status == ORIEL_OK)
        w->error = err;
    pthread_mutex_unlock(&w->lock);
}

static oriel_status
make_tensors(work *w, oriel_error *err)
{
    const oriel_layout_tensor *last = &w->layout.tensors[w->end - 1];
    const int64_t n_chunks = last->first_chunk + last->n_chunks;

    for (w->base = 0; w->base < n_chunks; w->base += GROUP) {
        int64_t left = n_chunks - w->base;

        if (oriel_cancelled(w->options->hooks))
            return oriel_fail(err, ORIEL_ERR_CANCELLED, "cancelled");
        oriel_team_run(w->team, make_chunk, w, left < GROUP ? left : GROUP);
        if (w->error.status) {
            if (err)
                *err = w->error;
            return w->error.status;
        }
        if (w->options->progress)
            w->options->progress(w->options->progress_user,
                                 atomic_load(&w->done), w->layout.bytes);
    }
    return oriel_ok(err);
}

/* From its table of tensors to the file under its name. */
static oriel_status
write_file(work *w, const char *path, const oriel_writer_header *header,
           uint64_t data_bytes, oriel_error *err)
{
    oriel_writer_options options = {.replace = w->options->replace,
                                    .data_bytes = data_bytes,
                                    .hooks = w->options->hooks};
    oriel_status status =
        oriel_writer_header_bytes(header, &options.header_bytes, err);

    if (!status)
        status = oriel_writer_create(&w->writer, path, &options, err);
    if (status)
        return status;
    status = make_tensors(w, err);
    if (status)
        oriel_writer_abort(w->writer);
    else
        status = oriel_writer_finish(w->writer, header, err);
    w->writer = NULL;
    return status;
}

static oriel_status
write_shard(work *w, int32_t shard, oriel_error *err)
{
    const oriel_hooks *hooks = w->options->hooks;
    char file[48], generator[96], *path;
    oriel_writer_entry metadata[] = {{"format", "pt"},
                                     {"generator", generator}};
    oriel_writer_header header = {.metadata = metadata, .n_metadata = 2};
    oriel_writer_tensor *entries;
    uint64_t bytes = 0;
    oriel_status status;

    oriel_layout_shard(&w->layout, shard, &w->first, &w->end);
    oriel_layout_file_name(file, shard, w->layout.n_shards);
    snprintf(generator, sizeof(generator), "oriel synth %s, seed %" PRIu64,
             w->config->name, w->options->seed);
    header.n_tensors = (size_t)(w->end - w->first);
    entries = oriel_calloc(hooks, header.n_tensors, sizeof(*entries));
    path = oriel_describe_path(w->folder, file, hooks);
    for (int32_t i = w->first; entries && i < w->end; i++) {
        const oriel_layout_tensor *t = &w->layout.tensors[i];

        entries[i - w->first] = oriel_layout_entry(t, &w->config->network);
        bytes = t->offset + (uint64_t)t->shape.rows *
                                (uint64_t)t->shape.columns * sizeof(uint16_t);
    }
    header.tensors = entries;
    status = entries && path
                 ? write_file(w, path, &header, bytes, err)
                 : oriel_fail_memory(err, header.n_tensors * sizeof(*entries),
                                     "a shard's header");
    oriel_free(hooks, path);
    oriel_free(hooks, entries);
    return status;
}

static oriel_status
make_folder(const char *folder, oriel_error *err)
{
    struct stat st;
    int made, cause;

    ORIEL_RETRY(made, mkdir(folder, 0777));
    if (made == 0)
        return oriel_ok(err);
    cause = errno;
    if (cause == EEXIST && oriel_stat(folder, &st) != 0)
        cause = errno;
    else if (cause == EEXIST && S_ISDIR(st.st_mode))
        return oriel_ok(err);
    return oriel_fail_cause(err, oriel_errno_status(cause, ORIEL_ERR_IO), cause,
                            "%s: cannot make the folder: %s",
                            ORIEL_QUOTE(folder), strerror(cause));
}

/*
 * A complete checkpoint is one with a config.json.  Refuse to touch one, or
 * make it incomplete before its first file is replaced.
 */
static oriel_status
check_complete(const work *w, oriel_error *err)
{
    int removed;
    char *path =
        oriel_describe_path(w->folder, ORIEL_CONFIG_FILE, w->options->hooks);
    oriel_status status = oriel_ok(err);

    if (!path)
        return oriel_fail_memory(err, strlen(w->folder), "a path");
    if (!w->options->replace && access(path, F_OK) == 0)
        status = oriel_fail_cause(
            err, ORIEL_ERR_ARGUMENT, EEXIST,
            "%s: exists already and is not to be replaced", ORIEL_QUOTE(path));
    else if (w->options->replace) {
        ORIEL_RETRY(removed, unlink(path));
        if (removed != 0 && errno != ENOENT) {
            int cause = errno;

            status = oriel_fail_cause(
                err, oriel_errno_status(cause, ORIEL_ERR_IO), cause,
                "%s: cannot remove it: %s", ORIEL_QUOTE(path), strerror(cause));
        }
    }
    oriel_free(w->options->hooks, path);
    return status;
}

static oriel_status
write_files(work *w, oriel_error *err)
{
    const bool replace = w->options->replace;
    const oriel_hooks *hooks = w->options->hooks;
    oriel_status status = check_complete(w, err);

    for (int32_t shard = 0; !status && shard < w->layout.n_shards; shard++)
        status = write_shard(w, shard, err);
    if (!status)
        status = oriel_describe_index(w->folder, &w->layout, replace, err);
    if (!status)
        status = oriel_describe_preprocessor(w->folder, w->config, replace,
                                             hooks, err);
    if (!status)
        status =
            oriel_describe_config(w->folder, w->config, replace, hooks, err);
    return status;
}

uint64_t
oriel_synth_bytes(const oriel_synth_config *config)
{
    const oriel_network *net = &config->network;
    uint64_t bytes = 0;

    for (int32_t i = 0; i < oriel_manifest_count(net->depth); i++) {
        oriel_tensor tensor;
        oriel_tensor_shape shape;
        int32_t block;

        oriel_manifest_at(net->depth, i, &tensor, &block);
        shape = oriel_tensor_get_shape(net, tensor);
        bytes += (uint64_t)shape.rows * (uint64_t)shape.columns * 2;
    }
    return bytes;
}

oriel_status
oriel_synth_write(const char *folder, const oriel_synth_config *config,
                  const oriel_synth_options *options, oriel_error *err)
{
    work w = {.config = config,
              .options = options,
              .folder = folder,
              .lock = PTHREAD_MUTEX_INITIALIZER};
    const int32_t threads =
        options->threads > 0 ? options->threads : oriel_processor_cores();
    oriel_status status = make_folder(folder, err);

    if (status)
        return status;
    status = oriel_layout_create(&w.layout, &config->network,
                                 options->shard_bytes ? options->shard_bytes
                                                      : SHARD_BYTES,
                                 options->hooks, err);
    if (status)
        goto unwind;
    w.buffers = oriel_alloc(options->hooks,
                            (size_t)threads * w.layout.largest_chunk_bytes);
    if (!w.buffers) {
        status = oriel_fail_memory(
            err, (size_t)threads * w.layout.largest_chunk_bytes,
            "tensors in the making");
        goto unwind;
    }
    status = oriel_team_create(&w.team, threads, NULL, options->hooks, err);
    if (status)
        goto unwind;
    status = write_files(&w, err);

unwind:
    oriel_team_destroy(w.team);
    oriel_free(options->hooks, w.buffers);
    oriel_layout_destroy(&w.layout);
    return status;
}
