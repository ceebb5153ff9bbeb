/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: paired, copied, and asked for every byte. */
#include "base/memory.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

struct alloc_counter {
    int live, refuse;
};

static void *
alloc_counter_alloc(void *user, size_t bytes, size_t alignment)
{
    struct alloc_counter *alloc_counter = user;

    if (alloc_counter->refuse)
        return NULL;
    alloc_counter->live++;
    return aligned_alloc(alignment, bytes);
}

static void
alloc_counter_free(void *user, void *memory)
{
    ((struct alloc_counter *)user)->live--;
    free(memory);
}

START_TEST(default_memory_is_aligned)
{
    for (size_t bytes = 0; bytes < 300; bytes++) {
        unsigned char *p = oriel_calloc(NULL, 1, bytes);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % ORIEL_ALIGNMENT, 0);
        for (size_t i = 0; i < bytes; i++)
            ck_assert_int_eq(p[i], 0);
        oriel_free(NULL, p);
    }
    ck_assert_ptr_null(oriel_calloc(NULL, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(oriel_alloc(NULL, SIZE_MAX));
    oriel_free(NULL, NULL);
}
END_TEST

START_TEST(lent_memory)
{
    struct alloc_counter alloc_counter = {0, 0};
    oriel_hooks from = ORIEL_HOOKS_INIT;
    oriel_hooks hooks;

    from.user = &alloc_counter;
    from.alloc = alloc_counter_alloc;
    from.free = alloc_counter_free;
    ck_assert_int_eq(oriel_hooks_load(&hooks, &from, NULL), ORIEL_OK);
    char *copy = oriel_strdup(&hooks, "text");

    ck_assert_str_eq(copy, "text");
    ck_assert_int_eq(alloc_counter.live, 1);
    oriel_free(&hooks, copy);
    ck_assert_int_eq(alloc_counter.live, 0);
    alloc_counter.refuse = 1;
    ck_assert_ptr_null(oriel_alloc(&hooks, 1));
    ck_assert_ptr_null(oriel_strdup(&hooks, "text"));
}
END_TEST

static void *
no_device_alloc(void *user, size_t bytes, int32_t device_index)
{
    (void)user, (void)bytes, (void)device_index;
    return NULL;
}

static void
no_device_free(void *user, void *memory, int32_t device_index)
{
    (void)user, (void)memory, (void)device_index;
}

START_TEST(half_a_pair_is_refused)
{
    oriel_hooks from = ORIEL_HOOKS_INIT;
    oriel_hooks hooks;
    oriel_error err;

    from.alloc = alloc_counter_alloc;
    ck_assert_int_eq(oriel_hooks_load(&hooks, &from, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "oriel_hooks: alloc comes without its free");
    from.alloc = NULL;
    from.device_alloc = no_device_alloc;
    ck_assert_int_eq(oriel_hooks_load(&hooks, &from, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "oriel_hooks: device_alloc comes without its device_free");
    from.device_free = no_device_free;
    from.device_alloc = NULL;
    ck_assert_int_eq(oriel_hooks_load(&hooks, &from, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "oriel_hooks: device_free comes without its device_alloc");
    ck_assert_int_eq(oriel_hooks_load(&hooks, NULL, NULL), ORIEL_OK);
    ck_assert(!oriel_cancelled(&hooks));
    ck_assert(!oriel_cancelled(NULL));
    oriel_log(&hooks, ORIEL_LOG_INFO, "to no hook");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");

    tcase_add_test(tcase, default_memory_is_aligned);
    tcase_add_test(tcase, lent_memory);
    tcase_add_test(tcase, half_a_pair_is_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
