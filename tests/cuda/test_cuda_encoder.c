/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_encoder.c - the whole encoder on the cuda backend, on the simulated
 * GPU
 *
 * Against the oracle, block by block; and against itself where bytes must be
 * equal: alone or in any batch, under any schedule, from frames or from
 * pixel_values.
 */
#include "cuda/tables.h"
#include "sim/control.h"
#include "support/batch.h"
#include "support/device_case.h"
#include "support/random_frames.h"
#include "support/suite.h"

#include <stdlib.h>

enum { ITEMS = 5 };

/* An image of more than a tile of queries, a video, the smallest, a column, and
   one whose edge windows are ragged; and small ones for the wide networks. */
static const int64_t mixed[ITEMS][3] = {
    {1, 10, 14}, {2, 8, 4}, {1, 2, 2}, {1, 18, 2}, {1, 6, 10}};
static const int64_t few[ITEMS][3] = {
    {1, 4, 6}, {2, 4, 2}, {1, 2, 2}, {1, 10, 2}, {1, 2, 10}};

static const struct {
    const oriel_network *network;
    const int64_t (*grids)[3];
} cases[] = {{&fixture_tiny, mixed},
             {&fixture_broad, few},
             {&fixture_wide, few},
             {&fixture_narrow, few},
             {&fixture_single, few}};

/*
 * Relative L2.  A value is rounded to bf16 with an error of at most 2^-8, in the
 * root mean square of a random mantissa 2^-9.8.  On its way through a half-layer
 * it is rounded four times (operand, weight, activation, residual), so a block's
 * contribution errs by 2 sqrt(4) 2^-9.8 = 2^-7.8 of itself, and the state, a sum
 * of such, by no more; random weights spread that by less than 2^0.8.  In the
 * merger come three more roundings and GELU, whose slope is below 1.13 where its
 * value may be far smaller: a factor of two.
 */
static const double hidden_bound = 0x1p-7, embeddings_bound = 0x1p-6;

static void
must_be_silent(void)
{
    const char *report = device_finish();

    ck_assert_msg(report[0] == '\0', "%s", report);
}

static fixture_result
encode_once(const fixture_model *m, const oriel_plan *plan,
            const oriel_input *input)
{
    oriel_encoder *encoder = fixture_encoder(m, plan, ORIEL_PRECISION_BF16, 1);
    fixture_result r = fixture_encode(m, encoder, plan, input);

    must_be_silent();
    oriel_encoder_destroy(encoder);
    return r;
}

