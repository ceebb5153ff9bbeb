/* SPDX-License-Identifier: Apache-2.0 */
/* checks.c - each part allocated, guarded and freed by steps; errors with a place */
#include "cuda/checks.h"

#include "base/fail.h"
#include "cuda/context.h"
#include "cuda/errors.h"

#include <stdio.h>

enum {
    POISON = 0xff /* NaN in every float format, and -1 */
};

/* ---- Create and destroy -------------------------------------------------- */

oriel_status
oriel_cuda_checks_create(oriel_cuda_checks *checks, int32_t option,
                         oriel_error *err)
{
    size_t bytes = (size_t)2 * ORIEL_CUDA_PARTS * ORIEL_CUDA_GUARD_BYTES;
    void *guards = NULL;
    oriel_status status;

    *checks = (oriel_cuda_checks){.guard_bytes = ORIEL_CUDA_GUARD_BYTES};
    if (option == ORIEL_CHECKS_OFF)
        return ORIEL_OK;
    status =
        oriel_cuda_check(cudaMallocHost(&guards, bytes), "cudaMallocHost", err);
    checks->guards = guards;
    checks->on = !status;
    return status;
}

void
oriel_cuda_checks_destroy(oriel_cuda_checks *checks)
{
    if (checks->guards)
        (void)cudaFreeHost(checks->guards);
    *checks = (oriel_cuda_checks){0};
}

/* ---- Errors with the kernel, the step and the block ---------------------- */

typedef struct place {
    char text[48];
} place;

/* "ATTEND of block 7" */
static place
place_of(const oriel_cuda_checks *checks)
{
    const char *name = oriel_step_name(checks->step);
    place p;

    if (checks->step == ORIEL_STEP_STORE)
        snprintf(p.text, sizeof(p.text), "%s of hidden state %d", name,
                 checks->block);
    else if (checks->step >= ORIEL_STEP_ATTN_IN &&
             checks->step <= ORIEL_STEP_MLP_OUT)
        snprintf(p.text, sizeof(p.text), "%s of block %d", name, checks->block);
    else
        snprintf(p.text, sizeof(p.text), "%s", name);
    return p;
}

oriel_status
oriel_cuda_check_launch(oriel_backend_context *c, cudaError_t error,
                        const char *name, oriel_error *err)
{
    char call[160];

    if (!c->checks.on)
        return oriel_cuda_check(error, name, err);
    if (error != cudaSuccess) {
        snprintf(call, sizeof(call), "%s (%s)", name,
                 place_of(&c->checks).text);
        return oriel_cuda_check(error, call, err);
    }
    snprintf(call, sizeof(call), "the device failed in %s (%s)", name,
             place_of(&c->checks).text);
    return oriel_cuda_check(cudaStreamSynchronize(c->stream), call, err);
}

oriel_status
oriel_cuda_finish_upload(oriel_backend_context *c, oriel_cuda_upload *upload,
                         oriel_error *err)
{
    oriel_error without_place;
    oriel_status status = oriel_cuda_upload_end(upload, &without_place);

    if (status == ORIEL_ERR_CANCELLED) {
        if (err)
            *err = without_place;
        return status;
    }
    return oriel_cuda_check_launch(
        c, upload->error, status ? upload->call : "cudaMemcpyAsync", err);
}

/* ---- Guards -------------------------------------------------------------- */

/* Of a part that is allocated: 0 before it, 1 after it. */
static char *
guard_of(const oriel_cuda_checks *checks, int part, int side)
{
    return checks->memory[part] +
           (side ? checks->guard_bytes + checks->parts[part].bytes : 0);
}

static unsigned char *
seen_of(const oriel_cuda_checks *checks, int part, int side)
{
    return checks->guards +
           ((size_t)2 * (size_t)part + (size_t)side) * ORIEL_CUDA_GUARD_BYTES;
}

static oriel_status
look_at_guard(oriel_backend_context *c, int part, int side, oriel_error *err)
{
    const oriel_cuda_checks *checks = &c->checks;
    const unsigned char *seen = seen_of(checks, part, side);
    size_t damaged = 0;

    for (size_t i = 0; i < checks->guard_bytes; i++)
        damaged += seen[i] != POISON;
    if (damaged == 0)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_FAULT,
                      "%s wrote %s %s: %zu of %zu guard bytes are not as they "
                      "were",
                      place_of(checks).text,
                      side ? "after the end of" : "before the start of",
                      checks->parts[part].name, damaged, checks->guard_bytes);
}

