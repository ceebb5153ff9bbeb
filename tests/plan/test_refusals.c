/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan refuses, and that it says which item is at fault. */
#include "oriel.h"
#include "plan/planned.h"
#include "support/fake_model.h"
#include "support/suite.h"

#include <limits.h>
#include <string.h>

typedef struct bad_item {
    oriel_item item;
    oriel_status status;
    const char *word;
} bad_item;

static const bad_item bad_items[] = {
    {{0, 5, 1, 0, 0, 0}, ORIEL_ERR_INPUT, "sides of 1 or more"},
    {{5, 0, 1, 0, 0, 0}, ORIEL_ERR_INPUT, "sides of 1 or more"},
    {{5, INT32_MIN, 1, 0, 0, 0}, ORIEL_ERR_INPUT, "sides of 1 or more"},
    {{5, 5, -1, 0, 0, 0}, ORIEL_ERR_INPUT, "frames of 0 or more"},
    {{201, 1, 1, 0, 0, 0}, ORIEL_ERR_INPUT, "ratio above 200"},
    {{1, INT32_MAX, 1, 0, 0, 0}, ORIEL_ERR_INPUT, "ratio above 200"},
    {{9, 9, 1, 28, 0, 0}, ORIEL_ERR_INPUT, "multiples of 28"},
    {{9, 9, 1, 0, 28, 0}, ORIEL_ERR_INPUT, "multiples of 28"},
    {{9, 9, 1, 28, -28, 0}, ORIEL_ERR_INPUT, "multiples of 28"},
    {{9, 9, 1, INT32_MIN, 28, 0}, ORIEL_ERR_INPUT, "multiples of 28"},
    {{9, 9, 1, 14, 28, 0}, ORIEL_ERR_INPUT, "multiples of 28"},
    {{9, 9, 1, 2147483632, 2147483632, 0},
     ORIEL_ERR_INPUT,
     "at most 16777216 patches"},
    {{9, 9, INT32_MAX, 0, 0, 0}, ORIEL_ERR_INPUT, "at most 16777216 patches"},
    {{9, 9, 2, 0, 0, ORIEL_KIND_IMAGE}, ORIEL_ERR_INPUT, "image of 2 frames"},
    {{9, 9, 0, 0, 0, ORIEL_KIND_VIDEO}, ORIEL_ERR_INPUT, "video of no frames"},
    {{9, 9, -1, 0, 0, ORIEL_KIND_VIDEO}, ORIEL_ERR_INPUT, "frames of 0"},
    {{9, 9, 1, 0, 0, 3}, ORIEL_ERR_ARGUMENT, "oriel_item.kind 3"},
    {{9, 9, 1, 0, 0, -1}, ORIEL_ERR_ARGUMENT, "oriel_item.kind -1"},
    {{9, 9, 1, 0, 0, INT32_MIN}, ORIEL_ERR_ARGUMENT, "oriel_item.kind -2147"},
};

START_TEST(bad_item_is_named)
{
    const bad_item *b = &bad_items[_i];
    oriel_item items[4];
    oriel_plan *plan = (oriel_plan *)items;
    oriel_error err;

    for (int i = 0; i < 4; i++)
        items[i] = (oriel_item){640, 480, 1, 0, 0, 0};
    items[2] = b->item;
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&network_7b), items, 4, NULL, &err),
        b->status);
    ck_assert_ptr_null(plan);
    ck_assert_int_eq(err.status, b->status);
    ck_assert_int_eq(err.item, 2);
    ck_assert_msg(!strstr(err.message, "item 2"), "%s", err.message);
    ck_assert_msg(strstr(err.message, b->word), "%s", err.message);
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&network_7b), items, 4, NULL, NULL),
        b->status);
}
END_TEST

static const int64_t bad_grids[][3] = {
    {0, 2, 2},
    {1, 0, 2},
    {1, 2, 0},
    {-1, 2, 2},
    {1, -2, 2},
    {1, 2, INT64_MIN},
    {1, 3, 2},
    {1, 2, 3},
    {1, 4096, 4098},
    {INT64_MAX, 2, 2},
    {1, INT64_MAX - 1, INT64_MAX - 1},
    {(int64_t)1 << 62, 2, 2}, /* the product wraps to 0 */
    {(int64_t)1 << 32, (int64_t)1 << 16, (int64_t)1 << 16},
};

START_TEST(bad_grid_is_named)
{
    int64_t grids[3 * 3] = {1, 2, 2, 0, 0, 0, 1, 2, 2};
    oriel_plan *plan;
    oriel_error err;

    memcpy(grids + 3, bad_grids[_i], sizeof(bad_grids[_i]));
    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grids, 3, NULL, &err),
                     ORIEL_ERR_INPUT);
    ck_assert_ptr_null(plan);
    ck_assert_int_eq(err.item, 1);
    ck_assert_msg(!strncmp(err.message, "grid ", 5), "%s", err.message);
}
END_TEST

