/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - a JSON text is read whole and as Python reads it, or memory is
   out */
#include "model/json.h"

#include "model/alloc_counter.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static oriel_status
parse(const char *text, bool python, const oriel_hooks *hooks, oriel_error *err)
{
    json_t *root;
    oriel_status status =
        python ? oriel_json_parse_python(&root, text, strlen(text), "j.json",
                                         hooks, err)
               : oriel_json_parse(&root, text, strlen(text), "j.json", err);

    if (!status)
        ck_assert_uint_eq(json_object_size(root), 2);
    json_decref(root);
    return status;
}

/*
 * Whatever the length of the longest token: jansson grows its buffer in powers
 * of two, and reads beyond it if growing fails at a string's last quote.
 */
START_TEST(every_allocation_may_fail)
{
    char text[512];
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_error err;

    snprintf(text, sizeof(text), "{\"a\": \"%.*s\", \"b\": [1, \"\"]}", _i,
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    alloc_counter_watch_jansson(&l);
    for (int python = 0; python < 2; python++) {
        long n;

        l.asked = l.fail_at = 0;
        ck_assert_int_eq(parse(text, python, &hooks, &err), ORIEL_OK);
        n = l.asked;
        ck_assert_int_gt(n, 8);
        for (int for_ever = 0; for_ever < 2; for_ever++)
            for (long at = 1; at <= n; at++) {
                l.asked = 0;
                l.fail_at = at;
                l.for_ever = for_ever;
                if (parse(text, python, &hooks, &err) != ORIEL_ERR_MEMORY ||
                    l.live != 0)
                    ck_abort_msg("allocation %ld: %s", at, err.message);
            }
    }
}
END_TEST

/* Nor is a zero byte, of which jansson drops the one after a number. */
START_TEST(a_zero_byte_is_malformed)
{
    static const char text[] =
        "{\"_\":{\"\":[2\0],\"e\":[2\0],\"s\":[0,8]},\"\":\"\",";
    static const char accepted[] = "{\"a\":[2\0]}";
    json_t *root = NULL;
    oriel_error err;

    ck_assert_int_eq(
        oriel_json_parse(&root, text, sizeof(text) - 1, "x.json", &err),
        ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "byte 11 is zero"));
    ck_assert_int_eq(
        oriel_json_parse(&root, accepted, sizeof(accepted) - 1, "x.json", &err),
        ORIEL_ERR_MODEL);
    ck_assert_ptr_null(root);
}
END_TEST

START_TEST(a_malformed_text_is_not_memory)
{
    static const char *const texts[] = {"",
                                        "\"",
                                        "{\"a\"",
                                        "{\"a\" \"b\"}",
                                        "{\"a\":\"b",
                                        "{\"a\":x\"",
                                        "{x\":1}",
                                        "{\"a\":\"\\x\"}",
                                        "{1:\"\"}",
                                        "{\"a\":1 \"b\"}",
                                        "{\"a\":[\"b\" \"c\"]}",
                                        "\xb1{\"a\":1}",
                                        "{\"a\":tru\"}"};
    oriel_error err;

    for (int python = 0; python < 2; python++)
        ck_assert_msg(parse(texts[_i], python, NULL, &err) == ORIEL_ERR_MODEL,
                      "%s: %s", texts[_i], err.message);
}
END_TEST

/* ---- What Python reads ------------------------------------------------------ */

