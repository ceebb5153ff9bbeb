/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - events around the steps of a job, and what lies between them
 *
 * Events are few: when all are used, the device is waited for and they are read.
 */
#ifndef ORIEL_CUDA_PROFILE_H
#define ORIEL_CUDA_PROFILE_H

#include "base/steps.h"
#include "oriel.h"

#include <cuda_runtime.h>
#include <stdbool.h>

enum { ORIEL_CUDA_MARKS = 64 };

typedef struct oriel_cuda_mark {
    cudaEvent_t begin, end;
    oriel_step step;
} oriel_cuda_mark;

typedef struct oriel_cuda_profile {
    bool on;
    oriel_cuda_mark marks[ORIEL_CUDA_MARKS];
    int32_t n;              /* steps that ended since the marks were read */
    double ms[ORIEL_STEPS]; /* of the steps that were read */
} oriel_cuda_profile;

/* On the current device. */
oriel_status oriel_cuda_profile_create(oriel_cuda_profile *profile, bool on,
                                       oriel_error *err);
void oriel_cuda_profile_destroy(
    oriel_cuda_profile *profile); /* zeroed is fine */

/* Of a job; then around each step.  'call' is asked before a wait. */
void oriel_cuda_profile_start(oriel_cuda_profile *profile);
oriel_status oriel_cuda_profile_begin(oriel_cuda_profile *profile,
                                      oriel_step step, cudaStream_t stream,
                                      const oriel_hooks *call,
                                      oriel_error *err);
oriel_status oriel_cuda_profile_end(oriel_cuda_profile *profile,
                                    cudaStream_t stream, oriel_error *err);
/* Wait for the steps that ended, and add their milliseconds to 'ms'. */
oriel_status oriel_cuda_profile_read(oriel_cuda_profile *profile,
                                     const oriel_hooks *call, oriel_error *err);

#endif /* ORIEL_CUDA_PROFILE_H */
