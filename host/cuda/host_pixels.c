/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_pixels.c - the caller's pixels in host memory, on their way to the device
 *
 * Pinned ones are copied from where they lie, in stream order.  Pageable ones go
 * through the ring, and have been read when the call returns: where they fit, into
 * a buffer of the encoder's (staging.h), else in stream order.
 */
#include "cuda/context.h"

#include "base/fail.h"
#include "cuda/errors.h"

size_t
oriel_cuda_frame_extent(const oriel_item *item, const oriel_input *input,
                        int64_t frame)
{
    size_t line = (size_t)item->width * 3;
    size_t pitch = input->pitches ? input->pitches[frame] : line;

    return ((size_t)item->height - 1) * pitch + line;
}

/* CUDA is asked again only where some frames are pinned and others are not. */
static oriel_status
find_pinned(oriel_backend_context *c, bool *pinned, const void *memory,
            size_t bytes, oriel_error *err)
{
    oriel_cuda_memory at;
    oriel_status status;

    *pinned = c->some_pinned;
    if (!c->some_pinned || !c->some_pageable)
        return ORIEL_OK;
    status = oriel_cuda_find_memory(&c->pointers, &at, memory, "input.frames[]",
                                    err);
    *pinned = !status && oriel_cuda_is_pinned(&at, memory, bytes);
    return status;
}

/* ---- pixel_values --------------------------------------------------------- */

oriel_status
oriel_cuda_send_pixel_values(oriel_backend_context *c, oriel_error *err)
{
    const oriel_input *input = c->job->input;
    size_t bytes = input->pixel_values_bytes;
    void *to = c->space.pixel_values;
    cudaStream_t stream = c->stream;
    oriel_cuda_upload upload;
    oriel_status status;

    if (c->some_pinned)
        return oriel_cuda_check_launch(
            c,
            cudaMemcpyAsync(c->space.pixel_values, input->pixel_values, bytes,
                            cudaMemcpyHostToDevice, c->stream),
            "cudaMemcpyAsync", err);
    if (!c->checks.on && bytes <= ORIEL_CUDA_STAGE_BYTES) {
        status = oriel_cuda_staging_begin(&c->staging, &to, err);
        if (status)
            return status;
        c->space.pixel_values = to;
        stream = c->staging.stream;
    }
    oriel_cuda_upload_begin(&upload, &c->ring, stream, to);
    oriel_cuda_upload_put(&upload, input->pixel_values, bytes);
    status = oriel_cuda_finish_upload(c, &upload, err);
    return status ? status
                  : oriel_cuda_staging_end(&c->staging, c->stream, err);
}

/* ---- Frames --------------------------------------------------------------- */

typedef struct sender {
    oriel_backend_context *context;
    cudaStream_t stream;      /* of pageable frames */
    uint8_t *to;              /* of the next frame */
    oriel_cuda_upload upload; /* of neighbouring pageable frames */
    bool uploading;
} sender;

static oriel_status
end_upload(sender *s, oriel_error *err)
{
    bool uploading = s->uploading;

    s->uploading = false;
    return uploading ? oriel_cuda_finish_upload(s->context, &s->upload, err)
                     : ORIEL_OK;
}

static oriel_status
copy_pinned(sender *s, const oriel_item *item, const void *from, size_t pitch,
            oriel_error *err)
{
    size_t line = (size_t)item->width * 3;
    oriel_status status = end_upload(s, err);

    if (status)
        return status;
    return oriel_cuda_check_launch(
        s->context,
        cudaMemcpy2DAsync(s->to, line, from, pitch, line, (size_t)item->height,
                          cudaMemcpyHostToDevice, s->context->stream),
        "cudaMemcpy2DAsync", err);
}

/* Tight, with what lies between frames; failures show at the upload's end. */
static void
put_pageable(sender *s, const oriel_item *item, const void *from, size_t pitch)
{
    size_t line = (size_t)item->width * 3, height = (size_t)item->height;
    size_t end;

    if (!s->uploading)
        oriel_cuda_upload_begin(&s->upload, &s->context->ring, s->stream,
                                s->to);
    s->uploading = true;
    end = s->upload.written + oriel_cuda_source_bytes(item);
    if (pitch == line)
        oriel_cuda_upload_put(&s->upload, from, line * height);
    else
        for (size_t y = 0; y < height; y++)
            oriel_cuda_upload_put(&s->upload, (const char *)from + y * pitch,
                                  line);
    oriel_cuda_upload_pad(&s->upload, end);
}

static oriel_status
send_frame(sender *s, const oriel_item *item, int64_t frame, oriel_error *err)
{
    const oriel_input *input = s->context->job->input;
    size_t line = (size_t)item->width * 3;
    size_t pitch = input->pitches ? input->pitches[frame] : line;
    const void *from = input->frames[frame];
    bool pinned;
    oriel_status status =
        find_pinned(s->context, &pinned, from,
                    oriel_cuda_frame_extent(item, input, frame), err);

    if (!status && pinned)
        status = copy_pinned(s, item, from, pitch, err);
    else if (!status)
        put_pageable(s, item, from, pitch);
    s->to += oriel_cuda_source_bytes(item);
    return status;
}

oriel_status
oriel_cuda_send_sources(oriel_backend_context *c, cudaStream_t stream,
                        oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    sender s = {.context = c, .stream = stream, .to = c->space.frames.sources};
    oriel_status status = ORIEL_OK, ended;
    oriel_error ignored;

    for (int64_t i = 0; i < plan->info.n_items; i++)
        for (int64_t f = plan->first_frame[i];
             f < plan->first_frame[i + 1] && !status; f++)
            status = send_frame(&s, &plan->items[i], f, err);
    ended = end_upload(&s, status ? &ignored : err);
    return status ? status : ended;
}
