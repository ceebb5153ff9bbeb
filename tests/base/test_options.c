/* SPDX-License-Identifier: Apache-2.0 */
/* Structs of callers older and newer than the library. */
#include "base/options.h"
#include "support/suite.h"

#include <string.h>

struct first {
    uint32_t struct_size;
    int32_t a;
};
struct today {
    uint32_t struct_size;
    int32_t a;
    int64_t b;
};
struct tomorrow {
    struct today known;
    int64_t c;
};

static oriel_status
load(struct today *to, const void *from, oriel_error *err)
{
    return oriel_options_load(to, sizeof(*to), sizeof(struct first), from,
                              "today", err);
}

START_TEST(nothing_means_defaults)
{
    struct today to = {9, 9, 9};

    ck_assert_int_eq(load(&to, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(to.a, 0);
    ck_assert_int_eq(to.b, 0);
}
END_TEST

START_TEST(older_caller)
{
    struct first from = {sizeof(from), 5};
    struct today to = {9, 9, 9};

    ck_assert_int_eq(load(&to, &from, NULL), ORIEL_OK);
    ck_assert_int_eq(to.a, 5);
    ck_assert_int_eq(to.b, 0);
}
END_TEST

START_TEST(newer_caller)
{
    struct tomorrow from = {{sizeof(from), 5, 6}, 0};
    struct today to;
    oriel_error err;

    ck_assert_int_eq(load(&to, &from, NULL), ORIEL_OK);
    ck_assert_int_eq(to.b, 6);
    from.c = 1;
    ck_assert_int_eq(load(&to, &from, &err), ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "today"));
}
END_TEST

START_TEST(no_size)
{
    struct today from = {0, 5, 6};
    struct today to;
    oriel_error err;

    ck_assert_int_eq(load(&to, &from, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "_INIT"));
}
END_TEST

START_TEST(info_goes_to_all_ages)
{
    struct today now = {0, 5, 6};
    struct first old = {sizeof(old), 0};
    struct tomorrow new = {{sizeof(new), 0, 0}, 77};

    ck_assert_int_eq(
        oriel_info_store(&old, &now, sizeof(now), sizeof(old), "info", NULL),
        ORIEL_OK);
    ck_assert_uint_eq(old.struct_size, sizeof(old));
    ck_assert_int_eq(old.a, 5);
    ck_assert_int_eq(
        oriel_info_store(&new, &now, sizeof(now), sizeof(old), "info", NULL),
        ORIEL_OK);
    ck_assert_uint_eq(new.known.struct_size, sizeof(new));
    ck_assert_int_eq(new.known.b, 6);
    ck_assert_int_eq(new.c, 0);
    old.struct_size = 3;
    ck_assert_int_eq(
        oriel_info_store(&old, &now, sizeof(now), sizeof(old), "info", NULL),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(
        oriel_info_store(NULL, &now, sizeof(now), sizeof(old), "info", NULL),
        ORIEL_ERR_ARGUMENT);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options");

    tcase_add_test(tcase, nothing_means_defaults);
    tcase_add_test(tcase, older_caller);
    tcase_add_test(tcase, newer_caller);
    tcase_add_test(tcase, no_size);
    tcase_add_test(tcase, info_goes_to_all_ages);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
