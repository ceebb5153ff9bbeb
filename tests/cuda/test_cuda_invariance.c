/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_invariance.c - an item's embeddings do not depend on its batch
 *
 * End to end on tensor cores that group and truncate, so that a kernel which
 * groups an item's values by what stands beside it is found out: together, the
 * other way round, beside an item of NaN, and alone.
 */
#include "cpu/fixture.h"
#include "kernels/device_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 5, NOT_FINITE = 2 };

static const int64_t grids[ITEMS][3] = {
    {1, 10, 14}, {2, 6, 4}, {1, 2, 2}, {1, 18, 2}, {1, 6, 10}};

typedef struct batch {
    const oriel_network *network;
    fixture_model m;
    float *pixels[ITEMS];
    bool spoil; /* make item NOT_FINITE what its name says */
} batch;

static size_t
pixel_count(const batch *b, int item)
{
    return (size_t)oracle_count_patches(grids + item, 1) *
           (size_t)oriel_network_patch_columns(b->network);
}

/* The items in this order; the embeddings of each in its place of 'out'. */
static void
encode(const batch *b, const int *order, int n, float **out)
{
    int64_t ordered[ITEMS][3], at = 0;
    oriel_plan *plan;
    oriel_encoder *encoder;
    oriel_input input;
    fixture_result r;
    float *pixels;

    for (int i = 0; i < n; i++)
        memcpy(ordered[i], grids[order[i]], sizeof(ordered[i]));
    plan = fixture_plan(&b->m, ordered, (size_t)n);
    pixels = fixture_pixels(plan, 1);
    for (int i = 0; i < n; i++) {
        size_t count = pixel_count(b, order[i]);

        memcpy(pixels + at, b->pixels[order[i]], count * sizeof(float));
        for (size_t k = 0; b->spoil && order[i] == NOT_FINITE && k < count; k++)
            pixels[(size_t)at + k] = k % 2 ? NAN : INFINITY;
        at += (int64_t)count;
    }
    input = fixture_input(plan, pixels);
    encoder = fixture_encoder(&b->m, plan, ORIEL_PRECISION_BF16, 1);
    r = fixture_encode(&b->m, encoder, plan, &input);
    ck_assert_str_eq(device_finish(), "");
    at = 0;
    for (int i = 0; i < n; i++) {
        size_t count =
            (size_t)(oracle_count_patches(ordered + i, 1) / 4 * r.out_hidden);

        out[order[i]] = malloc(count * sizeof(float));
        memcpy(out[order[i]], r.embeddings + at, count * sizeof(float));
        at += (int64_t)count;
    }
    oriel_encoder_destroy(encoder);
    fixture_result_free(&r);
    free(pixels);
    oriel_plan_destroy(plan);
}

static void
expect(const batch *b, float **expected, float **got, const char *how)
{
    for (int i = 0; i < ITEMS; i++) {
        size_t bytes = (size_t)(oracle_count_patches(grids + i, 1) / 4 *
                                b->network->out_hidden_size) *
                       sizeof(float);

        if (got[i] && !(b->spoil && i == NOT_FINITE))
            ck_assert_msg(memcmp(expected[i], got[i], bytes) == 0, "item %d %s",
                          i, how);
        free(got[i]);
        got[i] = NULL;
    }
}

static const oriel_network *const networks[] = {&fixture_tiny, &fixture_broad};

START_TEST(items_are_their_own)
{
    static const int forward[ITEMS] = {0, 1, 2, 3, 4};
    static const int backward[ITEMS] = {4, 3, 2, 1, 0};
    batch b = {.network = networks[_i],
               .m = fixture_model_make(networks[_i], 31)};
    float *expected[ITEMS], *got[ITEMS] = {NULL};

    for (int i = 0; i < ITEMS; i++) {
        oriel_plan *plan = fixture_plan(&b.m, grids + i, 1);

        b.pixels[i] = fixture_pixels(plan, (uint64_t)i + 50);
        oriel_plan_destroy(plan);
    }
    device_set_adversarial(true);
    encode(&b, forward, ITEMS, expected);
    encode(&b, backward, ITEMS, got);
    expect(&b, expected, got, "the other way round");
    b.spoil = true;
    encode(&b, forward, ITEMS, got);
    ck_assert(isnan(got[NOT_FINITE][0]));
    expect(&b, expected, got, "beside one of NaN");
    b.spoil = false;
    for (int i = 0; i < ITEMS; i++) {
        encode(&b, &i, 1, got);
        expect(&b, expected, got, "alone");
    }
    device_set_adversarial(false);
    for (int i = 0; i < ITEMS; i++) {
        free(expected[i]);
        free(b.pixels[i]);
    }
    fixture_model_free(&b.m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_invariance");
    TCase *tcase = tcase_create("invariance");

    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, items_are_their_own, 0, COUNT(networks));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