/* A grid whose picture no int32_t can measure. */
START_TEST(grid_of_too_many_pixels)
{
    static const int64_t grid[] = {1, 2, 8388608};
    oriel_network n = network_7b;
    oriel_plan *plan;
    oriel_error err;

    n.patch_size = 1024;
    n.window_size = 8192;
    ck_assert_int_eq(
        oriel_plan_create_from_grids(&plan, model_of(&n), grid, 1, NULL, &err),
        ORIEL_ERR_INPUT);
    ck_assert_msg(strstr(err.message, "2^31 - 1"), "%s", err.message);
    ck_assert_int_eq(err.item, 0);
}
END_TEST

/* A configuration that makes 2 x 2 pixels into 46340 x 46340 is obeyed up to
   the plan's limit. */
START_TEST(limits_of_a_hostile_configuration)
{
    static const oriel_item item = {2, 2, 1, 0, 0, 0};
    static const int64_t limits[] = {(int64_t)46340 * 46340,
                                     (int64_t)114688 * 114688, INT64_MAX};
    oriel_network n = network_7b;
    oriel_plan *plan;
    oriel_error err;

    n.min_pixels = n.max_pixels = (double)limits[0];
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&n), &item, 1, NULL, &err), ORIEL_OK);
    ck_assert_int_eq(info_of(plan).patches, 3310 * 3310);
    oriel_plan_destroy(plan);
    for (size_t i = 1; i < COUNT(limits); i++) {
        n.min_pixels = n.max_pixels = (double)limits[i];
        ck_assert_int_eq(
            oriel_plan_create(&plan, model_of(&n), &item, 1, NULL, &err),
            ORIEL_ERR_INPUT);
        ck_assert_int_eq(err.item, 0);
    }
}
END_TEST

START_TEST(batch_over_the_limit)
{
    int64_t grids[3 * 3] = {1, 4096, 2048, 1, 4096, 2048, 1, 2, 2};
    oriel_plan *plan;
    oriel_error err;

    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grids, 3, NULL, &err),
                     ORIEL_ERR_CAPACITY);
    ck_assert_ptr_null(plan);
    ck_assert_int_eq(err.item, 2);

    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grids, 2, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_eq(info_of(plan).patches, ORIEL_MAX_PATCHES);
    ck_assert_int_eq(info_of(plan).cu_window_seqlens[info_of(plan).n_windows],
                     ORIEL_MAX_PATCHES);
    oriel_plan_destroy(plan);
}
END_TEST

START_TEST(program_errors)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    static const int64_t grid[] = {1, 2, 2};
    oriel_plan_options bad[8];
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_plan *plan = (oriel_plan *)&info;
    oriel_error err;

    ck_assert_int_eq(
        oriel_plan_create(NULL, model_of(&network_7b), &item, 1, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&network_7b), NULL, 1, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(plan);
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&network_7b), &item, 0, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  NULL, 1, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grid, 0, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_plan_get_info(NULL, &info, &err),
                     ORIEL_ERR_ARGUMENT);
    plan = (oriel_plan *)&info;
    ck_assert_int_eq(oriel_plan_create(&plan, NULL, &item, 1, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(plan);
    ck_assert_msg(strstr(err.message, "oriel_plan_create: model is NULL"), "%s",
                  err.message);
    ck_assert_int_eq(
        oriel_plan_create_from_grids(&plan, NULL, grid, 1, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_null(plan);

    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = (oriel_plan_options)ORIEL_PLAN_OPTIONS_INIT;
    bad[0].resample = 4;
    bad[1].resample = -1;
    bad[2].sizing = 2;
    bad[3].sizing = -1;
    bad[4].min_pixels = -1;
    bad[5].max_pixels = -1;
    bad[6].video_min_pixels = -1;
    bad[7].video_max_pixels = -1;
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(oriel_plan_create(&plan, model_of(&network_7b), &item,
                                           1, &bad[i], &err),
                         ORIEL_ERR_ARGUMENT);
        ck_assert_int_eq(err.item, -1);
        ck_assert_int_eq(err.status, ORIEL_ERR_ARGUMENT);
    }
    bad[0] = (oriel_plan_options)ORIEL_PLAN_OPTIONS_INIT;
    bad[0].reserved = 1;
    ck_assert_int_eq(oriel_plan_create(&plan, model_of(&network_7b), &item, 1,
                                       &bad[0], &err),
                     ORIEL_ERR_UNSUPPORTED);

    plan = plan_items(&item, 1, NULL);
    ck_assert_int_eq(oriel_plan_get_info(plan, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_plan_get_info(plan, &info, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(err.item, -1);
    oriel_plan_destroy(plan);
    oriel_plan_destroy(NULL);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("plan refusals");
    TCase *tc = tcase_create("refusals");

    tcase_add_loop_test(tc, bad_item_is_named, 0, COUNT(bad_items));
    tcase_add_loop_test(tc, bad_grid_is_named, 0, COUNT(bad_grids));
    tcase_add_test(tc, grid_of_too_many_pixels);
    tcase_add_test(tc, limits_of_a_hostile_configuration);
    tcase_add_test(tc, batch_over_the_limit);
    tcase_add_test(tc, program_errors);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
