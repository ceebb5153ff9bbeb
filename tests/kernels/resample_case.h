/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resample_case.h - a batch of frames, on the device and as it should come out
 *
 * The jobs are made as a caller makes them; what should come out is made by
 * host/pixels, whole frame by whole frame, and cut pixel by pixel.
 */
#ifndef TESTS_KERNELS_RESAMPLE_CASE_H
#define TESTS_KERNELS_RESAMPLE_CASE_H

#include "base/network.h"
#include "oriel.h"
#include "pixels/axis.h"
#include "support/device_case.h"

#include "ops.h"

enum { UNTOUCHED = 0xA5, MAX_ITEMS = 8, MAX_JOBS = 12 };

typedef struct batch {
    const oriel_network *network;
    int32_t n_items;
    oriel_item items[MAX_ITEMS]; /* width, height, frames, resized */
} batch;

struct frame {
    int32_t item, slice; /* of the patch */
    int64_t first_token; /* of its temporal slice */
    uint8_t *source;
    size_t pitch, bytes;
    void *d_memory; /* the source lies at its end */
};

struct axis_arrays {
    oriel_axis host;
    void *memory;
    int32_t *first, *count, *weights; /* on the device */
};

struct resample_case {
    const batch *batch;
    int32_t resample;
    oriel_plan *plan;
    oriel_plan_info info;
    struct frame frames[MAX_JOBS];
    int32_t n_frames;
    struct axis_arrays across[MAX_ITEMS], down[MAX_ITEMS];
    oriel_resample_job jobs[MAX_JOBS];
    device_buffer waiting[MAX_JOBS];
    device_buffer d_jobs, d_places;
    oriel_resample_args args;
    size_t row_bytes, bytes;
    uintptr_t rows_before; /* of the output, in front of what there is of it */
};

typedef struct resample_case resample_case;

/* Random frames for the items, all of the same stream. */
resample_case make_resample_case(const batch *batch, int32_t resample);
/* Checks the guards of the rows that waited, too. */
void free_resample_case(resample_case *c);
/* What the kernels should make of UNTOUCHED bytes; caller frees. */
uint8_t *expected_pixels(const resample_case *c);
/* n values, and not one byte more, so that reading on is seen. */
int32_t *upload_exactly(const int32_t *host, size_t n);

#endif /* TESTS_KERNELS_RESAMPLE_CASE_H */
