/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as a whole: items, offsets, costs, memory, fork. */
#include "oriel.h"
#include "plan/plan.h"
#include "plan/planned.h"
#include "support/child.h"
#include "support/fake_model.h"
#include "support/suite.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- Items ------------------------------------------------------------ */

START_TEST(batch_of_images_and_videos)
{
    static const oriel_item items[] = {
        {1920, 1080, 0, 0, 0, 0}, /* image */
        {640, 480, 1, 0, 0, 0},   /* image */
        {100, 60, 5, 56, 84, 0},  /* 5 frames: the last is repeated */
        {448, 448, 2, 0, 0, 0},
    };
    static const int64_t grids[] = {1, 78, 138, 1, 34, 46, 3, 6, 4, 1, 32, 32};
    static const int64_t offsets[] = {0, 2691, 3082, 3100, 3356};
    static const int64_t frames[] = {0, 1, 2, 7, 9};
    oriel_plan *plan = plan_items(items, COUNT(items), NULL);
    const oriel_plan_info info = info_of(plan);

    ck_assert_int_eq(info.n_items, 4);
    ck_assert_mem_eq(info.grid_thw, grids, sizeof(grids));
    ck_assert_mem_eq(info.offsets, offsets, sizeof(offsets));
    ck_assert_int_eq(info.tokens, 3356);
    ck_assert_int_eq(info.patches, 3356 * 4);
    ck_assert_int_eq(info.n_frames, 6);
    ck_assert_int_eq(info.patch_columns, 1176);
    ck_assert_int_eq(info.out_hidden_size, 3584);

    ck_assert_mem_eq(plan->first_frame, frames, sizeof(frames));
    ck_assert_int_eq(plan->n_source_frames, 9);
    for (int i = 0; i <= 4; i++)
        ck_assert_int_eq(plan->first_patch[i], 4 * offsets[i]);
    ck_assert_int_eq(plan->items[0].frames, 1);
    ck_assert_int_eq(plan->items[0].resized_width, 1932);
    ck_assert_int_eq(plan->items[0].resized_height, 1092);
    ck_assert_int_eq(plan->items[2].width, 100);
    ck_assert_int_eq(plan->items[2].resized_width, 56);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(plan->items[i].kind,
                         i < 2 ? ORIEL_KIND_IMAGE : ORIEL_KIND_VIDEO);
    ck_assert_int_eq(plan->from_grids, 0);
    oriel_plan_destroy(plan);
}
END_TEST

START_TEST(grids_stand_for_their_own_size)
{
    static const int64_t grids[] = {3, 6, 4, 1, 32, 46};
    oriel_plan *plan;
    oriel_plan_info info;

    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_72b),
                                                  grids, 2, NULL, NULL),
                     ORIEL_OK);
    info = info_of(plan);
    ck_assert_mem_eq(info.grid_thw, grids, sizeof(grids));
    ck_assert_int_eq(info.out_hidden_size, 8192);
    ck_assert_int_eq(plan->from_grids, 1);
    ck_assert_int_eq(plan->items[0].frames, 6);
    ck_assert_int_eq(plan->items[0].height, 84);
    ck_assert_int_eq(plan->items[0].width, 56);
    ck_assert_int_eq(plan->items[1].resized_height, 448);
    ck_assert_int_eq(plan->items[1].resized_width, 644);
    oriel_plan_destroy(plan);
}
END_TEST

START_TEST(options_change_the_size)
{
    static const oriel_item thin = {2000, 10, 1, 0, 0, 0};
    static const oriel_item photo = {4000, 3000, 1, 0, 0, 0};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    options.sizing = ORIEL_SIZING_QWEN_VL_UTILS;
    options.resample = ORIEL_RESAMPLE_PILLOW;
    plan = plan_items(&thin, 1, &options);
    ck_assert_int_eq(info_of(plan).grid_thw[2], 1988 / 14);
    ck_assert_int_eq(plan->resample, ORIEL_RESAMPLE_PILLOW);
    oriel_plan_destroy(plan);

    options.max_pixels = 1003520;
    plan = plan_items(&photo, 1, &options);
    ck_assert_int_eq(info_of(plan).grid_thw[1], 840 / 14);
    ck_assert_int_eq(info_of(plan).grid_thw[2], 1148 / 14);
    oriel_plan_destroy(plan);

    options.max_pixels = 0;
    options.min_pixels = 12845056;
    plan = plan_items(&thin, 1, &options);
    ck_assert_int_ge(info_of(plan).patches, 65536);
    oriel_plan_destroy(plan);
}
END_TEST

