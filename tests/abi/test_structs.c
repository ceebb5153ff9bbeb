/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_structs.c - callers that are older, newer, or ask for what we lack
 *
 * Each struct is passed as a shorter one, as a longer one whose tail is zero,
 * as a longer one whose tail is not, and with its reserved field set.
 */
#include "abi/small_checkpoint.h"
#include "oriel.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL = 24, LARGEST = 512 };

/* ---- Handles to call with --------------------------------------------- */

static const oriel_item item = {16, 16, 1, 16, 16, 0};
static const char ppm[] = "P6 2 1 255 abcdef";
static oriel_model *model;
static oriel_plan *plan;
static oriel_encoder *encoder;

static void
make_handles(void)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;

    model = checkpoint_open(NULL);
    ck_assert_int_eq(oriel_plan_create(&plan, model, &item, 1, NULL, &err),
                     ORIEL_OK);
    options.device = ORIEL_DEVICE_CPU;
    options.threads = 1;
    ck_assert_int_eq(oriel_plan_workspace_bytes(plan, &options,
                                                &options.workspace_bytes, &err),
                     ORIEL_OK);
    ck_assert_msg(!oriel_encoder_create(&encoder, model, &options, &err), "%s",
                  err.message);
}

static void
drop_handles(void)
{
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    oriel_model_destroy(model);
}

static unsigned char pixels[16 * 16 * 3];
static const void *frames[] = {pixels};
static float values[16 * 96];
static float embeddings[4 * TINY_OUT];

/* ---- Options: given a struct, call something that reads it ------------- */

static oriel_status
read_model_options(const void *options, oriel_error *err)
{
    size_t bytes;
    unsigned char *weights = checkpoint_weights("F32", &bytes);
    oriel_model *opened;
    oriel_status status = oriel_model_open_memory(&opened, checkpoint_config,
                                                  strlen(checkpoint_config),
                                                  weights, bytes, options, err);

    ck_assert(!opened == !!status);
    oriel_model_destroy(opened);
    free(weights);
    return status;
}

static oriel_status
read_plan_options(const void *options, oriel_error *err)
{
    oriel_plan *made;
    oriel_status status =
        oriel_plan_create(&made, model, &item, 1, options, err);

    ck_assert(!made == !!status);
    oriel_plan_destroy(made);
    return status;
}

static oriel_status
read_measure_options(const void *options, oriel_error *err)
{
    return oriel_item_measure(model, &item, options, NULL, NULL, err);
}

static oriel_status
read_split_options(const void *options, oriel_error *err)
{
    size_t end, n;

    return oriel_plan_split(model, &item, 1, options, NULL, &end, &n, err);
}

static oriel_status
read_budget(const void *budget, oriel_error *err)
{
    size_t end, n;

    return oriel_plan_split(model, &item, 1, NULL, budget, &end, &n, err);
}

static oriel_status
read_hooks(const void *hooks, oriel_error *err)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;

    options.hooks = hooks;
    return read_plan_options(&options, err);
}

static oriel_status
read_workspace_options(const void *options, oriel_error *err)
{
    size_t bytes;

    return oriel_plan_workspace_bytes(plan, options, &bytes, err);
}

static oriel_status
read_encoder_options(const void *options, oriel_error *err)
{
    oriel_encoder *made;
    oriel_status status = oriel_encoder_create(&made, model, options, err);

    ck_assert(!made == !!status);
    oriel_encoder_destroy(made);
    return status;
}

static oriel_status
read_input(const void *input, oriel_error *err)
{
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = embeddings,
                           .bytes = sizeof(embeddings)};

    output.results = &result;
    output.n_results = 1;
    return oriel_encode(encoder, plan, input, &output, NULL, err);
}

static oriel_status
read_preprocess_input(const void *input, oriel_error *err)
{
    return oriel_preprocess(plan, input, values, sizeof(values), err);
}

static oriel_status
read_output(const void *output, oriel_error *err)
{
    oriel_input input = ORIEL_INPUT_INIT;

    input.frames = frames;
    return oriel_encode(encoder, plan, &input, output, NULL, err);
}

static oriel_status
read_image_options(const void *options, oriel_error *err)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    return oriel_image_probe(ppm, sizeof(ppm) - 1, options, &info, err);
}

static oriel_status
read_decode_options(const void *options, oriel_error *err)
{
    unsigned char rgb[6];

    return oriel_image_decode(ppm, sizeof(ppm) - 1, options, rgb, sizeof(rgb),
                              0, err);
}

