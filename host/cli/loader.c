/* SPDX-License-Identifier: Apache-2.0 */
/* loader.c - image files to batches of decoded pictures, one batch ahead */
#include "cli/loader.h"

#include "base/fail.h"
#include "base/team.h"
#include "cli/signals.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURE_AHEAD_MAX = 64, BATCH_PHOTOS_MAX = 1024 };
#define BATCH_BYTES ((size_t)1 << 30)

struct cli_loader {
    const cli_settings *settings;
    const cli_inputs *inputs;
    int64_t batch_patches;
    size_t batch_photos;
    oriel_team *team;

    /* The loading thread's own. */
    size_t next_input;
    cli_photo measured[MEASURE_AHEAD_MAX]; /* a window before the batches */
    size_t first_measured, n_measured;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    cli_batch *ready;    /* made, not yet taken */
    cli_batch *reserve;  /* to report with when memory is out */
    bool wanted;         /* the caller took the last one */
    bool ended, stopped; /* no batch will follow; none will be taken */
};

/* ---- Making one batch, on the loading thread --------------------------- */

static void
measure_task(void *context, int64_t task, int32_t thread)
{
    cli_loader *loader = context;

    (void)thread;
    cli_photo_measure(&loader->measured[task], loader->settings);
}

/* Measure the next few inputs; they lie at measured[0 ..] afterwards. */
static void
measure_ahead(cli_loader *loader)
{
    size_t n = (size_t)oriel_team_threads(loader->team) * 4;
    size_t left = loader->inputs->n - loader->next_input;

    n = n > MEASURE_AHEAD_MAX ? MEASURE_AHEAD_MAX : n;
    n = n > left ? left : n;
    memset(loader->measured, 0, sizeof(loader->measured));
    for (size_t i = 0; i < n; i++)
        loader->measured[i].name =
            loader->inputs->names[loader->next_input + i];
    oriel_team_run(loader->team, measure_task, loader, (int64_t)n);
    loader->next_input += n;
    loader->first_measured = 0;
    loader->n_measured = n;
}

/* What a batch holds while it is made. */
typedef struct held {
    size_t bytes;  /* of pictures, and of files that wait */
    size_t decode; /* the most that one decode takes */
} held;

static held
with(held before, const cli_photo *photo)
{
    before.bytes += photo->rgb_bytes + (photo->bytes ? photo->n_bytes : 0);
    if (photo->decode_bytes > before.decode)
        before.decode = photo->decode_bytes;
    return before;
}

static bool
fits(const cli_loader *loader, const cli_batch *batch, held before,
     const cli_photo *photo)
{
    held after = with(before, photo);
    size_t threads = (size_t)oriel_team_threads(loader->team);

    if (photo->err.status || batch->patches == 0)
        return true;
    return batch->patches + photo->patches <= loader->batch_patches &&
           after.bytes + threads * after.decode <= BATCH_BYTES;
}

/* Move measured photos into the batch until it is full. */
static void
gather(cli_loader *loader, cli_batch *batch)
{
    held so_far = {0};

    while (batch->n < loader->batch_photos && !cli_signal_caught()) {
        cli_photo *photo;

        if (loader->first_measured == loader->n_measured) {
            if (loader->next_input == loader->inputs->n)
                return;
            measure_ahead(loader);
        }
        photo = &loader->measured[loader->first_measured];
        if (!fits(loader, batch, so_far, photo))
            return;
        if (!photo->err.status) {
            batch->patches += photo->patches;
            so_far = with(so_far, photo);
        }
        batch->photos[batch->n++] = *photo;
        memset(photo, 0, sizeof(*photo));
        loader->first_measured++;
    }
}

typedef struct decode_context {
    const cli_settings *settings;
    cli_batch *batch;
} decode_context;

static void
decode_task(void *context, int64_t task, int32_t thread)
{
    decode_context *decode = context;
    cli_photo *photo = &decode->batch->photos[task];

    (void)thread;
    if (!photo->err.status && !cli_signal_caught())
        cli_photo_decode(photo, decode->settings);
}

/* An empty one; without memory the reserve, which says so. */
static cli_batch *
new_batch(cli_loader *loader)
{
    cli_batch *batch = calloc(1, sizeof(*batch));

    if (batch)
        batch->photos = calloc(BATCH_PHOTOS_MAX, sizeof(*batch->photos));
    if (batch && batch->photos)
        return batch;
    free(batch);
    batch = loader->reserve;
    loader->reserve = NULL;
    oriel_fail_memory(&batch->err, BATCH_PHOTOS_MAX * sizeof(cli_photo),
                      "a batch");
    return batch;
}

