/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_hopper.c - encoders that run the kernels of sm_90a: where they are
 * refused, and that a row's bytes do not depend on the size of the tiles
 *
 * What they compute is held against the oracle in test_cuda_encoder.c.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/hopper.h"
#include "cuda/parts.h"
#include "encode/encoder.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static void
use_hopper(void)
{
    fixture_kernels = ORIEL_KERNELS_HOPPER;
}

static void
use_defaults(void)
{
    fixture_kernels = ORIEL_KERNELS_OWN;
    fixture_residual = ORIEL_RESIDUAL_BF16;
    sim_architecture(0, 90);
    sim_multiprocessors(0);
}

START_TEST(an_encoder_says_what_it_runs)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_msg(strstr(info.description, ", Hopper products (asked for)"),
                  "%s", info.description);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* Never another kind instead: other bytes would come without a word. */
START_TEST(other_devices_are_refused)
{
    static const struct {
        int32_t architecture;
        const char *words;
    } others[] = {{80, "capability 8.0, expected 9.0"},
                  {89, "capability 8.9, expected 9.0"},
                  {100, "capability 10.0, expected 9.0"},
                  {120, "capability 12.0, expected 9.0"}};
    fixture_model m = fixture_model_make(&fixture_tiny, 31);
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    const oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                         .threads = 1,
                                         .kernels = ORIEL_KERNELS_HOPPER};
    const size_t before = sim_device_bytes();
    oriel_encoder *encoder;
    oriel_error err;

    sim_architecture(0, others[_i].architecture);
    ck_assert_int_eq(
        oriel_encoder_create_on(&encoder, m.model, fixture_backend(),
                                ORIEL_DEVICE_CUDA, &config, &none, 0, &err),
        ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_null(encoder);
    ck_assert_msg(strstr(err.message, "kernels hopper: CUDA device 0"), "%s",
                  err.message);
    ck_assert_msg(strstr(err.message, others[_i].words), "%s", err.message);
    ck_assert_uint_eq(sim_device_bytes(), before);
    fixture_model_free(&m);
}
END_TEST

/* Of what adds to the residual, which is launched for the plan's size class. */
static bool
has_small_tiles(const oriel_plan *plan)
{
    const oriel_cuda_choices choices = {ORIEL_KERNELS_HOPPER, fixture_residual,
                                        ORIEL_ATTENTION_OWN};
    oriel_cuda_part parts[ORIEL_CUDA_PARTS];
    oriel_cuda_metadata metadata = {0};
    oriel_cuda_shapes shapes;
    oriel_error err;
    int blocks = 0;

    oriel_cuda_shapes_init(&shapes, &plan->network);
    ck_assert_int_eq(
        oriel_cuda_list_parts(parts, &metadata, plan, &shapes, &choices, &err),
        ORIEL_OK);
    ck_assert_int_eq(
        cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount, 0),
        cudaSuccess);
    return oriel_cuda_hopper_small(ORIEL_HOPPER_RESIDUAL, metadata.rows,
                                   fixture_tiny.hidden_size, blocks) != 0;
}

/* Beside the others there are rows enough for large tiles; alone, for small ones.
   The tensor core groups and truncates, so another order of sums would show. */
