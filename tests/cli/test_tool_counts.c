/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_counts.c - texts of lists, values not finite, what is left to do */
#include "cli/list.h"
#include "cli/nonfinite.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "oriel.h"
#include "support/random.h"
#include "support/suite.h"

#include <iconv.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lists ---------------------------------------------------------------- */

/* Random characters of every length in UTF-8, none of them NUL. */
static size_t
random_utf8(random_stream *random, char *text, size_t n_characters)
{
    static const uint32_t first[] = {1, 0x80, 0x800, 0xe000, 0x10000};
    static const uint32_t last[] = {0x7f, 0x7ff, 0xd7ff, 0xffff, 0x10ffff};
    uint32_t characters[64];
    char *from = (char *)characters, *to = text;
    size_t left = n_characters * 4, room = 4 * n_characters;
    iconv_t convert = iconv_open("UTF-8", "UTF-32LE");

    for (size_t i = 0; i < n_characters; i++) {
        size_t kind = (size_t)random_between(random, 0, 4);

        characters[i] =
            (uint32_t)random_between(random, first[kind], last[kind]);
    }
    ck_assert_uint_eq(iconv(convert, &from, &left, &to, &room), 0);
    iconv_close(convert);
    return (size_t)(to - text);
}

/* What iconv writes comes back, in either byte order. */
START_TEST(utf_16_is_read)
{
    static const struct {
        const char *name, *mark;
    } orders[] = {{"UTF-16LE", "\xff\xfe"}, {"UTF-16BE", "\xfe\xff"}};
    random_stream random = {11};

    for (int round = 0; round < 4000; round++) {
        iconv_t convert = iconv_open(orders[round % 2].name, "UTF-8");
        char text[256], *from = text, *list = malloc(259), *to = list + 2;
        size_t bytes =
            random_utf8(&random, text, (size_t)random_between(&random, 0, 60));
        size_t left = bytes, room = 256, n;
        oriel_error err;

        memcpy(list, orders[round % 2].mark, 2);
        ck_assert_uint_eq(iconv(convert, &from, &left, &to, &room), 0);
        iconv_close(convert);
        *to = '\0';
        n = (size_t)(to - list);
        ck_assert_int_eq(cli_list_decode(&list, &n, &err), ORIEL_OK);
        ck_assert_uint_eq(n, bytes);
        ck_assert_mem_eq(list, text, bytes);
        ck_assert_int_eq(list[n], '\0');
        free(list);
    }
}
END_TEST

START_TEST(lines_end_anywhere)
{
    static const struct {
        const char *text;
        const char *lines[4];
    } table[] = {
        {"", {NULL}},
        {"a", {"a"}},
        {"a\n", {"a"}},
        {"a\r\nb\r\n", {"a", "b"}},
        {"a\nb\r", {"a", "b"}},
        {"\n\r\na", {"", "", "a"}},
        {"a\r\r\nb\rc\n", {"a\r", "b\rc"}},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        char buffer[32], *text = buffer, *line;
        char *end = buffer + strlen(table[i].text);
        size_t n = 0;

        strcpy(buffer, table[i].text);
        while ((line = cli_list_next_line(&text, end)))
            ck_assert_str_eq(line, table[i].lines[n++]);
        ck_assert_ptr_null(table[i].lines[n]);
    }
}
END_TEST

/* ---- Values that are not finite --------------------------------------------- */

/* Every pattern of 16 bits, by the C library's own eyes: in bf16 the upper half
   of a float, in f16 by the formula of IEEE 754. */
START_TEST(all_16_bit_patterns)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        uint32_t wide = bits << 16;
        uint16_t value = (uint16_t)bits;
        uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
        float half = exponent < 31 ? 0.0f : fraction == 0 ? INFINITY : NAN;
        uint64_t infinite = 0, nan = 0;
        float brain;

        memcpy(&brain, &wide, sizeof(brain));
        cli_nonfinite_count(&value, 2, ORIEL_DTYPE_BF16, &infinite, &nan);
        ck_assert_int_eq(infinite == 1, isinf(brain) != 0);
        ck_assert_int_eq(nan == 1, isnan(brain) != 0);
        infinite = nan = 0;
        cli_nonfinite_count(&value, 2, ORIEL_DTYPE_F16, &infinite, &nan);
        ck_assert_int_eq(infinite == 1, isinf(half) != 0);
        ck_assert_int_eq(nan == 1, isnan(half) != 0);
    }
}
END_TEST

