/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_encoder.c - the whole encoder on the cpu backend
 *
 * Against the oracle, block by block; and against itself where bytes must be
 * equal: alone or in any batch, on any number of threads, from frames or from
 * pixel_values.
 */
#include "cpu/fixture.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t mixed[5][3] = {
    {1, 10, 14}, {2, 8, 8}, {1, 2, 2}, {1, 34, 2}, {1, 22, 26}};

typedef struct bound {
    int32_t precision;
    double hidden, embeddings; /* relative L2 */
    double cosine;
} bound;

static const bound bounds[] = {
    {ORIEL_PRECISION_FP32, 1e-6, 1e-6, 0.999999999},
    {ORIEL_PRECISION_BF16, 8e-3, 1.2e-2, 0.999},
};
static const oriel_network *const networks[] = {&fixture_tiny, &fixture_wide,
                                                &fixture_broad};

/* Every block of every network in every precision; a failure names the first
   wrong block. */
START_TEST(follows_the_oracle_block_by_block)
{
    const bound *b = &bounds[_i % 2];
    fixture_model m = fixture_model_make(networks[_i / 2], 11);
    oriel_plan *plan = fixture_plan(&m, mixed, 5);
    oriel_encoder *encoder = fixture_encoder(&m, plan, b->precision, 2);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = fixture_input(plan, pixels);
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result r = fixture_encode(&m, encoder, plan, &input);

    for (int32_t k = 0; k < r.n_hidden; k++) {
        double error = oracle_relative_error(r.states[k], truth->hidden[k],
                                             r.patches * r.hidden);

        ck_assert_msg(error <= b->hidden, "hidden state %d is off by %g", k,
                      error);
    }
    ck_assert_double_le(oracle_relative_error(r.embeddings, truth->embeddings,
                                              r.tokens * r.out_hidden),
                        b->embeddings);
    ck_assert_double_ge(oracle_least_cosine(r.embeddings, truth->embeddings,
                                            r.tokens, r.out_hidden),
                        b->cosine);
    fixture_result_free(&r);
    oracle_result_free(truth);
    free(pixels);
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/* ---- Bytes that must be equal -------------------------------------------- */

/* Everything a test of bytes needs, over one plan. */
typedef struct scene {
    fixture_model m;
    int32_t precision;
    oriel_plan *plan;
    float *pixels;
    fixture_result result; /* on two threads */
} scene;

static fixture_result
encode_once(const scene *s, const oriel_plan *plan, const oriel_input *input,
            int32_t threads)
{
    oriel_encoder *encoder =
        fixture_encoder(&s->m, plan, s->precision, threads);
    fixture_result r = fixture_encode(&s->m, encoder, plan, input);

    oriel_encoder_destroy(encoder);
    return r;
}

static scene
make_scene(const oriel_network *network, int32_t precision,
           const int64_t (*grids)[3], size_t n)
{
    scene s = {.m = fixture_model_make(network, 21), .precision = precision};
    oriel_input input;

    s.plan = fixture_plan(&s.m, grids, n);
    s.pixels = fixture_pixels(s.plan, 6);
    input = fixture_input(s.plan, s.pixels);
    s.result = encode_once(&s, s.plan, &input, 2);
    return s;
}

static void
free_scene(scene *s)
{
    fixture_result_free(&s->result);
    free(s->pixels);
    oriel_plan_destroy(s->plan);
    fixture_model_free(&s->m);
}

static const int32_t precisions[] = {ORIEL_PRECISION_FP32,
                                     ORIEL_PRECISION_BF16};

START_TEST(threads_do_not_change_bytes)
{
    static const int32_t threads[] = {1, 3, 5};
    scene s = make_scene(&fixture_wide, precisions[_i], mixed, 5);
    oriel_input input = fixture_input(s.plan, s.pixels);

    for (size_t i = 0; i < COUNT(threads); i++) {
        fixture_result r = encode_once(&s, s.plan, &input, threads[i]);

        fixture_same(&s.result, &r);
        fixture_result_free(&r);
    }
    free_scene(&s);
}
END_TEST

START_TEST(an_item_alone_has_its_bytes_of_the_batch)
{
    scene s = make_scene(&fixture_wide, precisions[_i], mixed, 5);
    int32_t columns = oriel_network_patch_columns(&fixture_wide);

    for (int item = 0; item < 5; item++) {
        oriel_plan *plan = fixture_plan(&s.m, mixed + item, 1);
        oriel_input input = fixture_input(
            plan, s.pixels + oracle_count_patches(mixed, item) * columns);
        fixture_result part = fixture_part(&s.result, mixed, item);
        fixture_result r = encode_once(&s, plan, &input, 1 + item % 3);

        fixture_same(&part, &r);
        fixture_part_free(&part);
        fixture_result_free(&r);
        oriel_plan_destroy(plan);
    }
    free_scene(&s);
}
END_TEST

/* The same picture at every place of a batch of mixed sizes. */
START_TEST(its_place_in_the_batch_does_not_change_bytes)
{
    static const int64_t grids[4][3] = {
        {1, 6, 10}, {1, 2, 2}, {1, 6, 10}, {1, 18, 4}};
    scene s = make_scene(&fixture_tiny, precisions[_i], grids, 4);
    int64_t columns = oriel_network_patch_columns(&fixture_tiny);
    oriel_input input = fixture_input(s.plan, s.pixels);
    fixture_result r, one, two;

    memcpy(s.pixels + 64 * columns, s.pixels,
           (size_t)(60 * columns) * sizeof(float));
    r = encode_once(&s, s.plan, &input, 2);
    one = fixture_part(&r, grids, 0);
    two = fixture_part(&r, grids, 2);
    fixture_same(&one, &two);
    free(one.states);
    free(two.states);
    fixture_result_free(&r);
    free_scene(&s);
}
END_TEST

START_TEST(a_nan_stays_within_its_item)
{
    scene s = make_scene(&fixture_wide, precisions[_i], mixed, 5);
    int64_t columns = oriel_network_patch_columns(&fixture_wide);
    oriel_input input = fixture_input(s.plan, s.pixels);
    fixture_result r;

    for (int64_t i = 0; i < 4 * columns; i++) /* item 2, all its four rows */
        s.pixels[oracle_count_patches(mixed, 2) * columns + i] =
            i % 2 ? NAN : INFINITY;
    r = encode_once(&s, s.plan, &input, 2);
    for (int item = 0; item < 5; item++) {
        fixture_result before = fixture_part(&s.result, mixed, item);
        fixture_result after = fixture_part(&r, mixed, item);

        if (item == 2)
            ck_assert(isnan(after.embeddings[0]));
        else
            fixture_same(&before, &after);
        free(before.states);
        free(after.states);
    }
    fixture_result_free(&r);
    free_scene(&s);
}
END_TEST

/* ---- Frames --------------------------------------------------------------- */

START_TEST(frames_give_the_bytes_of_pixel_values)
{
    static const oriel_item items[] = {{100, 75, 1, 0, 0, 0},
                                       {48, 64, 3, 0, 0, 0},
                                       {31, 200, 1, 0, 0, 0},
                                       {96, 48, 2, 0, 0, 0}};
    enum { FRAMES = 7, LINE = 400 };
    scene s = {.m = fixture_model_make(&fixture_tiny, 3),
               .precision = precisions[_i % 2]};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    const void *frames[FRAMES];
    size_t pitches[FRAMES];
    random_stream stream = {8};
    unsigned char *memory = oracle_alloc(FRAMES, 200 * LINE * 2);
    oriel_input input = ORIEL_INPUT_INIT, values;
    fixture_result from_frames, from_values;
    float *pixels;
    size_t bytes;

    for (size_t i = 0; i < (size_t)FRAMES * 200 * LINE * 2; i++)
        memory[i] = (unsigned char)random_u64(&stream);
    for (int f = 0; f < FRAMES; f++) {
        frames[f] = memory + (size_t)f * 200 * LINE * 2;
        pitches[f] = (size_t)(LINE + f);
    }
    options.resample = _i / 2;
    options.min_pixels = 16 * 16;
    options.max_pixels = 64 * 64 * 2;
    ck_assert_int_eq(oriel_plan_create(&s.plan, s.m.model, items, COUNT(items),
                                       &options, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_plan_get_info(s.plan, &info, NULL), ORIEL_OK);
    input.frames = frames;
    input.pitches = pitches;
    bytes = (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    pixels = oracle_alloc(1, bytes);
    ck_assert_int_eq(oriel_preprocess(s.plan, &input, pixels, bytes, NULL),
                     ORIEL_OK);
    values = fixture_input(s.plan, pixels);
    from_frames = encode_once(&s, s.plan, &input, 3);
    from_values = encode_once(&s, s.plan, &values, 2);
    fixture_same(&from_values, &from_frames);
    fixture_result_free(&from_frames);
    fixture_result_free(&from_values);
    free(pixels);
    free(memory);
    oriel_plan_destroy(s.plan);
    fixture_model_free(&s.m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_encoder");
    TCase *tc = tcase_create("encoder");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, 6);
    tcase_add_loop_test(tc, threads_do_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, an_item_alone_has_its_bytes_of_the_batch, 0, 2);
    tcase_add_loop_test(tc, its_place_in_the_batch_does_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, a_nan_stays_within_its_item, 0, 2);
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 8);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
