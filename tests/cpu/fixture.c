/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.c - models of any shape in memory, and encoders on the cpu backend */
#include "cpu/fixture.h"

#include "base/version.h"
#include "encode/encoder.h"
#include "model/model.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const oriel_backend *oriel_backend_entry(const char *version);

const oriel_backend *
fixture_backend(void)
{
    return oriel_backend_entry(ORIEL_VERSION_STRING);
}

static const int32_t tiny_full[] = {1, 3};
const oriel_network fixture_tiny = {
    .depth = 4,
    .hidden_size = 32,
    .intermediate_size = 20,
    .num_heads = 2,
    .head_dim = 16,
    .out_hidden_size = 24,
    .in_channels = 3,
    .patch_size = 4,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 32,
    .n_full_attention_blocks = 2,
    .full_attention_blocks = tiny_full,
    .rope_theta = 10000.0,
};

static const int32_t wide_full[] = {1};
const oriel_network fixture_wide = {
    .depth = 2,
    .hidden_size = 240,
    .intermediate_size = 411,
    .num_heads = 3,
    .head_dim = 80,
    .out_hidden_size = 72,
    .in_channels = 3,
    .patch_size = 6,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 48,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = wide_full,
    .rope_theta = 10000.0,
};

static const int32_t broad_full[] = {0};
const oriel_network fixture_broad = {
    .depth = 2,
    .hidden_size = 48,
    .intermediate_size = 64,
    .num_heads = 2,
    .head_dim = 24,
    .out_hidden_size = 700,
    .in_channels = 3,
    .patch_size = 4,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 48,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = broad_full,
    .rope_theta = 10000.0,
};

/* ---- A checkpoint in memory --------------------------------------------- */

static char *
write_config(const oriel_network *n)
{
    char *text = oracle_alloc(1, 4096);
    int at = snprintf(
        text, 4096,
        "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {\"depth\": %d, "
        "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_heads\": %d, "
        "\"out_hidden_size\": %d, \"in_channels\": 3, \"patch_size\": %d, "
        "\"temporal_patch_size\": %d, \"spatial_merge_size\": %d, "
        "\"window_size\": %d, \"hidden_act\": \"silu\", "
        "\"fullatt_block_indexes\": [",
        n->depth, n->hidden_size, n->intermediate_size, n->num_heads,
        n->out_hidden_size, n->patch_size, n->temporal_patch_size,
        n->spatial_merge_size, n->window_size);

    for (int32_t i = 0; i < n->n_full_attention_blocks; i++)
        at += snprintf(text + at, 4096 - (size_t)at, "%s%d", i ? ", " : "",
                       n->full_attention_blocks[i]);
    snprintf(text + at, 4096 - (size_t)at, "]}}");
    return text;
}

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

static void
fill(double *out, oriel_tensor t, oriel_tensor_shape shape,
     random_stream *stream)
{
    double scale = scale_of(t, shape);
    int is_norm = t == ORIEL_TENSOR_NORM1 || t == ORIEL_TENSOR_NORM2 ||
                  t == ORIEL_TENSOR_MERGER_NORM;

    for (int64_t i = 0; i < shape.rows * shape.columns; i++) {
        double value = random_unit(stream) * scale + (is_norm ? 1.0 : 0.0);

        /* Two residual channels far above the others, as in real models. */
        if (t == ORIEL_TENSOR_DOWN_BIAS && (i == 3 || i == 17))
            value = 20.0;
        out[i] = (double)(float)value;
    }
}

static void
append_tensor(char **header, size_t *used, const char *name,
              oriel_tensor_shape shape, const oriel_network *net,
              oriel_tensor t, size_t begin, size_t end)
{
    char dims[96];

    if (t == ORIEL_TENSOR_PATCH_EMBED)
        snprintf(dims, sizeof(dims), "%d, 3, %d, %d, %d", net->hidden_size,
                 net->temporal_patch_size, net->patch_size, net->patch_size);
    else if (shape.columns == 1)
        snprintf(dims, sizeof(dims), "%lld", (long long)shape.rows);
    else
        snprintf(dims, sizeof(dims), "%lld, %lld", (long long)shape.rows,
                 (long long)shape.columns);
    *header = realloc(*header, *used + 512);
    ck_assert_ptr_nonnull(*header);
    *used += (size_t)snprintf(*header + *used, 512,
                              "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%s], "
                              "\"data_offsets\": [%zu, %zu]}",
                              *used > 1 ? ", " : "", name, dims, begin, end);
}

typedef struct writer {
    char *header;
    size_t header_bytes;
    float *data;
    size_t values;
    random_stream stream;
} writer;

