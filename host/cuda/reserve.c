/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.c - between jobs: own scratch given up, plans prepared, the status */
#include "cuda/context.h"

#include "base/fail.h"
#include "cuda/errors.h"

/* The last job, and copies of jobs that failed before they began. */
static oriel_status
wait_for_jobs(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = oriel_cancel_check(&c->hooks, err);

    if (!status && atomic_load(&c->ran))
        status = oriel_cuda_check(cudaEventSynchronize(c->done),
                                  "cudaEventSynchronize", err);
    return status ? status : oriel_cuda_ring_wait(&c->ring, err);
}

oriel_status
oriel_cuda_settle(oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status;

    if (c->own_captured)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "a call that was captured uses the encoder's own "
                          "scratch, which must outlive the graph: expected a "
                          "workspace of the caller's in captured calls");
    status = oriel_cuda_enter(&scope, c->device_index, err);
    if (!status)
        status = wait_for_jobs(c, err);
    if (!status)
        oriel_cuda_graphs_clear(&c->graphs);
    oriel_cuda_leave(&scope);
    return status;
}

/* Host memory for frames, which a plan from grids has none of. */
static oriel_status
reserve_host_scratch(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    size_t bytes;

    if (plan->from_grids)
        return ORIEL_OK;
    bytes = oriel_cuda_resamples(plan)
                ? oriel_cuda_frames_host_bytes(plan)
                : oriel_cuda_float_frames_host_bytes(plan);
    return oriel_cuda_host_scratch(c, bytes)
               ? ORIEL_OK
               : oriel_fail_memory(err, bytes, "resampling frames");
}

static oriel_status
prepare_graph(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status =
        oriel_cuda_lay_out(&c->space, c->job->workspace, c->job->plan,
                           &c->weights->shapes, &c->choices, err);

    if (status)
        return status;
    status = oriel_cuda_attention_find(&c->attention, &c->job->plan->info,
                                       &c->cudnn_plan, err);
    if (status)
        return status;
    c->rows = c->job->plan->info.patches;
    oriel_cuda_point_tables(c);
    return oriel_cuda_prepare_blocks(c, err);
}

oriel_status
oriel_cuda_prepare_job(oriel_backend_context *c, const oriel_backend_job *job,
                       oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status;

    if (!job->plan)
        return ORIEL_OK; /* kernels and products: when the context was made */
    status = oriel_cuda_enter(&scope, c->device_index, err);
    c->job = job;
    if (!status)
        status = reserve_host_scratch(c, err);
    if (!status)
        status =
            oriel_cuda_attention_prepare(&c->attention, &job->plan->info, err);
    if (!status && job->workspace && c->graphs.on)
        status = prepare_graph(c, err);
    c->job = NULL;
    oriel_cuda_leave(&scope);
    return status;
}

oriel_status
oriel_cuda_status(const oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_scope scope;
    cudaError_t error = cudaSuccess;
    oriel_status status;

    if (!atomic_load(&c->ran))
        return ORIEL_OK;
    status = oriel_cuda_enter(&scope, c->device_index, err);
    if (!status)
        error = cudaEventQuery(c->done);
    if (error == cudaErrorNotReady) {
        (void)cudaGetLastError(); /* it is no error */
        status = oriel_fail(err, ORIEL_ERR_BUSY,
                            "the encoder's last call is on its way");
    } else if (!status) {
        status = oriel_cuda_check(error, "cudaEventQuery", err);
    }
    oriel_cuda_leave(&scope);
    return status;
}
