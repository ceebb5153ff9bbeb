/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - milliseconds of each step on the device */
#include "cuda/profile.h"

#include "base/memory.h"
#include "cuda/errors.h"

#include <string.h>

static oriel_status
create_event(cudaEvent_t *event, oriel_error *err)
{
    cudaEvent_t made = NULL;
    oriel_status status =
        oriel_cuda_check(cudaEventCreateWithFlags(&made, cudaEventDefault),
                         "cudaEventCreateWithFlags", err);

    *event = status ? NULL : made;
    return status;
}

oriel_status
oriel_cuda_profile_create(oriel_cuda_profile *p, bool on, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    memset(p, 0, sizeof(*p));
    p->on = on;
    for (int i = 0; i < ORIEL_CUDA_MARKS && on && !status; i++) {
        status = create_event(&p->marks[i].begin, err);
        if (!status)
            status = create_event(&p->marks[i].end, err);
    }
    return status;
}

void
oriel_cuda_profile_destroy(oriel_cuda_profile *p)
{
    for (int i = 0; i < ORIEL_CUDA_MARKS; i++) {
        if (p->marks[i].begin)
            (void)cudaEventDestroy(p->marks[i].begin);
        if (p->marks[i].end)
            (void)cudaEventDestroy(p->marks[i].end);
    }
    memset(p, 0, sizeof(*p));
}

void
oriel_cuda_profile_start(oriel_cuda_profile *p)
{
    p->n = 0;
    memset(p->ms, 0, sizeof(p->ms));
}

oriel_status
oriel_cuda_profile_read(oriel_cuda_profile *p, const oriel_hooks *call,
                        oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (p->n > 0)
        status = oriel_cancel_check(call, err);
    if (!status && p->n > 0)
        status = oriel_cuda_check(cudaEventSynchronize(p->marks[p->n - 1].end),
                                  "cudaEventSynchronize", err);
    for (int32_t i = 0; i < p->n && !status; i++) {
        const oriel_cuda_mark *mark = &p->marks[i];
        float ms = 0;

        status =
            oriel_cuda_check(cudaEventElapsedTime(&ms, mark->begin, mark->end),
                             "cudaEventElapsedTime", err);
        p->ms[mark->step] += (double)ms;
    }
    p->n = 0;
    return status;
}

oriel_status
oriel_cuda_profile_begin(oriel_cuda_profile *p, oriel_step step,
                         cudaStream_t stream, const oriel_hooks *call,
                         oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (!p->on)
        return ORIEL_OK;
    if (p->n == ORIEL_CUDA_MARKS)
        status = oriel_cuda_profile_read(p, call, err);
    if (status)
        return status;
    p->marks[p->n].step = step;
    return oriel_cuda_check(cudaEventRecord(p->marks[p->n].begin, stream),
                            "cudaEventRecord", err);
}

oriel_status
oriel_cuda_profile_end(oriel_cuda_profile *p, cudaStream_t stream,
                       oriel_error *err)
{
    oriel_status status;

    if (!p->on)
        return ORIEL_OK;
    status = oriel_cuda_check(cudaEventRecord(p->marks[p->n].end, stream),
                              "cudaEventRecord", err);
    p->n += !status;
    return status;
}