START_TEST(a_row_has_its_bytes_in_tiles_of_both_sizes)
{
    enum { ITEMS = 16, ONE = 5 };
    static int64_t grids[ITEMS][3];
    fixture_model m = fixture_model_make(&fixture_tiny, 31);
    oriel_plan *all, *alone;
    float *pixels;
    oriel_input input;
    fixture_result whole, part, single;
    size_t before;

    for (int i = 0; i < ITEMS; i++)
        memcpy(grids[i], (const int64_t[]){1, 8, 2 * i + 4}, sizeof(grids[i]));
    sim_multiprocessors(16); /* of which large tiles keep fewer busy */
    device_set_adversarial(true);
    fixture_residual = _i ? ORIEL_RESIDUAL_WIDE : ORIEL_RESIDUAL_BF16;
    all = fixture_plan(&m, grids, ITEMS);
    alone = fixture_plan(&m, grids + ONE, 1);
    ck_assert(!has_small_tiles(all));
    ck_assert(has_small_tiles(alone));
    pixels = fixture_pixels(all, 7);
    input = fixture_input(all, pixels);
    {
        oriel_encoder *encoder =
            fixture_encoder(&m, all, ORIEL_PRECISION_BF16, 1);

        whole = fixture_encode(&m, encoder, all, &input);
        oriel_encoder_destroy(encoder);
    }
    before = (size_t)oracle_count_patches(grids, ONE) *
             (size_t)oriel_network_patch_columns(&fixture_tiny);
    input = fixture_input(alone, pixels + before);
    {
        oriel_encoder *encoder =
            fixture_encoder(&m, alone, ORIEL_PRECISION_BF16, 1);

        single = fixture_encode(&m, encoder, alone, &input);
        oriel_encoder_destroy(encoder);
    }
    ck_assert_str_eq(device_finish(), "");
    part = fixture_part(&whole, grids, ONE);
    fixture_same(&part, &single);
    device_set_adversarial(false);
    fixture_part_free(&part);
    fixture_result_free(&single);
    fixture_result_free(&whole);
    free(pixels);
    oriel_plan_destroy(alone);
    oriel_plan_destroy(all);
    fixture_model_free(&m);
}
END_TEST

/* Of weights with the encoder, of operands when a launch first reads them: shapes
   that return need no map, nor does any other of their size class. */
START_TEST(maps_are_encoded_once)
{
    static const int64_t grids[][3] = {{1, 8, 10}, {1, 10, 8}, {1, 16, 60}};
    enum { SHAPES = COUNT(grids), TURNS = 3 };
    fixture_model m = fixture_model_make(&fixture_tiny, 31);
    oriel_plan *plans[SHAPES];
    oriel_encoder *encoder;
    uint64_t made[TURNS][SHAPES];

    for (int i = 0; i < SHAPES; i++)
        plans[i] = fixture_plan(&m, grids + i, 1);
    fixture_residual = ORIEL_RESIDUAL_WIDE;
    encoder = fixture_encoder(&m, plans[SHAPES - 1], ORIEL_PRECISION_BF16, 1);
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SHAPES; i++) {
            float *pixels = fixture_pixels(plans[i], 7);
            const oriel_input input = fixture_input(plans[i], pixels);
            const uint64_t before = sim_tensor_maps();
            fixture_result r = fixture_encode(&m, encoder, plans[i], &input);

            made[turn][i] = sim_tensor_maps() - before;
            fixture_result_free(&r);
            free(pixels);
        }
    ck_assert_uint_gt(made[0][0], 4);  /* operands of several kinds */
    ck_assert_uint_lt(made[0][0], 20); /* not as many as launches */
    ck_assert_uint_le(made[0][1], 2);  /* what counts rows, not a class's */
    for (int turn = 1; turn < TURNS; turn++)
        for (int i = 0; i < SHAPES; i++)
            ck_assert_msg(made[turn][i] == 0, "turn %d, shape %d: %d maps",
                          turn, i, (int)made[turn][i]);
    oriel_encoder_destroy(encoder);
    for (int i = 0; i < SHAPES; i++)
        oriel_plan_destroy(plans[i]);
    fixture_model_free(&m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_hopper");
    TCase *tc = tcase_create("hopper");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, use_hopper, use_defaults);
    tcase_add_test(tc, an_encoder_says_what_it_runs);
    tcase_add_loop_test(tc, other_devices_are_refused, 0, 4);
    tcase_add_loop_test(tc, a_row_has_its_bytes_in_tiles_of_both_sizes, 0, 2);
    tcase_add_test(tc, maps_are_encoded_once);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
