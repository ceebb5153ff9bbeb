/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a row, a window or a frame do not depend on the others: alone
 * or among any number of others, wherever they stand and whatever is beside
 * them.  On tensor cores that group and truncate, so that what they group shows.
 */
#include "kernels/op_check.h"
#include "kernels/row_case.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { OURS = 4 };

static void
must_run(device_run *run, void *context, device_buffer out, const char *what)
{
    const char *report;

    ck_assert_int_eq(run(context, out.data), cudaSuccess);
    report = device_finish();
    ck_assert_msg(report[0] == '\0', "%s: %s", what, report);
}

/* ---- Rows ------------------------------------------------------------------ */

static const int64_t row_counts[] = {4, 16, 64, 100, 1024, 5476, 21316, 65536};

/* What the others hold: values like ours, or huge ones, NaN and infinity, row
   after row. */
enum neighbours { FINITE, EXTREME, NEIGHBOURS };

static unsigned char *
make_neighbours(const row_case *c, enum neighbours kind)
{
    static const uint16_t patterns[][2] = {
        {0x7f7f, 0xff7f}, {0x7fc0, 0xffc0}, {0x7f80, 0xff80}};
    const size_t width = c->in_bytes / 2;
    uint16_t *all;

    if (kind == FINITE)
        return row_case_input(c, c->rows, 4);
    all = malloc((size_t)c->rows * c->in_bytes);
    for (size_t r = 0; r < (size_t)c->rows; r++)
        for (size_t i = 0; i < width; i++)
            all[r * width + i] = patterns[r % 3][i / 3 % 2];
    return (unsigned char *)all;
}

/* The first of our rows: at the start, within a tile, in the last one. */
static int64_t
place_of(int64_t rows, int which)
{
    return which == 0   ? 0
           : which == 1 ? (rows > 64 ? rows / 2 - 1 : rows / 2 - 2)
                        : rows - OURS;
}

static unsigned char *
make_input(const row_case *c, enum neighbours kind, const unsigned char *ours)
{
    unsigned char *all = make_neighbours(c, kind);

    for (int which = 0; which < 3; which++)
        memcpy(all + (size_t)place_of(c->rows, which) * c->in_bytes, ours,
               OURS * c->in_bytes);
    return all;
}

/* Our rows at three places among others; at each they must be 'expected'. */
static void
check_rows(row_case *c, enum neighbours kind, const unsigned char *ours,
           const unsigned char *expected)
{
    unsigned char *all = make_input(c, kind, ours);
    unsigned char got[OURS * 1024];
    size_t bytes = OURS * c->out_bytes;

    ck_assert_uint_le(bytes, sizeof(got));
    if (c->which != ROW_ROPE)
        device_put(c->in, 0, all, (size_t)c->rows * c->in_bytes);
    for (int which = 0; which < 3; which++) {
        size_t at = (size_t)place_of(c->rows, which) * c->out_bytes;
        device_buffer out = device_sparse((size_t)c->rows * c->out_bytes);

        row_case_clear(c);
        /* What is there beforehand is a row's own, too. */
        if (c->which == ROW_ROPE)
            device_put(out, 0, all, (size_t)c->rows * c->in_bytes);
        else if (c->in_place)
            device_put(out, at, ours, bytes);
        row_case_only(c, place_of(c->rows, which), OURS);
        must_run(row_case_run, c, out, row_op_name(c->which));
        device_get(got, out, at, bytes);
        ck_assert_msg(memcmp(got, expected, bytes) == 0,
                      "%s: row %d of %d among neighbours of kind %d",
                      row_op_name(c->which), (int)place_of(c->rows, which),
                      (int)c->rows, (int)kind);
        device_check_guard(out);
        device_release(out);
    }
    free(all);
}

