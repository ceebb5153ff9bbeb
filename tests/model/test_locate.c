/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_locate.c - what people name as the model besides its folder, followed where
 * it is clear
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/model_folders.h"
#include "oriel.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
config_file(const char *top)
{
    put_model(top, "m", 0, true);
}

static void
index_file(const char *top)
{
    put_model(top, "m", 2, true);
    /* It is not the one that was named. */
    write_text(top, "m/model.safetensors", "other");
}

static void
cache_with_ref(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc", 2, true);
    make_folders(top, "models--A--B/snapshots/def");
    make_folders(top, "models--A--B/refs");
    write_text(top, "models--A--B/refs/main", "abc\n");
}

static void
cache_with_one(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc", 0, true);
    make_folders(top, "models--A--B/blobs");
}

static void
cache_root(const char *top)
{
    cache_with_ref(top);
    make_folders(top, ".locks/models--A--B");
    write_text(top, "version.txt", "1");
}

static void
cache_home(const char *top)
{
    put_model(top, "hub/models--A--B/snapshots/abc", 0, true);
}

static void
pipeline(const char *top)
{
    put_model(top, "p/text_encoder", 2, false);
    make_folders(top, "p/processor");
    write_text(top, "p/model_index.json",
               "{\"_class_name\": \"QwenImageEditPipeline\","
               " \"_diffusers_version\": \"0.36.0\"}");
    write_text(top, "p/processor/preprocessor_config.json", tiny_preprocessor);
}

static void
pipeline_without_version(const char *top)
{
    pipeline(top);
    write_text(top, "p/model_index.json", "{\"_class_name\": \"A\"}");
}

/* What the model has beside itself goes before the pipeline's. */
static void
pipeline_with_two(const char *top)
{
    pipeline(top);
    write_text(top, "p/text_encoder/preprocessor_config.json",
               tiny_preprocessor);
    write_text(top, "p/processor/preprocessor_config.json", "{}");
}

static void
pipeline_with_three(const char *top)
{
    pipeline_with_two(top);
    write_text(top, "p/text_encoder/processor_config.json", "{}");
}

static void
pipeline_in_cache(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc/text_encoder", 0, true);
    write_text(top, "models--A--B/snapshots/abc/model_index.json", "{}");
}

/* What is noted takes memory, too. */
static void
with_notes(const char *top)
{
    static const int64_t norm[] = {32};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    char *folder = strdup(make_folders(top, "m"));

    builder_add(b, "visual.blocks.4.norm1.weight", "BF16", 1, norm, NULL);
    builder_add(b, "visual.pos_embed.weight", "BF16", 1, norm, NULL);
    builder_write(b, folder);
    write_text(folder, "config.json", tiny_config);
    write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    free(folder);
    builder_free(b);
}

/* Another tower is noted before all else. */
static void
two_towers(const char *top)
{
    static const int64_t one[] = {1};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = strdup(make_folders(top, "m"));

    builder_add(b, "teacher.visual.patch_embed.proj.weight", "BF16", 1, one,
                NULL);
    builder_write(b, folder);
    write_text(folder, "config.json", tiny_config);
    write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    free(folder);
    builder_free(b);
}

static void
packed_tower(const char *top)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);

    put_tower(top, b);
    builder_free(b);
}

/* As editors write it. */
static void
config_with_mark(const char *top)
{
    char *text = malloc(strlen(tiny_config) + 16);

    put_model(top, "m", 0, true);
    ck_assert_ptr_nonnull(text);
    sprintf(text, "\xEF\xBB\xBF \t\r\n%s", tiny_config);
    write_text(top, "m/config.json", text);
    free(text);
}

