/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks.h - ORIEL_CHECKS_ON: every part by itself, every launch waited for
 *
 * Each part (parts.h) is memory of its own, from the first step of its lifetime
 * to the last, with a guard on either side; outside of it the pointer is NULL.  The
 * memory is filled with NaN after it is allocated and before it is freed, so that a
 * read too early or too late shows: by a fault, by bytes that differ, or to a tool
 * that watches memory.  After every launch and copy the stream is waited for, and
 * after every step the guards are compared, so that an error names the kernel, the
 * step and the block that caused it.
 *
 * A part of a size class is as large as the class: what a kernel writes beyond the
 * batch, but not beyond the class, is not seen.
 *
 * The workspace is not touched then.  Nothing of this is done in a capture, and
 * no graphs are made.
 */
#ifndef ORIEL_CUDA_CHECKS_H
#define ORIEL_CUDA_CHECKS_H

#include "cuda/parts.h"

#include <cuda_runtime.h>

enum { ORIEL_CUDA_GUARD_BYTES = 256 };

typedef struct oriel_cuda_checks {
    bool on;
    size_t guard_bytes;    /* on each side of a part; a multiple of 256 */
    unsigned char *guards; /* pinned: as they were read back, two a part */
    oriel_step step;       /* under way */
    int32_t block;         /* of it; of a STORE the hidden state */
    oriel_cuda_part parts[ORIEL_CUDA_PARTS]; /* of the job */
    char *memory[ORIEL_CUDA_PARTS]; /* guard and part; NULL: not allocated */
} oriel_cuda_checks;

/* 'option' is ORIEL_CHECKS_*. */
oriel_status oriel_cuda_checks_create(oriel_cuda_checks *checks, int32_t option,
                                      oriel_error *err);
void oriel_cuda_checks_destroy(oriel_cuda_checks *checks); /* zeroed is fine */

#endif /* ORIEL_CUDA_CHECKS_H */
