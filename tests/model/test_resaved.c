/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_resaved.c - what Hugging Face's own code saves, made by make_resaved.py:
 * flat and sharded with a whole processor, and an Omni thinker
 */
#include "oriel.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *folder;
    int32_t n_tensors, dtype;
    int64_t max_pixels, video_min_pixels, video_max_pixels;
} saved[] = {
    {"vl", 42, ORIEL_DTYPE_BF16, 4096, 64, 4096},
    {"vl_sharded", 42, ORIEL_DTYPE_BF16, 4096, 100352, 602112},
    {"omni_thinker", 54, ORIEL_DTYPE_F16, 12845056, 3136, 12845056},
};

static oriel_model *
open_saved(int which, char expected[33])
{
    char path[1024];
    oriel_model *model;
    oriel_error err;
    FILE *f;

    snprintf(path, sizeof(path), ORIEL_RESAVED "/%s/expected.txt",
             saved[which].folder);
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%32s", expected), 1);
    fclose(f);
    *strrchr(path, '/') = '\0';
    ck_assert_msg(oriel_model_open(&model, path, NULL, &err) == ORIEL_OK, "%s",
                  err.message);
    return model;
}

START_TEST(opens_what_the_reference_saves)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    char expected[33], digest[33];
    oriel_model *model = open_saved(_i, expected);

    ck_assert_int_eq(oriel_model_get_info(model, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.depth, 3);
    ck_assert_int_eq(info.hidden_size, 16);
    ck_assert_int_eq(info.head_dim, 8);
    ck_assert_int_eq(info.n_full_attention_blocks, 1);
    ck_assert_int_eq(info.n_tensors, saved[_i].n_tensors);
    ck_assert_int_eq(info.weight_dtype, saved[_i].dtype);
    ck_assert_int_eq(info.max_pixels, saved[_i].max_pixels);
    ck_assert_int_eq(info.video_min_pixels, saved[_i].video_min_pixels);
    ck_assert_int_eq(info.video_max_pixels, saved[_i].video_max_pixels);
    ck_assert_int_eq(oriel_model_digest(model, digest, NULL), ORIEL_OK);
    ck_assert_str_eq(digest, expected);
    oriel_model_destroy(model);
}
END_TEST

typedef struct asked {
    const oriel_model *model;
    char digest[33];
    oriel_status status;
} asked;

static void *
ask(void *data)
{
    asked *a = data;
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;

    a->status = oriel_model_digest(a->model, a->digest, NULL);
    if (!a->status)
        a->status = oriel_model_get_info(a->model, &info, NULL);
    return NULL;
}

START_TEST(threads_share_a_model)
{
    char expected[33];
    oriel_model *model = open_saved(0, expected);
    pthread_t threads[4];
    asked answers[4];

    for (int i = 0; i < 4; i++) {
        answers[i].model = model;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &answers[i]),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(answers[i].status, ORIEL_OK);
        ck_assert_str_eq(answers[i].digest, expected);
    }
    oriel_model_destroy(model);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("resaved");
    TCase *tc = tcase_create("resaved");

    tcase_add_loop_test(tc, opens_what_the_reference_saves, 0,
                        (int)COUNT(saved));
    tcase_add_test(tc, threads_share_a_model);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
