/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_kernels.c - norms, activations, rope and rounding, in every
 * instruction set that this processor has, against the oracle
 *
 * Widths are chosen around the vectors' (4, 8, 16 lanes).
 */
#include "base/half.h"
#include "cpu/kernel_case.h"
#include "oracle/oracle.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Norm ---------------------------------------------------------------- */

static const int64_t widths[] = {8, 16, 24, 32, 40, 72, 160, 1280};

START_TEST(rms_norm_follows_the_oracle)
{
    enum { ROWS = 3 };
    int64_t width = widths[_i];
    float *x = oracle_alloc((size_t)(ROWS * width), sizeof(*x));
    float *weight = oracle_alloc((size_t)width, sizeof(*weight));
    double *truth = oracle_alloc((size_t)(ROWS * width), sizeof(*truth));
    double *dx, *dw;

    fill(x, ROWS * width, 3.0, 1);
    fill(weight, width, 2.0, 2);
    x[width + 5] = 3000.0f; /* an outlier channel */
    for (int64_t i = 2 * width; i < 3 * width; i++)
        x[i] *= 1e-4f; /* where eps is felt */
    dx = widen(x, ROWS * width);
    dw = widen(weight, width);
    oracle_rms_norm(truth, dx, dw, ROWS, width, 1e-6);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer((size_t)(ROWS * width) *
                               oriel_cpu_storage_bytes(storages[s]));

        k->rms_norm(y.memory, x, weight, ROWS, width, 1e-6f, storages[s]);
        for (int64_t i = 0; i < ROWS * width; i++)
            check_value(value_at(&y, i, storages[s]), truth[i], 1e-6, 1e-30,
                        storages[s], "rms_norm");
        free_buffer(&y);
    }
    free(x);
    free(weight);
    free(truth);
    free(dx);
    free(dw);
}
END_TEST

START_TEST(rms_norm_of_nothing_is_nothing)
{
    float x[16] = {0}, weight[16], y[16];

    fill(weight, 16, 1.0, 3);
    FOR_KERNELS(k)
    {
        k->rms_norm(y, x, weight, 1, 16, 1e-6f, ORIEL_STORAGE_F32);
        for (int i = 0; i < 16; i++)
            ck_assert_float_eq(y[i], 0.0f);
    }
}
END_TEST

/* ---- Element by element -------------------------------------------------- */

START_TEST(swiglu_follows_the_oracle_everywhere)
{
    enum { N = 4001 };
    static float gate[N], up[N];
    static double truth[N];
    double *dg, *du;

    for (int i = 0; i < N; i++) /* -200 .. 200, dense around 0 */
        gate[i] = (float)(200.0 * pow((i - 2000) / 2000.0, 3.0));
    fill(up, N, 40.0, 4);
    dg = widen(gate, N);
    du = widen(up, N);
    oracle_swiglu(truth, dg, du, N);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer(N * oriel_cpu_storage_bytes(storages[s]));

        k->swiglu(y.memory, gate, up, N, storages[s]);
        for (int i = 0; i < N; i++)
            check_value(value_at(&y, i, storages[s]), truth[i],
                        6e-7 + 6e-8 * fabs(dg[i]),
                        2e-38 * fabs(dg[i] * du[i]) + 1e-37, storages[s],
                        "swiglu");
        free_buffer(&y);
    }
    free(dg);
    free(du);
}
END_TEST

START_TEST(gelu_follows_the_oracle_everywhere)
{
    enum { N = 4001 };
    static float x[N];
    static double truth[N];
    double *dx;

    for (int i = 0; i < N; i++)
        x[i] = (float)(30.0 * pow((i - 2000) / 2000.0, 3.0));
    dx = widen(x, N);
    oracle_gelu(truth, dx, N);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer(N * oriel_cpu_storage_bytes(storages[s]));

        k->gelu(y.memory, x, N, storages[s]);
        for (int i = 0; i < N; i++) {
            double bound = 6e-7 * (x[i] > 0 ? 1.0 : 1.0 + dx[i] * dx[i]);

            check_value(value_at(&y, i, storages[s]), truth[i], bound, 1e-36,
                        storages[s], "gelu");
        }
        free_buffer(&y);
    }
    free(dx);
}
END_TEST

START_TEST(storing_rounds_to_nearest_even)
{
    static const uint32_t bits[] = {
        0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x80000000,
        0x00000001, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000,
        0xffffffff, 0x00008000, 0x33333333, 0xc2f6e979, 0x477fe000};
    enum { N = COUNT(bits) };
    float x[N];

    memcpy(x, bits, sizeof(bits));
    FOR_KERNELS(k)
    {
        buffer y = make_buffer(N * 2), z = make_buffer(N * 4);

        k->store(y.memory, x, N, ORIEL_STORAGE_BF16);
        k->store(z.memory, x, N, ORIEL_STORAGE_ROUNDED);
        for (size_t i = 0; i < N; i++) {
            uint16_t want = oriel_f32_to_bf16(x[i]), got;
            uint32_t wide;

            memcpy(&got, y.memory + 2 * i, 2);
            memcpy(&wide, z.memory + 4 * i, 4);
            ck_assert_int_eq(got, want);
            ck_assert_uint_eq(wide, (uint32_t)want << 16);
        }
        free_buffer(&y);
        free_buffer(&z);
    }
}
END_TEST

static const int32_t dims[] = {8, 16, 24, 32, 40, 64, 72, 80, 96, 128, 256};

START_TEST(rope_follows_the_oracle)
{
    enum { HEADS = 3 };
    int32_t dim = dims[_i], half = dim / 2, quarter = dim / 4;
    float x[HEADS * 256], cosine[128], sine[128];
    double *truth;

    fill(x, HEADS * dim, 4.0, 5);
    for (int32_t d = 0; d < half; d++) {
        int32_t position = d < quarter ? 37 : 1301;
        float frequency =
            (float)pow(10000.0, -4.0 * (d % quarter) / (double)dim);
        double angle = (double)((float)position * frequency);

        cosine[d] = (float)cos(angle);
        sine[d] = (float)sin(angle);
    }
    truth = widen(x, HEADS * dim);
    oracle_rope(truth, HEADS, dim, 10000.0, 37, 1301, 0);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer((size_t)(HEADS * dim) *
                               oriel_cpu_storage_bytes(storages[s]));

        k->rope(y.memory, x, HEADS, dim, cosine, sine, storages[s]);
        for (int32_t i = 0; i < HEADS * dim; i++)
            check_value(value_at(&y, i, storages[s]), truth[i], 2e-7, 1e-6,
                        storages[s], "rope");
        free_buffer(&y);
    }
    free(truth);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_kernels");
    TCase *tc = tcase_create("kernels");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rms_norm_follows_the_oracle, 0, (int)COUNT(widths));
    tcase_add_test(tc, rms_norm_of_nothing_is_nothing);
    tcase_add_test(tc, swiglu_follows_the_oracle_everywhere);
    tcase_add_test(tc, gelu_follows_the_oracle_everywhere);
    tcase_add_test(tc, storing_rounds_to_nearest_even);
    tcase_add_loop_test(tc, rope_follows_the_oracle, 0, (int)COUNT(dims));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
