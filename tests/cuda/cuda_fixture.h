/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_fixture.h - encoders of the tiny network on the simulated GPU, and their memory
 *
 * A cuda_fixture has a model and a plan, pixel_values on host and device, and the
 * embeddings that a first encode made of them.
 */
#ifndef TESTS_CUDA_CUDA_FIXTURE_H
#define TESTS_CUDA_CUDA_FIXTURE_H

#include "support/device_case.h"
#include "support/fixture.h"
#include "support/results.h"

typedef struct cuda_fixture {
    fixture_model m;
    oriel_plan *plan;
    oriel_plan_info info;
    float *pixels;
    device_buffer d_pixels;
    size_t pixels_bytes, embeddings_bytes; /* fp32 */
    float *expected;
} cuda_fixture;

extern const int64_t cuda_fixture_grids[2][3];

/* The tiny network with its first block alone: where a run of blocks is wanted
   and it does not matter which. */
const oriel_network *cuda_fixture_shallow(void);

/* With its first two: one that attends inside windows, one over frames. */
const oriel_network *cuda_fixture_pair(void);

cuda_fixture cuda_fixture_make(const oriel_network *network);
void cuda_fixture_free(cuda_fixture *r);

/* On 'hooks' (NULL: none); owns a workspace.  NULL when it fails. */
oriel_encoder *cuda_fixture_try_encoder(const cuda_fixture *r,
                                        const oriel_hooks *hooks,
                                        oriel_error *err);
oriel_encoder *cuda_fixture_try_encoder_on(const cuda_fixture *r,
                                           int32_t device_index,
                                           oriel_error *err);
oriel_encoder *cuda_fixture_encoder(const cuda_fixture *r);
/* 'graphs' is ORIEL_GRAPHS_*. */
oriel_encoder *cuda_fixture_encoder_with(const cuda_fixture *r, int32_t graphs);
oriel_encoder *cuda_fixture_encoder_on(const cuda_fixture *r,
                                       int32_t device_index);

/* Fails the test unless it succeeds. */
void cuda_fixture_encode(oriel_encoder *encoder, const oriel_plan *plan,
                         const oriel_input *input, const oriel_output *output,
                         cudaStream_t stream);
cudaStream_t cuda_fixture_stream(void);
/* Fails the test unless it is refused so, in these words among others. */
void cuda_fixture_expect_refusal(oriel_encoder *encoder, const cuda_fixture *r,
                                 const oriel_input *input,
                                 const oriel_output *output,
                                 cudaStream_t stream, oriel_status status,
                                 const char *words);
/* Calls of a shape before its graph is launched. */
enum { DIRECT_CALLS = 2 };

/* pixel_values of the host, or of the device. */
oriel_input cuda_fixture_host_input(const cuda_fixture *r);
oriel_input cuda_fixture_device_input(const cuda_fixture *r);
/* Tight fp32 embeddings; 'memory' is ORIEL_MEMORY_*.  The result lives as long as
   the block in which this stands. */
#define cuda_fixture_output(r, embeddings, memory) \
    output_of(cuda_fixture_results(r, embeddings), 1, memory)
#define cuda_fixture_results(r, embeddings) \
    ((oriel_result[]){embeddings_result(embeddings, (r)->embeddings_bytes)})

/* Fails the test unless the device is content and 'device' holds what the first
   encode made. */
void cuda_fixture_expect(const cuda_fixture *r, device_buffer device);
void cuda_fixture_expect_silence(void);

#endif /* TESTS_CUDA_CUDA_FIXTURE_H */
