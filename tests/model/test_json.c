/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - a JSON text is read whole, or memory is out */
#include "model/json.h"

#include "model/alloc_counter.h"
#include "support/suite.h"

#include <stdio.h>
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

int
main(void)
{
    Suite *s = suite_create("json");
    TCase *tc = tcase_create("json");

    tcase_add_loop_test(tc, every_allocation_may_fail, 0, 140);
    tcase_add_loop_test(tc, a_malformed_text_is_not_memory, 0, 13);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