static cli_batch *
make_batch(cli_loader *loader)
{
    cli_batch *batch = new_batch(loader);
    decode_context decode = {loader->settings, batch};

    if (batch->err.status)
        return batch;
    gather(loader, batch);
    oriel_team_run(loader->team, decode_task, &decode, (int64_t)batch->n);
    batch->patches = 0;
    for (size_t i = 0; i < batch->n; i++) {
        cli_photo *photo = &batch->photos[i];

        if (!photo->err.status)
            batch->patches += photo->patches;
        else if (!cli_photo_is_at_fault(photo) && !batch->err.status) {
            batch->err = photo->err;
            batch->failed_input = photo->name;
        }
    }
    if (cli_signal_caught()) {
        oriel_fail(&batch->err, ORIEL_ERR_CANCELLED, "stopped by a signal");
        batch->failed_input = NULL;
    }
    return batch;
}

/* ---- Handing over ------------------------------------------------------ */

static void *
load(void *context)
{
    cli_loader *loader = context;
    bool going = true;

    while (going) {
        cli_batch *batch = make_batch(loader);
        bool end =
            batch->err.status || (loader->next_input == loader->inputs->n &&
                                  loader->first_measured == loader->n_measured);

        pthread_mutex_lock(&loader->lock);
        loader->ready = batch;
        loader->ended = end;
        loader->wanted = false;
        pthread_cond_broadcast(&loader->changed);
        while (!loader->wanted && !loader->stopped && !end)
            pthread_cond_wait(&loader->changed, &loader->lock);
        going = !end && !loader->stopped;
        pthread_mutex_unlock(&loader->lock);
    }
    return NULL;
}

static void
release(cli_loader *loader)
{
    oriel_team_destroy(loader->team);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    free(loader->reserve);
    free(loader);
}

oriel_status
cli_loader_start(cli_loader **out, const cli_settings *settings,
                 const cli_inputs *inputs, int64_t batch_patches,
                 size_t batch_photos, int32_t threads, oriel_error *err)
{
    cli_loader *loader = calloc(1, sizeof(*loader));
    oriel_status status;

    *out = NULL;
    if (!loader)
        return oriel_fail_memory(err, sizeof(*loader), "the loader");
    loader->settings = settings;
    loader->inputs = inputs;
    loader->batch_patches = batch_patches;
    loader->batch_photos =
        batch_photos < BATCH_PHOTOS_MAX ? batch_photos : BATCH_PHOTOS_MAX;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    status = oriel_team_create(&loader->team, threads, NULL, NULL, err);
    if (!status) {
        loader->reserve = calloc(1, sizeof(*loader->reserve));
        if (!loader->reserve)
            status = oriel_fail_memory(err, sizeof(cli_batch), "the loader");
    }
    if (!status && pthread_create(&loader->thread, NULL, load, loader) != 0)
        status = oriel_fail(err, ORIEL_ERR_MEMORY, "cannot start a thread");
    if (status) {
        release(loader);
        return status;
    }
    *out = loader;
    return ORIEL_OK;
}

cli_batch *
cli_loader_next(cli_loader *loader)
{
    cli_batch *batch;

    pthread_mutex_lock(&loader->lock);
    while (!loader->ready && !loader->ended)
        pthread_cond_wait(&loader->changed, &loader->lock);
    batch = loader->ready;
    loader->ready = NULL;
    loader->wanted = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    return batch;
}

const char *
cli_batch_blame(const cli_batch *batch)
{
    const char *blame = NULL;

    for (size_t i = 0; i < batch->n; i++)
        if (!batch->photos[i].err.status) {
            if (blame)
                return NULL;
            blame = batch->photos[i].name;
        }
    return blame;
}

void
cli_batch_free(cli_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->n; i++)
        cli_photo_free(&batch->photos[i]);
    free(batch->photos);
    free(batch);
}

void
cli_loader_stop(cli_loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stopped = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    pthread_join(loader->thread, NULL);
    cli_batch_free(loader->ready);
    for (size_t i = loader->first_measured; i < loader->n_measured; i++)
        cli_photo_free(&loader->measured[i]);
    release(loader);
}
