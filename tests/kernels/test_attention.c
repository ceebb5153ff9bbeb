/* SPDX-License-Identifier: Apache-2.0 */
/* Window and full attention on the GPU, against double precision. */
#include "kernels/attention_bound.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
check_against_oracle(const attention_case *c, const uint16_t *out, bool windows)
{
    double *x = attention_inputs(c, windows);

    for (int s = 0; s < c->n_segments; s++)
        attention_check_rows(c, x, out, s, 0, c->lengths[s], 1);
    free(x);
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
