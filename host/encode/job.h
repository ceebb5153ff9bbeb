/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - what a caller hands to oriel_encode, checked
 *
 * After this a backend may rely on every pointer, size and dtype it is given.
 */
#ifndef ORIEL_ENCODE_JOB_H
#define ORIEL_ENCODE_JOB_H

#include "encode/backend.h"

enum { ORIEL_WORKSPACE_ALIGNMENT = 256 };

/* A job and the structs it points to: the caller's, brought to our size. */
typedef struct oriel_checked_job {
    oriel_backend_job job;
    oriel_input input;
    oriel_output output;
} oriel_checked_job;

/*
 * Check all but the workspace, for an encoder of 'network' whose backend keeps
 * its memory at 'memory'.  ORIEL_ERR_ARGUMENT, _UNSUPPORTED
 */
oriel_status oriel_job_check(oriel_checked_job *out,
                             const oriel_network *network, int32_t memory,
                             const oriel_plan *plan, const oriel_input *input,
                             const oriel_output *output, oriel_error *err);

/* That the plan is of this geometry: ORIEL_ERR_ARGUMENT. */
oriel_status oriel_plan_check(const oriel_plan *plan,
                              const oriel_network *network, oriel_error *err);

/*
 * The frames of 'input' against 'plan': arrays there, no NULL, every pitch at
 * least a line.  'input' is as oriel_input_load left it.
 */
oriel_status oriel_frames_check(const oriel_plan *plan,
                                const oriel_input *input, oriel_error *err);

/* 'memory' is an ORIEL_MEMORY_* that a backend with 'backend_memory' can reach. */
oriel_status oriel_memory_check(int32_t memory, int32_t backend_memory,
                                const char *field, oriel_error *err);

/* Pointers and row sizes on a device are aligned as the kernels load them. */
oriel_status oriel_alignment_check(int32_t memory, const void *pointer,
                                   size_t pitch, const char *field,
                                   oriel_error *err);

/* An input brought to our size; dtype resolved, enums in range. */
oriel_status oriel_input_load(oriel_input *out, const oriel_input *from,
                              oriel_error *err);

#endif /* ORIEL_ENCODE_JOB_H */
