/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input_case.h - one batch of frames, and its pixel_values, wherever pixels may lie
 *
 * The kinds of input of a input_case show the same pictures, so they must give the
 * same bytes.
 */
#ifndef TESTS_CUDA_INPUT_CASE_H
#define TESTS_CUDA_INPUT_CASE_H

#include "cuda/cuda_fixture.h"

enum { INPUT_CASE_FRAMES = 4 };

typedef enum input_kind {
    INPUT_HOST_FRAMES,
    INPUT_DEVICE_FRAMES,
    INPUT_HOST_VALUES,
    INPUT_DEVICE_VALUES,
    INPUT_KINDS
} input_kind;

typedef struct input_case {
    cuda_fixture r;         /* its plan is of frames */
    oriel_plan *from_grids; /* the cuda_fixture's own */
    unsigned char *memory;  /* of the host, pageable */
    device_buffer d_memory; /* the same bytes */
    size_t pitches[INPUT_CASE_FRAMES];
    const void *host[INPUT_CASE_FRAMES], *device[INPUT_CASE_FRAMES];
    float *values;
    device_buffer d_values;
    size_t values_bytes;
} input_case;

input_case input_case_make(const oriel_network *network, int32_t resample);
void input_case_free(input_case *r);

/* Other pictures, in all places; waits for the device. */
void input_case_fill(input_case *r, uint64_t seed);
oriel_input input_case_input(const input_case *r, input_kind kind);

#endif /* TESTS_CUDA_INPUT_CASE_H */
