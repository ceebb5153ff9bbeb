/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.c - models of any shape in memory, and encoders on the cpu backend */
#include "support/fixture.h"
#include "support/results.h"

#include "base/version.h"
#include "encode/encoder.h"
#include "model/model.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

extern const oriel_backend *oriel_backend_entry(const char *version);

const oriel_backend *
fixture_backend(void)
{
    return oriel_backend_entry(ORIEL_VERSION_STRING);
}

/* ---- Weights ------------------------------------------------------------ */

/* A value's scale: matrices keep the size of what they multiply. */
static double
scale_of(oriel_tensor t, oriel_tensor_shape shape)
{
    if (t == ORIEL_TENSOR_NORM1 || t == ORIEL_TENSOR_NORM2 ||
        t == ORIEL_TENSOR_MERGER_NORM)
        return 0.2;
    if (shape.columns == 1)
        return 0.1;
    return 1.7 / __builtin_sqrt((double)shape.columns);
}

typedef struct filling {
    const oracle_weights *oracle;
    random_stream stream;
} filling;

/* The oracle gets the very numbers that fit in a float. */
static void
fill(void *user, oriel_tensor t, int32_t block, float *out, int64_t n)
{
    filling *f = user;
    double *truth = oracle_weights_get(f->oracle, t, block);
    double scale = scale_of(t, oriel_tensor_get_shape(f->oracle->network, t));
    int is_norm = t == ORIEL_TENSOR_NORM1 || t == ORIEL_TENSOR_NORM2 ||
                  t == ORIEL_TENSOR_MERGER_NORM;

    for (int64_t i = 0; i < n; i++) {
        double value = random_unit(&f->stream) * scale + (is_norm ? 1.0 : 0.0);

        /* Two residual channels far above the others, as in real models. */
        if (t == ORIEL_TENSOR_DOWN_BIAS && (i == 3 || i == 17))
            value = 20.0;
        out[i] = (float)value;
        truth[i] = (double)out[i];
    }
}

fixture_model
fixture_model_make(const oriel_network *network, uint64_t seed)
{
    fixture_model m = {.oracle = oracle_weights_create(network)};
    filling f = {m.oracle, {seed}};
    oriel_error err;

    m.files = network_files_make(network, fill, &f);
    ck_assert_msg(
        oriel_model_open_memory(&m.model, m.files.config,
                                strlen(m.files.config), m.files.weights,
                                m.files.weights_bytes, NULL, &err) == ORIEL_OK,
        "%s", err.message);
    return m;
}

void
fixture_model_free(fixture_model *model)
{
    oriel_model_destroy(model->model);
    oracle_weights_free(model->oracle);
    network_files_free(&model->files);
}

/* ---- Encoding ----------------------------------------------------------- */

oriel_plan *
fixture_plan(const fixture_model *model, const int64_t (*grids)[3], size_t n)
{
    oriel_plan *plan;
    oriel_error err;

    ck_assert_msg(oriel_plan_create_from_grids(&plan, model->model, grids[0], n,
                                               NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    return plan;
}

int32_t fixture_kernels = ORIEL_KERNELS_OWN;
int32_t fixture_residual = ORIEL_RESIDUAL_BF16;
int32_t fixture_attention = ORIEL_ATTENTION_OWN;

size_t
fixture_workspace(const oriel_plan *plan, int32_t precision, int32_t threads)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = precision,
                                   .threads = threads,
                                   .kernels = fixture_kernels,
                                   .residual = fixture_residual,
                                   .attention = fixture_attention,
                                   .hooks = &hooks,
                                   .call = &hooks};
    oriel_error err;
    size_t bytes;

    ck_assert_msg(fixture_backend()->workspace_bytes(plan, &config, &bytes,
                                                     &err) == ORIEL_OK,
                  "%s", err.message);
    return bytes;
}

void
fixture_prepare(oriel_encoder *encoder, const oriel_plan *plan)
{
    oriel_error err;

    if (fixture_attention == ORIEL_ATTENTION_CUDNN)
        ck_assert_msg(oriel_encoder_prepare(encoder, plan, &err) == ORIEL_OK,
                      "%s", err.message);
}

oriel_encoder *
fixture_encoder(const fixture_model *model, const oriel_plan *plan,
                int32_t precision, int32_t threads)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = precision,
                                   .threads = threads,
                                   .kernels = fixture_kernels,
                                   .residual = fixture_residual,
                                   .attention = fixture_attention,
                                   .hooks = &hooks,
                                   .call = &hooks};
    const oriel_backend *backend = fixture_backend();
    oriel_encoder *encoder;
    size_t bytes = fixture_workspace(plan, precision, threads);
    oriel_error err;

    ck_assert_msg(oriel_encoder_create_on(&encoder, model->model, backend,
                                          ORIEL_DEVICE_CPU, &config, &hooks,
                                          bytes, &err) == ORIEL_OK,
                  "%s", err.message);
    fixture_prepare(encoder, plan);
    return encoder;
}