/* Every block of every network; a failure names the first wrong block. */
START_TEST(follows_the_oracle_block_by_block)
{
    fixture_model m = fixture_model_make(cases[_i].network, 11);
    oriel_plan *plan = fixture_plan(&m, cases[_i].grids, ITEMS);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = fixture_input(plan, pixels);
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result r = encode_once(&m, plan, &input);

    for (int32_t k = 0; k < r.n_hidden; k++) {
        double error = oracle_relative_error(r.states[k], truth->hidden[k],
                                             r.patches * r.hidden);

        ck_assert_msg(error <= hidden_bound, "hidden state %d is off by %g", k,
                      error);
    }
    ck_assert_double_le(oracle_relative_error(r.embeddings, truth->embeddings,
                                              r.tokens * r.out_hidden),
                        embeddings_bound);
    ck_assert_double_ge(oracle_least_cosine(r.embeddings, truth->embeddings,
                                            r.tokens, r.out_hidden),
                        0.999);
    fixture_result_free(&r);
    oracle_result_free(truth);
    free(pixels);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/*
 * Of the patch embedding's three roundings (pixels, weight, result) two are left, so
 * its error falls to sqrt(2 / 3) = 0.82 of what it is in bf16.  A block loses the two
 * roundings that are as large as the state; those that stay are of its contribution
 * alone.  Random weights spread that by less than a tenth.
 */
START_TEST(wide_is_nearer_to_the_oracle)
{
    fixture_model m = fixture_model_make(cases[_i].network, 11);
    oriel_plan *plan = fixture_plan(&m, cases[_i].grids, ITEMS);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = fixture_input(plan, pixels);
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result narrow = encode_once(&m, plan, &input), wide;

    fixture_residual = ORIEL_RESIDUAL_WIDE;
    wide = encode_once(&m, plan, &input);
    for (int32_t k = 0; k < wide.n_hidden; k++) {
        const int64_t n = wide.patches * wide.hidden;
        double error =
            oracle_relative_error(wide.states[k], truth->hidden[k], n);
        double of_narrow =
            oracle_relative_error(narrow.states[k], truth->hidden[k], n);

        ck_assert_msg(error <= hidden_bound && error <= 0.9 * of_narrow,
                      "hidden state %d is off by %g, in bf16 by %g", k, error,
                      of_narrow);
    }
    ck_assert_double_le(
        oracle_relative_error(wide.embeddings, truth->embeddings,
                              wide.tokens * wide.out_hidden),
        oracle_relative_error(narrow.embeddings, truth->embeddings,
                              narrow.tokens * narrow.out_hidden));
    fixture_result_free(&narrow);
    fixture_result_free(&wide);
    oracle_result_free(truth);
    free(pixels);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/* A side whose angles are not among those kept beside the weights, and that of
   the last that are; one block is enough. */
START_TEST(sides_beyond_the_table_of_angles)
{
    static const int64_t grids[][1][3] = {{{1, 2050, 2}},
                                          {{1, 2, ORIEL_CUDA_ROPE_POSITIONS}}};
    oriel_network network = fixture_tiny;
    fixture_model m;
    oriel_plan *plan;
    float *pixels;
    oriel_input input;
    oracle_result *truth;
    fixture_result r;

    network.depth = 1;
    network.n_full_attention_blocks = 0;
    m = fixture_model_make(&network, 12);
    plan = fixture_plan(&m, grids[_i], 1);
    pixels = fixture_pixels(plan, 5);
    input = fixture_input(plan, pixels);
    truth = fixture_oracle(&m, plan, pixels);
    r = encode_once(&m, plan, &input);
    /* The far end by itself, where a wrong angle would not be outvoted. */
    for (int64_t half = 0; half < 2; half++)
        ck_assert_double_le(
            oracle_relative_error(
                r.states[1] + half * (r.patches - 64) * r.hidden,
                truth->hidden[1] + half * (r.patches - 64) * r.hidden,
                64 * r.hidden),
            hidden_bound);
    fixture_result_free(&r);
    oracle_result_free(truth);
    free(pixels);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/* ---- Bytes that must be equal -------------------------------------------- */

/* Orders of threads, moments of landing, poison: nothing shows. */
START_TEST(schedules_do_not_change_bytes)
{
    batch b = batch_make(cases[_i].network, ORIEL_PRECISION_BF16,
                         cases[_i].grids, ITEMS, 21);
    oriel_input input = fixture_input(b.plan, b.pixels);

    for (int i = 1; i < device_schedules(); i++) {
        fixture_result r;

        device_set_schedule(i);
        r = batch_encode(&b, b.plan, &input, 1);
        must_be_silent();
        fixture_same(&b.result, &r);
        fixture_result_free(&r);
    }
    device_set_schedule(0);
    batch_free(&b);
}
END_TEST

START_TEST(an_item_has_its_own_bytes)
{
    batch b = batch_make(cases[_i].network, ORIEL_PRECISION_BF16,
                         cases[_i].grids, ITEMS, 21);

    batch_check_alone(&b);
    batch_check_turned(&b);
    batch_check_nan(&b, 2);
    must_be_silent();
    batch_free(&b);
}
END_TEST

/* ---- Frames --------------------------------------------------------------- */

static const oriel_item items[] = {{50, 37, 1, 0, 0, 0},
                                   {24, 32, 3, 0, 0, 0},
                                   {24, 32, 1, 0, 0, 0},
                                   {31, 100, 1, 0, 0, 0},
                                   {48, 24, 1, 0, 0, 0}};

static oriel_plan *
plan_items(const batch *b, int32_t resample)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;

    options.resample = resample;
    options.min_pixels = options.video_min_pixels = 16 * 16;
    options.max_pixels = options.video_max_pixels = 24 * 24;
    ck_assert_msg(oriel_plan_create(&plan, b->m.model, items, COUNT(items),
                                    &options, &err) == ORIEL_OK,
                  "%s", err.message);
    return plan;
}

START_TEST(frames_give_the_bytes_of_pixel_values)
{
    batch b = batch_make(&fixture_tiny, ORIEL_PRECISION_BF16, few, ITEMS, 3);
    oriel_plan *plan = plan_items(&b, _i);

    batch_check_frames(&b, plan, 8);
    must_be_silent();
    oriel_plan_destroy(plan);
    batch_free(&b);
}
END_TEST

/* Frames of the device; results of this call go to the host, as before. */
START_TEST(frames_on_the_device_give_the_same_bytes)
{
    batch b = batch_make(&fixture_tiny, ORIEL_PRECISION_BF16, few, ITEMS, 3);
    oriel_plan *plan = plan_items(&b, _i);
    random_frames f = random_frames_make(plan, 8);
    device_buffer memory = device_upload(f.memory, f.bytes);
    fixture_result host = batch_encode(&b, plan, &f.input, 1), device;

    for (int64_t i = 0; i < f.n_frames; i++)
        f.frames[i] = (char *)memory.data +
                      ((const unsigned char *)f.frames[i] - f.memory);
    f.input.pixels_memory = ORIEL_MEMORY_DEVICE;
    device = batch_encode(&b, plan, &f.input, 1);
    must_be_silent();
    fixture_same(&host, &device);
    fixture_result_free(&host);
    fixture_result_free(&device);
    device_release(memory);
    random_frames_free(&f);
    oriel_plan_destroy(plan);
    batch_free(&b);
}
END_TEST

static void
use_cublaslt(void)
{
    fixture_kernels = ORIEL_KERNELS_CUBLASLT;
}

static void
use_own(void)
{
    fixture_kernels = ORIEL_KERNELS_OWN;
}

/* The same with cuBLASLt's products where it has them.  It rounds gate and up,
   two of a half-layer's roundings more, which the spread covers. */
static TCase *
with_cublaslt(void)
{
    TCase *tc = tcase_create("cublaslt");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_cublaslt, use_own);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, COUNT(cases));
    tcase_add_loop_test(tc, sides_beyond_the_table_of_angles, 0, 2);
    tcase_add_loop_test(tc, schedules_do_not_change_bytes, 0, 1);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, COUNT(cases));
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 1);
    return tc;
}

