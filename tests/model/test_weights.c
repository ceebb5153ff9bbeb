/* SPDX-License-Identifier: Apache-2.0 */
/* test_weights.c - rows of weights: conversion, ranges, parts, failures */
#include "base/half.h"
#include "model/checkpoint.h"
#include "model/checkpoint_builder.h"
#include "model/convert.h"
#include "model/read.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Conversion against arithmetic on the format's definition ---------- */

/* The value of a small float: sign, exponent and fraction by the book. */
static double
decode(uint32_t bits, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
    const int exponent =
        (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double sign =
        bits >> (exponent_bits + fraction_bits) & 1 ? -1.0 : 1.0;

    if (exponent == (1 << exponent_bits) - 1)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(1.0 + ldexp(fraction, -fraction_bits), exponent - bias);
}

/* Silent unless wrong: an assertion a value would take most of the time. */
static void
check_same(double expected, float found, uint32_t bits)
{
    if (isnan(expected) ? isnan(found)
                        : expected == (double)found &&
                              !signbit(expected) == !signbit(found))
        return;
    ck_abort_msg("%#x: %g, expected %g", bits, found, expected);
}

static uint16_t all[65536];
static float floats[65536];
static uint16_t halves[65536];

START_TEST(widens_every_value)
{
    for (uint32_t i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    oriel_convert(floats, ORIEL_DTYPE_F32, all, ORIEL_DTYPE_BF16, 65536);
    for (uint32_t i = 0; i < 65536; i++)
        check_same(decode(i, 8, 7), floats[i], i);
    oriel_convert(floats, ORIEL_DTYPE_F32, all, ORIEL_DTYPE_F16, 65536);
    for (uint32_t i = 0; i < 65536; i++)
        check_same(decode(i, 5, 10), floats[i], i);
}
END_TEST

/* Nearest BF16, ties to the even fraction, found by looking at neighbours. */
static double
nearest_bf16(float value)
{
    uint32_t bits;
    double below, above;

    if (isnan(value))
        return NAN;
    memcpy(&bits, &value, sizeof(bits));
    bits >>= 16;
    below = decode(bits, 8, 7);
    above = decode(bits + 1, 8, 7);
    if (isinf(value))
        return value;
    if (isinf(above))
        above = copysign(0x1p128, value); /* where rounding overflows from */
    if (fabs(value - below) < fabs(above - value) ||
        (fabs(value - below) == fabs(above - value) && bits % 2 == 0))
        return below;
    return fabs(above) >= 0x1p128 ? copysign(INFINITY, value) : above;
}

static void
check_narrowing(const float *in, size_t n)
{
    oriel_convert(halves, ORIEL_DTYPE_BF16, in, ORIEL_DTYPE_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &in[i], sizeof(bits));
        check_same(nearest_bf16(in[i]), (float)decode(halves[i], 8, 7), bits);
    }
}

START_TEST(narrows_to_nearest_even)
{
    random_stream stream = {1};
    size_t n = 0;

    /* Both sides of a tie, and the tie, next to every BF16. */
    for (uint32_t i = 0; i < 65536; i++) {
        static const uint16_t low[] = {0x7fff, 0x8000, 0x8001};
        uint32_t bits = i << 16 | low[i % 3];

        memcpy(&floats[n++], &bits, sizeof(bits));
    }
    check_narrowing(floats, n);
    for (uint32_t i = 0; i < 65536; i++) {
        uint32_t bits = (i << 16 | (i % 5 ? 0x8000u : 1u)) ^ 0x10000u;

        memcpy(&floats[i], &bits, sizeof(bits));
    }
    check_narrowing(floats, 65536);
    for (int i = 0; i < 65536; i++) {
        uint32_t bits = (uint32_t)random_u64(&stream);

        memcpy(&floats[i], &bits, sizeof(bits));
    }
    check_narrowing(floats, 65536);
}
END_TEST

START_TEST(half_to_bfloat_rounds_once)
{
    for (uint32_t i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    oriel_convert(halves, ORIEL_DTYPE_BF16, all, ORIEL_DTYPE_F16, 65536);
    for (uint32_t i = 0; i < 65536; i++)
        check_same(nearest_bf16((float)decode(i, 5, 10)),
                   (float)decode(halves[i], 8, 7), i);
}
END_TEST

START_TEST(a_caller_that_flushes_denormals_changes_nothing)
{
#if defined(__x86_64__)
    const unsigned before = __builtin_ia32_stmxcsr();

    for (uint32_t i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    __builtin_ia32_ldmxcsr(before | 0x8040u); /* FTZ, DAZ */
    oriel_convert(floats, ORIEL_DTYPE_F32, all, ORIEL_DTYPE_F16, 65536);
    oriel_convert(halves, ORIEL_DTYPE_BF16, all, ORIEL_DTYPE_F16, 65536);
    __builtin_ia32_ldmxcsr(before);
    for (uint32_t i = 0; i < 65536; i++) {
        check_same(decode(i, 5, 10), floats[i], i);
        check_same(nearest_bf16((float)decode(i, 5, 10)),
                   (float)decode(halves[i], 8, 7), i);
    }
#endif
    /* The same values from an odd address. */
    {
        static uint8_t bytes[2 * 65536 + 1];

        memcpy(bytes + 1, all, sizeof(all));
        oriel_convert(floats, ORIEL_DTYPE_F32, bytes + 1, ORIEL_DTYPE_BF16,
                      65536);
        for (uint32_t i = 0; i < 65536; i++)
            check_same(decode(all[i], 8, 7), floats[i], i);
    }
}
END_TEST

/* ---- Rows -------------------------------------------------------------- */

static const struct {
    const char *dtype;
    int flags, padding;
} forms[] = {
    {"BF16", 0, 0},
    {"F16", 0, 1},
    {"F32", 0, 3},
    {"BF16", SPLIT_QKV, 1},
    {"F32", SPLIT_QKV, 2},
    {"F16", SPLIT_QKV, 0},
    {"F32", CHANNELS_LAST, 1},
    {"BF16", CHANNELS_LAST, 0},
    {"F16", CHANNELS_LAST, 1},
};

static oriel_checkpoint *
open_form(int form, char **folder)
{
    checkpoint_builder *b =
        builder_create("visual.", forms[form].dtype, forms[form].flags, 0);
    oriel_checkpoint *c;
    oriel_error err;

    b->padding = forms[form].padding;
    if (forms[form].flags & CHANNELS_LAST)
        builder_reverse(b);
    *folder = temp_checkpoint(b);
    builder_free(b);
    ck_assert_msg(oriel_checkpoint_open(&c, *folder, NULL, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    return c;
}

/* Some rows in some dtype, between guards. */
static void
check_rows(const oriel_checkpoint *c, oriel_tensor tensor, int32_t block,
           int64_t first, int64_t rows, int32_t dtype)
{
    const int64_t columns = oriel_tensor_get_shape(&c->network, tensor).columns;
    const size_t width = dtype == ORIEL_DTYPE_F32 ? 4 : 2;
    const size_t bytes = (size_t)(rows * columns) * width;
    uint8_t *out = malloc(bytes + 64);
    oriel_error err;

    memset(out, 0xa5, bytes + 64);
    ck_assert_msg(oriel_checkpoint_read(c, tensor, block, first, rows, dtype,
                                        out + 32, &err) == ORIEL_OK,
                  "%s", err.message);
    for (int64_t i = 0; i < rows * columns; i++) {
        const float expected =
            tiny_value(tensor, block, first + i / columns, i % columns);
        float found;
        uint16_t half;

        if (dtype == ORIEL_DTYPE_F32) {
            memcpy(&found, out + 32 + 4 * i, 4);
        } else {
            memcpy(&half, out + 32 + 2 * i, 2);
            found = oriel_bf16_to_f32(half);
        }
        if (found != expected)
            ck_abort_msg("%s: rows %d from %d: value %d",
                         oriel_tensor_name(tensor), (int)rows, (int)first,
                         (int)i);
    }
    for (size_t i = 0; i < 32; i++)
        if (out[i] != 0xa5 || out[32 + bytes + i] != 0xa5)
            ck_abort_msg("%s: guard %d", oriel_tensor_name(tensor), (int)i);
    free(out);
}

START_TEST(reads_any_rows)
{
    random_stream stream = {(uint64_t)_i};
    char *folder;
    oriel_checkpoint *c = open_form(_i, &folder);

    for (int t = 0; t < ORIEL_N_TENSORS; t++) {
        const oriel_tensor tensor = (oriel_tensor)t;
        const int64_t n = oriel_tensor_get_shape(&c->network, tensor).rows;

        for (int round = 0; round < 6; round++) {
            const int64_t first =
                round == 0 ? 0 : random_between(&stream, 0, n);
            const int64_t rows =
                round == 0 ? n : random_between(&stream, 0, n - first);
            const int32_t block =
                oriel_tensor_in_block(tensor) ? round % TINY_DEPTH : 0;

            check_rows(c, tensor, block, first, rows, ORIEL_DTYPE_F32);
            check_rows(c, tensor, block, first, rows, ORIEL_DTYPE_BF16);
        }
    }
    oriel_checkpoint_close(c);
    temp_remove(folder);
}
END_TEST

START_TEST(refuses_what_is_not_in_the_network)
{
    static const struct {
        int tensor;
        int32_t block;
        int64_t first, rows;
        int32_t dtype;
    } bad[] = {
        {-1, 0, 0, 1, ORIEL_DTYPE_F32},
        {ORIEL_N_TENSORS, 0, 0, 1, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, -1, 0, 1, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, TINY_DEPTH, 0, 1, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, -1, 1, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, 0, 33, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, 33, 0, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, 1, INT64_MAX, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, 0, -1, ORIEL_DTYPE_F32},
        {ORIEL_TENSOR_NORM1, 0, 0, 1, ORIEL_DTYPE_F16},
    };
    char *folder;
    oriel_checkpoint *c = open_form(0, &folder);
    float out[64];
    oriel_error err;

    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_int_eq(oriel_checkpoint_read(c, (oriel_tensor)bad[i].tensor,
                                               bad[i].block, bad[i].first,
                                               bad[i].rows, bad[i].dtype, out,
                                               &err),
                         ORIEL_ERR_INTERNAL);
    oriel_checkpoint_close(c);
    temp_remove(folder);
}
END_TEST

START_TEST(a_file_cut_after_opening_is_an_error)
{
    char *folder;
    oriel_checkpoint *c = open_form(_i, &folder);
    static float out[128 * 128];
    int failed = 0;

    ck_assert_int_eq(truncate(in_folder(folder, "model.safetensors"), 40000),
                     0);
    for (int i = 0; i < oriel_manifest_count(TINY_DEPTH); i++) {
        oriel_tensor tensor;
        int32_t block;
        oriel_error err;

        oriel_manifest_at(TINY_DEPTH, i, &tensor, &block);
        if (oriel_checkpoint_read(
                c, tensor, block, 0,
                oriel_tensor_get_shape(&c->network, tensor).rows,
                ORIEL_DTYPE_F32, out, &err)) {
            ck_assert_int_eq(err.status, ORIEL_ERR_IO);
            ck_assert_ptr_nonnull(strstr(
                err.message, "model.safetensors: changed since it was opened"));
            failed++;
        }
    }
    /* Also what lies before the cut: it need not be what it was. */
    ck_assert_int_eq(failed, oriel_manifest_count(TINY_DEPTH));
    oriel_checkpoint_close(c);
    temp_remove(folder);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("weights");
    TCase *tc = tcase_create("weights");

    tcase_add_test(tc, widens_every_value);
    tcase_add_test(tc, narrows_to_nearest_even);
    tcase_add_test(tc, half_to_bfloat_rounds_once);
    tcase_add_test(tc, a_caller_that_flushes_denormals_changes_nothing);
    tcase_add_loop_test(tc, reads_any_rows, 0, (int)COUNT(forms));
    tcase_add_test(tc, refuses_what_is_not_in_the_network);
    tcase_add_loop_test(tc, a_file_cut_after_opening_is_an_error, 0,
                        (int)COUNT(forms));
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
