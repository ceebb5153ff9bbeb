/* SPDX-License-Identifier: Apache-2.0 */
/* test_model.c - the public side: presets, handles, memory that runs out */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/model.h"
#include "oriel.h"
#include "support/child.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static oriel_model *
open_good(const char *path)
{
    oriel_model *model;
    oriel_error err;

    ck_assert_msg(oriel_model_open(&model, path, NULL, &err) == ORIEL_OK, "%s",
                  err.message);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(err.item, -1);
    ck_assert_str_eq(err.message, "");
    return model;
}

/* ---- Presets: spec's tables -------------------------------------------- */

static const struct {
    const char *name;
    int32_t intermediate, out;
    uint64_t parameters, bytes;
} presets[] = {
    {"qwen2.5-vl-3b", 3420, 2048, 668684288, 1337368576},
    {"qwen2.5-vl-7b", 3420, 3584, 676550144, 1353100288},
    {"qwen2.5-vl-32b", 3456, 5120, 688841984, 1377683968},
    {"qwen2.5-vl-72b", 3456, 8192, 704573696, 1409147392},
};

START_TEST(presets_are_as_published)
{
    static const int32_t full[] = {7, 15, 23, 31};
    static const float mean[] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float std[] = {0.26862954f, 0.26130258f, 0.27577711f};
    const oriel_model *model = oriel_model_preset(presets[_i].name);
    const oriel_network *net = oriel_model_network(model);
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_error err;
    uint64_t parameters = 0;

    ck_assert_int_eq(oriel_model_get_info(model, &info, &err), ORIEL_OK);
    ck_assert_int_eq(info.tower, 1); /* ORIEL_TOWER_QWEN2_5_VL, for ever */
    ck_assert_int_eq(info.has_weights, 0);
    ck_assert_int_eq(info.depth, 32);
    ck_assert_int_eq(info.hidden_size, 1280);
    ck_assert_int_eq(info.intermediate_size, presets[_i].intermediate);
    ck_assert_int_eq(info.num_heads, 16);
    ck_assert_int_eq(info.head_dim, 80);
    ck_assert_int_eq(info.out_hidden_size, presets[_i].out);
    ck_assert_int_eq(info.in_channels, 3);
    ck_assert_int_eq(info.patch_size, 14);
    ck_assert_int_eq(info.temporal_patch_size, 2);
    ck_assert_int_eq(info.spatial_merge_size, 2);
    ck_assert_int_eq(info.window_size, 112);
    ck_assert_int_eq(info.n_full_attention_blocks, 4);
    ck_assert_mem_eq(info.full_attention_blocks, full, sizeof(full));
    ck_assert_int_eq(info.min_pixels, 3136);
    ck_assert_int_eq(info.max_pixels, 12845056);
    ck_assert_int_eq(info.video_min_pixels, 3136);
    ck_assert_int_eq(info.video_max_pixels, 12845056);
    ck_assert_mem_eq(info.image_mean, mean, sizeof(mean));
    ck_assert_mem_eq(info.image_std, std, sizeof(std));
    ck_assert_int_eq(info.weight_dtype, ORIEL_DTYPE_BF16);
    ck_assert_int_eq(info.n_tensors, 390);
    ck_assert_uint_eq(info.weight_bytes, presets[_i].bytes);
    ck_assert_double_eq(net->rope_theta, 10000.0);
    ck_assert_double_eq(net->rescale_factor, 1.0 / 255.0);
    ck_assert_int_eq(oriel_network_patch_columns(net), 1176);

    for (int i = 0; i < oriel_manifest_count(net->depth); i++) {
        oriel_tensor tensor;
        int32_t block;
        oriel_tensor_shape shape;

        oriel_manifest_at(net->depth, i, &tensor, &block);
        shape = oriel_tensor_get_shape(net, tensor);
        parameters += (uint64_t)(shape.rows * shape.columns);
    }
    ck_assert_uint_eq(parameters, presets[_i].parameters);
}
END_TEST

