/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - a job begins: its memory and stream checked, its plan sent; and ends */
#include "cuda/context.h"

#include "base/fail.h"
#include "cuda/errors.h"

#include <string.h>

/* ---- What only the device can tell of the caller's arguments ------------- */

static oriel_status
check_stream(oriel_backend_context *c, oriel_error *err)
{
    enum cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    int device = c->device_index;
    oriel_status status = ORIEL_OK;

    if (c->stream)
        status = oriel_cuda_check(cudaStreamGetDevice(c->stream, &device),
                                  "cudaStreamGetDevice", err);
    if (!status && device != c->device_index)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the stream is of device %d, expected %d, the "
                          "encoder's",
                          device, c->device_index);
    if (!status)
        status = oriel_cuda_check_stream_context(&c->scope, c->stream,
                                                 c->device_index, err);
    if (!status)
        status = oriel_cuda_check(cudaStreamIsCapturing(c->stream, &capture),
                                  "cudaStreamIsCapturing", err);
    if (!status && capture == cudaStreamCaptureStatusInvalidated)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the stream's capture was invalidated before");
    c->capturing = capture == cudaStreamCaptureStatusActive;
    return status;
}

/* With checks on every step is waited for, with a profile the last one is. */
static oriel_status
check_may_wait(const oriel_backend_context *c, oriel_error *err)
{
    const char *option = c->checks.on ? "ORIEL_CHECKS_ON" : "profile";

    if (!c->checks.on && !c->profile.on)
        return ORIEL_OK;
    if (c->capturing)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the stream is being captured, but with %s the call "
                          "waits for its steps: expected a stream that is not",
                          option);
    if (c->job->input->no_wait)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "input.no_wait is 1, but with %s the call waits for "
                          "its steps: expected 0",
                          option);
    return ORIEL_OK;
}

static oriel_status
check_pointer(oriel_backend_context *c, const void *pointer, const char *field,
              oriel_error *err)
{
    oriel_cuda_memory at;
    oriel_status status =
        oriel_cuda_find_memory(&c->pointers, &at, pointer, field, err);

    if (status)
        return status;
    if (at.type != cudaMemoryTypeDevice && at.type != cudaMemoryTypeManaged)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is not in device memory",
                          field);
    if (at.type == cudaMemoryTypeDevice && at.device != c->device_index)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s is in memory of device %d, expected %d, the "
                          "encoder's",
                          field, at.device, c->device_index);
    return ORIEL_OK;
}

/* 'bytes' of the host; whether all of them are pinned. */
static oriel_status
check_host(oriel_backend_context *c, const void *pointer, size_t bytes,
           const char *field, const char *memory, bool *pinned,
           oriel_error *err)
{
    oriel_cuda_memory at;
    oriel_status status =
        oriel_cuda_find_memory(&c->pointers, &at, pointer, field, err);

    if (status)
        return status;
    *pinned = oriel_cuda_is_pinned(&at, pointer, bytes);
    if (at.type == cudaMemoryTypeDevice)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s is in device memory, but %s is "
                          "ORIEL_MEMORY_HOST",
                          field, memory);
    return ORIEL_OK;
}

/* The same of pixels and results, for whose pageable bytes a call waits. */
static oriel_status
check_copied(oriel_backend_context *c, const void *pointer, size_t bytes,
             const char *field, const char *memory, bool *pinned,
             oriel_error *err)
{
    oriel_status status =
        check_host(c, pointer, bytes, field, memory, pinned, err);

    if (status || *pinned || !c->job->input->no_wait)
        return status;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "%s is in pageable memory, for which a call may wait: "
                      "with input.no_wait expected pinned or device memory",
                      field);
}

/* Of pixels: where input.pixels_memory says they are. */
static oriel_status
check_pixels(oriel_backend_context *c, const void *pointer, size_t bytes,
             const char *field, oriel_error *err)
{
    bool pinned;
    oriel_status status;

    if (c->job->input->pixels_memory == ORIEL_MEMORY_DEVICE)
        return check_pointer(c, pointer, field, err);
    status = check_copied(c, pointer, bytes, field, "input.pixels_memory",
                          &pinned, err);
    if (!status && pinned)
        c->some_pinned = true;
    else if (!status)
        c->some_pageable = true;
    return status;
}

