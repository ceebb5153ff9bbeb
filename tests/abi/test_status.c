/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_status.c - each status provoked once, through liboriel.so alone
 *
 * ORIEL_ERR_FAULT and _INTERNAL need a device that fails: see test_module.c.
 */
#include "abi/small_checkpoint.h"
#include "oriel.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static oriel_status
provoke_ok(oriel_error *err)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;

    return oriel_device_get_info(ORIEL_DEVICE_CPU, 0, &info, err);
}

static const oriel_model *
published(void)
{
    return oriel_model_preset("qwen2.5-vl-7b");
}

static oriel_status
provoke_input(oriel_error *err)
{
    static const oriel_item items[] = {
        {64, 64, 1, 0, 0, 0}, {64, 64, 1, 0, 0, 0}, {1, 201, 1, 0, 0, 0}};
    oriel_plan *plan;

    return oriel_plan_create(&plan, published(), items, 3, NULL, err);
}

static oriel_status
provoke_input_grid(oriel_error *err)
{
    static const int64_t grids[] = {1, 2, 2, 1, 3, 2};
    oriel_plan *plan;

    return oriel_plan_create_from_grids(&plan, published(), grids, 2, NULL,
                                        err);
}

static oriel_status
provoke_input_image(oriel_error *err)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    return oriel_image_probe("no picture", 10, NULL, &info, err);
}

static oriel_status
provoke_argument(oriel_error *err)
{
    oriel_encoder *encoder;

    return oriel_encoder_create(&encoder, published(), NULL, err);
}

static oriel_status
provoke_argument_frame(oriel_error *err)
{
    static const oriel_item items[] = {{8, 8, 1, 8, 8, 0}, {8, 8, 2, 8, 8, 0}};
    static const unsigned char rgb[8 * 8 * 3];
    static const void *const frames[] = {rgb, rgb, NULL};
    static float values[2 * 4 * 96];
    oriel_model *model = checkpoint_open(NULL);
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_plan *plan;
    oriel_status status;

    input.frames = frames;
    ck_assert_int_eq(oriel_plan_create(&plan, model, items, 2, NULL, err),
                     ORIEL_OK);
    status = oriel_preprocess(plan, &input, values, sizeof(values), err);
    oriel_plan_destroy(plan);
    oriel_model_destroy(model);
    return status;
}

static oriel_status
provoke_capacity(oriel_error *err)
{
    static const int64_t grids[] = {1, 4096, 4096, 1, 2, 2};
    oriel_plan *plan;

    return oriel_plan_create_from_grids(&plan, published(), grids, 2, NULL,
                                        err);
}

/* An encoder without scratch, and a call that brings too little. */
static oriel_status
provoke_capacity_workspace(oriel_error *err)
{
    static const oriel_item item = {8, 8, 1, 8, 8, 0};
    static const unsigned char rgb[8 * 8 * 3];
    static const void *const frames[] = {rgb};
    static float embeddings[TINY_OUT];
    static unsigned char workspace[64];
    oriel_model *model = checkpoint_open(NULL);
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = embeddings,
                           .bytes = sizeof(embeddings)};
    oriel_encoder *encoder;
    oriel_plan *plan;
    oriel_status status;

    options.device = ORIEL_DEVICE_CPU;
    options.threads = 1;
    input.frames = frames;
    output.results = &result;
    output.n_results = 1;
    output.workspace = workspace;
    output.workspace_bytes = sizeof(workspace);
    ck_assert_int_eq(oriel_plan_create(&plan, model, &item, 1, NULL, err),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_create(&encoder, model, &options, err),
                     ORIEL_OK);
    status = oriel_encode(encoder, plan, &input, &output, NULL, err);
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    oriel_model_destroy(model);
    return status;
}

static void *
no_memory(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    (void)bytes;
    (void)alignment;
    return NULL;
}

static void
frees_nothing(void *user, void *memory)
{
    (void)user;
    ck_assert_ptr_null(memory);
}

static oriel_status
provoke_memory(oriel_error *err)
{
    static const oriel_item item = {64, 64, 1, 0, 0, 0};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    hooks.alloc = no_memory;
    hooks.free = frees_nothing;
    options.hooks = &hooks;
    return oriel_plan_create(&plan, published(), &item, 1, &options, err);
}

