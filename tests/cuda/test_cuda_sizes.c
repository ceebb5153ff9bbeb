/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_sizes.c - what a GPU must hold, told by liboriel alone
 *
 * The public functions never look for the module here: there is none beside the
 * test.  What they say is what encoders on the simulated GPU take.
 */
#include "cuda/product_table.h"
#include "support/device_case.h"
#include "support/sizes_case.h"
#include "support/suite.h"

#include <string.h>

/* ---- Weights ---------------------------------------------------------------- */

static oriel_encoder_options
options_of(int32_t precision)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;

    options.device = ORIEL_DEVICE_CUDA;
    options.device_index = 7; /* which is not there either */
    options.precision = precision;
    return options;
}

START_TEST(weights_take_what_was_told)
{
    const oriel_network *network = sizes_network(_i);
    oriel_encoder_options options = options_of(ORIEL_PRECISION_AUTO);
    fixture_model m = fixture_model_make(network, 3);
    uint64_t bytes = 1, expected;
    oriel_error err, why;

    if (fixture_backend()->check(network, ORIEL_PRECISION_BF16, &why)) {
        ck_assert_int_eq(
            oriel_model_device_bytes(m.model, &options, &bytes, &err),
            ORIEL_ERR_UNSUPPORTED);
        ck_assert_str_eq(err.message, why.message);
        ck_assert_uint_eq(bytes, 0);
    } else {
        expected = sizes_check_model(network, ORIEL_PRECISION_BF16);
        ck_assert_msg(
            !oriel_model_device_bytes(m.model, &options, &bytes, &err), "%s",
            err.message);
        ck_assert_uint_eq(bytes, expected);
    }
    fixture_model_free(&m);
}
END_TEST

START_TEST(fp32_is_refused)
{
    const oriel_model *model = oriel_model_preset("qwen2.5-vl-7b");
    oriel_encoder_options options = options_of(ORIEL_PRECISION_FP32);
    uint64_t bytes;
    oriel_error err;

    ck_assert_int_eq(oriel_model_device_bytes(model, &options, &bytes, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "bf16 only"));
    ck_assert_int_eq(oriel_model_device_bytes(NULL, &options, &bytes, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_model_device_bytes(model, &options, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    options.precision = ORIEL_PRECISION_BF16;
    options.device_index = -1;
    ck_assert_int_eq(oriel_model_device_bytes(model, &options, &bytes, &err),
                     ORIEL_ERR_ARGUMENT);
}
END_TEST

/* ---- Workspace --------------------------------------------------------------- */

static size_t
workspace_of(const oriel_plan *plan, int32_t kernels, int32_t residual)
{
    oriel_encoder_options options = options_of(ORIEL_PRECISION_AUTO);
    oriel_error err;
    size_t bytes;

    options.kernels = kernels;
    options.residual = residual;
    ck_assert_msg(!oriel_plan_workspace_bytes(plan, &options, &bytes, &err),
                  "%s", err.message);
    return bytes;
}

static size_t
workspace(const oriel_plan *plan, int32_t kernels)
{
    return workspace_of(plan, kernels, ORIEL_RESIDUAL_BF16);
}

/* A second plane, wherever it falls: of 32 columns, and as many rows as the plan or, by
   the kernels of sm_90a, its size class. */
START_TEST(a_wide_residual_takes_a_plane_more)
{
    static const int64_t grids[][3] = {{1, 8, 12}, {3, 4, 6}};
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    oriel_plan *plan = fixture_plan(&m, grids, COUNT(grids));

    for (int32_t kernels = ORIEL_KERNELS_AUTO; kernels <= ORIEL_KERNELS_HOPPER;
         kernels++) {
        const size_t rows =
            kernels == ORIEL_KERNELS_HOPPER ? 1024 : 8 * 12 + 3 * 4 * 6;
        size_t wide = workspace_of(plan, kernels, ORIEL_RESIDUAL_WIDE);

        ck_assert_uint_eq(wide, workspace(plan, kernels) + rows * 32 * 2);
        fixture_kernels = kernels;
        fixture_residual = ORIEL_RESIDUAL_WIDE;
        ck_assert_uint_eq(
            wide, fixture_workspace(plan, ORIEL_PRECISION_BF16, 1) + 256);
        fixture_residual = ORIEL_RESIDUAL_BF16;
    }
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/* As a backend says that is asked for one choice of kernels after the other, with
   what aligns a caller's memory. */
START_TEST(workspace_is_what_the_backend_takes)
{
    enum { ALIGNMENT = 256 };
    static const int64_t grids[][3] = {{1, 8, 12}, {3, 4, 6}};
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    oriel_plan *plan = fixture_plan(&m, grids, COUNT(grids));
    size_t largest = 0;

    for (int32_t kernels = ORIEL_KERNELS_AUTO; kernels <= ORIEL_KERNELS_HOPPER;
         kernels++) {
        fixture_kernels = kernels;
        ck_assert_uint_eq(workspace(plan, kernels),
                          fixture_workspace(plan, ORIEL_PRECISION_BF16, 1) +
                              ALIGNMENT);
    }
    ck_assert_uint_gt(workspace(plan, ORIEL_KERNELS_CUBLASLT),
                      workspace(plan, ORIEL_KERNELS_OWN));
    /* By the table, whatever device it turns out to be. */
    for (int32_t capability = 80; capability <= 130; capability++) {
        int32_t kernels =
            oriel_cuda_products_wanted(ORIEL_KERNELS_AUTO, capability) >>
                        ORIEL_PRODUCT_GATE_UP &
                    1
                ? ORIEL_KERNELS_CUBLASLT
                : ORIEL_KERNELS_OWN;

        if (workspace(plan, kernels) > largest)
            largest = workspace(plan, kernels);
    }
    ck_assert_uint_eq(workspace(plan, ORIEL_KERNELS_AUTO), largest);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cuda_sizes");
    TCase *tc = tcase_create("sizes");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, weights_take_what_was_told, 0, SIZES_NETWORKS);
    tcase_add_test(tc, fp32_is_refused);
    tcase_add_test(tc, workspace_is_what_the_backend_takes);
    tcase_add_test(tc, a_wide_residual_takes_a_plane_more);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