static void
use_wide(void)
{
    fixture_residual = ORIEL_RESIDUAL_WIDE;
}

static void
use_wide_and_cublaslt(void)
{
    use_wide();
    use_cublaslt();
}

static void
use_defaults(void)
{
    fixture_residual = ORIEL_RESIDUAL_BF16;
    fixture_attention = ORIEL_ATTENTION_OWN;
    sim_multiprocessors(0);
    use_own();
}

/* A residual of two planes. */
static TCase *
with_wide_residual(void)
{
    TCase *tc = tcase_create("wide");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_wide, use_defaults);
    tcase_add_loop_test(tc, schedules_do_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, COUNT(cases));
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 1);
    return tc;
}

static void
use_cudnn(void)
{
    fixture_attention = ORIEL_ATTENTION_CUDNN;
}

static void
use_cudnn_and_all(void)
{
    use_cudnn();
    use_wide_and_cublaslt();
}

/* Attention over frames by cuDNN, which rounds as our own kernel does. */
static TCase *
with_cudnn(void)
{
    TCase *tc = tcase_create("cudnn");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_cudnn, use_defaults);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, COUNT(cases));
    tcase_add_loop_test(tc, schedules_do_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, COUNT(cases));
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 1);
    return tc;
}

static void
use_hopper(void)
{
    fixture_kernels = ORIEL_KERNELS_HOPPER;
    sim_multiprocessors(2); /* of 132 most would find nothing to do */
}

static void
use_hopper_and_wide(void)
{
    use_hopper();
    use_wide();
}

/* The kernels of sm_90a, which round as our own do. */
static TCase *
with_hopper(void)
{
    TCase *tc = tcase_create("hopper");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_hopper, use_defaults);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, COUNT(cases));
    tcase_add_loop_test(tc, schedules_do_not_change_bytes, 0, 1);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, COUNT(cases));
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 1);
    return tc;
}

static TCase *
with_hopper_and_wide(void)
{
    TCase *tc = tcase_create("hopper wide");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_hopper_and_wide, use_defaults);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, COUNT(cases));
    return tc;
}

static TCase *
with_all(void)
{
    TCase *tc = tcase_create("cudnn wide cublaslt");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_cudnn_and_all, use_defaults);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, 2);
    return tc;
}

static TCase *
with_both(void)
{
    TCase *tc = tcase_create("wide cublaslt");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_wide_and_cublaslt, use_defaults);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, 2);
    return tc;
}

int
main(void)
{
    Suite *suite = suite_create("cuda_encoder");
    TCase *tc = tcase_create("encoder");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, COUNT(cases));
    tcase_add_loop_test(tc, wide_is_nearer_to_the_oracle, 0, COUNT(cases));
    /* The wide network takes the simulator longest. */
    tcase_add_loop_test(tc, schedules_do_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, COUNT(cases));
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 4);
    tcase_add_loop_test(tc, frames_on_the_device_give_the_same_bytes, 0, 3);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, with_cublaslt());
    suite_add_tcase(suite, with_wide_residual());
    suite_add_tcase(suite, with_both());
    suite_add_tcase(suite, with_cudnn());
    suite_add_tcase(suite, with_all());
    suite_add_tcase(suite, with_hopper());
    suite_add_tcase(suite, with_hopper_and_wide());
    return run_suite(suite);
}