static oriel_status
check_guards(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cuda_checks *checks = &c->checks;
    cudaError_t error = cudaSuccess;
    oriel_status status;

    for (int i = 0; i < 2 * ORIEL_CUDA_PARTS && error == cudaSuccess; i++)
        if (checks->memory[i / 2])
            error = cudaMemcpyAsync(
                seen_of(checks, i / 2, i % 2), guard_of(checks, i / 2, i % 2),
                checks->guard_bytes, cudaMemcpyDeviceToHost, c->stream);
    status = oriel_cuda_check_launch(c, error, "reading guards", err);
    for (int i = 0; i < 2 * ORIEL_CUDA_PARTS && !status; i++)
        if (checks->memory[i / 2])
            status = look_at_guard(c, i / 2, i % 2, err);
    return status;
}

/* ---- Lifetimes ----------------------------------------------------------- */

static cudaError_t
poison(oriel_backend_context *c, int part)
{
    return cudaMemsetAsync(
        c->checks.memory[part], POISON,
        c->checks.parts[part].bytes + 2 * c->checks.guard_bytes, c->stream);
}

/* The memory is filled first, so that its next owner cannot read the old values. */
static oriel_status
release_parts(oriel_backend_context *c, const bool ends[ORIEL_CUDA_PARTS],
              oriel_error *err)
{
    oriel_cuda_checks *checks = &c->checks;
    cudaError_t error = cudaSuccess;
    oriel_status status;
    bool any = false;

    for (int i = 0; i < ORIEL_CUDA_PARTS; i++) {
        any = any || ends[i];
        if (ends[i] && error == cudaSuccess)
            error = poison(c, i);
    }
    if (!any)
        return ORIEL_OK;
    status = oriel_cuda_check_launch(c, error, "cudaMemsetAsync", err);
    if (status) /* nothing is given back that is still in use */
        (void)cudaStreamSynchronize(c->stream);
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (ends[i]) {
            oriel_cuda_free(checks->memory[i], &c->hooks, c->device_index);
            checks->memory[i] = NULL;
            oriel_cuda_point(&c->space, &checks->parts[i], NULL);
        }
    return status;
}

static oriel_status
acquire_parts(oriel_backend_context *c, const bool begins[ORIEL_CUDA_PARTS],
              oriel_error *err)
{
    oriel_cuda_checks *checks = &c->checks;
    cudaError_t error = cudaSuccess;

    for (int i = 0; i < ORIEL_CUDA_PARTS && error == cudaSuccess; i++) {
        const oriel_cuda_part *part = &checks->parts[i];
        void *memory;
        oriel_status status;

        if (!begins[i])
            continue;
        status =
            oriel_cuda_alloc(&memory, part->bytes + 2 * checks->guard_bytes,
                             &c->hooks, c->device_index, part->name, err);
        if (status)
            return status;
        checks->memory[i] = memory;
        oriel_cuda_point(&c->space, part,
                         checks->memory[i] + checks->guard_bytes);
        error = poison(c, i);
    }
    return oriel_cuda_check_launch(c, error, "cudaMemsetAsync", err);
}

/* ---- A job, step by step ------------------------------------------------- */

oriel_status
oriel_cuda_begin_checks(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status =
        oriel_cuda_check(cudaStreamSynchronize(c->stream),
                         "the device had failed before this call", err);

    return status ? status
                  : oriel_cuda_list_parts(c->checks.parts, &c->space.metadata,
                                          c->job->plan, &c->weights->shapes,
                                          &c->choices, err);
}

oriel_status
oriel_cuda_begin_step(oriel_backend_context *c, oriel_step step, int32_t block,
                      oriel_error *err)
{
    oriel_cuda_checks *checks = &c->checks;
    bool ends[ORIEL_CUDA_PARTS], begins[ORIEL_CUDA_PARTS];
    uint32_t of;
    oriel_status status;

    if (!checks->on)
        return oriel_cuda_profile_begin(&c->profile, step, c->stream, &c->hooks,
                                        err);
    checks->step = step;
    checks->block = block;
    of = c->job->input->frames ? ORIEL_OF_FRAMES : ORIEL_OF_VALUES;
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++) {
        const oriel_cuda_part *part = &checks->parts[i];
        bool wanted =
            part->bytes && oriel_cuda_part_is_in(part, step) && (part->of & of);

        ends[i] = checks->memory[i] && !wanted;
        begins[i] = !checks->memory[i] && wanted;
    }
    status = release_parts(c, ends, err);
    if (!status)
        status = acquire_parts(c, begins, err);
    return status ? status
                  : oriel_cuda_profile_begin(&c->profile, step, c->stream,
                                             &c->hooks, err);
}

oriel_status
oriel_cuda_end_step(oriel_backend_context *c, oriel_status status,
                    oriel_error *err)
{
    if (!status)
        status = oriel_cuda_profile_end(&c->profile, c->stream, err);
    if (status || !c->checks.on)
        return status;
    return check_guards(c, err);
}

void
oriel_cuda_end_checks(oriel_backend_context *c)
{
    bool ends[ORIEL_CUDA_PARTS];
    oriel_error ignored;

    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        ends[i] = c->checks.memory[i] != NULL;
    (void)release_parts(c, ends, &ignored);
}
