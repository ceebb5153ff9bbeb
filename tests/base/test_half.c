/* SPDX-License-Identifier: Apache-2.0 */
/* The 16-bit floats, against arithmetic in double over every value. */
#include "base/half.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>

/* What a half means, by its definition. */
static double
half_value(uint16_t h)
{
    double sign = h & 0x8000 ? -1.0 : 1.0;
    int exponent = h >> 10 & 0x1f;
    double mantissa = h & 0x3ff;

    if (exponent == 31)
        return mantissa > 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(mantissa, -24);
    return sign * ldexp(1024.0 + mantissa, exponent - 25);
}

START_TEST(every_half)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = oriel_f16_to_f32((uint16_t)h);
        double expected = half_value((uint16_t)h);

        if (isnan(expected)) {
            ck_assert(isnan(f));
            ck_assert(isnan(half_value(oriel_f32_to_f16(f))));
            continue;
        }
        ck_assert((double)f == expected);
        ck_assert_int_eq(signbit(f) != 0, h >> 15);
        ck_assert_uint_eq(oriel_f32_to_f16(f), h);
    }
}
END_TEST

/* Halfway points and their neighbours, between every pair of halves. */
START_TEST(rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float low = oriel_f16_to_f32((uint16_t)h);
        float high = oriel_f16_to_f32((uint16_t)(h + 1));
        float middle = (float)(((double)low + (double)high) / 2);
        uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);

        ck_assert_uint_eq(oriel_f32_to_f16(middle), even);
        ck_assert_uint_eq(oriel_f32_to_f16(nextafterf(middle, 0)), h);
        ck_assert_uint_eq(oriel_f32_to_f16(nextafterf(middle, INFINITY)),
                          h + 1);
        ck_assert_uint_eq(oriel_f32_to_f16(-middle), even | 0x8000);
    }
    ck_assert_uint_eq(oriel_f32_to_f16(65519.99f), 0x7bff);
    ck_assert_uint_eq(oriel_f32_to_f16(65520.0f), 0x7c00);
    ck_assert_uint_eq(oriel_f32_to_f16(-1e30f), 0xfc00);
    ck_assert_uint_eq(oriel_f32_to_f16(1e-30f), 0);
}
END_TEST

START_TEST(every_bfloat)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = oriel_bf16_to_f32((uint16_t)h);

        if (isnan(f))
            ck_assert(isnan(oriel_bf16_to_f32(oriel_f32_to_bf16(f))));
        else
            ck_assert_uint_eq(oriel_f32_to_bf16(f), h);
    }
}
END_TEST

START_TEST(bfloat_rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7f7f; h++) {
        double low = (double)oriel_bf16_to_f32((uint16_t)h);
        double high = (double)oriel_bf16_to_f32((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2);

        ck_assert_uint_eq(oriel_f32_to_bf16(middle), h & 1 ? h + 1 : h);
        ck_assert_uint_eq(oriel_f32_to_bf16(nextafterf(middle, 0)), h);
        ck_assert_uint_eq(oriel_f32_to_bf16(nextafterf(middle, INFINITY)),
                          h + 1);
    }
    ck_assert_uint_eq(oriel_f32_to_bf16(INFINITY), 0x7f80);
    ck_assert_uint_eq(oriel_f32_to_bf16(-3.4e38f), 0xff80);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("bfloat16");
    TCase *tcase = tcase_create("bfloat16");

    tcase_add_test(tcase, every_half);
    tcase_add_test(tcase, rounds_to_nearest_even);
    tcase_add_test(tcase, every_bfloat);
    tcase_add_test(tcase, bfloat_rounds_to_nearest_even);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