START_TEST(floats_are_counted)
{
    float values[1000];
    random_stream random = {3};
    uint64_t infinite = 100, nan = 200, expected[2] = {100, 200};

    for (size_t i = 0; i < COUNT(values); i++) {
        uint32_t bits = (uint32_t)random_between(&random, 0, UINT32_MAX);

        if (i % 3 == 0) /* many with the exponent of what is not finite */
            bits |= 0x7f800000;
        if (i % 6 == 0)
            bits &= 0xff800000;
        memcpy(values + i, &bits, sizeof(bits));
        expected[0] += isinf(values[i]) != 0;
        expected[1] += isnan(values[i]) != 0;
    }
    cli_nonfinite_count(values, sizeof(values), ORIEL_DTYPE_F32, &infinite,
                        &nan);
    ck_assert_uint_eq(infinite, expected[0]);
    ck_assert_uint_eq(nan, expected[1]);
    ck_assert_uint_gt(infinite, 100);
    ck_assert_uint_gt(nan, 200);
}
END_TEST

/* ---- Progress ---------------------------------------------------------------- */

/* Inputs not yet measured count as the mean of those that were. */
START_TEST(work_is_counted_not_inputs)
{
    cli_report_setup(false, true);
    cli_progress_begin("images", 4);
    ck_assert_double_eq(cli_progress_part(), 0);
    cli_progress_expect(1, 100);
    ck_assert_double_eq(cli_progress_part(), 0);
    cli_progress_work(50, 100); /* 50 of 4 x 100 */
    ck_assert_double_eq_tol(cli_progress_part(), 50.0 / 400, 1e-12);
    cli_progress_update(1);
    ck_assert_double_eq_tol(cli_progress_part(), 100.0 / 400, 1e-12);
    /* A picture of 64 times the work: 6,500 are known, two are unknown. */
    cli_progress_expect(1, 6400);
    ck_assert_double_eq_tol(cli_progress_part(), 100.0 / 13000, 1e-12);
    cli_progress_work(3200, 6400);
    cli_progress_tick(); /* says what is known already */
    ck_assert_double_eq_tol(cli_progress_part(), 3300.0 / 13000, 1e-12);
    cli_progress_work(INT64_MAX / 4 * 3, INT64_MAX);
    ck_assert_double_eq_tol(cli_progress_part(), 4900.0 / 13000, 1e-12);
    cli_progress_update(2);
    cli_progress_tick(); /* between batches nothing moves */
    ck_assert_double_eq_tol(cli_progress_part(), 6500.0 / 13000, 1e-12);
    cli_progress_expect(2, 500);
    ck_assert_double_eq_tol(cli_progress_part(), 6500.0 / 7000, 1e-12);
    cli_progress_work(9, 8); /* more than was expected is all of it */
    ck_assert_double_eq_tol(cli_progress_part(), 1, 1e-12);
    cli_progress_update(4);
    ck_assert_double_eq_tol(cli_progress_part(), 1, 1e-12);
    cli_progress_end();
}
END_TEST

START_TEST(inputs_are_counted_where_no_work_is_known)
{
    cli_report_setup(false, true);
    cli_progress_begin("images", 8);
    cli_progress_update(3);
    ck_assert_double_eq_tol(cli_progress_part(), 3.0 / 8, 1e-12);
    cli_progress_end();
    cli_progress_begin("images", 0);
    ck_assert_double_eq(cli_progress_part(), 0);
    cli_progress_end();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("tool_counts");
    TCase *all = tcase_create("all");

    tcase_add_test(all, utf_16_is_read);
    tcase_add_test(all, lines_end_anywhere);
    tcase_add_test(all, all_16_bit_patterns);
    tcase_add_test(all, floats_are_counted);
    tcase_add_test(all, work_is_counted_not_inputs);
    tcase_add_test(all, inputs_are_counted_where_no_work_is_known);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