static const struct {
    void (*make)(const char *top);
    const char *path;
} followed[] = {
    {with_notes, "m"},
    {two_towers, "m"},
    {packed_tower, "tower.safetensors"},
    {config_with_mark, "m/config.json"},
    {cache_with_one, "models--A--B/snapshots//"},
    {config_file, "m/config.json"},
    {config_file, "m/model.safetensors"},
    {index_file, "m/model.safetensors.index.json"},
    {cache_with_ref, "models--A--B"},
    {cache_with_one, "models--A--B"},
    {cache_with_one, "models--A--B/snapshots/abc"},
    {cache_with_one, "models--A--B/snapshots"},
    {cache_with_ref, "models--A--B/snapshots/"},
    {cache_root, ""},
    {cache_home, ""},
    {pipeline, "p"},
    {pipeline, "p/model_index.json"},
    {pipeline_with_two, "p"},
    {pipeline_with_three, "p"},
    {pipeline_in_cache, "models--A--B"},
    {pipeline_without_version, "p/model_index.json"},
};

START_TEST(follows_what_is_clear)
{
    char *top = temp_folder();
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_model *model;
    oriel_error err;

    followed[_i].make(top);
    ck_assert_msg(oriel_model_open(&model, in_folder(top, followed[_i].path),
                                   NULL, &err) == ORIEL_OK,
                  "case %d: %s", _i, err.message);
    ck_assert_int_eq(oriel_model_get_info(model, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.hidden_size, 32);
    ck_assert_int_eq(info.max_pixels, 65536);
    oriel_model_destroy(model);
    temp_remove(top);
}
END_TEST

/* Also in jansson: no text is ever called malformed for want of memory. */
START_TEST(every_allocation_may_fail)
{
    char *top = temp_folder();
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    long n;

    options.hooks = &hooks;
    if (followed[_i].make != two_towers) /* which a prefix chooses from */
        options.prefix = "visual";
    followed[_i].make(top);
    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(oriel_model_open(&model, in_folder(top, followed[_i].path),
                                      &options, &err),
                     ORIEL_OK);
    oriel_model_destroy(model);
    n = l.asked;
    ck_assert_int_gt(n, 50);
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        l.asked = 0;
        if (oriel_model_open(&model, in_folder(top, followed[_i].path),
                             &options, &err) != ORIEL_ERR_MEMORY ||
            model || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
    temp_remove(top);
}
END_TEST

/* With a configuration that is given, the folder needs none. */
START_TEST(a_given_configuration_is_enough)
{
    static const char *const paths[] = {"m", "m/model.safetensors.index.json",
                                        "m/other.json"};
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    char *top = temp_folder();
    oriel_model *model;
    oriel_error err;

    put_model(top, "m", 2, true);
    unlink(in_folder(top, "m/config.json"));
    write_text(top, "m/other.json", tiny_config);
    for (size_t i = 0; i < COUNT(paths); i++) {
        options.config_path = in_folder(top, "m/other.json");
        options.config_preset = NULL;
        ck_assert_msg(oriel_model_open(&model, in_folder(top, paths[i]),
                                       &options, &err) == ORIEL_OK,
                      "%s: %s", paths[i], err.message);
        oriel_model_destroy(model);
        /* Shapes of another network. */
        options.config_path = NULL;
        options.config_preset = "qwen2.5-vl-7b";
        ck_assert_int_eq(
            oriel_model_open(&model, in_folder(top, paths[i]), &options, &err),
            ORIEL_ERR_MODEL);
        ck_assert_msg(strstr(err.message, "vision_config.depth is 32") != NULL,
                      "%s", err.message);
    }
    temp_remove(top);
}
END_TEST

START_TEST(follows_a_name_without_a_folder)
{
    char *top = temp_folder();
    char here[512];
    oriel_model *model;
    oriel_error err;

    cache_with_one(top);
    ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
    ck_assert_int_eq(chdir(in_folder(top, "models--A--B")), 0);
    ck_assert_msg(oriel_model_open(&model, "snapshots", NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    oriel_model_destroy(model);
    ck_assert_int_eq(chdir(here), 0);
    temp_remove(top);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("locate");
    TCase *tc = tcase_create("locate");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, follows_what_is_clear, 0, (int)COUNT(followed));
    tcase_add_loop_test(tc, every_allocation_may_fail, 0, (int)COUNT(followed));
    tcase_add_test(tc, a_given_configuration_is_enough);
    tcase_add_test(tc, follows_a_name_without_a_folder);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
