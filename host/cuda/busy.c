/* SPDX-License-Identifier: Apache-2.0 */
/*
 * busy.c - input.no_wait: whether a call would wait for the device
 *
 * It would when the ring's slots that it takes are not all free.  How many those
 * are is counted from its plan and its pixels before anything is enqueued; the
 * slots are taken as ring.c, metadata.c, frames.c, host_pixels.c and
 * float_frames.c take them.
 */
#include "cuda/context.h"

#include "base/fail.h"
#include "cuda/errors.h"
#include "cuda/tables.h"

/* Slots so far, and the bytes of the upload that is being counted. */
typedef struct count {
    const oriel_backend_context *context;
    size_t slots, bytes;
} count;

static void
end_upload(count *n)
{
    size_t slot = n->context->ring.slot_bytes;

    n->slots += (n->bytes + slot - 1) / slot;
    n->bytes = 0;
}

static void
count_upload(count *n, size_t bytes)
{
    n->bytes = bytes;
    end_upload(n);
}

static void
count_metadata(count *n)
{
    const oriel_backend_context *c = n->context;
    const oriel_cuda_metadata *m = &c->space.metadata;

    count_upload(n, (size_t)c->job->plan->info.n_items * sizeof(*m->records));
    count_upload(n, (size_t)m->n_positions * (size_t)oriel_cuda_rope_row(
                                                 c->weights->shapes.head_dim));
}

/* ---- Pixels --------------------------------------------------------------- */

/* Of an item: neighbouring pageable frames are one upload. */
static oriel_status
count_sources(count *n, int64_t i, oriel_error *err)
{
    const oriel_plan *plan = n->context->job->plan;
    const oriel_input *input = n->context->job->input;
    const oriel_item *item = &plan->items[i];
    size_t line = (size_t)item->width * 3, height = (size_t)item->height;
    oriel_status status = ORIEL_OK;

    for (int64_t f = plan->first_frame[i];
         f < plan->first_frame[i + 1] && !status; f++) {
        size_t pitch = input->pitches ? input->pitches[f] : line;
        bool pinned;

        status = oriel_cuda_find_pinned(&pinned, input->frames[f],
                                        (height - 1) * pitch + line, err);
        if (pinned)
            end_upload(n);
        else
            n->bytes += oriel_cuda_source_bytes(item);
    }
    return status;
}

static oriel_status
count_frames(count *n, oriel_error *err)
{
    const oriel_plan *plan = n->context->job->plan;
    const oriel_cuda_frames *f = &n->context->space.frames;
    oriel_status status = ORIEL_OK;

    count_upload(n, (size_t)((char *)(f->jobs + plan->n_source_frames) -
                             (char *)f->axes));
    if (n->context->job->input->memory == ORIEL_MEMORY_DEVICE)
        return ORIEL_OK;
    for (int64_t i = 0; i < plan->info.n_items && !status; i++)
        status = count_sources(n, i, err);
    end_upload(n);
    return status;
}

/* Whole patches to a slot, and a new one where their width changes. */
static void
count_float_frames(count *n)
{
    const oriel_plan *plan = n->context->job->plan;
    const oriel_cuda_shapes *s = &n->context->weights->shapes;
    size_t width = 0,
           left = 0; /* left: patches that the last slot still takes */

    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const int64_t *grid = &plan->info.grid_thw[3 * i];

        for (int64_t t = 0; t < grid[0]; t++) {
            int32_t shown = oriel_cuda_is_still(plan, i, t) ? 1 : s->slices;
            size_t now = (size_t)shown * (size_t)s->slice_bytes;
            size_t a_slot = n->context->ring.slot_bytes / now;
            size_t patches = (size_t)(grid[1] * grid[2]), more;

            if (now != width)
                left = 0;
            width = now;
            more = patches > left ? (patches - left + a_slot - 1) / a_slot : 0;
            n->slots += more;
            left = left + more * a_slot - patches;
        }
    }
}

static oriel_status
count_pixels(count *n, oriel_error *err)
{
    const oriel_backend_job *job = n->context->job;
    const oriel_input *input = job->input;
    bool pinned = true;
    oriel_status status = ORIEL_OK;

    if (input->frames && oriel_cuda_resamples(job->plan))
        return count_frames(n, err);
    if (input->frames) {
        count_float_frames(n);
        return ORIEL_OK;
    }
    if (input->memory == ORIEL_MEMORY_HOST)
        status = oriel_cuda_find_pinned(&pinned, input->pixel_values,
                                        input->pixel_values_bytes, err);
    if (!status && !pinned)
        count_upload(n, input->pixel_values_bytes);
    return status;
}

/* ---- Results -------------------------------------------------------------- */

static oriel_status
check_pinned(const void *memory, size_t bytes, const char *field,
             oriel_error *err)
{
    bool pinned;
    oriel_status status = oriel_cuda_find_pinned(&pinned, memory, bytes, err);

    if (status || pinned)
        return status;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "%s is in pageable memory, for which a call waits: with "
                      "input.no_wait expected pinned or device memory",
                      field);
}

static oriel_status
check_results(const oriel_output *output, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (output->memory == ORIEL_MEMORY_DEVICE)
        return ORIEL_OK;
    if (output->embeddings)
        status = check_pinned(output->embeddings, output->embeddings_bytes,
                              "output.embeddings", err);
    for (int32_t i = 0; i < output->n_taps && !status; i++)
        status = check_pinned(output->taps[i].data, output->taps[i].bytes,
                              "taps[].data", err);
    return status;
}

oriel_status
oriel_cuda_check_busy(const oriel_backend_context *c, oriel_error *err)
{
    count n = {.context = c};
    size_t n_slots = (size_t)c->ring.n_slots;
    bool free = false;
    oriel_status status = check_results(c->job->output, err);

    count_metadata(&n);
    if (!status)
        status = count_pixels(&n, err);
    if (!status && n.slots > n_slots)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "the call's pageable memory takes %zu slots of %zu "
                          "bytes, and the encoder has %zu: with input.no_wait "
                          "expected less, or pinned or device memory",
                          n.slots, c->ring.slot_bytes, n_slots);
    if (!status)
        status =
            oriel_cuda_ring_is_free(&free, &c->ring, (int32_t)n.slots, err);
    if (!status && !free)
        return oriel_fail(err, ORIEL_ERR_BUSY,
                          "the device lags behind: the call takes %zu of %zu "
                          "slots, and they are not all free",
                          n.slots, n_slots);
    return status;
}
