/* SPDX-License-Identifier: Apache-2.0 */
/* Window and full attention on the GPU, against double precision. */
#include "kernels/attention_case.h"
#include "oracle/oracle.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* q, k, v in double; the turn is rounded to bf16, as the kernels do. */
static double *
exact_inputs(const attention_case *c, bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *x = bf16_values(c->qkv, (size_t)(c->rows * 3 * hidden));
    int half = c->head_dim / 2, quarter = c->head_dim / 4;

    for (int64_t r = 0; turned && r < c->rows; r++)
        for (int h = 0; h < 2 * c->heads; h++)
            for (int d = 0; d < half; d++) {
                double *head = x + r * 3 * hidden + h * c->head_dim;
                int32_t at = c->positions[2 * r + (d >= quarter)];
                const float *cs = c->rope + (at * quarter + d % quarter) * 2;
                double a = head[d], b = head[d + half];

                head[d] = a * (double)cs[0] - b * (double)cs[1];
                head[d + half] = b * (double)cs[0] + a * (double)cs[1];
            }
    return x;
}

/*
 * For each column, of |v|'s largest there: P and the result are rounded once
 * each, so 2^-7, and each tile of keys rescales in fp32; with the turn, q and k
 * are rounded too, which moves each score by at most 2^-8 |q| |k| and so each
 * weight by that much, relatively, twice.
 */
static double *
bounds_of(const attention_case *c, const double *x, bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *bounds = calloc((size_t)hidden, sizeof(double));
    double q_most = 0, k_most = 0;
    int longest = 0;

    for (int s = 0; s < c->n_segments; s++)
        longest = c->lengths[s] > longest ? c->lengths[s] : longest;
    for (int64_t r = 0; r < c->rows; r++)
        for (int h = 0; h < c->heads; h++) {
            double q2 = 0, k2 = 0;

            for (int d = 0; d < c->head_dim; d++) {
                int64_t column = h * c->head_dim + d;
                const double *row = x + r * 3 * hidden + column;

                q2 += row[0] * row[0];
                k2 += row[hidden] * row[hidden];
                bounds[column] = fmax(bounds[column], fabs(row[2 * hidden]));
            }
            q_most = fmax(q_most, sqrt(q2));
            k_most = fmax(k_most, sqrt(k2));
        }
    double moved =
        turned ? 2 * 0x1p-8 * q_most * k_most / sqrt(c->head_dim) : 0;
    double tiles = (longest + 63) / 64;

    for (int64_t i = 0; i < hidden; i++)
        bounds[i] *= 0x1p-7 + 2 * expm1(moved) + 0x1p-14 + tiles * 0x1p-20;
    return bounds;
}

static bool
has_row(const attention_case *c, int64_t row)
{
    for (int t = 0; t < c->n_tiles; t++) {
        int64_t first = c->tiles[t][0] + c->tiles[t][2];
        int64_t end = c->tiles[t][0] + c->tiles[t][1];

        if (row >= first && row < first + 128 && row < end)
            return true;
    }
    return false;
}

/* Rows of no tile stay as they were: all ones. */
static void
check_against_oracle(const attention_case *c, const uint16_t *out, bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *x = exact_inputs(c, turned);
    double *exact = calloc((size_t)(c->rows * 3 * hidden), sizeof(double));
    int64_t *rows = malloc((size_t)c->rows * sizeof(int64_t));
    double *bounds = bounds_of(c, x, turned);

    for (int64_t r = 0; r < c->rows; r++)
        rows[r] = r;
    for (int s = 0; s < c->n_segments; s++)
        for (int h = 0; h < c->heads; h++) {
            const double *q = x + h * c->head_dim;

            oracle_attention(exact + h * c->head_dim, q, q + hidden,
                             q + 2 * hidden, 3 * hidden, c->head_dim,
                             rows + c->cu[s], c->lengths[s]);
        }
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t d = 0; d < hidden; d++) {
            double truth = exact[r * 3 * hidden + d];
            double value = bf16_value(out[r * hidden + d]);

            if (!has_row(c, r))
                ck_assert_uint_eq(out[r * hidden + d], 0xffff);
            else
                ck_assert_msg(fabs(value - truth) <= bounds[d],
                              "row %d column %d: %g, not %g within %g", (int)r,
                              (int)d, value, truth, bounds[d]);
        }
    free(x);
    free(exact);
    free(rows);
    free(bounds);
}

static device_run *
kernel(bool windows)
{
    return windows ? attention_case_windows : attention_case_frames;
}