/* transformers looks at max_pixels first and at min_pixels only otherwise. */
START_TEST(crossed_limits_follow_each_form)
{
    static const oriel_item photo = {640, 480, 1, 0, 0, 0};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;

    options.max_pixels = 1000;
    plan = plan_items(&photo, 1, &options);
    ck_assert_int_eq(info_of(plan).tokens, 1);
    oriel_plan_destroy(plan);

    options.sizing = ORIEL_SIZING_QWEN_VL_UTILS;
    ck_assert_int_eq(oriel_plan_create(&plan, model_of(&network_7b), &photo, 1,
                                       &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "min_pixels 3136"));
    ck_assert_int_eq(err.item, -1);
}
END_TEST

/* ---- Cost ------------------------------------------------------------- */

/* Block by block, segment by segment, in doubles. */
static double
slow_flops(const oriel_network *n, const oriel_plan_info *info)
{
    const double d = n->hidden_size, m = 4 * d;
    const double s = (double)info->patches, t = (double)info->tokens;
    double sum = 2 * s * info->patch_columns * d;

    for (int32_t block = 0; block < n->depth; block++) {
        const int full = oriel_network_is_full_attention(n, block);
        const int32_t *cu = full ? info->cu_seqlens : info->cu_window_seqlens;
        const int32_t segments = full ? info->n_frames : info->n_windows;

        sum += 2 * s * (4 * d * d + 3 * d * n->intermediate_size);
        for (int32_t i = 0; i < segments; i++) {
            const double length = cu[i + 1] - cu[i];

            sum += 4 * d * length * length;
        }
    }
    return sum + 2 * t * (m * m + m * n->out_hidden_size);
}

typedef struct cost {
    int64_t grid[3];
    double tera_7b, tera_72b, unit;
} cost;

/* As published in teraflops; 'unit' is one of the last digit. */
static const cost costs[] = {
    {{1, 8, 8}, 0.083, 0.084, 0.001},    {{1, 16, 16}, 0.333, 0.338, 0.001},
    {{1, 34, 46}, 2.07, 2.11, 0.01},     {{2, 36, 52}, 4.99, 5.06, 0.01},
    {{1, 74, 74}, 7.70, 7.81, 0.01},     {{1, 78, 138}, 16.30, 16.53, 0.01},
    {{1, 128, 128}, 26.71, 27.04, 0.01}, {{1, 256, 256}, 172.8, 174.1, 0.1},
    {{1, 32, 32}, 1.3469, 0, 0.0001},    {{1, 34, 74}, 3.3849, 0, 0.0001},
};

static void
check_cost(const oriel_network *network, const int64_t *grid, double tera,
           double unit)
{
    oriel_plan *plan;
    oriel_plan_info info;

    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(network),
                                                  grid, 1, NULL, NULL),
                     ORIEL_OK);
    info = info_of(plan);
    /* Below 2^53, so the double is exact. */
    ck_assert_double_eq((double)info.flops, slow_flops(network, &info));
    ck_assert_int_eq(info.flops_per_item[0], info.flops);
    if (tera > 0)
        ck_assert_double_eq_tol((double)info.flops * 1e-12, tera, 0.55 * unit);
    oriel_plan_destroy(plan);
}

START_TEST(published_costs)
{
    const cost *c = &costs[_i];

    check_cost(&network_7b, c->grid, c->tera_7b, c->unit);
    check_cost(&network_72b, c->grid, c->tera_72b, c->unit);
}
END_TEST

START_TEST(costs_of_items_add_up)
{
    static const oriel_item items[] = {
        {1000, 700, 0, 0, 0, 0}, {64, 300, 9, 0, 0, 0}, {448, 448, 0, 0, 0, 0}};
    oriel_plan *plan = plan_items(items, COUNT(items), NULL);
    const oriel_plan_info info = info_of(plan);
    int64_t sum = 0;

    for (size_t i = 0; i < COUNT(items); i++) {
        oriel_plan *alone = plan_items(&items[i], 1, NULL);

        ck_assert_int_eq(info.flops_per_item[i], info_of(alone).flops);
        sum += info.flops_per_item[i];
        oriel_plan_destroy(alone);
    }
    ck_assert_int_eq(info.flops, sum);
    ck_assert_double_eq((double)sum, slow_flops(&network_7b, &info));
    oriel_plan_destroy(plan);
}
END_TEST