START_TEST(rows_are_their_own)
{
    const enum row_op which = (enum row_op)_i;
    unsigned char expected[OURS * 1024], *ours;
    row_case alone = row_case_make(which, OURS);
    device_buffer out = device_output(OURS * alone.out_bytes);

    device_set_adversarial(true);
    ours = row_case_input(&alone, OURS, 3);
    if (which != ROW_ROPE)
        device_put(alone.in, 0, ours, OURS * alone.in_bytes);
    if (alone.in_place)
        device_put(out, 0, ours, OURS * alone.out_bytes);
    row_case_only(&alone, 0, 0);
    must_run(row_case_run, &alone, out, row_op_name(which));
    device_download(expected, out);
    for (size_t m = 0; m < COUNT(row_counts); m++) {
        row_case c = row_case_make(which, row_counts[m]);

        for (int kind = 0; kind < NEIGHBOURS; kind++)
            check_rows(&c, (enum neighbours)kind, ours, expected);
        row_case_free(&c);
    }
    device_only_blocks(NULL, 0);
    device_set_adversarial(false);
    device_release(out);
    row_case_free(&alone);
    free(ours);
}
END_TEST

/* ---- Segments --------------------------------------------------------------- */

static const int lengths[][SEGMENTS_MOST] = {{4, 8, 12, 16, 24, 36, 60, 64},
                                             {64, 4, 100, 12, 130, 20, 257, 8}};

/* Segment 'from' of the other as segment 'to' of c. */
static void
copy_segment(op_case *c, int to, const op_case *other, int from)
{
    const size_t row = (size_t)(3 * c->columns);
    const int32_t *cu = attention_cu(c);
    const size_t n = (size_t)(cu[to + 1] - cu[to]);
    const size_t source = (size_t)attention_cu(other)[from];
    int32_t *positions = c->index[OP_POSITIONS].host;
    const int32_t *others = other->index[OP_POSITIONS].host;

    memcpy(attention_qkv(c) + (size_t)cu[to] * row,
           attention_qkv(other) + source * row, n * row * 2);
    memcpy(positions + 2 * cu[to], others + 2 * source,
           n * 2 * sizeof(int32_t));
}

static uint16_t *
attend(op_case *c)
{
    const size_t bytes = op_case_out_bytes(c);
    device_buffer out = device_output(bytes);
    uint16_t *got = malloc(bytes);

    op_check_send(&c->x);
    op_check_send(&c->index[OP_POSITIONS]);
    must_run(op_run, c, out, c->op->name);
    device_download(got, out);
    device_release(out);
    return got;
}

static void
expect_segment(const op_case *c, const uint16_t *got, int segment,
               const op_case *other, const uint16_t *expected, int from)
{
    const size_t row = (size_t)c->columns;
    const int32_t *cu = attention_cu(c);
    const int32_t length = cu[segment + 1] - cu[segment];

    ck_assert_msg(memcmp(got + (size_t)cu[segment] * row,
                         expected + (size_t)attention_cu(other)[from] * row,
                         (size_t)length * row * 2) == 0,
                  "a segment of %d patches, number %d of %d", length, segment,
                  c->shape.n_segments);
}

/* All of them together; the other way round; and each alone. */
START_TEST(segments_are_their_own)
{
    enum { N = SEGMENTS_MOST };
    const bool windows = _i % 2;
    const int head_dim = _i / 2 ? 24 : 80, *sizes = lengths[!windows];
    op_case all = attention_make(windows, 1, head_dim, sizes, N, 2, 1);
    int turned_sizes[N];
    uint16_t *expected, *got;

    device_set_adversarial(true);
    expected = attend(&all);
    for (int s = 0; s < N; s++)
        turned_sizes[s] = sizes[N - 1 - s];
    op_case turned =
        attention_make(windows, 1, head_dim, turned_sizes, N, 2, 1);
    for (int s = 0; s < N; s++)
        copy_segment(&turned, s, &all, N - 1 - s);
    got = attend(&turned);
    for (int s = 0; s < N; s++)
        expect_segment(&turned, got, s, &all, expected, N - 1 - s);
    free(got);
    op_case_free(&turned);
    for (int s = 0; s < N; s++) {
        op_case one = attention_make(windows, 1, head_dim, &sizes[s], 1, 2, 1);

        copy_segment(&one, 0, &all, s);
        got = attend(&one);
        expect_segment(&one, got, 0, &all, expected, s);
        free(got);
        op_case_free(&one);
    }
    device_set_adversarial(false);
    free(expected);
    op_case_free(&all);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("invariance");
    TCase *tcase = tcase_create("invariance");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, rows_are_their_own, 0, ROW_OPS);
    tcase_add_loop_test(tcase, segments_are_their_own, 0, 4);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