static void
check_case(attention_case *c, bool windows)
{
    size_t bytes = attention_case_out_bytes(c);
    uint16_t *out = malloc(bytes);

    device_check_schedules(kernel(windows), c, out, bytes, NULL);
    check_against_oracle(c, out, windows);
    free(out);
}

/* ---- Shapes --------------------------------------------------------------- */

static const int every_window[][ATTENTION_SEGMENTS] = {
    {64},
    {4, 8, 12, 16, 20, 24, 28, 32},
    {36, 40, 44, 48, 52, 56, 60, 64},
    {1, 15, 16, 17, 31, 33, 63, 2},
};

START_TEST(windows_of_every_length)
{
    int n = 0;

    while (n < ATTENTION_SEGMENTS && every_window[_i][n])
        n++;
    attention_case c = attention_case_make(1, 80, every_window[_i], n, 2, 0);

    check_case(&c, true);
    attention_case_free(&c);
}
END_TEST

static const int head_dims[] = {8, 16, 24, 64, 72, 80, 96, 128};

START_TEST(windows_of_every_head_dim)
{
    static const int lengths[] = {16, 24, 8};
    attention_case c = attention_case_make(2, head_dims[_i], lengths, 3, 1, 8);

    check_case(&c, true);
    attention_case_free(&c);
}
END_TEST

static const int frames[][3] = {{4}, {64, 1}, {65, 127}, {128, 129}, {300, 12}};

START_TEST(frames_of_any_length)
{
    int n = frames[_i][1] ? 2 : 1;
    attention_case c = attention_case_make(1, 80, frames[_i], n, 2, 0);

    check_case(&c, false);
    attention_case_free(&c);
}
END_TEST

START_TEST(frames_of_every_head_dim)
{
    static const int lengths[] = {68, 20};
    attention_case c = attention_case_make(2, head_dims[_i], lengths, 2, 1, 8);

    check_case(&c, false);
    attention_case_free(&c);
}
END_TEST

/* All of 5,000 keys, for the queries of three tiles: the first, one within and
   the last, which holds 8. */
START_TEST(frames_of_thousands)
{
    static const int lengths[] = {5000};
    static const int32_t queries[] = {0, 2560, 4992};
    attention_case c = attention_case_make(1, 16, lengths, 1, 2, 1);

    c.n_tiles = COUNT(queries);
    for (int t = 0; t < c.n_tiles; t++)
        c.tiles[t][2] = queries[t];
    attention_case_send_tiles(&c);
    check_case(&c, false);
    attention_case_free(&c);
}
END_TEST

/* Nobody chose these: _i is even for frames. */
START_TEST(random_shapes)
{
    random_stream random = {(uint64_t)_i + 77};
    int n = (int)random_between(&random, 1, _i % 2 ? ATTENTION_SEGMENTS : 3);
    int heads = (int)random_between(&random, 1, 3);
    int head_dim = 8 * (int)random_between(&random, 1, 16);
    int lengths[ATTENTION_SEGMENTS];

    for (int s = 0; s < n; s++)
        lengths[s] = (int)random_between(&random, 1, _i % 2 ? 64 : 200);
    attention_case c =
        attention_case_make(heads, head_dim, lengths, n, 1.5, 0.5);

    check_case(&c, _i % 2);
    attention_case_free(&c);
}
END_TEST

/* ---- Values --------------------------------------------------------------- */

/* Scores of hundreds, of either sign and all negative: only with the true maximum
   of every row does no exponential overflow and no sum vanish. */
START_TEST(scores_beyond_any_exponent)
{
    static const int lengths[] = {20, 64, 49};
    attention_case c = attention_case_make(1, 80, lengths, 3, 40, 0);

    for (int64_t r = 0; _i / 2 && r < c.rows; r++)
        for (int d = 0; d < 80; d++) {
            c.qkv[r * 240 + d] &= 0x7fff;
            c.qkv[r * 240 + 80 + d] |= 0x8000;
        }
    attention_case_send(&c);
    check_case(&c, _i % 2);
    attention_case_free(&c);
}
END_TEST

/* Columns of v in the thousands beside columns of ones. */
START_TEST(outlier_channels)
{
    static const int lengths[] = {52, 7};
    attention_case c = attention_case_make(2, 40, lengths, 2, 1, 0);

    for (int64_t r = 0; r < c.rows; r++)
        for (int column = 3; column < 80; column += 19) {
            uint16_t *v = &c.qkv[(r * 3 + 2) * 80 + column];

            *v = (uint16_t)(*v % 256 | (r % 3 ? 0x4500 : 0xc580)); /* 2^11 .. */
        }
    attention_case_send(&c);
    check_case(&c, _i);
    attention_case_free(&c);
}
END_TEST

