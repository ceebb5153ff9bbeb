/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/input_case.h"

#include "support/suite.h"

#include <stdlib.h>

enum { LINE = 80, FRAME_BYTES = 32 * LINE };

/* Both passes, one, and none; a video whose last frame stands alone. */
static const oriel_item items[] = {{20, 14, 1, 24, 16, 0},
                                   {16, 18, 3, 16, 8, 0}};

input_case
input_case_make(const oriel_network *network, int32_t resample)
{
    input_case r = {.r = cuda_fixture_make(network)};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    size_t bytes = (size_t)INPUT_CASE_FRAMES * FRAME_BYTES;
    oriel_error err;

    options.resample = resample;
    r.from_grids = r.r.plan;
    ck_assert_msg(oriel_plan_create(&r.r.plan, r.r.m.model, items, COUNT(items),
                                    &options, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_plan_get_info(r.r.plan, &info, NULL), ORIEL_OK);
    r.r.info = info;
    r.r.embeddings_bytes =
        (size_t)info.tokens * (size_t)info.out_hidden_size * sizeof(float);
    r.values_bytes =
        (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    r.values = oracle_alloc(1, r.values_bytes);
    r.d_values = device_output(r.values_bytes);
    r.memory = oracle_alloc(1, bytes);
    r.d_memory = device_output(bytes);
    for (int f = 0; f < INPUT_CASE_FRAMES; f++) {
        r.pitches[f] = (size_t)(LINE - 5 * f);
        r.host[f] = r.memory + (size_t)f * FRAME_BYTES;
        r.device[f] = (char *)r.d_memory.data + (size_t)f * FRAME_BYTES;
    }
    input_case_fill(&r, 1);
    return r;
}

void
input_case_free(input_case *r)
{
    device_release(r->d_values);
    device_release(r->d_memory);
    free(r->values);
    free(r->memory);
    oriel_plan_destroy(r->r.plan);
    r->r.plan = r->from_grids;
    cuda_fixture_free(&r->r);
}

void
input_case_fill(input_case *r, uint64_t seed)
{
    random_stream random = {seed};
    size_t bytes = (size_t)INPUT_CASE_FRAMES * FRAME_BYTES;
    oriel_input input;

    for (size_t i = 0; i < bytes; i++)
        r->memory[i] = (unsigned char)random_u64(&random);
    input = input_case_input(r, INPUT_HOST_FRAMES);
    ck_assert_int_eq(
        oriel_preprocess(r->r.plan, &input, r->values, r->values_bytes, NULL),
        ORIEL_OK);
    ck_assert_int_eq(
        cudaMemcpy(r->d_memory.data, r->memory, bytes, cudaMemcpyHostToDevice),
        cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(r->d_values.data, r->values, r->values_bytes,
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
}

oriel_input
input_case_input(const input_case *r, input_kind kind)
{
    oriel_input input = ORIEL_INPUT_INIT;
    bool device = kind == INPUT_DEVICE_FRAMES || kind == INPUT_DEVICE_VALUES;

    input.pixels_memory = device ? ORIEL_MEMORY_DEVICE : ORIEL_MEMORY_HOST;
    if (kind == INPUT_HOST_FRAMES || kind == INPUT_DEVICE_FRAMES) {
        input.frames = device ? r->device : r->host;
        input.pitches = r->pitches;
        return input;
    }
    input.pixel_values = device ? r->d_values.data : (void *)r->values;
    input.pixel_values_bytes = r->values_bytes;
    return input;
}
