/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oriel_plan_split: against a formulation that only asks oriel_plan_create
 *
 * A run fits a budget when a plan of it exists and its info is within every
 * limit.  The slow form tries, for every run, each length from one up.
 */
#include "oriel.h"
#include "plan/planned.h"
#include "support/fake_model.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MOST = 24 };

/* Whether the items can be planned together and keep within the budget. */
static bool
fits(const oriel_item *items, size_t n, const oriel_budget *b)
{
    oriel_plan *plan;
    oriel_plan_info info;
    bool good;

    if (oriel_plan_create(&plan, model_of(&network_7b), items, n, NULL, NULL))
        return false;
    info = info_of(plan);
    good = !(b->max_patches && info.patches > b->max_patches) &&
           !(b->max_tokens && info.tokens > b->max_tokens) &&
           !(b->max_flops && info.flops > b->max_flops);
    oriel_plan_destroy(plan);
    return good;
}

/* The end of the run that starts at 'first'; 'n' are all that can be planned. */
static size_t
slow_end(const oriel_item *items, size_t first, size_t n, const oriel_budget *b)
{
    size_t end = first + 1;

    while (end < n && fits(items + first, end + 1 - first, b))
        end++;
    return end;
}

/* Items before the first that no plan takes, even alone. */
static size_t
n_plannable(const oriel_item *items, size_t n)
{
    static const oriel_budget none = ORIEL_BUDGET_INIT;
    size_t i = 0;

    while (i < n && fits(&items[i], 1, &none))
        i++;
    return i;
}

static void
check_split(const oriel_item *items, size_t n, const oriel_budget *b)
{
    const size_t good = n_plannable(items, n);
    size_t ends[MOST + 1], n_ends = 77, first = 0;
    oriel_error err;
    oriel_status st;

    memset(ends, 0xee, sizeof(ends));
    st = oriel_plan_split(model_of(&network_7b), items, n, NULL, b, ends,
                          &n_ends, &err);
    ck_assert_int_eq(st, good < n ? ORIEL_ERR_INPUT : ORIEL_OK);
    ck_assert_int_eq(err.status, st);
    ck_assert_int_eq(err.item, good < n ? (int)good : -1);
    for (size_t k = 0; k < n_ends; k++) {
        ck_assert_uint_eq(ends[k], slow_end(items, first, good, b));
        first = ends[k];
    }
    ck_assert_uint_eq(first, good);
    for (size_t k = n_ends; k <= MOST; k++)
        ck_assert_uint_eq(ends[k], (size_t)0xeeeeeeeeeeeeeeee);
}

static oriel_item
draw_item(random_stream *random, bool may_be_bad)
{
    oriel_item item = {0};

    item.width = (int32_t)random_between(random, 1, 900);
    item.height = (int32_t)random_between(random, item.width / 150 + 1, 900);
    item.frames = (int32_t)random_between(random, 0, 5);
    if (may_be_bad && random_between(random, 0, 30) == 0)
        item.height = 0;
    return item;
}

/* A limit that some items are under and most runs reach; 0 is none. */
static int64_t
draw_limit(random_stream *random, int64_t scale)
{
    return random_between(random, 0, 2) ? random_between(random, 1, scale) : 0;
}

START_TEST(random_queues)
{
    random_stream random = {40 + (uint64_t)_i};

    for (int k = 0; k < 250; k++) {
        const size_t n = (size_t)random_between(&random, 1, MOST);
        oriel_budget b = ORIEL_BUDGET_INIT;
        oriel_item items[MOST];

        for (size_t i = 0; i < n; i++)
            items[i] = draw_item(&random, _i % 2);
        b.max_patches = draw_limit(&random, 30000);
        b.max_tokens = draw_limit(&random, 8000);
        b.max_flops = draw_limit(&random, INT64_C(40000000000000));
        check_split(items, n, &b);
    }
}
END_TEST

/* 391 tokens, 1,564 patches and 2.07 TFLOP each. */
static const oriel_item photos[] = {
    {640, 480, 1, 0, 0, 0}, {640, 480, 1, 0, 0, 0}, {640, 480, 1, 0, 0, 0},
    {640, 480, 1, 0, 0, 0}, {640, 480, 1, 0, 0, 0},
};