static const uint16_t poison[] = {0x7fc0, 0x7f80, 0xff80};

/* What a neighbour holds must not reach a segment, not even as 0 x NaN: neither
   the middle one's values nor the first one's, which lie where an index that was
   not meant to be used would point. */
START_TEST(neighbours_do_not_reach)
{
    static const int lengths[] = {20, 12, 36};
    attention_case c = attention_case_make(1, 80, lengths, 3, 1, 0);
    size_t row = 3 * 80, bytes = attention_case_out_bytes(&c);
    uint16_t *clean = malloc(bytes), *dirty = malloc(bytes);
    int bad = _i / 2;

    device_check_schedules(kernel(_i % 2), &c, clean, bytes, NULL);
    for (int64_t r = c.cu[bad]; r < c.cu[bad + 1]; r++)
        for (size_t d = 0; d < row; d++)
            c.qkv[(size_t)r * row + d] = poison[((size_t)r + d) % 3];
    attention_case_send(&c);
    device_check_schedules(kernel(_i % 2), &c, dirty, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++)
        if (r < c.cu[bad] || r >= c.cu[bad + 1])
            ck_assert_mem_eq(clean + r * 80, dirty + r * 80, 160);
    free(clean);
    free(dirty);
    attention_case_free(&c);
}
END_TEST

/* Heads whose values are no multiple of 16 are padded, and the padding is not
   what the next head holds: _i % 2 the kernel, _i / 2 % 2 the head that is bad,
   then the head_dim. */
START_TEST(heads_do_not_reach)
{
    static const int lengths[] = {18, 5}, padded[] = {8, 24, 72};
    int head_dim = padded[_i / 4], bad = _i / 2 % 2;
    attention_case c = attention_case_make(2, head_dim, lengths, 2, 1, 0);
    size_t bytes = attention_case_out_bytes(&c);
    uint16_t *clean = malloc(bytes), *dirty = malloc(bytes);

    device_check_schedules(kernel(_i % 2), &c, clean, bytes, NULL);
    for (int64_t r = 0; r < 3 * c.rows; r++)
        for (int d = 0; d < head_dim; d++)
            c.qkv[(r * 2 + bad) * head_dim + d] = poison[(r + d) % 3];
    attention_case_send(&c);
    device_check_schedules(kernel(_i % 2), &c, dirty, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++) {
        int64_t good = (r * 2 + 1 - bad) * head_dim;

        ck_assert_mem_eq(clean + good, dirty + good, (size_t)head_dim * 2);
    }
    free(clean);
    free(dirty);
    attention_case_free(&c);
}
END_TEST

/* An infinite value is infinite in every row that sees it: no key that is not
   there meets it as 0 x Inf. */
START_TEST(infinity_stays_infinite)
{
    static const int lengths[] = {20};
    attention_case c = attention_case_make(1, 80, lengths, 1, 1, 0);
    size_t bytes = attention_case_out_bytes(&c);
    uint16_t *out = malloc(bytes);

    c.qkv[160] = 0x7f80; /* v of the first row, column 0 */
    attention_case_send(&c);
    device_check_schedules(kernel(_i), &c, out, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++)
        for (int d = 0; d < 80; d++)
            ck_assert_msg(d ? isfinite(bf16_value(out[r * 80 + d]))
                            : out[r * 80] == 0x7f80,
                          "row %d column %d: %#x", (int)r, d, out[r * 80 + d]);
    free(out);
    attention_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("attention");
    TCase *windows = tcase_create("windows");
    TCase *full = tcase_create("full");

    tcase_set_timeout(windows, 120);
    tcase_set_timeout(full, 120);
    tcase_add_loop_test(windows, heads_do_not_reach, 0, 12);
    tcase_add_loop_test(windows, windows_of_every_length, 0,
                        COUNT(every_window));
    tcase_add_loop_test(windows, windows_of_every_head_dim, 0,
                        COUNT(head_dims));
    tcase_add_loop_test(windows, neighbours_do_not_reach, 0, 4);
    tcase_add_loop_test(windows, infinity_stays_infinite, 0, 2);
    tcase_add_loop_test(windows, scores_beyond_any_exponent, 0, 4);
    tcase_add_loop_test(windows, outlier_channels, 0, 2);
    tcase_add_loop_test(windows, random_shapes, 0, 8);
    tcase_add_loop_test(full, frames_of_any_length, 0, COUNT(frames));
    tcase_add_loop_test(full, frames_of_every_head_dim, 0, COUNT(head_dims));
    tcase_add_test(full, frames_of_thousands);
    suite_add_tcase(suite, windows);
    suite_add_tcase(suite, full);
    return run_suite(suite);
}
