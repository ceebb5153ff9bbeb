/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c - RGB8 frames, of host or device, to patches by resample.cu
 *
 * Coefficients are made on the host, item by item, and sent with one job a
 * frame; frames of the host are sent as they are.
 */
#include "cuda/frames.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cuda/context.h"
#include "cuda/cursor.h"
#include "cuda/errors.h"
#include "pixels/axis.h"
#include "pixels/pixels.h"

#include <string.h>

_Static_assert((int)ORIEL_CUDA_TORCHVISION == (int)ORIEL_RESAMPLE_TORCHVISION &&
                   (int)ORIEL_CUDA_PILLOW == (int)ORIEL_RESAMPLE_PILLOW &&
                   (int)ORIEL_CUDA_PILLOW12 == (int)ORIEL_RESAMPLE_PILLOW12,
               "flavours of oriel.h and ops.h differ");

typedef struct maker {
    oriel_backend_context *context;
    oriel_cuda_upload upload;
    oriel_resample_job *jobs; /* on the host, [source frames] */
    void *axes;               /* on the host, of one item */
    char *next_axis;          /* on the device */
    uint8_t *next_source, *next_waiting;
} maker;

/* Make one axis and send it. */
static void
send_axis(maker *m, oriel_resample_axis *out, oriel_axis *axis, void *memory)
{
    const oriel_plan *plan = m->context->job->plan;
    size_t bytes = oriel_cuda_axis_bytes(out->source, out->size);
    ptrdiff_t shift = m->next_axis - (char *)memory;

    if (bytes == 0)
        return;
    memset(memory, 0, bytes); /* what is unused is sent too */
    oriel_axis_init(axis, plan->resample, out->source, out->size, memory);
    oriel_cuda_upload_put(&m->upload, memory, bytes);
    out->first = (const int32_t *)(void *)((char *)axis->first + shift);
    out->count = (const int32_t *)(void *)((char *)axis->count + shift);
    out->weights =
        (const int32_t *)(void *)((char *)axis->weights.fixed + shift);
    out->max_taps = axis->max_taps;
    out->shift = axis->shift;
    m->next_axis += bytes;
}

/* What the frames of an item have in common. */
static oriel_resample_job
make_job(maker *m, int64_t item)
{
    const oriel_plan *plan = m->context->job->plan;
    const oriel_item *it = &plan->items[item];
    oriel_axis across = {0}, down = {0};
    oriel_resample_job job;

    if (oriel_cuda_sizes_repeat(plan, item))
        return m->jobs[plan->first_frame[item] - 1];
    oriel_cuda_measure_job(&job, plan, item);
    send_axis(m, &job.across, &across, m->axes);
    send_axis(m, &job.down, &down,
              (char *)m->axes +
                  oriel_cuda_axis_bytes(it->width, it->resized_width));
    oriel_cuda_resample_measure(&job, down.first, down.count);
    return job;
}

static void
make_item(maker *m, int64_t item)
{
    const oriel_plan *plan = m->context->job->plan;
    const oriel_input *input = m->context->job->input;
    const oriel_item *it = &plan->items[item];
    const int64_t *grid = &plan->info.grid_thw[3 * item];
    int64_t merge2 = m->context->weights->shapes.merge2;
    int32_t per_slice = plan->network.temporal_patch_size;
    oriel_resample_job job = make_job(m, item), sizes;
    size_t waiting = oriel_cuda_measure_job(&sizes, plan, item);

    for (int64_t f = 0; f < oriel_cuda_frames_of(plan, item); f++) {
        int64_t frame = plan->first_frame[item] + f;
        bool on_device = input->pixels_memory == ORIEL_MEMORY_DEVICE;

        job.source = on_device ? input->frames[frame] : m->next_source;
        job.pitch = on_device && input->pitches ? (int64_t)input->pitches[frame]
                                                : (int64_t)it->width * 3;
        job.first_token = plan->info.offsets[item] +
                          f / per_slice * grid[1] * grid[2] / merge2;
        job.slice = (int32_t)(f % per_slice);
        job.waiting = waiting ? m->next_waiting : NULL;
        m->jobs[frame] = job;
        m->next_source += oriel_cuda_source_bytes(it);
        m->next_waiting += waiting;
    }
}

