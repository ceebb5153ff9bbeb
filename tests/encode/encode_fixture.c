/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/encode_fixture.h"

#include "encode/fake_backend.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

const int64_t encode_fixture_grids[] = {1, 10, 14, 2, 8, 8, 1, 2, 2};
static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;
const size_t encode_fixture_workspace =
    (size_t)FIXTURE_PATCHES * FAKE_WORKSPACE_PER_PATCH + FIXTURE_SLACK;

oriel_status
encode_fixture_create(oriel_encoder **out, const oriel_model *model,
                      const oriel_backend *backend, const oriel_hooks *hooks,
                      size_t bytes, oriel_error *err)
{
    oriel_backend_config config = {0};

    config.precision = ORIEL_PRECISION_FP32;
    config.threads = 1;
    return oriel_encoder_create_on(out, model, backend, ORIEL_DEVICE_CUDA,
                                   &config, hooks, bytes, err);
}

void
encode_fixture_setup(struct encode_fixture *s, const oriel_backend *backend)
{
    random_stream random = {3};
    int32_t memory = backend->memory;

    fake_reset();
    memset(s, 0, sizeof(*s));
    s->tiny = tiny_model_open(NULL);
    ck_assert_int_eq(encode_fixture_create(&s->encoder, s->tiny.model, backend,
                                           &no_hooks, encode_fixture_workspace,
                                           NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_plan_create_from_grids(&s->plan, s->tiny.model,
                                                  encode_fixture_grids,
                                                  FIXTURE_ITEMS, NULL, NULL),
                     ORIEL_OK);
    s->pixel_values = aligned_alloc(64, FIXTURE_PATCHES * TINY_COLUMNS * 4);
    for (int i = 0; i < FIXTURE_PATCHES * TINY_COLUMNS; i++)
        s->pixel_values[i] = (float)random_unit(&random);
    s->embeddings = aligned_alloc(64, FIXTURE_TOKENS * TINY_OUT * 4);
    s->input = (oriel_input)ORIEL_INPUT_INIT;
    s->input.pixels_memory = memory;
    s->input.pixel_values = s->pixel_values;
    s->input.pixel_values_bytes = FIXTURE_PATCHES * TINY_COLUMNS * 4;
    s->output = (oriel_output)ORIEL_OUTPUT_INIT;
    s->output.results_memory = memory;
    s->output.results = s->results;
    s->output.n_results = 1;
    s->results[0] = (oriel_result){.kind = ORIEL_RESULT_EMBEDDINGS,
                                   .data = s->embeddings,
                                   .bytes = FIXTURE_TOKENS * TINY_OUT * 4};
    for (int k = 0; k <= TINY_DEPTH; k++) {
        s->states[k] = aligned_alloc(64, FIXTURE_PATCHES * TINY_HIDDEN * 4);
        s->results[1 + k] =
            (oriel_result){.kind = ORIEL_RESULT_HIDDEN_STATE,
                           .index = k,
                           .data = s->states[k],
                           .bytes = FIXTURE_PATCHES * TINY_HIDDEN * 4};
    }
}

void
encode_fixture_teardown(struct encode_fixture *s)
{
    oriel_plan_destroy(s->plan);
    oriel_encoder_destroy(s->encoder);
    tiny_model_close(&s->tiny);
    free(s->pixel_values);
    free(s->embeddings);
    for (int k = 0; k <= TINY_DEPTH; k++)
        free(s->states[k]);
    ck_assert_int_eq(fake.contexts, 0);
    ck_assert_int_eq(fake.loads - fake.frees, 0);
}

oriel_status
encode_fixture_encode(struct encode_fixture *s, struct CUstream_st *stream,
                      oriel_error *err)
{
    return oriel_encode(s->encoder, s->plan, &s->input, &s->output, stream,
                        err);
}
