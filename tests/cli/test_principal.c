/* SPDX-License-Identifier: Apache-2.0 */
/* test_principal.c - principal components of rows that are made of them */
#include "cli/principal.h"
#include "oriel.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Rows made of 'k' cosines along the columns, which are orthogonal: row r has
 * amplitude[j] x a cosine along the rows of each.  So scores and variances are
 * known.
 */
static void
make_rows(float *rows, size_t n, size_t d, const double *amplitude, size_t k)
{
    const double pi = acos(-1.0);

    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < d; i++) {
            double sum = 3.0; /* a mean, which does not count */

            for (size_t j = 0; j < k; j++)
                sum +=
                    amplitude[j] *
                    cos(pi * (double)(j + 1) * ((double)r + 0.5) / (double)n) *
                    cos(pi * (double)(j + 1) * ((double)i + 0.5) / (double)d);
            rows[r * d + i] = (float)sum;
        }
}

static void
check_rows(size_t n, size_t d, const double *amplitude, size_t k)
{
    const double pi = acos(-1.0);
    float *rows = malloc(n * d * sizeof(*rows));
    double *scores = malloc(n * CLI_COMPONENTS * sizeof(*scores));
    double share, total = 0.0, held = 0.0;
    oriel_error err;

    make_rows(rows, n, d, amplitude, k);
    ck_assert_int_eq(cli_principal(scores, &share, rows, n, d, &err), ORIEL_OK);
    for (size_t j = 0; j < k; j++) {
        total += amplitude[j] * amplitude[j];
        held += j < CLI_COMPONENTS ? amplitude[j] * amplitude[j] : 0.0;
    }
    ck_assert_double_eq_tol(share, total > 0.0 ? held / total : 0.0, 1e-6);
    for (size_t r = 0; r < n; r++)
        for (size_t j = 0; j < CLI_COMPONENTS; j++) {
            /* The largest entry of a cosine along the columns is its first or
               its last; they are equal in size, so the sign is open. */
            const double want = j < k ? amplitude[j] * sqrt((double)d / 2.0) *
                                            cos(pi * (double)(j + 1) *
                                                ((double)r + 0.5) / (double)n)
                                      : 0.0;
            const double got = scores[r * CLI_COMPONENTS + j];

            ck_assert_double_eq_tol(fabs(got), fabs(want), 1e-4);
        }
    free(scores);
    free(rows);
}

START_TEST(cosines_are_found)
{
    check_rows(40, 30, (double[]){9.0, 5.0, 2.0}, 3);
    check_rows(200, 64, (double[]){9.0, 8.9, 8.8, 8.0, 1.0}, 5);
    check_rows(30, 900, (double[]){1.0, 0.5, 0.25, 0.2, 0.1, 0.05}, 6);
}
END_TEST

/* Fewer components than three, fewer columns than a block, one row. */
START_TEST(poor_rows_are_no_failure)
{
    check_rows(40, 30, (double[]){2.0}, 1);
    check_rows(40, 30, NULL, 0);
    check_rows(1, 30, NULL, 0);
    check_rows(50, 4, (double[]){3.0, 1.0, 0.5}, 3);
    check_rows(20, 1, NULL, 0);
}
END_TEST

START_TEST(the_largest_entry_is_positive)
{
    enum { N = 30, D = 20 };
    float rows[N * D];
    double scores[N * CLI_COMPONENTS], share;
    random_stream random = {3};
    oriel_error err;

    for (size_t i = 0; i < N * D; i++)
        rows[i] = (float)random_between(&random, -1000, 1000);
    ck_assert_int_eq(cli_principal(scores, &share, rows, N, D, &err), ORIEL_OK);
    for (size_t j = 0; j < CLI_COMPONENTS; j++) {
        double largest = 0.0;

        /* A component is the rows weighted by its scores, less their mean:
           the scores sum to zero, so the mean drops out. */
        for (size_t i = 0; i < D; i++) {
            double entry = 0.0;

            for (size_t r = 0; r < N; r++)
                entry +=
                    scores[r * CLI_COMPONENTS + j] * (double)rows[r * D + i];
            largest = fabs(entry) > fabs(largest) ? entry : largest;
        }
        ck_assert_double_gt(largest, 0.0);
    }
}
END_TEST

START_TEST(the_same_rows_give_the_same_bytes)
{
    enum { N = 100, D = 50 };
    float *rows = malloc(N * D * sizeof(*rows));
    double first[N * CLI_COMPONENTS], again[N * CLI_COMPONENTS], share;
    random_stream random = {5};
    oriel_error err;

    for (size_t i = 0; i < (size_t)N * D; i++)
        rows[i] = (float)random_between(&random, -1000, 1000);
    ck_assert_int_eq(cli_principal(first, &share, rows, N, D, &err), ORIEL_OK);
    ck_assert_int_eq(cli_principal(again, &share, rows, N, D, &err), ORIEL_OK);
    ck_assert_int_eq(memcmp(first, again, sizeof(first)), 0);
    free(rows);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("principal");
    TCase *all = tcase_create("all");

    tcase_add_test(all, cosines_are_found);
    tcase_add_test(all, poor_rows_are_no_failure);
    tcase_add_test(all, the_largest_entry_is_positive);
    tcase_add_test(all, the_same_rows_give_the_same_bytes);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