/* What json.loads of Python 3.11 makes of each; a "!" is an error. */
static const struct {
    const char *text;
    double number;
    const char *string; /* NULL: the number */
} python[] = {
    {"1e+5", 1e5, NULL},
    {"1E-5", 1e-5, NULL},
    {"1.5e-3", 1.5e-3, NULL},
    {"0.00125", 0.00125, NULL},
    {"-0.0", -0.0, NULL},
    {"0e999", 0, NULL},
    {"0.000e5", 0, NULL},
    {"1e-99999999999", 0, NULL},
    {"1e99999999999", INFINITY, NULL},
    {"-1e400", -INFINITY, NULL},
    {"-Infinity", -INFINITY, NULL},
    {"Infinity", INFINITY, NULL},
    {"NaN", NAN, NULL},
    {"\"\\u00e9\"", 0, "\xc3\xa9"},
    {"\"\\u00aF\\u00Fa\"", 0, "\xc2\xaf\xc3\xba"},
    {"\"\\ud83d\\ude00\"", 0, "\xf0\x9f\x98\x80"},
    {"\"a\\\\b\\\"c\"", 0, "a\\b\"c"},
    /* Half a pair, which Python keeps: U+FFFD here, as json_python.c says. */
    {"\"\\ud83d\\u0041\"", 0, "\xef\xbf\xbd\x41"},
    {"\"\\ud83d\\n\"", 0, "\xef\xbf\xbd\n"},
    {"1e", 0, "!"},
    {"1e+", 0, "!"},
    {"1e5x", 0, "!"},
    {"1.", 0, "!"},
    {"1.e5", 0, "!"},
    {"01", 0, "!"},
    {"-", 0, "!"},
    {"--1", 0, "!"},
    {"+1", 0, "!"},
    {"1.2.3", 0, "!"},
    {"-NaN", 0, "!"},
    {"NaN1", 0, "!"},
    {"\"\\u12\"", 0, "!"},
    {"\"\\u00ZZ\"", 0, "!"},
    {"\"\\x\"", 0, "!"},
    {"{NaN: 1}", 0, "!"},
    {"{NaN \t\r\n: 1}", 0, "!"},
};

START_TEST(values_are_those_of_python)
{
    const double number = python[_i].number;
    const char *string = python[_i].string;
    char text[128];
    const json_t *x;
    json_t *root;
    oriel_error err;

    snprintf(text, sizeof(text), "{\"x\": %s, \"y\": 1}", python[_i].text);
    if (string && string[0] == '!') {
        ck_assert_msg(parse(text, true, NULL, &err) == ORIEL_ERR_MODEL,
                      "%s: taken", text);
        return;
    }
    ck_assert_msg(oriel_json_parse_python(&root, text, strlen(text), "j.json",
                                          NULL, &err) == ORIEL_OK,
                  "%s: %s", text, err.message);
    x = json_object_get(root, "x");
    if (string)
        ck_assert_str_eq(json_string_value(x), string);
    else if (isnan(number))
        ck_assert(oriel_json_is_nan(x));
    else
        ck_assert_double_eq(oriel_json_double(x), number);
    json_decref(root);
}
END_TEST

/* No part of an object is one; a sanitizer sees what is read after the cut. */
START_TEST(every_cut_is_malformed)
{
    char text[4096] = "{";

    for (size_t i = 0; i < COUNT(python); i++)
        if (!python[i].string || python[i].string[0] != '!')
            snprintf(text + strlen(text), sizeof(text) - strlen(text),
                     "%s\"%zu\" :%s", i ? "," : "", i, python[i].text);
    strcat(text, "}");
    for (size_t n = 1; n < strlen(text); n++) {
        char *cut = malloc(n);
        json_t *root;
        oriel_error err;

        ck_assert_ptr_nonnull(cut);
        memcpy(cut, text, n);
        ck_assert_msg(oriel_json_parse_python(&root, cut, n, "j.json", NULL,
                                              &err) == ORIEL_ERR_MODEL,
                      "cut at %zu of '%s'", n, text);
        free(cut);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("json");
    TCase *tc = tcase_create("json");

    tcase_add_loop_test(tc, every_allocation_may_fail, 0, 140);
    tcase_add_loop_test(tc, a_malformed_text_is_not_memory, 0, 13);
    tcase_add_test(tc, a_zero_byte_is_malformed);
    tcase_add_loop_test(tc, values_are_those_of_python, 0, COUNT(python));
    tcase_add_test(tc, every_cut_is_malformed);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
