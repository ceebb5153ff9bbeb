/* SPDX-License-Identifier: Apache-2.0 */
/* golden_encoder.c - what is measured: a device in a precision, or the oracle */
#include "golden/golden_encoder.h"
#include "support/results.h"

#include "base/manifest.h"
#include "golden/tensors.h"
#include "oracle/oracle.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const golden_encoder_kind golden_encoder_kinds[] = {
#define KIND(name_, device_, precision_, residual_, kernels_) \
    { \
        .name = (name_), .device = ORIEL_DEVICE_##device_, \
        .precision = ORIEL_PRECISION_##precision_, \
        .residual = ORIEL_RESIDUAL_##residual_, \
        .kernels = ORIEL_KERNELS_##kernels_ \
    }
    KIND("oracle fp64", AUTO, AUTO, BF16, AUTO),
    KIND("cpu fp32", CPU, FP32, BF16, AUTO),
    KIND("cpu bf16", CPU, BF16, BF16, AUTO),
    KIND("cuda bf16", CUDA, BF16, BF16, AUTO),
    KIND("cuda own", CUDA, BF16, BF16, OWN),
    KIND("cuda wide", CUDA, BF16, WIDE, OWN),
    KIND("cuda hopper", CUDA, BF16, BF16, HOPPER),
    {.name = "cuda cudnn",
     .device = ORIEL_DEVICE_CUDA,
     .precision = ORIEL_PRECISION_BF16,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN},
#undef KIND
};
const int32_t n_golden_encoder_kinds =
    (int32_t)(sizeof(golden_encoder_kinds) / sizeof(golden_encoder_kinds[0]));

struct golden_encoder {
    const golden_encoder_kind *kind;
    const golden_file *file;
    const oriel_network *network;
    oriel_model *model;
    oriel_encoder *encoder;  /* or */
    oracle_weights *weights; /* of the oracle */
    char description[256];
};

#define CHECK_OK(call, err) \
    ck_assert_msg((call) == ORIEL_OK, "%s: %s", #call, (err).message)

bool
golden_encoder_is_present(const golden_encoder_kind *kind)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    oriel_error err;
    oriel_status status;

    if (kind->device == ORIEL_DEVICE_AUTO)
        return true;
    status = oriel_device_get_info(kind->device, 0, &info, &err);
    ck_assert_msg(status == ORIEL_OK || status == ORIEL_ERR_DEVICE, "%s: %s",
                  kind->name, err.message);
    ck_assert_msg(status == ORIEL_OK || kind->device != ORIEL_DEVICE_CPU,
                  "the CPU must always be there: %s", err.message);
    return status == ORIEL_OK;
}

/* Pixels are planned from grids, pictures from their sizes, as a caller would;
   frames of a video keep their size. */
static oriel_plan *
make_plan(const golden_encoder *s, const golden_case *c)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_item item = {(int32_t)c->items[0],
                       (int32_t)c->items[1],
                       (int32_t)c->items[2],
                       0,
                       0,
                       0};
    oriel_plan *plan;
    oriel_error err;

    if (!golden_has_pictures(c)) {
        CHECK_OK(oriel_plan_create_from_grids(&plan, s->model, c->grid_thw,
                                              (size_t)c->n_items, NULL, &err),
                 err);
    } else {
        if (strcmp(c->source, "video") == 0) {
            item.resized_width = item.width;
            item.resized_height = item.height;
        }
        CHECK_OK(oriel_plan_create(&plan, s->model, &item, 1, NULL, &err), err);
    }
    CHECK_OK(oriel_plan_get_info(plan, &info, &err), err);
    ck_assert_int_eq(info.n_items, c->n_items);
    ck_assert_mem_eq(info.grid_thw, c->grid_thw,
                     (size_t)c->n_items * 3 * sizeof(int64_t));
    return plan;
}

static oriel_encoder_options
encoder_options(const golden_encoder *s)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;

    options.device = s->kind->device;
    options.precision = s->kind->precision;
    options.residual = s->kind->residual;
    options.attention = s->kind->attention;
    options.kernels = s->kind->kernels;
    return options;
}

static void
create_encoder(golden_encoder *s)
{
    oriel_encoder_options options = encoder_options(s);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    size_t most = 0;
    oriel_error err;

    for (int32_t i = 0; i < s->file->n_cases; i++) {
        oriel_plan *plan = make_plan(s, &s->file->cases[i]);
        size_t bytes;

        CHECK_OK(oriel_plan_workspace_bytes(plan, &options, &bytes, &err), err);
        if (bytes > most)
            most = bytes;
        oriel_plan_destroy(plan);
    }
    options.workspace_bytes = most;
    CHECK_OK(oriel_encoder_create(&s->encoder, s->model, &options, &err), err);
    CHECK_OK(oriel_encoder_get_info(s->encoder, &info, &err), err);
    ck_assert_int_eq(info.precision, s->kind->precision);
    snprintf(s->description, sizeof(s->description), "%s", info.description);
}

static void
create_oracle(golden_encoder *s)
{
    s->weights = oracle_weights_create(s->network);
    for (int32_t i = 0; i < oriel_manifest_count(s->network->depth); i++) {
        oriel_tensor tensor;
        int32_t block;

        oriel_manifest_at(s->network->depth, i, &tensor, &block);
        golden_tensor(s->network, GOLDEN_SEED, tensor, block, true,
                      oracle_weights_get(s->weights, tensor, block));
    }
    snprintf(s->description, sizeof(s->description),
             "plain C in double precision");
}