/* Everything that the kernel is told; 'args' is then ready to be launched. */
static oriel_status
send_jobs(maker *m, oriel_resample_args *args, oriel_error *err)
{
    oriel_backend_context *c = m->context;
    const oriel_plan *plan = c->job->plan;
    const oriel_cuda_frames *f = &c->space.frames;
    cudaError_t error;

    oriel_cuda_upload_begin(&m->upload, oriel_cuda_job_ring(m->context),
                            c->staging.in_use ? c->staging.stream : c->stream,
                            f->axes);
    for (int64_t i = 0; i < plan->info.n_items; i++)
        make_item(m, i);
    error = oriel_cuda_resample_number(args, m->jobs,
                                       (int32_t)plan->n_source_frames);
    oriel_cuda_upload_move(&m->upload, f->jobs);
    oriel_cuda_upload_put(&m->upload, m->jobs,
                          (size_t)plan->n_source_frames * sizeof(*m->jobs));
    if (error == cudaErrorInvalidConfiguration)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "%lld source frames are too many pixels for one call "
                          "on a GPU",
                          (long long)plan->n_source_frames);
    if (error != cudaSuccess)
        return oriel_cuda_check(error, "resample_number", err);
    return oriel_cuda_finish_upload(c, &m->upload, err);
}

/* The largest pair of axes. */
static size_t
most_axes(const oriel_plan *plan)
{
    size_t axes = 0;

    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const oriel_item *it = &plan->items[i];
        size_t bytes = oriel_cuda_axis_bytes(it->width, it->resized_width) +
                       oriel_cuda_axis_bytes(it->height, it->resized_height);

        axes = bytes > axes ? bytes : axes;
    }
    return axes;
}

size_t
oriel_cuda_frames_host_bytes(const oriel_plan *plan)
{
    size_t all;

    return oriel_mul_size(&all, (size_t)plan->n_source_frames,
                          sizeof(oriel_resample_job)) &&
                   oriel_add_size(&all, all, most_axes(plan))
               ? all
               : SIZE_MAX;
}

/* Host memory for the largest pair of axes and, after it, the jobs. */
static oriel_status
borrow(maker *m, oriel_error *err)
{
    const oriel_plan *plan = m->context->job->plan;
    size_t all = oriel_cuda_frames_host_bytes(plan);

    m->axes = oriel_cuda_host_scratch(m->context, all);
    if (!m->axes)
        return oriel_fail_memory(err, all, "resampling frames");
    m->jobs = (oriel_resample_job *)(void *)((char *)m->axes + most_axes(plan));
    return ORIEL_OK;
}

/*
 * What fits goes into a buffer of the encoder's: the axes and jobs, and after them
 * the pixels, if all of them are pageable.  Else pixels go by the job's stream, and
 * with checks on or in a capture everything does.
 */
static oriel_status
stage(oriel_backend_context *c, cudaStream_t *pixels_stream, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    oriel_cuda_frames *f = &c->space.frames;
    oriel_cuda_frame_bytes bytes = oriel_cuda_measure_frames(plan);
    size_t axes = oriel_round_up(bytes.axes, ORIEL_CUDA_ALIGNMENT);
    size_t jobs = oriel_round_up(
        (size_t)plan->n_source_frames * sizeof(*f->jobs), ORIEL_CUDA_ALIGNMENT);
    void *memory;
    oriel_status status;

    if (c->capturing || c->checks.on || axes > ORIEL_CUDA_STAGE_BYTES ||
        jobs > ORIEL_CUDA_STAGE_BYTES - axes)
        return ORIEL_OK;
    status = oriel_cuda_staging_begin(&c->staging, &memory, err);
    if (status)
        return status;
    f->axes = memory;
    f->jobs = (oriel_resample_job *)(void *)(f->axes + axes);
    if (c->some_pageable && !c->some_pinned &&
        bytes.sources <= ORIEL_CUDA_STAGE_BYTES - axes - jobs) {
        f->sources = (uint8_t *)memory + axes + jobs;
        *pixels_stream = c->staging.stream;
    }
    return ORIEL_OK;
}

oriel_status
oriel_cuda_send_frames(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_cuda_frames *f = &c->space.frames;
    maker m = {.context = c};
    oriel_resample_args args = {
        .places = f->places,
        .pixels = c->space.pixels,
        .resample = plan->resample,
        .patch_size = plan->network.patch_size,
        .slices = plan->network.temporal_patch_size,
        .merge = plan->network.spatial_merge_size,
    };
    cudaStream_t pixels_stream = c->stream;
    oriel_status status = borrow(&m, err);

    if (!status)
        status = stage(c, &pixels_stream, err);
    m.next_axis = f->axes;
    m.next_source = f->sources;
    m.next_waiting = f->waiting;
    args.jobs = f->jobs;
    if (!status)
        status = send_jobs(&m, &args, err);
    if (!status && c->job->input->pixels_memory == ORIEL_MEMORY_HOST)
        status = oriel_cuda_send_sources(c, pixels_stream, err);
    if (!status)
        status = oriel_cuda_staging_end(&c->staging, c->stream, err);
    if (!status)
        status = LAUNCH(oriel_cuda_resample, args);
    return status ? status
                  : oriel_cuda_staging_release(&c->staging, c->stream, err);
}
