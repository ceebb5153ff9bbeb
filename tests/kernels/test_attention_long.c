/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full attention over thousands of keys, up to 65,536, against double precision:
 * of a frame only a few tiles of queries run, each over all of its keys.
 */
#include "kernels/op_check.h"
#include "support/suite.h"

#include "base/half.h"

#include <math.h>
#include <stdlib.h>

enum { SEGMENT = 1, TILE = 128 }; /* the frame that is run, queries at a time */

/* The tiles of the frame that start at these queries. */
static void
choose_tiles(op_case *c, const int32_t *queries, int n)
{
    const int32_t *frame = attention_cu(c) + SEGMENT;
    int32_t tiles[2][3];

    ck_assert_int_le(n, (int)COUNT(tiles));
    for (int t = 0; t < n; t++) {
        tiles[t][0] = frame[0];
        tiles[t][1] = frame[1] - frame[0];
        tiles[t][2] = queries[t];
    }
    attention_choose_tiles(c, tiles, n);
}

/* What lies before the frame and after it is NaN. */
static void
poison_neighbours(op_case *c)
{
    static const uint16_t poison[] = {0x7fc0, 0x7f80, 0xff80};
    const int64_t values = 3 * (int64_t)c->columns;
    const int32_t *frame = attention_cu(c) + SEGMENT;
    uint16_t *qkv = attention_qkv(c);

    for (int64_t i = 0; i < c->rows * values; i++)
        if (i / values < frame[0] || i / values >= frame[1])
            qkv[i] = poison[i % 3];
    op_check_send(&c->x);
}

/* ---- Thousands, for every head_dim ------------------------------------------ */

static const struct {
    int head_dim, heads, keys;
} shapes[] = {
    {80, 1, 5000}, {64, 1, 1500},  {72, 1, 1500},
    {96, 1, 1500}, {128, 1, 1500}, {40, 2, 1004},
};

/* A tile within, and the last, which is not full. */
START_TEST(thousands_of_keys)
{
    const int keys = shapes[_i].keys;
    const int lengths[] = {4, keys, 12};
    const int32_t queries[] = {keys / TILE / 2 * TILE, keys / TILE * TILE};
    op_case c = attention_make(false, shapes[_i].heads, shapes[_i].head_dim,
                               lengths, COUNT(lengths), 2, 1);
    uint16_t *out;

    choose_tiles(&c, queries, COUNT(queries));
    poison_neighbours(&c);
    out = op_check_run(&c);
    attention_check_tiles(&c, out, 1);
    free(out);
    op_case_free(&c);
}
END_TEST

/* ---- 65,536 ---------------------------------------------------------------- */

enum { KEYS = 65536, HEAD_DIM = 80, EARLY = 3, LATE = KEYS - 6 };

/* Kinds of queries. */
enum {
    RANDOM,
    ALIKE,
    LATE_WINS,
    LATE_SHARES,
    EARLY_SHARES,
    EARLY_DROWNS,
    KINDS
};

/* The score, before the softmax, that column 'column' of the query adds where
   the key has 16 there. */
static void
set_score(uint16_t *query, int column, double score)
{
    query[column] = oriel_f32_to_bf16((float)(score * sqrt(HEAD_DIM) / 16));
}

static void
make_query(uint16_t *query, int kind)
{
    for (int d = kind == RANDOM ? HEAD_DIM : 0; d < HEAD_DIM; d++)
        query[d] = 0;
    if (kind == LATE_WINS) /* all that came before is scaled by 2^-100 */
        set_score(query, 0, 100 * log(2));
    if (kind == LATE_SHARES) /* one key weighs as much as all others */
        set_score(query, 0, log(KEYS));
    if (kind == EARLY_SHARES)
        set_score(query, 1, log(KEYS));
    if (kind == EARLY_DROWNS) /* 1 + 2^-24.5 is 1 in fp32, 16,384 times over */
        set_score(query, 1, 24.5 * log(2));
}

/* Column 0 of the keys is zero but for the late key, column 1 but for the early
   one, so that a query asks for either. */
static void
fill(op_case *c)
{
    for (int64_t r = 0; r < KEYS; r++) {
        uint16_t *query =
            attention_qkv(c) + (attention_cu(c)[SEGMENT] + r) * 3 * HEAD_DIM;
        uint16_t *key = query + HEAD_DIM;

        make_query(query, (int)(r % KINDS));
        key[0] = r == LATE ? 0x4180 : 0; /* 16 */
        key[1] = r == EARLY ? 0x4180 : 0;
    }
}

static const int32_t chosen[] = {0, KEYS / 2, KEYS - TILE};

/* _i: the tile.  The last one on tensor cores that truncate, so that errors add
   up over 4,096 products. */
START_TEST(as_many_keys_as_there_can_be)
{
    static const int lengths[] = {4, KEYS, 4};
    op_case c =
        attention_make(false, 1, HEAD_DIM, lengths, COUNT(lengths), 2, 1);
    const size_t bytes = op_case_out_bytes(&c);
    uint16_t *out = malloc(bytes);
    device_buffer buffer = device_output(bytes);

    fill(&c);
    choose_tiles(&c, &chosen[_i], 1);
    poison_neighbours(&c);
    device_set_schedule(_i % device_schedules());
    device_set_adversarial(_i == COUNT(chosen) - 1);
    ck_assert_int_eq(op_run(&c, buffer.data), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    device_set_adversarial(false);
    device_set_schedule(0);
    device_download(out, buffer);
    attention_check_tiles(&c, out,
                          11); /* every kind twice, at any place of a warp */
    device_release(buffer);
    free(out);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("attention_long");
    TCase *thousands = tcase_create("thousands");
    TCase *most = tcase_create("most");

    tcase_set_timeout(thousands, 120);
    tcase_set_timeout(most, 240);
    tcase_add_loop_test(thousands, thousands_of_keys, 0, COUNT(shapes));
    tcase_add_loop_test(most, as_many_keys_as_there_can_be, 0, COUNT(chosen));
    suite_add_tcase(suite, thousands);
    suite_add_tcase(suite, most);
    return run_suite(suite);
}