START_TEST(presets_have_no_weights)
{
    const oriel_model *model = oriel_model_preset("qwen2.5-vl-3b");
    char digest[33] = "x";
    oriel_error err;

    ck_assert_ptr_null(oriel_model_preset("qwen2.5-vl-8b"));
    ck_assert_ptr_null(oriel_model_preset(""));
    ck_assert_ptr_null(oriel_model_preset("7b"));
    ck_assert_ptr_null(oriel_model_preset("Qwen2.5-VL-7B"));
    ck_assert_ptr_null(oriel_model_preset(NULL));
    ck_assert_int_eq(oriel_model_has_weights(model), 0);
    ck_assert_int_eq(oriel_model_digest(model, digest, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "preset"));
    ck_assert_ptr_null(oriel_model_get_shared(model));
    ck_assert_ptr_nonnull(oriel_model_hooks(model));
    ck_assert_ptr_null(oriel_model_hooks(model)->alloc);
    oriel_model_retain(model);
    oriel_model_release(model);
    oriel_model_release(model);
    oriel_model_destroy((oriel_model *)model);
}
END_TEST

/* ---- Handles ----------------------------------------------------------- */

START_TEST(info_tells_what_is_stored)
{
    checkpoint_builder *b =
        builder_create("thinker.visual.", "F16", SPLIT_QKV, 2);
    char *folder = temp_checkpoint(b);
    oriel_model *model = open_good(folder);
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_model_info shorter = ORIEL_MODEL_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(oriel_model_get_info(model, &info, &err), ORIEL_OK);
    ck_assert_int_eq(info.tower, ORIEL_TOWER_QWEN2_5_VL);
    ck_assert_int_eq(info.has_weights, 1);
    ck_assert_int_eq(info.depth, 4);
    ck_assert_int_eq(info.head_dim, 16);
    ck_assert_int_eq(info.n_full_attention_blocks, 2);
    ck_assert_int_eq(info.full_attention_blocks[1], 3);
    ck_assert_int_eq(info.min_pixels, 256);
    ck_assert_int_eq(info.max_pixels, 65536);
    ck_assert_int_eq(info.weight_dtype, ORIEL_DTYPE_F16);
    ck_assert_int_eq(info.n_tensors, 70);

    shorter.struct_size = 4;
    ck_assert_int_eq(oriel_model_get_info(model, &shorter, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_model_get_info(NULL, &info, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_model_get_info(model, NULL, NULL),
                     ORIEL_ERR_ARGUMENT);
    oriel_model_destroy(model);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(refuses_missing_arguments)
{
    oriel_model *model = (oriel_model *)1;
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    alloc_counter l = {0};
    char digest[33];
    oriel_error err;

    ck_assert_int_eq(oriel_model_open(NULL, "x", NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_model_open(&model, NULL, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(oriel_model_open_memory(NULL, "{}", 2, "", 0, NULL, NULL),
                     ORIEL_ERR_ARGUMENT);
    model = (oriel_model *)1;
    ck_assert_int_eq(
        oriel_model_open_memory(&model, NULL, 0, "", 0, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(
        oriel_model_open_memory(&model, "{}", 2, NULL, 0, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    options.config_path = "config.json";
    ck_assert_int_eq(
        oriel_model_open_memory(&model, "{}", 2, "", 0, &options, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "config_path"));
    options.config_preset = "qwen2.5-vl-7b";
    ck_assert_int_eq(oriel_model_open(&model, "x", &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "config_path and config_preset"));
    options.config_path = NULL;
    ck_assert_int_eq(
        oriel_model_open_memory(&model, "{}", 2, "", 0, &options, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "config_preset"));
    options.config_preset = "8b";
    ck_assert_int_eq(oriel_model_open(&model, "x", &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(
        strstr(err.message, "\"8b\": expected one of qwen2.5-vl-3b"));
    options.config_preset = NULL;
    options.struct_size = 3;
    ck_assert_int_eq(oriel_model_open(&model, "x", &options, &err),
                     ORIEL_ERR_ARGUMENT);
    options.struct_size = sizeof(options);
    options.hooks = &hooks;
    hooks = alloc_counter_hooks(&l);
    hooks.free = NULL;
    ck_assert_int_eq(oriel_model_open(&model, "x", &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_model_digest(NULL, digest, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "digest: model is NULL"));
    ck_assert_int_eq(
        oriel_model_digest(oriel_model_preset("qwen2.5-vl-3b"), NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "digest: digest is NULL"));
    oriel_model_destroy(NULL);
}
END_TEST

START_TEST(an_encoder_keeps_its_model_alive)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    float value;

    options.hooks = &hooks;
    ck_assert_int_eq(oriel_model_open(&model, folder, &options, NULL),
                     ORIEL_OK);
    ck_assert_ptr_eq(oriel_model_hooks(model)->user, &l);
    ck_assert_ptr_nonnull(oriel_model_get_shared(model));
    ck_assert_ptr_null(oriel_model_get_shared(model)->first);
    oriel_model_retain(model);
    oriel_model_retain(model);
    oriel_model_destroy(model);
    oriel_model_release(model);
    ck_assert_int_gt(l.live, 0);
    /* The files stay open although they are gone from the folder. */
    ck_assert_int_eq(unlink(in_folder(folder, "model.safetensors")), 0);
    {
        const oriel_weight_reader reader = oriel_model_reader(model);

        ck_assert_int_eq(reader.read(reader.model, ORIEL_TENSOR_NORM1, 2, 5, 1,
                                     ORIEL_DTYPE_F32, &value, NULL),
                         ORIEL_OK);
        ck_assert(value == tiny_value(ORIEL_TENSOR_NORM1, 2, 5, 0));
    }
    oriel_model_release(model);
    ck_assert_int_eq(l.live, 0);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* In a child: it has the parent's lock, which another thread may have held. */
static int
ask_parents_model(void *model)
{
    char digest[33];
    oriel_error err;

    CHILD_MUST(oriel_model_digest(model, digest, &err) == ORIEL_ERR_ARGUMENT);
    CHILD_MUST(strstr(err.message, "made before fork()") != NULL);
    return 0;
}

START_TEST(a_child_has_no_digest_of_its_parents_model)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_model *model = open_good(folder);

    run_in_child(ask_parents_model, model);
    oriel_model_destroy(model);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* ---- Memory ------------------------------------------------------------ */

/* Open, read a row, digest, destroy: each allocation failed in turn. */
static oriel_status
whole_life(const char *folder, alloc_counter *l)
{
    oriel_hooks hooks = alloc_counter_hooks(l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    oriel_status status;
    char digest[33];

    options.hooks = &hooks;
    status = oriel_model_open(&model, folder, &options, &err);
    ck_assert_int_eq(!status, model != NULL);
    if (!status)
        status = oriel_model_digest(model, digest, &err);
    if (status)
        ck_assert_msg(status == ORIEL_ERR_MEMORY &&
                          strstr(err.message, "out of memory"),
                      "allocation %ld: %s", l->fail_at, err.message);
    oriel_model_destroy(model);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, _i ? 2 : 0);
    char *folder = temp_checkpoint(b);
    alloc_counter l = {0};
    long n;

    if (_i == 2)
        write_text(folder, "processor_config.json", "{}");
    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(whole_life(folder, &l), ORIEL_OK);
    ck_assert_int_eq(l.live, 0);
    n = l.asked;
    ck_assert_int_gt(n, 100);
    for (long at = 1; at <= n; at++)
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            l.asked = 0;
            l.fail_at = at;
            l.for_ever = for_ever;
            if (whole_life(folder, &l) == ORIEL_OK)
                ck_abort_msg("allocation %ld of %ld did not matter", at, n);
            if (l.live != 0)
                ck_abort_msg("allocation %ld of %ld leaks", at, n);
        }
    temp_remove(folder);
    builder_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("model");
    TCase *tc = tcase_create("model");

    tcase_add_loop_test(tc, presets_are_as_published, 0, (int)COUNT(presets));
    tcase_add_test(tc, presets_have_no_weights);
    tcase_add_test(tc, info_tells_what_is_stored);
    tcase_add_test(tc, refuses_missing_arguments);
    tcase_add_test(tc, an_encoder_keeps_its_model_alive);
    tcase_add_test(tc, a_child_has_no_digest_of_its_parents_model);
    tcase_add_loop_test(tc, every_allocation_may_fail, 0, 3);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