static void
write_tensor(writer *w, const fixture_model *m, const oriel_network *net,
             oriel_tensor t, int32_t block)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(net, t);
    size_t n = (size_t)(shape.rows * shape.columns);
    double *truth = oracle_weights_get(m->oracle, t, block);
    char name[160];

    fill(truth, t, shape, &w->stream);
    w->data = realloc(w->data, (w->values + n) * sizeof(float));
    ck_assert_ptr_nonnull(w->data);
    for (size_t i = 0; i < n; i++)
        w->data[w->values + i] = (float)truth[i];
    oriel_tensor_full_name(name, sizeof(name), "visual.", t, block);
    append_tensor(&w->header, &w->header_bytes, name, shape, net, t,
                  w->values * 4, (w->values + n) * 4);
    w->values += n;
}

static size_t
join(fixture_model *m, writer *w)
{
    uint64_t length;
    size_t bytes;

    w->header = realloc(w->header, w->header_bytes + 16);
    ck_assert_ptr_nonnull(w->header);
    w->header[w->header_bytes++] = '}';
    while (w->header_bytes % 8)
        w->header[w->header_bytes++] = ' ';
    length = w->header_bytes;
    bytes = 8 + w->header_bytes + w->values * 4;
    m->bytes = oracle_alloc(1, bytes);
    memcpy(m->bytes, &length, 8);
    memcpy(m->bytes + 8, w->header, w->header_bytes);
    memcpy(m->bytes + 8 + w->header_bytes, w->data, w->values * 4);
    free(w->header);
    free(w->data);
    return bytes;
}

fixture_model
fixture_model_make(const oriel_network *network, uint64_t seed)
{
    fixture_model m = {0};
    writer w = {.stream = {seed}};
    oriel_error err;
    size_t bytes;

    m.oracle = oracle_weights_create(network);
    m.config = write_config(network);
    w.header = malloc(1);
    ck_assert_ptr_nonnull(w.header);
    w.header[0] = '{';
    w.header_bytes = 1;
    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++)
        for (int32_t b = 0;
             b < (oriel_tensor_in_block((oriel_tensor)t) ? network->depth : 1);
             b++)
            write_tensor(&w, &m, network, (oriel_tensor)t, b);
    bytes = join(&m, &w);
    ck_assert_msg(oriel_model_open_memory(&m.model, m.config, strlen(m.config),
                                          m.bytes, bytes, NULL,
                                          &err) == ORIEL_OK,
                  "%s", err.message);
    return m;
}

void
fixture_model_free(fixture_model *model)
{
    oriel_model_destroy(model->model);
    oracle_weights_free(model->oracle);
    free(model->config);
    free(model->bytes);
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

size_t
fixture_workspace(const oriel_plan *plan, int32_t precision, int32_t threads)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = precision,
                                   .threads = threads,
                                   .hooks = &hooks,
                                   .call = &hooks};
    oriel_error err;
    size_t bytes;

    ck_assert_msg(fixture_backend()->workspace_bytes(plan, &config, &bytes,
                                                     &err) == ORIEL_OK,
                  "%s", err.message);
    return bytes;
}

oriel_encoder *
fixture_encoder(const fixture_model *model, const oriel_plan *plan,
                int32_t precision, int32_t threads)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = precision,
                                   .threads = threads,
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
fixture_encode(const fixture_model *model, oriel_encoder *encoder,
               const oriel_plan *plan, const oriel_input *input)
{
    const oriel_network *net = model->oracle->network;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    fixture_result r = {0};
    oriel_tap *taps;
    oriel_error err;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    r.n_hidden = net->depth + 1;
    r.patches = info.patches;
    r.tokens = info.tokens;
    r.hidden = net->hidden_size;
    r.out_hidden = net->out_hidden_size;
    r.states = oracle_alloc((size_t)r.n_hidden, sizeof(*r.states));
    taps = oracle_alloc((size_t)r.n_hidden, sizeof(*taps));
    for (int32_t k = 0; k < r.n_hidden; k++) {
        taps[k].hidden_state = k;
        taps[k].bytes = (size_t)(r.patches * r.hidden) * sizeof(float);
        taps[k].data = r.states[k] = oracle_alloc(1, taps[k].bytes);
    }
    output.embeddings_bytes = (size_t)(r.tokens * r.out_hidden) * sizeof(float);
    output.embeddings = r.embeddings = oracle_alloc(1, output.embeddings_bytes);
    output.taps = taps;
    output.n_taps = r.n_hidden;
    ck_assert_msg(oriel_encode(encoder, plan, input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    free(taps);
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
