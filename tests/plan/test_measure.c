/* SPDX-License-Identifier: Apache-2.0 */
/* oriel_item_measure: what a plan of the item alone has, and its refusals. */
#include "oriel.h"
#include "plan/planned.h"
#include "support/fake_model.h"
#include "support/random.h"
#include "support/suite.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static oriel_item
draw_item(random_stream *random)
{
    const int64_t bits = random_between(random, 1, 14);
    oriel_item item = {0};

    item.width = (int32_t)random_between(random, 0, (int64_t)1 << bits);
    item.height = (int32_t)random_between(random, 0, 4096);
    item.frames = (int32_t)random_between(random, -1, 40);
    item.kind = (int32_t)random_between(random, -1, 3);
    if (random_between(random, 0, 2) == 0) {
        item.resized_width = 14 * (int32_t)random_between(random, 0, 100);
        item.resized_height = 28 * (int32_t)random_between(random, 0, 100);
    }
    return item;
}

/* Every answer is the plan's, word by word. */
START_TEST(measures_what_a_plan_has)
{
    random_stream random = {7};
    int planned = 0, refused = 0;

    for (int k = 0; k < 4000; k++) {
        const oriel_item item = draw_item(&random);
        oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
        int64_t grid[3] = {-7, -7, -7}, tokens = -7;
        oriel_error err, plans;
        oriel_plan *plan;
        oriel_status st;

        options.sizing = (int32_t)random_between(&random, 0, 1);
        options.max_pixels = random_between(&random, 0, 1) * 100000;
        options.video_max_pixels = random_between(&random, 0, 2) * 70000;
        st = oriel_plan_create(&plan, model_of(&network_7b), &item, 1, &options,
                               &plans);
        ck_assert_int_eq(oriel_item_measure(model_of(&network_7b), &item,
                                            &options, grid, &tokens, &err),
                         st);
        ck_assert_str_eq(err.message, st == ORIEL_OK ? "" : plans.message);
        ck_assert_int_eq(err.item, plans.item);
        ck_assert_int_eq(err.status, st);
        if (st) {
            ck_assert(grid[0] == -7 && tokens == -7);
            refused++;
            continue;
        }
        ck_assert_mem_eq(grid, info_of(plan).grid_thw, sizeof(grid));
        ck_assert_int_eq(tokens, info_of(plan).tokens);
        oriel_plan_destroy(plan);
        planned++;
    }
    ck_assert_int_gt(planned, 500);
    ck_assert_int_gt(refused, 1000);
}
END_TEST

START_TEST(either_answer_may_be_left_out)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    int64_t grid[3], tokens;
    const oriel_model *model = model_of(&network_7b);

    ck_assert_int_eq(oriel_item_measure(model, &item, NULL, grid, NULL, NULL),
                     ORIEL_OK);
    ck_assert(grid[0] == 1 && grid[1] == 34 && grid[2] == 46);
    ck_assert_int_eq(
        oriel_item_measure(model, &item, NULL, NULL, &tokens, NULL), ORIEL_OK);
    ck_assert_int_eq(tokens, 391);
}
END_TEST

START_TEST(program_errors)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    oriel_error err;

    ck_assert_int_eq(oriel_item_measure(NULL, &item, NULL, NULL, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "oriel_item_measure: model"));
    ck_assert_int_eq(err.item, -1);
    ck_assert_int_eq(
        oriel_item_measure(model_of(&network_7b), NULL, NULL, NULL, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "at least one item"));
}
END_TEST

/* ---- Neither call allocates ------------------------------------------- */

static int allocations;

void *__real_aligned_alloc(size_t alignment, size_t bytes);

static void *
count_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

static void
count_free(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* The linker puts these in the place of the library's calls (CMakeLists.txt). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *
__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *
__wrap_calloc(size_t n, size_t bytes)
{
    allocations++;
    return __real_calloc(n, bytes);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

START_TEST(nothing_is_allocated)
{
    static oriel_item items[1000];
    static size_t ends[1000];
    const oriel_model *model = model_of(&network_7b);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_budget budget = ORIEL_BUDGET_INIT;
    int64_t grid[3], tokens;
    oriel_status measured, split, refused;
    oriel_plan *plan;
    oriel_error err;
    size_t n;
    int before;

    for (size_t i = 0; i < COUNT(items); i++)
        items[i] = (oriel_item){640, 480, 1, 0, 0, 0};
    hooks.alloc = count_alloc;
    hooks.free = count_free;
    options.hooks = &hooks;
    budget.max_tokens = 1000;
    before = allocations;
    measured = oriel_item_measure(model, items, &options, grid, &tokens, &err);
    split = oriel_plan_split(model, items, COUNT(items), &options, &budget,
                             ends, &n, &err);
    items[500].width = 0;
    refused = oriel_plan_split(model, items, COUNT(items), &options, &budget,
                               ends, &n, &err);
    before = allocations - before;
    ck_assert_int_eq(before, 0);
    ck_assert_int_eq(measured, ORIEL_OK);
    ck_assert_int_eq(split, ORIEL_OK);
    ck_assert_int_eq(refused, ORIEL_ERR_INPUT);

    /* Both counters do count. */
    before = allocations;
    ck_assert_int_eq(oriel_plan_create(&plan, model, items, 1, &options, &err),
                     ORIEL_OK);
    ck_assert_int_gt(allocations, before);
    oriel_plan_destroy(plan);
    before = allocations;
    ck_assert_int_eq(oriel_plan_create(&plan, model, items, 1, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_gt(allocations, before);
    oriel_plan_destroy(plan);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("measure");
    TCase *tc = tcase_create("measure");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, measures_what_a_plan_has);
    tcase_add_test(tc, either_answer_may_be_left_out);
    tcase_add_test(tc, program_errors);
    tcase_add_test(tc, nothing_is_allocated);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
