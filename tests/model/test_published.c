/* SPDX-License-Identifier: Apache-2.0 */
/* test_published.c - a file of weights without a configuration */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "oriel.h"
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOTHING = -1 };
static const char first_to_last[] = "[1280,3,2,14,14]";

/* A file of the full shape, with a hole for the values.  'embed': how the first
   convolution is stored; 'lacks': a tensor that is not there. */
static void
put_published(const char *path, int32_t depth, const char *embed, int lacks)
{
    oriel_network net = {.depth = depth,
                         .hidden_size = 1280,
                         .intermediate_size = 3456,
                         .out_hidden_size = 4096,
                         .in_channels = 3,
                         .patch_size = 14,
                         .temporal_patch_size = 2,
                         .spatial_merge_size = 2};
    static char header[1 << 20];
    int n = sprintf(header, "{");
    uint64_t at = 0;
    uint64_t length;
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    for (int i = 0; i < oriel_manifest_count(depth); i++) {
        oriel_tensor tensor;
        int32_t block;
        char name[160];
        oriel_tensor_shape s;
        uint64_t bytes;

        oriel_manifest_at(depth, i, &tensor, &block);
        if ((int)tensor == lacks)
            continue;
        s = oriel_tensor_get_shape(&net, tensor);
        bytes = (uint64_t)(s.rows * s.columns) * 2;
        oriel_tensor_full_name(name, sizeof(name), "visual.", tensor, block);
        n += sprintf(header + n,
                     "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":", i ? "," : "",
                     name);
        if (tensor == ORIEL_TENSOR_PATCH_EMBED)
            n += sprintf(header + n, "%s", embed);
        else if (oriel_tensor_is_vector(tensor))
            n += sprintf(header + n, "[%d]", (int)s.rows);
        else
            n += sprintf(header + n, "[%d,%d]", (int)s.rows, (int)s.columns);
        n += sprintf(header + n, ",\"data_offsets\":[%llu,%llu]}",
                     (unsigned long long)at, (unsigned long long)(at + bytes));
        at += bytes;
    }
    length = (uint64_t)sprintf(header + n, "}") + (uint64_t)n;
    ck_assert_int_eq(write(fd, &length, 8), 8);
    ck_assert_int_eq(write(fd, header, length), (ssize_t)length);
    ck_assert_int_eq(ftruncate(fd, (off_t)(8 + length + at)), 0);
    close(fd);
}

START_TEST(a_named_file_goes_by_its_shapes)
{
    char *top = temp_folder();
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_model *model;
    oriel_error err;

    put_published(in_folder(top, "qwen.safetensors"), 32, first_to_last,
                  NOTHING);
    ck_assert_msg(oriel_model_open(&model, in_folder(top, "qwen.safetensors"),
                                   NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_model_get_info(model, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.depth, 32);
    ck_assert_int_eq(info.num_heads, 16);
    ck_assert_int_eq(info.intermediate_size, 3456);
    ck_assert_int_eq(info.out_hidden_size, 4096);
    ck_assert_int_eq(info.window_size, 112);
    ck_assert_int_eq(info.n_full_attention_blocks, 4);
    ck_assert_int_eq(info.full_attention_blocks[3], 31);
    ck_assert_int_eq(info.max_pixels, 12845056);
    oriel_model_destroy(model);

    /* The folder is not the file. */
    ck_assert_int_eq(oriel_model_open(&model, top, NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "--config 7b"));
    /* A name that the shapes contradict. */
    options.config_preset = "qwen2.5-vl-7b";
    ck_assert_int_eq(oriel_model_open(&model,
                                      in_folder(top, "qwen.safetensors"),
                                      &options, &err),
                     ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "intermediate_size is 3420"));
    /* A tower cut short is not of a published size. */
    put_published(in_folder(top, "qwen.safetensors"), 31, first_to_last,
                  NOTHING);
    ck_assert_int_eq(oriel_model_open(&model,
                                      in_folder(top, "qwen.safetensors"), NULL,
                                      &err),
                     ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "end with block 30"));
    temp_remove(top);
}
END_TEST

/* The note that says so, and the geometry, take memory too. */
START_TEST(every_allocation_may_fail)
{
    char *top = temp_folder();
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    const char *path = in_folder(top, "qwen.safetensors");
    long n;

    options.hooks = &hooks;
    put_published(path, 32, first_to_last, NOTHING);
    ck_assert_int_eq(oriel_model_open(&model, path, &options, &err), ORIEL_OK);
    oriel_model_destroy(model);
    n = l.asked;
    ck_assert_int_gt(n, 10);
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        l.asked = 0;
        if (oriel_model_open(&model, path, &options, &err) !=
                ORIEL_ERR_MEMORY ||
            model || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
    temp_remove(top);
}
END_TEST

START_TEST(other_shapes_are_not_published)
{
    static const struct {
        const char *embed;
        int lacks;
        const char *says; /* NULL: taken */
    } files[] = {
        {"[1280,2,14,14,3]", NOTHING, NULL}, /* channels last */
        {"[1280,1176]", NOTHING, "patch_embed.proj.weight [1280, 1176]"},
        {"[1280,6,14,14,1]", NOTHING, "[1280, 6, 14, 14, 1]"},
        {first_to_last, ORIEL_TENSOR_MERGER_FC1_WEIGHT,
         "not those of the published sizes"},
    };
    char *top = temp_folder();

    for (size_t i = 0; i < COUNT(files); i++) {
        oriel_model *model;
        oriel_error err;
        oriel_status status;

        put_published(in_folder(top, "qwen.safetensors"), 32, files[i].embed,
                      files[i].lacks);
        status = oriel_model_open(&model, in_folder(top, "qwen.safetensors"),
                                  NULL, &err);
        ck_assert_msg(status ==
                          (files[i].says ? ORIEL_ERR_NOT_FOUND : ORIEL_OK),
                      "%s: %s", files[i].embed, err.message);
        if (files[i].says)
            ck_assert_msg(strstr(err.message, files[i].says) != NULL, "%s",
                          err.message);
        oriel_model_destroy(model);
    }
    temp_remove(top);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("published");
    TCase *tc = tcase_create("published");

    tcase_add_test(tc, a_named_file_goes_by_its_shapes);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, other_shapes_are_not_published);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
