/* SPDX-License-Identifier: Apache-2.0 */
/* Full attention by wgmma, against double precision and against itself. */
#include "kernels/op_check.h"
#include "ops/hopper.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* Fewer blocks than tiles of queries and heads, so that some take several. */
enum { HEAD_DIM = 80, BLOCKS = 2 };

static op_hopper by;

static op_case
make(int heads, const int *lengths, int n, double scale, double v_mean)
{
    op_case c =
        attention_make(false, heads, HEAD_DIM, lengths, n, scale, v_mean);

    by = op_hopper_make(&op_full_attention, 0, BLOCKS);
    c.op = &by.op;
    ck_assert_int_eq(c.op->prepare(&c), cudaSuccess);
    return c;
}

/* Both sides of a tile's edge, and several frames' ends under way at once. */
static const int frames[][SEGMENTS_MOST] = {
    {4},
    {64, 1},
    {128},
    {127, 129},
    {128, 256, 8},
    {300, 12},
    {1, 2, 3, 4, 5, 6, 7, 8},
    {400, 16, 260},
};

START_TEST(frames_of_any_length)
{
    int n = 0;

    while (n < SEGMENTS_MOST && frames[_i][n])
        n++;
    op_case c = make(1 + _i % 3, frames[_i], n, 2, _i % 2);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* Scores of hundreds, of either sign and all negative. */
START_TEST(scores_beyond_any_exponent)
{
    static const int lengths[] = {20, 192, 49};
    op_case c = make(1, lengths, 3, 40, 0);

    for (int64_t r = 0; _i && r < c.rows; r++)
        for (int d = 0; d < HEAD_DIM; d++) {
            attention_qkv(&c)[r * 240 + d] &= 0x7fff;
            attention_qkv(&c)[r * 240 + 80 + d] |= 0x8000;
        }
    op_check_send(&c.x);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* A lane has two rows.  The maxima of one stay, and in the second tile of keys those
   of the other reach the same value: what went before must shrink all the same. */
START_TEST(one_of_two_rows_moves)
{
    enum { ONE = 0x3f80, FOUR = 0x4080, KEYS = 128 };
    static const int lengths[] = {2 * KEYS};
    op_case c = make(1, lengths, 1, 2, 0);

    for (int64_t r = 0; r < c.rows; r++) {
        uint16_t *const q = attention_qkv(&c) + r * 3 * HEAD_DIM;
        uint16_t *const k = q + HEAD_DIM;
        const int64_t half = r / 8 % 2, first = r / KEYS ? 1 - _i : _i;

        for (int d = 0; d < HEAD_DIM; d++) {
            q[d] = d == half ? ONE : 0;
            k[d] = d == first ? FOUR : d == 1 - first ? ONE : 0;
        }
    }
    op_check_send(&c.x);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* Counts of tiles that blocks take in turns, and of fewer than there are blocks. */
START_TEST(tiles_are_counted_on_the_device)
{
    static const int lengths[] = {130, 300, 12};
    op_case c = make(1 + _i, lengths, _i ? 3 : 1, 2, 0);

    op_check_counted(&c, 100);
    op_case_free(&c);
}
END_TEST

/* ---- Rows ------------------------------------------------------------------ */

static uint16_t *
run_once(const op_case *c)
{
    const size_t bytes = op_case_out_bytes(c);
    device_buffer out = device_output(bytes);
    uint16_t *got = malloc(bytes);
    const char *report;

    ck_assert_int_eq(c->op->run(c, 0, c->rows, out.data), cudaSuccess);
    report = device_finish();
    ck_assert_msg(report[0] == '\0', "%s", report);
    device_download(got, out);
    device_release(out);
    return got;
}

static const int beside[] = {140, 20, 128, 300, 4};
enum { BESIDE = COUNT(beside) };

/* Each frame alone, and between frames of NaN and infinity; by any number of
   blocks; on tensor cores that group and truncate. */
START_TEST(frames_are_their_own)
{
    static const int32_t blocks[] = {1, 7, 132};
    op_case all = make(2, beside, BESIDE, 2, 1);
    const size_t row = (size_t)all.columns, in = 3 * row;
    uint16_t *expected, *got;

    device_set_adversarial(true);
    expected = run_once(&all);
    for (size_t i = 0; i < COUNT(blocks); i++) {
        by.blocks = blocks[i];
        got = run_once(&all);
        ck_assert_mem_eq(got, expected, op_case_out_bytes(&all));
        free(got);
    }
    for (int f = 0; f < BESIDE; f++) {
        const int32_t *cu = attention_cu(&all);
        const size_t begin = (size_t)cu[f], n = (size_t)(cu[f + 1] - cu[f]);
        op_case one = make(2, &beside[f], 1, 2, 1);

        memcpy(attention_qkv(&one), attention_qkv(&all) + begin * in,
               n * in * 2);
        op_check_send(&one.x);
        got = run_once(&one);
        ck_assert_mem_eq(got, expected + begin * row, n * row * 2);
        free(got);
        op_case_free(&one);
    }
    for (int f = 0; f < BESIDE; f += 2) {
        const int32_t *cu = attention_cu(&all);

        for (size_t i = (size_t)cu[f] * in; i < (size_t)cu[f + 1] * in; i++)
            attention_qkv(&all)[i] = i % 3 ? 0x7f80 : 0x7fc0;
    }
    op_check_send(&all.x);
    got = run_once(&all);
    for (int f = 1; f < BESIDE; f += 2) {
        const int32_t *cu = attention_cu(&all);
        const size_t begin = (size_t)cu[f], n = (size_t)(cu[f + 1] - cu[f]);

        ck_assert_mem_eq(got + begin * row, expected + begin * row,
                         n * row * 2);
    }
    free(got);
    free(expected);
    op_case_free(&all);
    device_set_adversarial(false);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------- */

START_TEST(what_is_out_of_limits_is_refused)
{
    static CUtensorMap map;
    static uint16_t memory[8] __attribute__((aligned(16)));
    static int32_t tile[3];
    const oriel_hopper_attention good = {&map, &map, 1};
    const oriel_full_attention_args fits = {memory, memory, tile, 1,
                                            1,      80,     1,    {0}};

    for (int i = 0; i < 7; i++) {
        oriel_hopper_attention with = good;
        oriel_full_attention_args args = fits;

        switch (i) {
        case 0:
            args.head_dim = 64;
            break;
        case 1:
            args.heads = 0;
            break;
        case 2:
            args.out++;
            break;
        case 3:
            args.n_tiles = -1;
            break;
        case 4:
            with.blocks = 0;
            break;
        case 5:
            args.counted.count = (const int32_t *)((const char *)tile + 2);
            break;
        default:
            with.rest = NULL;
        }
        ck_assert_int_eq(oriel_cuda_hopper_full_attention(&args, &with, NULL),
                         cudaErrorInvalidValue);
    }
    oriel_full_attention_args none = fits;

    none.n_tiles = 0;
    ck_assert_int_eq(oriel_cuda_hopper_full_attention(&none, &good, NULL),
                     cudaSuccess);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hopper_full_attention");
    TCase *tc = tcase_create("full_attention");

    device_skip_unless(9, 0);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, frames_of_any_length, 0, COUNT(frames));
    tcase_add_loop_test(tc, scores_beyond_any_exponent, 0, 2);
    tcase_add_loop_test(tc, one_of_two_rows_moves, 0, 2);
    tcase_add_loop_test(tc, tiles_are_counted_on_the_device, 0, 2);
    tcase_add_test(tc, frames_are_their_own);
    tcase_add_test(tc, what_is_out_of_limits_is_refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