START_TEST(cost_saturates)
{
    static const int64_t grid[] = {1, 4096, 4096};
    static int32_t all[64];
    oriel_network n = network_7b;
    oriel_plan *plan;

    for (int32_t i = 0; i < 64; i++)
        all[i] = i;
    n.depth = n.n_full_attention_blocks = 64;
    n.full_attention_blocks = all;
    ck_assert_int_eq(
        oriel_plan_create_from_grids(&plan, model_of(&n), grid, 1, NULL, NULL),
        ORIEL_OK);
    ck_assert(info_of(plan).flops == INT64_MAX);
    oriel_plan_destroy(plan);

    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grid, 1, NULL, NULL),
                     ORIEL_OK);
    ck_assert(info_of(plan).flops < INT64_MAX);
    ck_assert(info_of(plan).flops > 5 * (int64_t)1000000000000000000);
    oriel_plan_destroy(plan);
}
END_TEST

/* Of any configuration and any size: exact, or INT64_MAX where it is more. */
START_TEST(cost_of_extreme_networks)
{
    static const int32_t depths[] = {1, 32, 1024};
    static const int32_t widths[] = {4, 1280, 1 << 14, 1 << 18};
    static const int64_t grids[][3] = {
        {1, 2, 2}, {1, 200, 300}, {4, 2, 8192}, {1, 1024, 1024}};
    int saturated = 0, exact = 0;

    for (size_t d = 0; d < COUNT(depths); d++)
        for (size_t w = 0; w < COUNT(widths); w++)
            for (size_t g = 0; g < COUNT(grids); g++) {
                oriel_network n = network_7b;
                oriel_plan *plan;
                double slow;
                int64_t flops;

                n.depth = depths[d];
                n.hidden_size = n.intermediate_size = widths[w];
                n.out_hidden_size = widths[w];
                n.n_full_attention_blocks = n.depth == 1 ? 0 : 4;
                ck_assert_int_eq(
                    oriel_plan_create_from_grids(&plan, model_of(&n), grids[g],
                                                 1, NULL, NULL),
                    ORIEL_OK);
                slow = slow_flops(&n, &plan->info);
                flops = info_of(plan).flops;
                if (slow >= 0x1p63) {
                    ck_assert(flops == INT64_MAX);
                    saturated++;
                } else {
                    ck_assert_double_eq_tol((double)flops, slow, slow * 1e-12);
                    exact++;
                }
                oriel_plan_destroy(plan);
            }
    ck_assert_int_gt(saturated, 3);
    ck_assert_int_gt(exact, 20);
}
END_TEST

/* Two items that are below the limit, and their sum, which is not. */
START_TEST(sums_of_costs_saturate)
{
    static const int64_t grids[] = {1, 4096, 2048, 1, 4096, 2048};
    static const int32_t blocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    oriel_network n = network_7b;
    oriel_plan_info info;
    oriel_plan *plan;

    n.hidden_size = 2560;
    n.n_full_attention_blocks = 10;
    n.full_attention_blocks = blocks;
    ck_assert_int_eq(
        oriel_plan_create_from_grids(&plan, model_of(&n), grids, 2, NULL, NULL),
        ORIEL_OK);
    info = info_of(plan);
    ck_assert(info.flops_per_item[0] < INT64_MAX);
    ck_assert(info.flops_per_item[0] > INT64_MAX / 2);
    ck_assert(info.flops_per_item[1] == info.flops_per_item[0]);
    ck_assert(info.flops == INT64_MAX);
    oriel_plan_destroy(plan);
}
END_TEST

/* ---- Memory and fork -------------------------------------------------- */

typedef struct heap {
    int allow, calls, live;
} heap;

static void *
heap_alloc(void *user, size_t bytes, size_t alignment)
{
    heap *h = user;

    if (h->calls++ >= h->allow)
        return NULL;
    h->live++;
    return aligned_alloc(alignment, bytes);
}

static void
heap_free(void *user, void *memory)
{
    ((heap *)user)->live--;
    free(memory);
}

START_TEST(allocation_failures)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    heap h = {0};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_status st = ORIEL_ERR_MEMORY;
    oriel_plan *plan;
    oriel_error err;

    hooks.user = &h;
    hooks.alloc = heap_alloc;
    hooks.free = heap_free;
    options.hooks = &hooks;
    for (int allow = 0; st; allow++) {
        h = (heap){.allow = allow};
        st = oriel_plan_create(&plan, model_of(&network_7b), &item, 1, &options,
                               &err);
        ck_assert_int_eq(err.status, st);
        if (st) {
            ck_assert_int_eq(st, ORIEL_ERR_MEMORY);
            ck_assert_ptr_null(plan);
            ck_assert_int_eq(h.live, 0);
        }
    }
    /* One allocation holds it all, and destroy gives it back. */
    ck_assert_int_eq(h.calls, 1);
    memset(&hooks, 0xff, sizeof(hooks)); /* they were copied */
    oriel_plan_destroy(plan);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

