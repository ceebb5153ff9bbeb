/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: one line of UTF-8 whatever went in, expectations never cut. */
#include "base/fail.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

START_TEST(fills_every_field)
{
    oriel_error err;

    memset(&err, 0x5a, sizeof(err));
    ck_assert_int_eq(oriel_fail(&err, ORIEL_ERR_IO, "%s: %d", "a", 7),
                     ORIEL_ERR_IO);
    ck_assert_int_eq(err.status, ORIEL_ERR_IO);
    ck_assert_int_eq(err.item, -1);
    ck_assert_int_eq(err.cause, 0);
    ck_assert_str_eq(err.message, "a: 7");

    oriel_fail_item(&err, ORIEL_ERR_INPUT, 3, "x");
    ck_assert_int_eq(err.item, 3);
    oriel_fail_item(&err, ORIEL_ERR_INPUT, (int64_t)INT32_MAX + 1, "x");
    ck_assert_int_eq(err.item, -1);
    oriel_fail_cause(&err, ORIEL_ERR_IO, 5, "x");
    ck_assert_int_eq(err.cause, 5);

    memset(&err, 0x5a, sizeof(err));
    ck_assert_int_eq(oriel_ok(&err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(err.item, -1);
    ck_assert_str_eq(err.message, "");
}
END_TEST

START_TEST(takes_no_error_struct)
{
    ck_assert_int_eq(oriel_ok(NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_fail(NULL, ORIEL_ERR_IO, "x"), ORIEL_ERR_IO);
}
END_TEST

/* Whether 'text' is UTF-8, by the decoder of the C library's grammar. */
static int
is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        int n = *p < 0x80             ? 0
                : (*p & 0xe0) == 0xc0 ? 1
                : (*p & 0xf0) == 0xe0 ? 2
                : (*p & 0xf8) == 0xf0 ? 3
                                      : -1;

        if (n < 0)
            return 0;
        for (p++; n > 0; n--, p++)
            if ((*p & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

START_TEST(cuts_between_characters)
{
    char text[1024];
    oriel_error err;

    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        for (size_t i = lead; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xf0\x9f\x90\x88", 5);
        oriel_fail(&err, ORIEL_ERR_IO, "%s", text);
        ck_assert(is_utf8(err.message));
        ck_assert_uint_ge(strlen(err.message), sizeof(err.message) - 4);
    }
}
END_TEST

static const struct {
    const char *in, *out;
} quotes[] = {
    {"", ""},
    {"plain name.png", "plain name.png"},
    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
    {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
    {"\xff\xfe", "\\xff\\xfe"},
    {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF */
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},          /* line separator */
    {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* right-to-left override */
    {"\xe2\x81\xa9", "\\xe2\\x81\\xa9"},          /* pop directional isolate */
    {"\xd8\x9c", "\\xd8\\x9c"},                   /* Arabic letter mark */
    {"\xe2\x80\x94", "\xe2\x80\x94"},             /* a dash is none of these */
    {"\xc2\x85", "\\xc2\\x85"},                   /* next line */
    {"ends \xe2\x82", "ends \\xe2\\x82"},         /* cut short */
};

START_TEST(escapes)
{
    ck_assert_str_eq(ORIEL_QUOTE(quotes[_i].in), quotes[_i].out);
}
END_TEST

START_TEST(keeps_both_ends_of_long_text)
{
    char text[4000];
    oriel_quoted q;

    memset(text, 'x', sizeof(text));
    memcpy(text, "START", 5);
    memcpy(text + sizeof(text) - 6, "THEEND", 6);
    q = oriel_quote_bytes(text, sizeof(text));
    ck_assert_int_eq(strncmp(q.text, "START", 5), 0);
    ck_assert_ptr_nonnull(strstr(q.text, "..."));
    ck_assert_str_eq(q.text + strlen(q.text) - 6, "THEEND");
}
END_TEST

START_TEST(any_bytes_make_one_line)
{
    random_stream random = {1};
    char text[700];

    for (int round = 0; round < 2000; round++) {
        size_t n = (size_t)random_between(&random, 0, sizeof(text));
        int kind = (int)random_between(&random, 0, 2);

        for (size_t i = 0; i < n; i++)
            text[i] = kind == 0   ? (char)random_u64(&random)
                      : kind == 1 ? (char)random_between(&random, 0x80, 0xbf)
                                  : (char)random_between(&random, 1, 0x7f);
        oriel_quoted q = oriel_quote_bytes(text, n);

        ck_assert_uint_lt(strlen(q.text), sizeof(q.text));
        ck_assert(is_utf8(q.text));
        for (const char *p = q.text; *p; p++)
            ck_assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
}
END_TEST

/* What dlopen says, which keeps no errno. */
START_TEST(a_loader_says_whose_fault_it_is)
{
    static const char mapping[] =
        "libx.so: failed to map segment from shared object";
    const struct rlimit little = {(rlim_t)32 << 20, RLIM_INFINITY};

    ck_assert_int_eq(oriel_load_status("libx.so: cannot open shared object "
                                       "file: No such file or directory",
                                       ORIEL_ERR_DEVICE),
                     ORIEL_ERR_DEVICE);
    ck_assert_int_eq(oriel_load_status("libx.so: cannot read file data: "
                                       "Input/output error",
                                       ORIEL_ERR_DEVICE),
                     ORIEL_ERR_IO);
    ck_assert_int_eq(oriel_load_status("libx.so: cannot create cache: "
                                       "Cannot allocate memory",
                                       ORIEL_ERR_DEVICE),
                     ORIEL_ERR_MEMORY);
    ck_assert_int_eq(oriel_load_status(mapping, ORIEL_ERR_DEVICE),
                     ORIEL_ERR_DEVICE);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
    ck_assert_int_eq(oriel_load_status(mapping, ORIEL_ERR_DEVICE),
                     ORIEL_ERR_MEMORY);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fail");
    TCase *tcase = tcase_create("fail");

    tcase_add_test(tcase, fills_every_field);
    tcase_add_test(tcase, takes_no_error_struct);
    tcase_add_test(tcase, cuts_between_characters);
    tcase_add_loop_test(tcase, escapes, 0, COUNT(quotes));
    tcase_add_test(tcase, keeps_both_ends_of_long_text);
    tcase_add_test(tcase, any_bytes_make_one_line);
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__ /* which need all addresses */
    tcase_add_test(tcase, a_loader_says_whose_fault_it_is);
#endif
#endif
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