golden_encoder *
golden_encoder_create(const golden_encoder_kind *kind, const golden_file *file,
                      const oriel_synth_config *config, const char *checkpoint)
{
    golden_encoder *s = calloc(1, sizeof(*s));
    oriel_error err;

    ck_assert_ptr_nonnull(s);
    s->kind = kind;
    s->file = file;
    s->network = &config->network;
    CHECK_OK(oriel_model_open(&s->model, checkpoint, NULL, &err), err);
    if (kind->device == ORIEL_DEVICE_AUTO)
        create_oracle(s);
    else
        create_encoder(s);
    return s;
}

const char *
golden_encoder_description(const golden_encoder *s)
{
    return s->description;
}

static golden_encoder_result
make_result(const golden_case *c)
{
    golden_encoder_result result = {{NULL}};

    for (int32_t k = 0; k < c->n_states; k++) {
        size_t n = (size_t)(c->states[k].rows * c->states[k].width);

        result.states[k] = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
        ck_assert_ptr_nonnull(result.states[k]);
        memset(result.states[k], 0xff, n * 4); /* NaN until written */
    }
    return result;
}

void
golden_encoder_free_result(golden_encoder_result *result)
{
    for (int32_t k = 0; k < GOLDEN_MAX_STATES; k++) {
        free(result->states[k]);
        result->states[k] = NULL;
    }
}

/* Frames for pictures, pixel_values for counters; freed by free_input. */
typedef struct held_input {
    float *pixels;
    unsigned char *pictures[8];
    const void *frames[8];
} held_input;

static oriel_input
make_input(held_input *held, const golden_case *c, int64_t columns)
{
    oriel_input input = ORIEL_INPUT_INIT;

    memset(held, 0, sizeof(*held));
    if (!golden_has_pictures(c)) {
        held->pixels = golden_pixels(c, columns);
        input.pixel_values = held->pixels;
        input.pixel_values_bytes =
            (size_t)(c->states[0].rows * columns) * sizeof(float);
        return input;
    }
    ck_assert_int_le(c->items[2], 8);
    for (int64_t f = 0; f < c->items[2]; f++) {
        held->pictures[f] = golden_picture(c->items[0], c->items[1], f);
        held->frames[f] = held->pictures[f];
    }
    input.frames = held->frames;
    return input;
}

static void
free_input(held_input *held)
{
    free(held->pixels);
    for (int i = 0; i < 8; i++)
        free(held->pictures[i]);
}

/* The oracle takes pixels only; oriel_preprocess has its own tests. */
static void
run_oracle(golden_encoder *s, const golden_case *c, const oriel_plan *plan,
           const oriel_input *input, golden_encoder_result *result)
{
    const int64_t n =
        c->states[0].rows * oriel_network_patch_columns(s->network);
    float *made = calloc((size_t)n, sizeof(*made));
    double *pixels = calloc((size_t)n, sizeof(*pixels));
    oracle_result *truth;
    oriel_error err;

    ck_assert(made && pixels);
    if (input->frames)
        CHECK_OK(oriel_preprocess(plan, input, made, (size_t)n * 4, &err), err);
    else
        memcpy(made, input->pixel_values, (size_t)n * 4);
    for (int64_t i = 0; i < n; i++)
        pixels[i] = made[i];
    truth = oracle_encode(s->weights, pixels, (const int64_t(*)[3])c->grid_thw,
                          c->n_items, 0);
    for (int32_t k = 0; k < c->n_states; k++) {
        const double *from =
            k < truth->n_hidden ? truth->hidden[k] : truth->embeddings;

        for (int64_t i = 0; i < c->states[k].rows * c->states[k].width; i++)
            result->states[k][i] = (float)from[i];
    }
    oracle_result_free(truth);
    free(pixels);
    free(made);
}

static void
run_encoder(golden_encoder *s, const golden_case *c, const oriel_plan *plan,
            const oriel_input *input, golden_encoder_result *result)
{
    const int32_t last = c->n_states - 1;
    oriel_result results[GOLDEN_MAX_STATES];
    oriel_output output = output_of(results, c->n_states, ORIEL_MEMORY_HOST);
    oriel_error err;

    for (int32_t k = 0; k <= last; k++) {
        size_t bytes =
            (size_t)(c->states[k].rows * c->states[k].width) * sizeof(float);

        results[k] = k < last ? hidden_state_result(k, result->states[k], bytes)
                              : embeddings_result(result->states[k], bytes);
    }
    CHECK_OK(oriel_encoder_prepare(s->encoder, plan, &err), err);
    CHECK_OK(oriel_encode(s->encoder, plan, input, &output, NULL, &err), err);
}

golden_encoder_result
golden_encoder_run(golden_encoder *s, const golden_case *c)
{
    golden_encoder_result result = make_result(c);
    oriel_plan *plan = make_plan(s, c);
    held_input held;
    oriel_input input =
        make_input(&held, c, oriel_network_patch_columns(s->network));

    if (s->weights)
        run_oracle(s, c, plan, &input, &result);
    else
        run_encoder(s, c, plan, &input, &result);
    oriel_plan_destroy(plan);
    free_input(&held);
    return result;
}

void
golden_encoder_destroy(golden_encoder *s)
{
    if (s->weights)
        oracle_weights_free(s->weights);
    oriel_encoder_destroy(s->encoder);
    oriel_model_destroy(s->model);
    free(s);
}