static oriel_status
provoke_not_found(oriel_error *err)
{
    oriel_model *model;

    return oriel_model_open(&model, "/no/such/folder", NULL, err);
}

/* The file is cut while it is open. */
static oriel_status
provoke_io(oriel_error *err)
{
    char *folder = checkpoint_folder();
    char *path = checkpoint_path(folder, "model.safetensors");
    char digest[33];
    oriel_model *model;
    oriel_status status;

    ck_assert_msg(!oriel_model_open(&model, folder, NULL, err), "%s",
                  err->message);
    ck_assert_int_eq(truncate(path, 20000), 0);
    status = oriel_model_digest(model, digest, err);
    oriel_model_destroy(model);
    free(path);
    checkpoint_remove(folder);
    return status;
}

static oriel_status
open_with(const char *config, const char *dtype, oriel_error *err)
{
    size_t bytes;
    unsigned char *weights = checkpoint_weights(dtype, &bytes);
    oriel_model *model;
    oriel_status status = oriel_model_open_memory(
        &model, config, strlen(config), weights, bytes, NULL, err);

    ck_assert_ptr_null(model);
    free(weights);
    return status;
}

static oriel_status
provoke_model(oriel_error *err)
{
    return open_with("{\"vision_config\": 3}", "F32", err);
}

static oriel_status
provoke_unsupported(oriel_error *err)
{
    return open_with(checkpoint_config, "I32", err);
}

static oriel_status
provoke_device(oriel_error *err)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;

    return oriel_device_get_info(ORIEL_DEVICE_CUDA, 123456, &info, err);
}

static int32_t
says_stop(void *user)
{
    (void)user;
    return 1;
}

static oriel_status
provoke_cancelled(oriel_error *err)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_model *model;
    oriel_encoder *encoder;
    oriel_status status;

    hooks.cancel = says_stop;
    options.hooks = &hooks;
    options.device = ORIEL_DEVICE_CPU;
    model = checkpoint_open(NULL);
    status = oriel_encoder_create(&encoder, model, &options, err);
    ck_assert_ptr_null(encoder);
    oriel_model_destroy(model);
    return status;
}

static const struct provocation {
    oriel_status (*provoke)(oriel_error *err);
    oriel_status status;
    int32_t item, cause;
    const char *word; /* that its message must have */
} provocations[] = {
    {provoke_ok, ORIEL_OK, -1, 0, ""},
    {provoke_input, ORIEL_ERR_INPUT, 2, 0, "ratio"},
    {provoke_input_grid, ORIEL_ERR_INPUT, 1, 0, "multiples of 2"},
    {provoke_input_image, ORIEL_ERR_INPUT, -1, 0, ""},
    {provoke_argument, ORIEL_ERR_ARGUMENT, -1, 0, "preset"},
    {provoke_argument_frame, ORIEL_ERR_ARGUMENT, 1, 0, "frames[2]"},
    {provoke_capacity, ORIEL_ERR_CAPACITY, 1, 0, "16777216"},
    {provoke_capacity_workspace, ORIEL_ERR_CAPACITY, -1, 0, "workspace"},
    {provoke_memory, ORIEL_ERR_MEMORY, 0, 0, "grid 1 x"},
    {provoke_not_found, ORIEL_ERR_NOT_FOUND, -1, ENOENT, "/no/such/folder"},
    {provoke_io, ORIEL_ERR_IO, -1, 0, "model.safetensors"},
    {provoke_model, ORIEL_ERR_MODEL, -1, 0, "vision_config"},
    {provoke_unsupported, ORIEL_ERR_UNSUPPORTED, -1, 0, "I32"},
    {provoke_device, ORIEL_ERR_DEVICE, -1, 0, "cuda"},
    {provoke_cancelled, ORIEL_ERR_CANCELLED, -1, 0, ""},
};

START_TEST(status_can_be_provoked)
{
    const struct provocation *p = &provocations[_i];
    oriel_error err;
    oriel_status status;

    memset(&err, 0xee, sizeof(err));
    status = p->provoke(&err);
    ck_assert_msg(status == p->status, "%s (%s), expected %s",
                  oriel_status_name(status), err.message,
                  oriel_status_name(p->status));
    ck_assert_int_eq(err.status, p->status);
    ck_assert_int_eq(err.item, p->item);
    ck_assert_int_eq(err.cause, p->cause);
    ck_assert_int_eq(err.reserved, 0);
    ck_assert_ptr_nonnull(memchr(err.message, 0, sizeof(err.message)));
    ck_assert_msg(strstr(err.message, p->word), "'%s' lacks '%s'", err.message,
                  p->word);
    ck_assert_ptr_null(strchr(err.message, '\n'));
    ck_assert_int_eq(err.message[0] != 0, p->status != ORIEL_OK);
}
END_TEST