/* Of a batch, the item that takes the most is the one to blame. */
START_TEST(want_of_memory_names_the_largest)
{
    static const oriel_item items[] = {
        {640, 480, 1, 0, 0, 0},
        {46340, 46340, 1, 46340, 46340, 0},
        {1920, 1080, 1, 0, 0, 0},
    };
    heap h = {0};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;

    hooks.user = &h;
    hooks.alloc = heap_alloc;
    hooks.free = heap_free;
    options.hooks = &hooks;
    ck_assert_int_eq(oriel_plan_create(&plan, model_of(&network_7b), items,
                                       COUNT(items), &options, &err),
                     ORIEL_ERR_MEMORY);
    ck_assert_int_eq(err.item, 1);
    ck_assert_ptr_nonnull(
        strstr(err.message, "grid 1 x 3310 x 3310, the largest: "));
    ck_assert_int_eq(oriel_plan_create(&plan, model_of(&network_7b), items, 1,
                                       &options, &err),
                     ORIEL_ERR_MEMORY);
    ck_assert_int_eq(err.item, 0);
    ck_assert_ptr_nonnull(strstr(err.message, "grid 1 x 34 x 46: "));
}
END_TEST

START_TEST(refusals_come_before_allocations)
{
    static const int64_t grids[] = {1, 4096, 4096, 1, 2, 2};
    heap h = {.allow = INT_MAX};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    hooks.user = &h;
    hooks.alloc = heap_alloc;
    hooks.free = heap_free;
    options.hooks = &hooks;
    ck_assert_int_eq(oriel_plan_create_from_grids(&plan, model_of(&network_7b),
                                                  grids, 2, &options, NULL),
                     ORIEL_ERR_CAPACITY);
    ck_assert_int_eq(h.calls, 0);
}
END_TEST

static int
plan_in_child(void *parents)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    oriel_plan *plan;

    CHILD_MUST(info_of(parents).tokens == 391);
    CHILD_MUST(
        !oriel_plan_create(&plan, model_of(&network_7b), &item, 1, NULL, NULL));
    CHILD_MUST(info_of(plan).tokens == 391);
    oriel_plan_destroy(plan);
    return 0;
}

START_TEST(plans_in_a_forked_child)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    oriel_plan *parents = plan_items(&item, 1, NULL);

    run_in_child(plan_in_child, parents);
    oriel_plan_destroy(parents);
}
END_TEST

/* The plan outlives its model and the caller's arrays. */
START_TEST(plan_owns_what_it_points_to)
{
    static const int32_t blocks[] = {0, 3};
    int32_t *lent = malloc(sizeof(blocks));
    oriel_item *items = malloc(sizeof(*items));
    oriel_network n = network_7b;
    oriel_plan *plan;

    memcpy(lent, blocks, sizeof(blocks));
    *items = (oriel_item){640, 480, 1, 0, 0, 0};
    n.depth = 4;
    n.n_full_attention_blocks = 2;
    n.full_attention_blocks = lent;
    ck_assert_int_eq(
        oriel_plan_create(&plan, model_of(&n), items, 1, NULL, NULL), ORIEL_OK);
    memset(lent, 0xff, sizeof(blocks));
    free(lent);
    memset(items, 0xff, sizeof(*items));
    free(items);
    memset(&n, 0xff, sizeof(n));
    ck_assert_int_eq(plan->network.n_full_attention_blocks, 2);
    ck_assert_int_eq(plan->network.full_attention_blocks[1], 3);
    ck_assert_int_eq(plan->items[0].resized_width, 644);
    oriel_plan_destroy(plan);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("plan");
    TCase *tc = tcase_create("plan");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, batch_of_images_and_videos);
    tcase_add_test(tc, grids_stand_for_their_own_size);
    tcase_add_test(tc, options_change_the_size);
    tcase_add_test(tc, crossed_limits_follow_each_form);
    tcase_add_loop_test(tc, published_costs, 0, COUNT(costs));
    tcase_add_test(tc, costs_of_items_add_up);
    tcase_add_test(tc, cost_saturates);
    tcase_add_test(tc, cost_of_extreme_networks);
    tcase_add_test(tc, sums_of_costs_saturate);
    tcase_add_test(tc, allocation_failures);
    tcase_add_test(tc, want_of_memory_names_the_largest);
    tcase_add_test(tc, refusals_come_before_allocations);
    tcase_add_test(tc, plans_in_a_forked_child);
    tcase_add_test(tc, plan_owns_what_it_points_to);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