static const oriel_model_options model_options = ORIEL_MODEL_OPTIONS_INIT;
static const oriel_plan_options plan_options = ORIEL_PLAN_OPTIONS_INIT;
static const oriel_budget budget = ORIEL_BUDGET_INIT;
static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
static const oriel_encoder_options encoder_options = {
    .struct_size = sizeof(oriel_encoder_options),
    .device = ORIEL_DEVICE_CPU,
    .threads = 1};
static const oriel_input input = {
    sizeof(oriel_input), 0, frames, NULL, NULL, 0, 0, 0};
static const oriel_result result = {
    ORIEL_RESULT_EMBEDDINGS, 0, 0, 0, embeddings, sizeof(embeddings), 0};
static const oriel_output output = {
    sizeof(oriel_output), 0, &result, 1, 0, NULL, NULL, 0};
static const oriel_image_options image_options = ORIEL_IMAGE_OPTIONS_INIT;

typedef struct reader {
    const char *name;
    oriel_status (*read)(const void *options, oriel_error *err);
    const void *good;
    size_t bytes;
    size_t reserved; /* offset of its reserved field; 0: it has none */
} reader;

#define READER(type, read, good, reserved) \
    { \
#type, read, &(good), sizeof(type), reserved \
    }

static const reader readers[] = {
    READER(oriel_model_options, read_model_options, model_options,
           offsetof(oriel_model_options, reserved)),
    READER(oriel_plan_options, read_plan_options, plan_options,
           offsetof(oriel_plan_options, reserved)),
    READER(oriel_plan_options, read_measure_options, plan_options,
           offsetof(oriel_plan_options, reserved)),
    READER(oriel_plan_options, read_split_options, plan_options,
           offsetof(oriel_plan_options, reserved)),
    READER(oriel_budget, read_budget, budget, offsetof(oriel_budget, reserved)),
    READER(oriel_hooks, read_hooks, hooks, offsetof(oriel_hooks, reserved)),
    READER(oriel_encoder_options, read_workspace_options, encoder_options, 0),
    READER(oriel_encoder_options, read_encoder_options, encoder_options, 0),
    READER(oriel_input, read_input, input, 0),
    READER(oriel_input, read_preprocess_input, input, 0),
    READER(oriel_output, read_output, output, 0),
    READER(oriel_image_options, read_image_options, image_options, 0),
    READER(oriel_image_options, read_decode_options, image_options, 0),
};

/* A copy of a good struct, 'more' bytes longer, with its size said. */
static void *
copy_of(const reader *r, int more)
{
    static _Alignas(16) unsigned char copy[LARGEST];
    const uint32_t size = (uint32_t)((int)r->bytes + more);

    ck_assert_uint_lt(size, LARGEST);
    memset(copy, 0, sizeof(copy));
    memcpy(copy, r->good, r->bytes);
    memcpy(copy, &size, sizeof(size));
    return copy;
}

static void
check_read(const reader *r, const void *options, oriel_status expected)
{
    oriel_error err;
    oriel_status status;

    memset(&err, 0xee, sizeof(err));
    status = r->read(options, &err);
    ck_assert_msg(status == expected, "%s: %s (%s), expected %s", r->name,
                  oriel_status_name(status), err.message,
                  oriel_status_name(expected));
    ck_assert_int_eq(err.status, expected);
    ck_assert_int_eq(err.item, -1);
    ck_assert_int_eq(err.cause, 0);
    ck_assert_int_eq(err.reserved, 0);
    if (expected)
        ck_assert_msg(strstr(err.message, r->name), "%s: '%s'", r->name,
                      err.message);
    else
        ck_assert_str_eq(err.message, "");
    ck_assert_int_eq(r->read(options, NULL), expected);
}

START_TEST(options_of_other_sizes)
{
    const reader *r = &readers[_i];
    unsigned char *copy;

    make_handles();
    check_read(r, r->good, ORIEL_OK);
    check_read(r, copy_of(r, -1), ORIEL_ERR_ARGUMENT);
    check_read(r, copy_of(r, -(int)r->bytes), ORIEL_ERR_ARGUMENT);
    check_read(r, copy_of(r, TAIL), ORIEL_OK);
    copy = copy_of(r, TAIL);
    copy[r->bytes + TAIL - 1] = 1;
    check_read(r, copy, ORIEL_ERR_UNSUPPORTED);
    copy = copy_of(r, TAIL);
    copy[r->bytes + TAIL] = 1; /* not its own any more */
    check_read(r, copy, ORIEL_OK);
    if (r->reserved) {
        copy = copy_of(r, 0);
        copy[r->reserved] = 1;
        check_read(r, copy, ORIEL_ERR_UNSUPPORTED);
    }
    drop_handles();
}
END_TEST