START_TEST(statuses_have_names)
{
    static const char *const names[] = {
        "ORIEL_OK",           "ORIEL_ERR_INPUT",  "ORIEL_ERR_ARGUMENT",
        "ORIEL_ERR_CAPACITY", "ORIEL_ERR_MEMORY", "ORIEL_ERR_NOT_FOUND",
        "ORIEL_ERR_IO",       "ORIEL_ERR_MODEL",  "ORIEL_ERR_UNSUPPORTED",
        "ORIEL_ERR_DEVICE",   "ORIEL_ERR_FAULT",  "ORIEL_ERR_CANCELLED",
        "ORIEL_ERR_INTERNAL", "ORIEL_ERR_BUSY",
    };

    for (int32_t i = 0; i < (int32_t)COUNT(names); i++)
        ck_assert_str_eq(oriel_status_name(i), names[i]);
    ck_assert_str_eq(oriel_status_name(-1), "unknown");
    ck_assert_str_eq(oriel_status_name(COUNT(names)), "unknown");
    ck_assert_str_eq(oriel_status_name(INT32_MAX), "unknown");
}
END_TEST

START_TEST(version_is_the_headers)
{
    char version[64];

    snprintf(version, sizeof(version), "%d.%d.%d", ORIEL_VERSION_MAJOR,
             ORIEL_VERSION_MINOR, ORIEL_VERSION_PATCH);
    ck_assert_str_eq(oriel_version(), version);
    ck_assert_int_eq(oriel_abi_version(), ORIEL_ABI_VERSION);
}
END_TEST

/* What a failed create leaves in *out, whatever was there before. */
START_TEST(failure_stores_null)
{
    static const oriel_item bad = {0, 0, 0, 0, 0, 0};
    static const int64_t bad_grid[] = {0, 0, 0};
    oriel_model *const junk = (oriel_model *)(void *)&bad;
    oriel_model *model = junk;
    oriel_plan *plan = (oriel_plan *)junk;
    oriel_encoder *encoder = (oriel_encoder *)junk;

    ck_assert_int_ne(oriel_model_open(&model, "/no/such", NULL, NULL), 0);
    ck_assert_ptr_null(model);
    model = junk;
    ck_assert_int_ne(oriel_model_open(&model, NULL, NULL, NULL), 0);
    ck_assert_ptr_null(model);
    model = junk;
    ck_assert_int_ne(oriel_model_open_memory(&model, "", 0, "", 0, NULL, NULL),
                     0);
    ck_assert_ptr_null(model);
    model = junk;
    ck_assert_int_ne(
        oriel_model_open_memory(&model, NULL, 0, NULL, 0, NULL, NULL), 0);
    ck_assert_ptr_null(model);

    ck_assert_int_ne(oriel_plan_create(&plan, published(), &bad, 1, NULL, NULL),
                     0);
    ck_assert_ptr_null(plan);
    plan = (oriel_plan *)junk;
    ck_assert_int_ne(oriel_plan_create_from_grids(&plan, published(), bad_grid,
                                                  1, NULL, NULL),
                     0);
    ck_assert_ptr_null(plan);

    ck_assert_int_ne(oriel_encoder_create(&encoder, NULL, NULL, NULL), 0);
    ck_assert_ptr_null(encoder);

    ck_assert_int_eq(oriel_model_open(NULL, "/no/such", NULL, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_plan_create(NULL, published(), &bad, 1, NULL, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_encoder_create(NULL, NULL, NULL, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(oriel_model_preset("7b"));
    ck_assert_ptr_null(oriel_model_preset(NULL));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_status");
    TCase *tc = tcase_create("status");

    tcase_add_loop_test(tc, status_can_be_provoked, 0, COUNT(provocations));
    tcase_add_test(tc, statuses_have_names);
    tcase_add_test(tc, version_is_the_headers);
    tcase_add_test(tc, failure_stores_null);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