/* Rows that CUDA copies lie at most so far apart: cudaDeviceProp.memPitch. */
static oriel_status
check_pitch(size_t pitch, const char *field, oriel_error *err)
{
    if (pitch <= INT32_MAX)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "%s is %zu, expected at most %d: CUDA copies no rows "
                      "that are farther apart",
                      field, pitch, INT32_MAX);
}

static oriel_status
check_frame(oriel_backend_context *c, const oriel_item *item, int64_t frame,
            oriel_error *err)
{
    const oriel_input *input = c->job->input;
    oriel_status status = check_pixels(
        c, input->frames[frame], oriel_cuda_frame_extent(item, input, frame),
        "input.frames[]", err);

    if (status || !input->pitches ||
        input->pixels_memory == ORIEL_MEMORY_DEVICE)
        return status;
    return check_pitch(input->pitches[frame], "input.pitches[]", err);
}

static oriel_status
check_frames(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_input *input = c->job->input;
    oriel_status status = ORIEL_OK;

    if (input->pixels_memory == ORIEL_MEMORY_DEVICE &&
        !oriel_cuda_resamples(plan))
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "input.frames in device memory: the float flavour is "
                          "resampled on the host; expected ORIEL_MEMORY_HOST");
    if (input->no_wait && !oriel_cuda_resamples(plan))
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "input.no_wait with frames of the float flavour, "
                          "which the call itself resamples: expected "
                          "pixel_values, or no_wait 0");
    for (int64_t i = 0; i < plan->info.n_items; i++)
        for (int64_t f = plan->first_frame[i];
             f < plan->first_frame[i + 1] && !status; f++)
            status = check_frame(c, &plan->items[i], f, err);
    return status;
}

static oriel_status
check_input(oriel_backend_context *c, oriel_error *err)
{
    const oriel_input *input = c->job->input;

    c->some_pinned = c->some_pageable = false;
    if (input->pixels_memory == ORIEL_MEMORY_HOST && c->capturing)
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT,
            "input.pixels_memory is ORIEL_MEMORY_HOST, but the stream "
            "is being captured: expected pixels in device "
            "memory");
    if (input->frames)
        return check_frames(c, err);
    return check_pixels(c, input->pixel_values, input->pixel_values_bytes,
                        "input.pixel_values", err);
}

/* Where output.results_memory says that it goes. */
static oriel_status
check_result(oriel_backend_context *c, const oriel_result *result,
             oriel_error *err)
{
    bool pinned;

    if (c->job->output->results_memory == ORIEL_MEMORY_DEVICE)
        return check_pointer(c, result->data, "results[].data", err);
    return check_copied(c, result->data, result->bytes, "results[].data",
                        "output.results_memory", &pinned, err);
}

static oriel_status
check_row_index(oriel_backend_context *c, oriel_error *err)
{
    const oriel_output *output = c->job->output;
    bool pinned;

    if (!output->row_index)
        return ORIEL_OK;
    if (output->row_index_memory == ORIEL_MEMORY_HOST && c->capturing)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "output.row_index_memory is ORIEL_MEMORY_HOST, but "
                          "the stream is being captured: expected device "
                          "memory");
    if (output->row_index_memory == ORIEL_MEMORY_HOST)
        return check_host(c, output->row_index,
                          (size_t)c->job->plan->info.tokens * sizeof(int32_t),
                          "output.row_index", "output.row_index_memory",
                          &pinned, err);
    if (c->weights->shapes.out_hidden != c->weights->network.out_hidden_size)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "output.row_index in device memory with an "
                          "out_hidden_size of %d, which is no multiple of 8: "
                          "expected indices on the host",
                          c->weights->network.out_hidden_size);
    return check_pointer(c, output->row_index, "output.row_index", err);
}

static oriel_status
check_output(oriel_backend_context *c, oriel_error *err)
{
    const oriel_output *output = c->job->output;
    oriel_status status = ORIEL_OK;

    if (output->results_memory == ORIEL_MEMORY_HOST && c->capturing)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "output.results_memory is ORIEL_MEMORY_HOST, but the "
                          "stream is being captured: expected device memory");
    for (int32_t i = 0; i < output->n_results && !status; i++) {
        status = check_result(c, &output->results[i], err);
        if (!status)
            status = check_pitch(output->results[i].row_bytes,
                                 "results[].row_bytes", err);
    }
    return status ? status : check_row_index(c, err);
}

