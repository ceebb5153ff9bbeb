/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h - encoders of the tiny network on the simulated GPU, and their memory
 *
 * A rig has a model and a plan, pixel_values on host and device, and the
 * embeddings that a first encode made of them.
 */
#ifndef TESTS_CUDA_RIG_H
#define TESTS_CUDA_RIG_H

#include "cpu/fixture.h"
#include "kernels/device_case.h"

typedef struct rig {
    fixture_model m;
    oriel_plan *plan;
    oriel_plan_info info;
    float *pixels;
    device_buffer d_pixels;
    size_t pixels_bytes, embeddings_bytes; /* fp32 */
    float *expected;
} rig;

extern const int64_t rig_grids[2][3];

/* The tiny network with its first block alone: where a run of blocks is wanted
   and it does not matter which. */
const oriel_network *rig_shallow(void);

rig rig_make(const oriel_network *network);
void rig_free(rig *r);

/* On 'hooks' (NULL: none); owns a workspace.  NULL when it fails. */
oriel_encoder *rig_try_encoder(const rig *r, const oriel_hooks *hooks,
                               oriel_error *err);
oriel_encoder *rig_try_encoder_on(const rig *r, int32_t device_index,
                                  oriel_error *err);
oriel_encoder *rig_encoder(const rig *r);
/* 'graphs' is ORIEL_GRAPHS_*. */
oriel_encoder *rig_encoder_with(const rig *r, int32_t graphs);
oriel_encoder *rig_encoder_on(const rig *r, int32_t device_index);

/* Fails the test unless it succeeds. */
void rig_encode(oriel_encoder *encoder, const oriel_plan *plan,
                const oriel_input *input, const oriel_output *output,
                cudaStream_t stream);
cudaStream_t rig_stream(void);
/* Fails the test unless it is refused so, in these words among others. */
void rig_expect_refusal(oriel_encoder *encoder, const rig *r,
                        const oriel_input *input, const oriel_output *output,
                        cudaStream_t stream, oriel_status status,
                        const char *words);
/* Calls of a shape before its graph is launched. */
enum { RIG_DIRECTLY = 2 };

/* pixel_values of the host, or of the device. */
oriel_input rig_host_input(const rig *r);
oriel_input rig_device_input(const rig *r);
/* Tight fp32 embeddings; 'memory' is ORIEL_MEMORY_*. */
oriel_output rig_output(const rig *r, void *embeddings, int32_t memory);

/* Fails the test unless the device is content and 'device' holds what the first
   encode made. */
void rig_expect(const rig *r, device_buffer device);
void rig_expect_silence(void);

#endif /* TESTS_CUDA_RIG_H */