/* ---- Infos: given a struct, fill it ------------------------------------ */

static oriel_status
fill_model(void *info, oriel_error *err)
{
    return oriel_model_get_info(model, info, err);
}

static oriel_status
fill_plan(void *info, oriel_error *err)
{
    return oriel_plan_get_info(plan, info, err);
}

static oriel_status
fill_device(void *info, oriel_error *err)
{
    return oriel_device_get_info(ORIEL_DEVICE_CPU, 0, info, err);
}

static oriel_status
fill_encoder(void *info, oriel_error *err)
{
    return oriel_encoder_get_info(encoder, info, err);
}

static oriel_status
fill_image(void *info, oriel_error *err)
{
    return oriel_image_probe(ppm, sizeof(ppm) - 1, NULL, info, err);
}

static const struct filler {
    const char *name;
    oriel_status (*fill)(void *info, oriel_error *err);
    size_t bytes;
} fillers[] = {
    {"oriel_model_info", fill_model, sizeof(oriel_model_info)},
    {"oriel_plan_info", fill_plan, sizeof(oriel_plan_info)},
    {"oriel_device_info", fill_device, sizeof(oriel_device_info)},
    {"oriel_encoder_info", fill_encoder, sizeof(oriel_encoder_info)},
    {"oriel_image_info", fill_image, sizeof(oriel_image_info)},
};

START_TEST(infos_of_other_sizes)
{
    static _Alignas(16) unsigned char info[LARGEST + TAIL], again[LARGEST];
    const struct filler *f = &fillers[_i];
    uint32_t size = (uint32_t)f->bytes - 1;
    oriel_error err;

    make_handles();
    memset(info, 0xee, sizeof(info));
    memcpy(info, &size, sizeof(size));
    ck_assert_int_eq(f->fill(info, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_msg(strstr(err.message, f->name), "%s", err.message);
    ck_assert_int_eq(f->fill(NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.status, ORIEL_ERR_ARGUMENT);

    size = (uint32_t)f->bytes;
    memset(again, 0xee, sizeof(again));
    memcpy(again, &size, sizeof(size));
    ck_assert_int_eq(f->fill(again, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_str_eq(err.message, "");
    ck_assert_uint_eq(again[f->bytes], 0xee);

    /* A newer caller's fields are zeroed, and nothing after them touched. */
    size = (uint32_t)f->bytes + TAIL;
    memset(info, 0xee, sizeof(info));
    memcpy(info, &size, sizeof(size));
    ck_assert_int_eq(f->fill(info, &err), ORIEL_OK);
    ck_assert_mem_eq(info, &size, sizeof(size));
    ck_assert_mem_eq(info + 4, again + 4, f->bytes - 4);
    for (size_t i = 0; i < TAIL; i++)
        ck_assert_uint_eq(info[f->bytes + i], 0);
    ck_assert_uint_eq(info[f->bytes + TAIL], 0xee);
    drop_handles();
}
END_TEST

/* Numbers that no constant of the header has are refused by the field's name. */
START_TEST(unknown_choices)
{
    static const struct {
        const char *name;
        int32_t most;
    } choices[] = {
        {"precision", ORIEL_PRECISION_FP32},
        {"kernels", ORIEL_KERNELS_HOPPER},
        {"graphs", ORIEL_GRAPHS_OFF},
        {"checks", ORIEL_CHECKS_ON},
        {"residual", ORIEL_RESIDUAL_WIDE},
        {"attention", ORIEL_ATTENTION_CUDNN},
    };

    make_handles();
    for (size_t field = 0; field < COUNT(choices); field++) {
        const int32_t wrong[] = {-1, choices[field].most + 1, INT32_MAX};

        for (size_t i = 0; i < COUNT(wrong); i++) {
            oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
            int32_t *fields[] = {&options.precision, &options.kernels,
                                 &options.graphs,    &options.checks,
                                 &options.residual,  &options.attention};
            oriel_error err;

            options.device = ORIEL_DEVICE_CPU;
            *fields[field] = wrong[i];
            ck_assert_int_eq(read_encoder_options(&options, &err),
                             ORIEL_ERR_ARGUMENT);
            ck_assert_msg(strstr(err.message, choices[field].name) != NULL,
                          "%s is not named: %s", choices[field].name,
                          err.message);
        }
    }
    drop_handles();
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_structs");
    TCase *tc = tcase_create("structs");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, options_of_other_sizes, 0, COUNT(readers));
    tcase_add_loop_test(tc, infos_of_other_sizes, 0, COUNT(fillers));
    tcase_add_test(tc, unknown_choices);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
