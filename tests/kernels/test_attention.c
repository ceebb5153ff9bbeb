/* SPDX-License-Identifier: Apache-2.0 */
/* Window and full attention on the GPU, against double precision. */
#include "kernels/op_check.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Shapes --------------------------------------------------------------- */

static const int every_window[][SEGMENTS_MOST] = {
    {64},
    {4, 8, 12, 16, 20, 24, 28, 32},
    {36, 40, 44, 48, 52, 56, 60, 64},
    {1, 15, 16, 17, 31, 33, 63, 2},
};

START_TEST(windows_of_every_length)
{
    int n = 0;

    while (n < SEGMENTS_MOST && every_window[_i][n])
        n++;
    op_case c = attention_make(true, 1, 80, every_window[_i], n, 2, 0);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

static const int head_dims[] = {8, 16, 24, 64, 72, 80, 96, 128};

START_TEST(windows_of_every_head_dim)
{
    static const int lengths[] = {16, 24, 8};
    op_case c = attention_make(true, 2, head_dims[_i], lengths, 3, 1, 8);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

static const int frames[][3] = {{4}, {64, 1}, {65, 127}, {128, 129}, {300, 12}};

START_TEST(frames_of_any_length)
{
    int n = frames[_i][1] ? 2 : 1;
    op_case c = attention_make(false, 1, 80, frames[_i], n, 2, 0);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

START_TEST(frames_of_every_head_dim)
{
    static const int lengths[] = {68, 20};
    op_case c = attention_make(false, 2, head_dims[_i], lengths, 2, 1, 8);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* All of 5,000 keys, for the queries of three tiles: the first, one within and
   the last, which holds 8. */
START_TEST(frames_of_thousands)
{
    static const int lengths[] = {5000};
    static const int32_t tiles[][3] = {
        {0, 5000, 0}, {0, 5000, 2560}, {0, 5000, 4992}};
    op_case c = attention_make(false, 1, 16, lengths, 1, 2, 1);
    uint16_t *out;

    attention_choose_tiles(&c, tiles, COUNT(tiles));
    out = op_check_run(&c);
    attention_check_tiles(&c, out, 1);
    free(out);
    op_case_free(&c);
}
END_TEST

/* Shapes that no person chose; _i is even for frames. */
START_TEST(random_shapes)
{
    random_stream random = {(uint64_t)_i + 77};
    int n = (int)random_between(&random, 1, _i % 2 ? SEGMENTS_MOST : 3);
    int heads = (int)random_between(&random, 1, 3);
    int head_dim = 8 * (int)random_between(&random, 1, 16);
    int lengths[SEGMENTS_MOST];

    for (int s = 0; s < n; s++)
        lengths[s] = (int)random_between(&random, 1, _i % 2 ? 64 : 200);
    op_case c = attention_make(_i % 2, heads, head_dim, lengths, n, 1.5, 0.5);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* ---- Values --------------------------------------------------------------- */

/* Scores of hundreds, of either sign and all negative: only with the true maximum
   of every row does no exponential overflow and no sum vanish. */
START_TEST(scores_beyond_any_exponent)
{
    static const int lengths[] = {20, 64, 49};
    op_case c = attention_make(_i % 2, 1, 80, lengths, 3, 40, 0);

    for (int64_t r = 0; _i / 2 && r < c.rows; r++)
        for (int d = 0; d < 80; d++) {
            attention_qkv(&c)[r * 240 + d] &= 0x7fff;
            attention_qkv(&c)[r * 240 + 80 + d] |= 0x8000;
        }
    op_check_send(&c.x);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* Of the 16 rows of a warp one half, _i % 2, meets a larger score in the third tile of
   keys than in the first, the other half does not: what the one has so far shrinks.  Its
   largest score is the other's, before (_i / 2) or after. */
START_TEST(maxima_move_in_one_half)
{
    enum { BEFORE = 3, AFTER = 130, EIGHT = 0x4100, SIXTEEN = 0x4180 };
    static const int lengths[] = {200};
    op_case c = attention_make(false, 1, 40, lengths, 1, 0.5, 0);

    for (int r = 0; r < lengths[0]; r++) {
        uint16_t *q = attention_qkv(&c) + r * 3 * 40, *k = q + 40;
        const bool moves = r / 8 % 2 == _i % 2;

        memset(q, 0, 80);
        q[moves] = EIGHT;
        k[0] = r != BEFORE ? 0 : _i / 2 ? EIGHT : SIXTEEN;
        k[1] = r == BEFORE ? EIGHT : r == AFTER ? SIXTEEN : 0;
    }
    op_check_send(&c.x);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* Columns of v in the thousands beside columns of ones. */
START_TEST(outlier_channels)
{
    static const int lengths[] = {52, 7};
    op_case c = attention_make(_i, 2, 40, lengths, 2, 1, 0);

    for (int64_t r = 0; r < c.rows; r++)
        for (int column = 3; column < 80; column += 19) {
            uint16_t *v = &attention_qkv(&c)[(r * 3 + 2) * 80 + column];

            *v = (uint16_t)(*v % 256 | (r % 3 ? 0x4500 : 0xc580)); /* 2^11 .. */
        }
    op_check_send(&c.x);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

static const uint16_t poison[] = {0x7fc0, 0x7f80, 0xff80};

/* What a neighbour holds must not reach a segment, not even as 0 x NaN: neither
   the middle one's values nor the first one's, which lie where an index that was
   not meant to be used would point. */
START_TEST(neighbours_do_not_reach)
{
    static const int lengths[] = {20, 12, 36};
    op_case c = attention_make(_i % 2, 1, 80, lengths, 3, 1, 0);
    uint16_t *clean = op_check_run(&c), *dirty;
    const int32_t *bad = attention_cu(&c) + _i / 2;
    const size_t row = 3 * 80;

    for (int64_t r = bad[0]; r < bad[1]; r++)
        for (size_t d = 0; d < row; d++)
            attention_qkv(&c)[(size_t)r * row + d] =
                poison[((size_t)r + d) % 3];
    op_check_send(&c.x);
    dirty = op_check_run(&c);
    for (int64_t r = 0; r < c.rows; r++)
        if (r < bad[0] || r >= bad[1])
            ck_assert_mem_eq(clean + r * 80, dirty + r * 80, 160);
    free(clean);
    free(dirty);
    op_case_free(&c);
}
END_TEST

/* Heads whose values are no multiple of 16 are padded, and the padding is not
   what the next head holds: _i % 2 the kernel, _i / 2 % 2 the head that is bad,
   then the head_dim. */
START_TEST(heads_do_not_reach)
{
    static const int lengths[] = {18, 5}, padded[] = {8, 24, 72};
    int head_dim = padded[_i / 4], bad = _i / 2 % 2;
    op_case c = attention_make(_i % 2, 2, head_dim, lengths, 2, 1, 0);
    uint16_t *clean = op_check_run(&c), *dirty;

    for (int64_t r = 0; r < 3 * c.rows; r++)
        for (int d = 0; d < head_dim; d++)
            attention_qkv(&c)[(r * 2 + bad) * head_dim + d] =
                poison[(r + d) % 3];
    op_check_send(&c.x);
    dirty = op_check_run(&c);
    for (int64_t r = 0; r < c.rows; r++) {
        int64_t good = (r * 2 + 1 - bad) * head_dim;

        ck_assert_mem_eq(clean + good, dirty + good, (size_t)head_dim * 2);
    }
    free(clean);
    free(dirty);
    op_case_free(&c);
}
END_TEST

/* An infinite value is infinite in every row that sees it: no key that is not
   there meets it as 0 x Inf. */
START_TEST(infinity_stays_infinite)
{
    static const int lengths[] = {20};
    op_case c = attention_make(_i, 1, 80, lengths, 1, 1, 0);
    uint16_t *out;

    attention_qkv(&c)[160] = 0x7f80; /* v of the first row, column 0 */
    op_check_send(&c.x);
    out = op_check_run(&c);
    for (int64_t r = 0; r < c.rows; r++)
        for (int d = 0; d < 80; d++)
            ck_assert_msg(d ? isfinite(bf16_value(out[r * 80 + d]))
                            : out[r * 80] == 0x7f80,
                          "row %d column %d: %#x", (int)r, d, out[r * 80 + d]);
    free(out);
    op_case_free(&c);
}
END_TEST

/* More packs and heads than a multiprocessor takes at once. */
START_TEST(packs_are_counted_on_the_device)
{
    static const int lengths[] = {64, 48, 16, 20, 32, 4, 64, 64};
    op_case c = attention_make(true, 3, _i % 2 ? 80 : 128, lengths,
                               COUNT(lengths), 2, 0);

    ck_assert_int_gt(c.n_work * 3, 6 * 2);
    op_check_counted(&c, _i / 2 * 500);
    op_case_free(&c);
}
END_TEST

START_TEST(tiles_are_counted_on_the_device)
{
    static const int lengths[] = {130, 20};
    op_case c = attention_make(false, 2, 40, lengths, COUNT(lengths), 2, 0);

    op_check_counted(&c, _i * 7);
    op_case_free(&c);
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
    tcase_add_loop_test(windows, packs_are_counted_on_the_device, 0, 4);
    tcase_add_loop_test(full, frames_of_any_length, 0, COUNT(frames));
    tcase_add_loop_test(full, tiles_are_counted_on_the_device, 0, 2);
    tcase_add_loop_test(full, frames_of_every_head_dim, 0, COUNT(head_dims));
    tcase_add_loop_test(full, maxima_move_in_one_half, 0, 4);
    tcase_add_test(full, frames_of_thousands);
    suite_add_tcase(suite, windows);
    suite_add_tcase(suite, full);
    return run_suite(suite);
}