float *
fixture_pixels(const oriel_plan *plan, uint64_t seed)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    random_stream stream = {seed};
    float *pixels;
    size_t n;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    n = (size_t)info.patches * (size_t)info.patch_columns;
    pixels = oracle_alloc(n, sizeof(*pixels));
    for (size_t i = 0; i < n; i++)
        pixels[i] = (float)(2.0 * random_unit(&stream));
    return pixels;
}

oriel_input
fixture_input(const oriel_plan *plan, const float *pixels)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    input.pixel_values = pixels;
    input.pixel_values_bytes =
        (size_t)info.patches * (size_t)info.patch_columns * sizeof(*pixels);
    return input;
}

void
fixture_same(const fixture_result *a, const fixture_result *b)
{
    ck_assert_int_eq(a->n_hidden, b->n_hidden);
    ck_assert_int_eq(a->patches, b->patches);
    for (int32_t k = 0; k < a->n_hidden; k++)
        ck_assert_msg(
            memcmp(a->states[k], b->states[k],
                   (size_t)(a->patches * a->hidden) * sizeof(float)) == 0,
            "hidden state %d differs", k);
    ck_assert_msg(memcmp(a->embeddings, b->embeddings,
                         (size_t)(a->tokens * a->out_hidden) * sizeof(float)) ==
                      0,
                  "embeddings differ");
}

fixture_result
fixture_part(const fixture_result *all, const int64_t (*grids)[3], int item)
{
    fixture_result part = *all;
    int64_t first = oracle_count_patches(grids, item);

    part.patches = oracle_count_patches(grids + item, 1);
    part.tokens = part.patches / 4;
    part.states = oracle_alloc((size_t)all->n_hidden, sizeof(*part.states));
    for (int32_t k = 0; k < all->n_hidden; k++)
        part.states[k] = all->states[k] + first * all->hidden;
    part.embeddings = all->embeddings + first / 4 * all->out_hidden;
    return part;
}

void
fixture_part_free(fixture_result *part)
{
    free(part->states);
}

fixture_result
fixture_encode(const fixture_model *model, oriel_encoder *encoder,
               const oriel_plan *plan, const oriel_input *input)
{
    const oriel_network *net = model->oracle->network;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_output output;
    fixture_result r = {0};
    oriel_result *results;
    size_t bytes;
    oriel_error err;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    r.n_hidden = net->depth + 1;
    r.patches = info.patches;
    r.tokens = info.tokens;
    r.hidden = net->hidden_size;
    r.out_hidden = net->out_hidden_size;
    r.states = oracle_alloc((size_t)r.n_hidden, sizeof(*r.states));
    results = oracle_alloc((size_t)r.n_hidden + 1, sizeof(*results));
    bytes = (size_t)(r.patches * r.hidden) * sizeof(float);
    for (int32_t k = 0; k < r.n_hidden; k++) {
        r.states[k] = oracle_alloc(1, bytes);
        results[k] = hidden_state_result(k, r.states[k], bytes);
    }
    bytes = (size_t)(r.tokens * r.out_hidden) * sizeof(float);
    r.embeddings = oracle_alloc(1, bytes);
    results[r.n_hidden] = embeddings_result(r.embeddings, bytes);
    output = output_of(results, r.n_hidden + 1, ORIEL_MEMORY_HOST);
    ck_assert_msg(oriel_encode(encoder, plan, input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    free(results);
    return r;
}

void
fixture_result_free(fixture_result *result)
{
    for (int32_t k = 0; k < result->n_hidden; k++)
        free(result->states[k]);
    free(result->states);
    free(result->embeddings);
}

oracle_result *
fixture_oracle(const fixture_model *model, const oriel_plan *plan,
               const float *pixels)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oracle_result *result;
    double *exact;
    size_t n;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    n = (size_t)info.patches * (size_t)info.patch_columns;
    exact = oracle_alloc(n, sizeof(*exact));
    for (size_t i = 0; i < n; i++)
        exact[i] = (double)pixels[i];
    result = oracle_encode(model->oracle, exact,
                           (const int64_t(*)[3])info.grid_thw, info.n_items, 0);
    free(exact);
    return result;
}
