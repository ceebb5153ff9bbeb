/* SPDX-License-Identifier: Apache-2.0 */
/* Windows, sequences and positions: worked examples, digests, random batches. */
#include "oriel.h"
#include "plan/md5.h"
#include "plan/reference.h"
#include "plan/slow.h"
#include "support/fake_model.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GRIDS 8

static oriel_plan_info
plan_info(oriel_plan **plan, const oriel_network *network, const int64_t *grids,
          size_t n)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_error err;

    ck_assert_msg(oriel_plan_create_from_grids(plan, model_of(network), grids,
                                               n, NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(oriel_plan_get_info(*plan, &info, &err), ORIEL_OK);
    return info;
}

/* ---- Worked examples -------------------------------------------------- */

typedef struct example {
    size_t n_grids;
    int64_t grids[MAX_GRIDS * 3];
    int32_t n_windows, n_frames;
    int32_t longest_window, longest_frame;
    const char *cu_window; /* comma-joined; a prefix, if it ends in a comma */
    const char *cu;
    const char *index; /* likewise */
    const char *index_digest, *cu_window_digest;
} example;

#define INDEX_10_14 \
    "0,1,2,3,7,8,9,10,14,15,16,17,21,22,23,24,4,5,6,11,12,13,18,19,20,25,26," \
    "27,28,29,30,31,32,33,34"

static const example examples[] = {
    {1, {1, 2, 2}, 1, 1, 4, 4, "0,4", "0,4", "0", NULL, NULL},
    {1,
     {1, 8, 8},
     1,
     1,
     64,
     64,
     "0,64",
     "0,64",
     "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
     NULL,
     NULL},
    {1,
     {1, 10, 14},
     4,
     1,
     64,
     140,
     "0,64,112,128,140",
     "0,140",
     INDEX_10_14,
     "22393e95c58d328edaf089b0972e5154",
     "033893cdeb81d707e1e8cbb59c762e14"},
    {1,
     {1, 16, 16},
     4,
     1,
     64,
     256,
     "0,64,128,192,256",
     "0,256",
     "0,1,2,3,8,9,10,11,16,17,18,19,24,25,26,27,4,5,6,7,",
     NULL,
     NULL},
    {1,
     {1, 74, 74},
     100,
     1,
     64,
     5476,
     "0,64,128,192,256,320,384,448,512,576,592,656,720,784,",
     "0,5476",
     "0,1,2,3,37,38,39,40,74,75,76,77,111,112,113,114,4,5,6,7,41,",
     "15c323a91cc1bb653295d8fc9f6cde54",
     "124a2043505ce49ab82701eddbb9544d"},
    {1,
     {2, 36, 52},
     70,
     2,
     64,
     1872,
     "0,64,128,192,256,320,384,416,480,",
     "0,1872,3744",
     "0,1,2,3,26,27,28,29,52,53,54,55,78,79,80,81,4,5,6,7,30,",
     "ab8a5807174613828590f702f2ce56a2",
     "9714accaf398a98a295bfa1c5a302779"},
    {3,
     {1, 10, 14, 2, 8, 8, 1, 2, 2},
     7,
     4,
     64,
     140,
     "0,64,112,128,140,204,268,272",
     "0,140,204,268,272",
     INDEX_10_14 ",35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,"
                 "54,55,56,57,58,59,60,61,62,63,64,65,66,67",
     "e11d29c6c4baea1e55b71bc97cf34310",
     NULL},
    {1,
     {2, 4, 6},
     2,
     2,
     24,
     24,
     "0,24,48",
     "0,24,48",
     "0,1,2,3,4,5,6,7,8,9,10,11",
     NULL,
     NULL},
};

static char *
join(const int32_t *values, int64_t n)
{
    char *text = malloc((size_t)n * 12 + 1);
    char *at = text;

    for (int64_t i = 0; i < n; i++)
        at += sprintf(at, "%s%d", i ? "," : "", values[i]);
    return text;
}

static void
check_list(const int32_t *values, int64_t n, const char *expected,
           const char *expected_digest)
{
    const size_t length = strlen(expected);
    char *text = join(values, n);
    char digest[33];
    md5 m;

    if (expected[length - 1] == ',')
        ck_assert_msg(!strncmp(text, expected, length), "%s", text);
    else
        ck_assert_str_eq(text, expected);
    md5_start(&m);
    md5_add(&m, text, strlen(text));
    md5_finish(&m, digest);
    if (expected_digest)
        ck_assert_str_eq(digest, expected_digest);
    free(text);
}

START_TEST(worked_example)
{
    const example *e = &examples[_i];
    oriel_plan *plan;
    const oriel_plan_info info =
        plan_info(&plan, &network_7b, e->grids, e->n_grids);

    ck_assert_int_eq(info.n_windows, e->n_windows);
    ck_assert_int_eq(info.n_frames, e->n_frames);
    ck_assert_int_eq(info.longest_window, e->longest_window);
    ck_assert_int_eq(info.longest_frame, e->longest_frame);
    check_list(info.window_index, info.tokens, e->index, e->index_digest);
    check_list(info.cu_window_seqlens, info.n_windows + 1, e->cu_window,
               e->cu_window_digest);
    check_list(info.cu_seqlens, info.n_frames + 1, e->cu, NULL);
    oriel_plan_destroy(plan);
}
END_TEST

/* (1, 10, 14): the inverse is not the permutation itself, and window 1 begins
   at column 8. */
START_TEST(worked_inverse)
{
    static const int64_t grid[] = {1, 10, 14};
    oriel_plan *plan;
    const oriel_plan_info info = plan_info(&plan, &network_7b, grid, 1);

    check_list(info.window_inverse, info.tokens,
               "0,1,2,3,16,17,18,4,5,6,7,19,20,21,8,9,10,11,22,23,24,12,13,14,"
               "15,25,26,27,28,29,30,31,32,33,34",
               NULL);
    check_list(info.positions + 2 * info.cu_window_seqlens[1], 8,
               "0,8,0,9,1,8,1,9", NULL);
    oriel_plan_destroy(plan);
}
END_TEST

/* (1, 74, 74): the last row of windows is a single row of tokens. */
START_TEST(worked_last_row)
{
    static const int64_t grid[] = {1, 74, 74};
    oriel_plan *plan;
    const oriel_plan_info info = plan_info(&plan, &network_7b, grid, 1);
    int32_t lengths[65] = {0};

    for (int32_t i = 0; i < 37; i++)
        ck_assert_int_eq(info.window_index[1332 + i], 1332 + i);
    for (int32_t w = 0; w < info.n_windows; w++)
        lengths[info.cu_window_seqlens[w + 1] - info.cu_window_seqlens[w]]++;
    ck_assert_int_eq(lengths[64], 81);
    ck_assert_int_eq(lengths[16], 18);
    ck_assert_int_eq(lengths[4], 1);
    check_list(info.cu_window_seqlens + 96, 5, "5424,5440,5456,5472,5476",
               NULL);
    oriel_plan_destroy(plan);
}
END_TEST

/* ---- Random batches --------------------------------------------------- */

static oriel_network
geometry(int32_t window_size, int32_t merge, int32_t patch)
{
    oriel_network n = network_7b;

    n.window_size = window_size;
    n.spatial_merge_size = merge;
    n.patch_size = patch;
    return n;
}

/* The draws of make_reference.py. */
static size_t
draw_batch(random_stream *random, int64_t *grids, int32_t merge)
{
    const size_t n = (size_t)random_between(random, 1, 5);

    for (size_t i = 0; i < n; i++) {
        grids[3 * i] = random_between(random, 1, 3);
        grids[3 * i + 1] = merge * random_between(random, 1, 20);
        grids[3 * i + 2] = merge * random_between(random, 1, 20);
    }
    return n;
}

static void
add_int32(md5 *m, const int32_t *values, int64_t n)
{
    md5_add(m, values, (size_t)n * sizeof(*values));
}

START_TEST(random_batches_match_the_reference)
{
    const struct windows_reference *r = &windows_reference[_i];
    const oriel_network n = geometry(r->window_size, r->merge, r->patch);
    random_stream random = {2};
    char digest[33];
    md5 m;

    md5_start(&m);
    for (int k = 0; k < N_BATCHES; k++) {
        int64_t grids[MAX_GRIDS * 3];
        const size_t n_grids = draw_batch(&random, grids, r->merge);
        oriel_plan *plan;
        const oriel_plan_info info = plan_info(&plan, &n, grids, n_grids);

        add_int32(&m, info.window_index, info.tokens);
        add_int32(&m, info.window_inverse, info.tokens);
        add_int32(&m, info.cu_window_seqlens, info.n_windows + 1);
        add_int32(&m, info.cu_seqlens, info.n_frames + 1);
        add_int32(&m, info.positions, 2 * info.patches);
        oriel_plan_destroy(plan);
    }
    md5_finish(&m, digest);
    ck_assert_str_eq(digest, r->digest);
}
END_TEST

static void
check_same(const int32_t *got, const int32_t *expected, size_t n,
           const char *what)
{
    /* Check reports every assertion to its parent: one an array is enough. */
    for (size_t i = 0; i < n; i++)
        if (got[i] != expected[i])
            ck_abort_msg("%s[%zu] is %d, expected %d", what, i, got[i],
                         expected[i]);
}

static int32_t
longest(const int32_t *cu, size_t n)
{
    int32_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = cu[i + 1] - cu[i] > most ? cu[i + 1] - cu[i] : most;
    return most;
}

static void
check_batch(const oriel_network *network, const int64_t *grids, size_t n)
{
    slow_plan slow =
        slow_plan_make(grids, n, oriel_network_window_tokens(network),
                       network->spatial_merge_size);
    oriel_plan *plan;
    const oriel_plan_info info = plan_info(&plan, network, grids, n);

    ck_assert_uint_eq((size_t)info.tokens, slow.tokens);
    ck_assert_uint_eq((size_t)info.patches, slow.patches);
    ck_assert_uint_eq((size_t)info.n_windows, slow.n_windows);
    ck_assert_uint_eq((size_t)info.n_frames, slow.n_frames);
    check_same(info.window_index, slow.index, slow.tokens, "window_index");
    check_same(info.window_inverse, slow.inverse, slow.tokens,
               "window_inverse");
    check_same(info.cu_window_seqlens, slow.cu_window, slow.n_windows + 1,
               "cu_window_seqlens");
    check_same(info.cu_seqlens, slow.cu, slow.n_frames + 1, "cu_seqlens");
    check_same(info.positions, slow.positions, 2 * slow.patches, "positions");
    ck_assert_int_eq(info.longest_window,
                     longest(slow.cu_window, slow.n_windows));
    ck_assert_int_eq(info.longest_frame, longest(slow.cu, slow.n_frames));
    oriel_plan_destroy(plan);
    slow_plan_free(&slow);
}

static const struct {
    int32_t window_size, merge, patch;
} geometries[] = {{112, 2, 14}, {112, 2, 14}, {56, 2, 14}, {140, 2, 14},
                  {28, 2, 14},  {112, 1, 14}, {84, 3, 14}, {4096, 2, 16}};

START_TEST(random_batches_match_the_slow_form)
{
    const oriel_network n = geometry(
        geometries[_i].window_size, geometries[_i].merge, geometries[_i].patch);
    random_stream random = {100 + (uint64_t)_i};

    for (int k = 0; k < 700; k++) {
        int64_t grids[MAX_GRIDS * 3];
        const size_t n_grids = draw_batch(&random, grids, geometries[_i].merge);

        check_batch(&n, grids, n_grids);
    }
}
END_TEST

/* Every small image of the published geometry, and thin and large ones. */
START_TEST(every_small_grid_matches_the_slow_form)
{
    static const int64_t others[][3] = {
        {1, 2, 5600}, {1, 5600, 2}, {1, 256, 256}, {7, 2, 2}, {1, 34, 74}};

    for (int64_t h = 2; h <= 40; h += 2)
        for (int64_t w = 2; w <= 40; w += 2) {
            const int64_t grid[] = {1 + (h + w) % 3, h, w};

            check_batch(&network_7b, grid, 1);
        }
    for (size_t i = 0; i < COUNT(others); i++)
        check_batch(&network_7b, others[i], 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("windows");
    TCase *tc = tcase_create("windows");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, worked_example, 0, COUNT(examples));
    tcase_add_test(tc, worked_inverse);
    tcase_add_test(tc, worked_last_row);
    tcase_add_loop_test(tc, random_batches_match_the_reference, 0,
                        COUNT(windows_reference));
    tcase_add_loop_test(tc, random_batches_match_the_slow_form, 0,
                        COUNT(geometries));
    tcase_add_test(tc, every_small_grid_matches_the_slow_form);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
