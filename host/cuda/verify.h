/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - the checks of oriel_device_verify that need the kernels themselves
 *
 * Their cases, bounds and oracles are the tests' (tests/ops, tests/oracle,
 * tests/kernels/instructions.cu): what a user's card is held against is what the
 * simulated GPU is held against.  All of it works on the current device, on its
 * default stream, and waits.
 */
#ifndef ORIEL_CUDA_VERIFY_H
#define ORIEL_CUDA_VERIFY_H

#include "encode/verify.h"

#include <stdbool.h>

/* One check, as it is told. */
typedef struct oriel_cuda_check_result {
    const char *name, *implementation;
    int32_t kind; /* ORIEL_CHECK_* */
    int32_t verdict;
    double error, bound;
    char why[320]; /* "": nothing is wrong */
} oriel_cuda_check_result;

/* Whether checks of a kind are wanted. */
static inline bool
oriel_cuda_wants(const oriel_verify_job *job, int32_t kind)
{
    return job->sink->only & kind;
}

/* Tell a check that has ended: FAILED where 'why' says something, unless it is
   SKIPPED; then whether to go on. */
oriel_status oriel_cuda_tell(const oriel_verify_job *job,
                             const oriel_cuda_check_result *check,
                             oriel_error *err);

oriel_status oriel_cuda_verify_instructions(const oriel_verify_job *job,
                                            oriel_error *err);
oriel_status oriel_cuda_verify_answers(const oriel_verify_job *job,
                                       oriel_error *err);
/* verify_occupancy.c */
oriel_status oriel_cuda_verify_occupancy(const oriel_verify_job *job,
                                         oriel_error *err);
/* verify_kernels.c: ops within their bounds; their rows in other batches. */
oriel_status oriel_cuda_verify_kernels(const oriel_verify_job *job,
                                       oriel_error *err);
oriel_status oriel_cuda_verify_rows(const oriel_verify_job *job,
                                    oriel_error *err);
/* verify_exact.c: kernels that compute nothing but places. */
oriel_status oriel_cuda_verify_exact(const oriel_verify_job *job,
                                     oriel_error *err);

/* verify_support.c: what the cases have complained of since the last call: "" or
   a line, static. */
const char *oriel_cuda_complaint(void);

#endif /* ORIEL_CUDA_VERIFY_H */
