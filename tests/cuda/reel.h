/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reel.h - one batch of frames, and its pixel_values, wherever pixels may lie
 *
 * The kinds of input of a reel show the same pictures, so they must give the
 * same bytes.
 */
#ifndef TESTS_CUDA_REEL_H
#define TESTS_CUDA_REEL_H

#include "cuda/rig.h"

enum { REEL_FRAMES = 4 };

typedef enum reel_kind {
    REEL_HOST_FRAMES,
    REEL_DEVICE_FRAMES,
    REEL_HOST_VALUES,
    REEL_DEVICE_VALUES,
    REEL_KINDS
} reel_kind;

typedef struct reel {
    rig r;                  /* its plan is of frames */
    oriel_plan *from_grids; /* the rig's own */
    unsigned char *memory;  /* of the host, pageable */
    device_buffer d_memory; /* the same bytes */
    size_t pitches[REEL_FRAMES];
    const void *host[REEL_FRAMES], *device[REEL_FRAMES];
    float *values;
    device_buffer d_values;
    size_t values_bytes;
} reel;

reel reel_make(const oriel_network *network, int32_t resample);
void reel_free(reel *r);

/* Other pictures, in all places; waits for the device. */
void reel_show(reel *r, uint64_t seed);
oriel_input reel_input(const reel *r, reel_kind kind);

#endif /* TESTS_CUDA_REEL_H */
