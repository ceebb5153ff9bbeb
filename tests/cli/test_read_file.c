/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an input: whose fault a failing call is, and signals meanwhile. */
#include "cli/read_file.h"
#include "cli/signals.h"
#include "support/faults.h"
#include "support/folder.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 200000 };

static folder home;
static char *content;

static void
setup(void)
{
    home = folder_make();
    content = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        content[i] = (char)(i * 31 + i / 251);
    folder_write(&home, "a", content, BYTES);
    faults_none();
}

static void
teardown(void)
{
    faults_none();
    free(content);
    folder_remove(&home);
}

/* Read "a"; with ORIEL_OK all its bytes are there. */
static oriel_status
read_a(oriel_error *err, int *calls)
{
    char *text;
    size_t bytes;
    oriel_status status =
        cli_read_file(folder_path(&home, "a"), BYTES, NULL, &text, &bytes, err);

    *calls = faults_calls();
    faults_none();
    if (status == ORIEL_OK) {
        ck_assert_uint_eq(bytes, BYTES);
        ck_assert_mem_eq(text, content, BYTES);
        ck_assert_int_eq(text[BYTES], '\0');
    } else {
        ck_assert_ptr_null(text);
    }
    free(text);
    return status;
}

START_TEST(names_whose_fault_it_is)
{
    static const struct {
        int error;
        oriel_status expected;
    } cases[] = {
        {EIO, ORIEL_ERR_IO},        {EMFILE, ORIEL_ERR_IO},
        {ENFILE, ORIEL_ERR_IO},     {ENOMEM, ORIEL_ERR_MEMORY},
        {EACCES, ORIEL_ERR_INPUT},  {ENOENT, ORIEL_ERR_INPUT},
        {ENOTDIR, ORIEL_ERR_INPUT}, {ELOOP, ORIEL_ERR_INPUT},
        {EPERM, ORIEL_ERR_INPUT},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        oriel_error err;
        int n = 0, calls;

        for (;; n++) {
            oriel_status status;

            faults_fail(n, cases[i].error);
            status = read_a(&err, &calls);
            if (calls <= n)
                break;
            ck_assert_int_eq(status, cases[i].expected);
            ck_assert_int_eq(err.cause, cases[i].error);
            ck_assert_ptr_nonnull(
                strstr(err.message, strerror(cases[i].error)));
        }
        /* open, fstat, and at least poll and read, twice. */
        ck_assert_int_ge(n, 6);
    }
}
END_TEST

/* A signal that asks for nothing: a terminal's new size, a debugger. */
START_TEST(goes_on_after_every_interrupted_call)
{
    oriel_error err;
    int n = 0, calls;

    for (;; n++) {
        faults_fail(n, EINTR);
        ck_assert_int_eq(read_a(&err, &calls), ORIEL_OK);
        if (calls <= n)
            break;
    }
    ck_assert_int_ge(n, 6);
}
END_TEST

START_TEST(reads_on_after_short_reads)
{
    oriel_error err;
    int calls;

    faults_short();
    ck_assert_int_eq(read_a(&err, &calls), ORIEL_OK);
    ck_assert_int_ge(calls, 20);
}
END_TEST

/* One that asks us to stop. */
START_TEST(stops_when_asked)
{
    oriel_error err;
    int calls;

    cli_signals_catch();
    ck_assert_int_eq(raise(SIGTERM), 0);
    ck_assert_int_eq(read_a(&err, &calls), ORIEL_ERR_CANCELLED);
    /* In open, too, where a pipe or a slow file system may hold it. */
    faults_fail(0, EINTR);
    ck_assert_int_eq(read_a(&err, &calls), ORIEL_ERR_CANCELLED);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("read_file");
    TCase *tc = tcase_create("read_file");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, names_whose_fault_it_is);
    tcase_add_test(tc, goes_on_after_every_interrupted_call);
    tcase_add_test(tc, reads_on_after_short_reads);
    tcase_add_test(tc, stops_when_asked);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