static void
expect_ends(const oriel_item *items, size_t n, const oriel_budget *b,
            size_t n_expected, const size_t *expected)
{
    size_t ends[MOST], n_ends;
    oriel_error err;

    ck_assert_msg(!oriel_plan_split(model_of(&network_7b), items, n, NULL, b,
                                    ends, &n_ends, &err),
                  "%s", err.message);
    ck_assert_uint_eq(n_ends, n_expected);
    ck_assert_mem_eq(ends, expected, n_ends * sizeof(*ends));
}

/* A limit is met exactly, and missed by one. */
START_TEST(each_limit_alone)
{
    static const size_t pairs[] = {2, 4, 5}, single[] = {1, 2, 3, 4, 5};
    static const size_t all[] = {5};
    oriel_plan *plan = plan_items(photos, 2, NULL);
    const oriel_plan_info two = info_of(plan);
    const int64_t exact[] = {two.patches, two.tokens, two.flops};

    ck_assert_int_eq(two.tokens, 782);
    for (int field = 0; field < 3; field++)
        for (int less = 0; less < 2; less++) {
            oriel_budget b = ORIEL_BUDGET_INIT;
            int64_t *fields[] = {&b.max_patches, &b.max_tokens, &b.max_flops};

            *fields[field] = exact[field] - less;
            expect_ends(photos, 5, &b, less ? 5 : 3, less ? single : pairs);
            *fields[field] = 1; /* each is over it, and runs alone */
            expect_ends(photos, 5, &b, 5, single);
            *fields[field] = INT64_MAX;
            expect_ends(photos, 5, &b, 1, all);
        }
    expect_ends(photos, 5, NULL, 1, all);
    oriel_plan_destroy(plan);
}
END_TEST

/* 11,222,500 patches, then 6,760,000: together over ORIEL_MAX_PATCHES. */
START_TEST(the_plans_own_limit_holds)
{
    static const oriel_item items[] = {{640, 480, 1, 46900, 46900, 0},
                                       {640, 480, 1, 0, 0, 0},
                                       {640, 480, 1, 36400, 36400, 0},
                                       {640, 480, 1, 0, 0, 0}};
    static const size_t ends[] = {2, 4};
    const oriel_budget none = ORIEL_BUDGET_INIT;
    oriel_error err;
    oriel_plan *plan;

    expect_ends(items, 4, NULL, 2, ends);
    expect_ends(items, 4, &none, 2, ends);
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&network_7b), items, 4, NULL, &err),
        ORIEL_ERR_CAPACITY);
    ck_assert_int_eq(err.item, 2);
}
END_TEST

/* The sum of FLOPs stops at INT64_MAX, and is over every smaller limit. */
START_TEST(flops_saturate)
{
    static const oriel_item items[] = {{640, 480, 1, 46900, 46900, 0},
                                       {640, 480, 1, 0, 0, 0},
                                       {640, 480, 1, 14000, 14000, 0}};
    static const size_t apart[] = {1, 2, 3}, together[] = {3};
    static int32_t blocks[256];
    oriel_network n = network_7b;
    oriel_budget b = ORIEL_BUDGET_INIT;
    size_t ends[3], n_ends;

    for (int32_t i = 0; i < 256; i++)
        blocks[i] = i;
    n.depth = n.n_full_attention_blocks = 256;
    n.full_attention_blocks = blocks;
    b.max_flops = INT64_MAX - 1;
    ck_assert_int_eq(
        oriel_plan_split(model_of(&n), items, 3, NULL, &b, ends, &n_ends, NULL),
        ORIEL_OK);
    ck_assert_uint_eq(n_ends, 2);
    ck_assert_uint_eq(ends[0], 1);
    ck_assert_uint_eq(ends[1], 3);
    b.max_flops = INT64_MAX;
    ck_assert_int_eq(
        oriel_plan_split(model_of(&n), items, 3, NULL, &b, ends, &n_ends, NULL),
        ORIEL_OK);
    ck_assert_uint_eq(n_ends, 1);
    ck_assert_mem_eq(ends, together, sizeof(together));
    b.max_flops = 1;
    ck_assert_int_eq(
        oriel_plan_split(model_of(&n), items, 3, NULL, &b, ends, &n_ends, NULL),
        ORIEL_OK);
    ck_assert_uint_eq(n_ends, 3);
    ck_assert_mem_eq(ends, apart, sizeof(apart));
}
END_TEST