/* ---- A call that must not wait --------------------------------------------- */

/* The plan's metadata is all that goes through the ring then. */
static oriel_status
check_no_wait(const oriel_backend_context *c, oriel_error *err)
{
    size_t slots = oriel_cuda_metadata_slots(c);
    size_t n_slots = (size_t)c->ring.n_slots;
    bool free = false;
    oriel_status status;

    if (slots > n_slots)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "the plan's metadata takes %zu slots of %zu bytes, "
                          "and the encoder has %zu: with input.no_wait "
                          "expected fewer items in a call",
                          slots, c->ring.slot_bytes, n_slots);
    status = oriel_cuda_ring_is_free(&free, &c->ring, (int32_t)slots, err);
    if (!status && !free)
        return oriel_fail(err, ORIEL_ERR_BUSY,
                          "no slot is free: the call takes %zu of %zu, and "
                          "calls before it are still on their way",
                          slots, n_slots);
    return status;
}

/* ---- Start and finish ---------------------------------------------------- */

static oriel_status
check_job(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = check_stream(c, err);

    if (!status)
        status = check_may_wait(c, err);
    if (!status)
        status = check_input(c, err);
    if (!status)
        status = check_output(c, err);
    if (!status)
        status = check_pointer(c, c->job->workspace, "workspace", err);
    return status;
}

/* Where the parts of this job lie; with checks on, as their lifetimes
   begin. */
static oriel_status
make_room(oriel_backend_context *c, oriel_error *err)
{
    if (c->checks.on)
        return oriel_cuda_begin_checks(c, err);
    return oriel_cuda_lay_out(&c->space, c->job->workspace, c->job->plan,
                              &c->weights->shapes, &c->choices, err);
}

static oriel_status
expand(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = oriel_cuda_begin_step(c, ORIEL_STEP_START, 0, err);

    if (!status)
        status = oriel_cuda_send_metadata(c, err);
    return oriel_cuda_end_step(c, status, err);
}

static void
leave(oriel_backend_context *c)
{
    oriel_error ignored;

    /* After a failure what was enqueued may read it still. */
    (void)oriel_cuda_staging_release(&c->staging, c->stream, &ignored);
    oriel_cuda_end_checks(c);
    c->job = NULL;
    c->capturing = false;
    oriel_cuda_leave(&c->scope);
}

oriel_status
oriel_cuda_start(oriel_backend_context *c, const oriel_backend_job *job,
                 oriel_error *err)
{
    oriel_status status = oriel_cuda_select(&c->scope, c->device_index, err);

    c->job = job;
    c->stream = job->stream;
    c->rows = job->plan->info.patches;
    oriel_cuda_forget_pointers(&c->pointers);
    oriel_cuda_profile_start(&c->profile);
    if (!status)
        status = check_job(c, err);
    /* In the caller's capture there is nothing that it forbids. */
    if (!status && !c->capturing)
        status = oriel_cuda_relax(&c->scope, err);
    if (!status)
        status = make_room(c, err);
    if (!status)
        status = oriel_cuda_attention_find(&c->attention, &job->plan->info,
                                           &c->cudnn_plan, err);
    /* A capture takes no slot. */
    if (!status && job->input->no_wait && !c->capturing)
        status = check_no_wait(c, err);
    if (!status && c->capturing && job->own_workspace)
        c->own_captured = true;
    if (!status)
        status = expand(c, err);
    if (status)
        leave(c); /* copies that were enqueued are guarded by the ring */
    return status;
}

/* Wait for the job, and take the milliseconds of its steps. */
static oriel_status
finish_profile(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = oriel_cuda_profile_read(&c->profile, &c->hooks, err);

    memcpy(c->job->meter->ms, c->profile.ms, sizeof(c->profile.ms));
    return status ? status
                  : oriel_cuda_check(cudaEventSynchronize(c->done),
                                     "cudaEventSynchronize", err);
}

oriel_status
oriel_cuda_finish(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    /* A captured event is the graph's; in a capture no call waits for it. */
    if (!c->capturing)
        status = oriel_cuda_check(cudaEventRecord(c->done, c->stream),
                                  "cudaEventRecord", err);
    if (!c->capturing && !status)
        atomic_store(&c->ran, true);
    if (!status && c->profile.on)
        status = finish_profile(c, err);
    leave(c);
    return status;
}
