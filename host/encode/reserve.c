/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.c - an encoder's own scratch, what is made beforehand, and its status */
#include "base/fail.h"
#include "base/process.h"
#include "encode/handle.h"
#include "encode/job.h"

/* ---- Calls ---------------------------------------------------------------- */

static oriel_status
fail_lost(oriel_error *err)
{
    return oriel_fail(err, ORIEL_ERR_FAULT,
                      "the device failed in an earlier call: destroy this "
                      "encoder");
}

oriel_status
oriel_encoder_begin_call(oriel_encoder *encoder, oriel_error *err)
{
    oriel_status status;

    if (!encoder)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "encoder is NULL");
    status = oriel_process_check(encoder->process, "the encoder", err);
    if (status)
        return status;
    if (atomic_exchange(&encoder->inside, true))
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the encoder is inside another call: give each "
                          "thread its own");
    if (!atomic_load(&encoder->lost))
        return ORIEL_OK;
    atomic_store(&encoder->inside, false);
    return fail_lost(err);
}

oriel_status
oriel_encoder_end_call(oriel_encoder *encoder, oriel_status status,
                       oriel_error *err)
{
    if (status == ORIEL_ERR_FAULT)
        atomic_store(&encoder->lost, true);
    atomic_store(&encoder->inside, false);
    return status ? status : oriel_ok(err);
}

oriel_status
oriel_encoder_status(oriel_encoder *encoder, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (!encoder)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "encoder is NULL");
    status = oriel_process_check(encoder->process, "the encoder", err);
    if (status)
        return status;
    if (atomic_load(&encoder->lost))
        return fail_lost(err);
    if (atomic_load(&encoder->inside))
        return oriel_fail(err, ORIEL_ERR_BUSY, "the encoder is inside a call");
    if (encoder->backend->status)
        status = encoder->backend->status(encoder->context, err);
    if (status == ORIEL_ERR_FAULT)
        atomic_store(&encoder->lost, true);
    return status ? status : oriel_ok(err);
}

/* ---- Scratch -------------------------------------------------------------- */

/* New before old: what fails leaves everything as it was. */
static oriel_status
enlarge(oriel_encoder *encoder, size_t bytes, oriel_error *err)
{
    const oriel_backend *backend = encoder->backend;
    void *larger;
    oriel_status status =
        backend->alloc_workspace(&larger, bytes, &encoder->config, err);

    if (status)
        return status;
    if (backend->settle)
        status = backend->settle(encoder->context, err);
    if (status) {
        backend->free_workspace(larger, &encoder->config);
        return status;
    }
    if (encoder->workspace)
        backend->free_workspace(encoder->workspace, &encoder->config);
    encoder->workspace = larger;
    encoder->workspace_bytes = bytes;
    return ORIEL_OK;
}

oriel_status
oriel_encoder_reserve(oriel_encoder *encoder, size_t bytes, oriel_error *err)
{
    oriel_status status = oriel_encoder_begin_call(encoder, err);

    if (status)
        return status;
    if (bytes > encoder->workspace_bytes)
        status = enlarge(encoder, bytes, err);
    return oriel_encoder_end_call(encoder, status, err);
}

oriel_status
oriel_encoder_take_workspace(oriel_encoder *encoder, oriel_backend_job *job,
                             void *memory, size_t bytes, oriel_error *err)
{
    size_t lost, needed;
    oriel_status status = encoder->backend->workspace_bytes(
        job->plan, &encoder->config, &needed, err);

    job->own_workspace = !memory;
    if (!status && !memory && encoder->config.grow &&
        needed > encoder->workspace_bytes)
        status = enlarge(encoder, needed, err);
    if (status)
        return status;
    if (!memory) {
        memory = encoder->workspace;
        bytes = encoder->workspace_bytes;
    }
    lost = (size_t)(-(uintptr_t)memory % ORIEL_WORKSPACE_ALIGNMENT);
    if (!memory || bytes < lost || bytes - lost < needed)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "the workspace has %zu bytes, but this plan needs "
                          "%zu (oriel_plan_workspace_bytes)",
                          memory ? bytes : 0,
                          needed + ORIEL_WORKSPACE_ALIGNMENT);
    job->workspace = (char *)memory + lost;
    job->workspace_bytes = bytes - lost;
    return ORIEL_OK;
}

/* ---- Beforehand ----------------------------------------------------------- */

/* Where the encoder has no scratch of its own, none is known beforehand. */
static oriel_status
prepare(oriel_encoder *encoder, const oriel_plan *plan, oriel_error *err)
{
    oriel_backend_job job = {.plan = plan, .own_workspace = true};
    oriel_status status = ORIEL_OK;

    if (plan)
        status =
            oriel_plan_check(plan, oriel_model_network(encoder->model), err);
    if (!status && plan && (encoder->workspace || encoder->config.grow))
        status = oriel_encoder_take_workspace(encoder, &job, NULL, 0, err);
    if (!status && encoder->backend->prepare)
        status = encoder->backend->prepare(encoder->context, &job, err);
    return status;
}

oriel_status
oriel_encoder_prepare(oriel_encoder *encoder, const oriel_plan *plan,
                      oriel_error *err)
{
    oriel_status status = oriel_encoder_begin_call(encoder, err);

    if (status)
        return status;
    return oriel_encoder_end_call(encoder, prepare(encoder, plan, err), err);
}