START_TEST(a_bad_item_ends_the_runs_before_it)
{
    oriel_item items[5];
    size_t ends[5], n_ends;
    oriel_budget b = ORIEL_BUDGET_INIT;
    oriel_error err;

    b.max_tokens = 800;
    for (size_t bad = 0; bad < 5; bad++) {
        memcpy(items, photos, sizeof(items));
        items[bad].width = 100000;
        ck_assert_int_eq(oriel_plan_split(model_of(&network_7b), items, 5, NULL,
                                          &b, ends, &n_ends, &err),
                         ORIEL_ERR_INPUT);
        ck_assert_int_eq(err.item, (int)bad);
        ck_assert_ptr_nonnull(strstr(err.message, "aspect ratio above 200"));
        ck_assert_uint_eq(n_ends, (bad + 1) / 2);
        if (bad)
            ck_assert_uint_eq(ends[n_ends - 1], bad);
    }
}
END_TEST

START_TEST(program_errors)
{
    const oriel_model *model = model_of(&network_7b);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_item wrong[2] = {{640, 480, 1, 0, 0, 0}, {640, 480, 1, 0, 0, 9}};
    oriel_budget bad[3];
    size_t ends[5], n_ends;
    oriel_error err;

#define REFUSED(...) \
    do { \
        n_ends = 77; \
        ck_assert_int_eq(oriel_plan_split(__VA_ARGS__), ORIEL_ERR_ARGUMENT); \
        ck_assert_int_eq(err.status, ORIEL_ERR_ARGUMENT); \
    } while (0)

    REFUSED(NULL, photos, 5, NULL, NULL, ends, &n_ends, &err);
    ck_assert_ptr_nonnull(strstr(err.message, "oriel_plan_split: model"));
    ck_assert_uint_eq(n_ends, 0);
    REFUSED(model, NULL, 5, NULL, NULL, ends, &n_ends, &err);
    ck_assert_uint_eq(n_ends, 0);
    REFUSED(model, photos, 0, NULL, NULL, ends, &n_ends, &err);
    ck_assert_uint_eq(n_ends, 0);
    REFUSED(model, photos, 5, NULL, NULL, NULL, &n_ends, &err);
    ck_assert_uint_eq(n_ends, 0);
    ck_assert_str_eq(err.message, "oriel_plan_split: ends is NULL");
    REFUSED(model, photos, 5, NULL, NULL, ends, NULL, &err);
    ck_assert_str_eq(err.message, "oriel_plan_split: n_ends is NULL");
    REFUSED(model, wrong, 2, NULL, NULL, ends, &n_ends, &err);
    ck_assert_int_eq(err.item, 1);
    ck_assert_uint_eq(n_ends, 0);
    options.sizing = 2;
    REFUSED(model, photos, 5, &options, NULL, ends, &n_ends, &err);
    ck_assert_uint_eq(n_ends, 0);
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = (oriel_budget)ORIEL_BUDGET_INIT;
    bad[0].max_patches = -1;
    bad[1].max_tokens = INT64_MIN;
    bad[2].max_flops = -1;
    for (size_t i = 0; i < COUNT(bad); i++) {
        REFUSED(model, photos, 5, NULL, &bad[i], ends, &n_ends, &err);
        ck_assert_uint_eq(n_ends, 0);
        ck_assert_ptr_nonnull(strstr(err.message, "oriel_budget: "));
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("split");
    TCase *tc = tcase_create("split");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_queues, 0, 4);
    tcase_add_test(tc, each_limit_alone);
    tcase_add_test(tc, the_plans_own_limit_holds);
    tcase_add_test(tc, flops_saturate);
    tcase_add_test(tc, a_bad_item_ends_the_runs_before_it);
    tcase_add_test(tc, program_errors);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
