/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_attention.c - attention in every instruction set that this processor
 * has, against the oracle
 *
 * Lengths lie around the vectors, the groups and the tiles of keys; a row's
 * bits must not depend on the tile of queries it comes in.
 */
#include "base/half.h"
#include "cpu/kernel_case.h"
#include "oracle/oracle.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct attention_case {
    int32_t head_dim, keys;
    double scale_q;
} attention_case;

static const attention_case attention_cases[] = {
    {80, 1, 1},   {80, 4, 1},    {80, 12, 1},   {80, 16, 1},  {80, 20, 1},
    {80, 48, 1},  {80, 64, 1},   {80, 68, 1},   {80, 127, 1}, {80, 128, 1},
    {80, 129, 1}, {80, 132, 30}, {80, 300, 5},  {16, 64, 1},  {8, 36, 1},
    {24, 40, 1},  {64, 200, 1},  {128, 140, 1}, {96, 130, 1}, {256, 70, 1},
    {80, 520, 1}, {72, 260, 10}, {80, 255, 1},  {80, 256, 1}, {80, 257, 1},
    {80, 600, 2}, {80, 260, 200}};

/* q, k, v side by side in rows of 'stride' elements, as fp32. */
typedef struct qkv {
    int32_t rows, dim;
    size_t stride;
    float *x; /* [rows][stride]: q at 0, k at dim, v at 2 dim */
} qkv;

static qkv
make_qkv(const attention_case *c, int rounded)
{
    qkv a = {c->keys, c->head_dim, (size_t)c->head_dim * 3 + 5, NULL};
    random_stream stream = {77};

    a.x = oracle_alloc((size_t)a.rows * a.stride, sizeof(float));
    for (size_t i = 0; i < (size_t)a.rows * a.stride; i++) {
        size_t column = i % a.stride;
        double scale = column < (size_t)a.dim ? c->scale_q : 1.0;

        a.x[i] = (float)(random_unit(&stream) * scale);
        if (column == (size_t)(2 * a.dim + 3))
            a.x[i] += 300.0f; /* an outlier channel of v */
        if (rounded)
            a.x[i] = oriel_bf16_to_f32(oriel_f32_to_bf16(a.x[i]));
    }
    return a;
}

static double *
attention_truth(const qkv *a)
{
    int64_t *rows = oracle_alloc((size_t)a->rows, sizeof(*rows));
    double *x = widen(a->x, a->rows * (int64_t)a->stride);
    double *out = oracle_alloc((size_t)a->rows * a->stride, sizeof(*out));

    for (int64_t i = 0; i < a->rows; i++)
        rows[i] = i;
    oracle_attention(out, x, x + a->dim, x + 2 * a->dim, (int64_t)a->stride,
                     a->dim, rows, a->rows);
    free(rows);
    free(x);
    return out;
}

/* Stored as the kernel wants it, right up to the end of its memory. */
static buffer
store_qkv(const qkv *a, oriel_cpu_storage storage)
{
    size_t n = (size_t)a->rows * a->stride;
    buffer b = make_buffer(n * oriel_cpu_storage_bytes(storage));

    for (size_t i = 0; i < n; i++) {
        uint16_t half = oriel_f32_to_bf16(a->x[i]);

        if (storage == ORIEL_STORAGE_BF16)
            memcpy(b.memory + 2 * i, &half, 2);
        else
            memcpy(b.memory + 4 * i, &a->x[i], 4);
    }
    return b;
}

static void
run_attention_until(const oriel_cpu_kernels *k, const qkv *a, buffer *b,
                    int32_t first, int32_t queries, oriel_cpu_storage storage,
                    const atomic_bool *stop)
{
    size_t unit = oriel_cpu_storage_bytes(storage);
    buffer scratch = make_buffer(k->attention_scratch(a->dim));
    unsigned char *q = b->memory + (size_t)first * a->stride * unit;
    oriel_cpu_attention args = {
        .q = q,
        .k = b->memory + (size_t)a->dim * unit,
        .v = b->memory + 2 * (size_t)a->dim * unit,
        .out = q,
        .stride = a->stride,
        .head_dim = a->dim,
        .queries = queries,
        .keys = a->rows,
        .rounded = storage == ORIEL_STORAGE_ROUNDED,
        .scale = (float)(1.0 / sqrt(a->dim)),
        .scratch = scratch.memory,
        .stop = stop,
    };

    if (storage == ORIEL_STORAGE_BF16)
        k->attention_bf16(&args);
    else
        k->attention_f32(&args);
    free_buffer(&scratch);
}

static void
run_attention(const oriel_cpu_kernels *k, const qkv *a, buffer *b,
              int32_t first, int32_t queries, oriel_cpu_storage storage)
{
    run_attention_until(k, a, b, first, queries, storage, NULL);
}

/* In tiles of queries, in place, as the backend does it. */
static void
attend_all(const oriel_cpu_kernels *k, const qkv *a, buffer *b,
           oriel_cpu_storage storage, int32_t tile)
{
    for (int32_t r = 0; r < a->rows; r += tile)
        run_attention(k, a, b, r, a->rows - r < tile ? a->rows - r : tile,
                      storage);
}

START_TEST(attention_follows_the_oracle)
{
    const attention_case *c = &attention_cases[_i];

    for (size_t s = 0; s < COUNT(storages); s++) {
        oriel_cpu_storage storage = storages[s];
        qkv a = make_qkv(c, storage != ORIEL_STORAGE_F32);
        double *truth = attention_truth(&a);
        /* P's rounding moves the mean of v by half a unit of each weight; the
           scores' own rounding grows with them. */
        double relative = storage == ORIEL_STORAGE_F32 ? 0.0 : 0x1p-8;
        double absolute = (storage == ORIEL_STORAGE_F32 ? 2e-6 : 0x1p-8) *
                          (c->scale_q > 1.0 ? c->scale_q : 1.0);

        FOR_KERNELS(k)
        {
            buffer b;

            if (storage == ORIEL_STORAGE_BF16 && !k->attention_bf16)
                continue;
            b = store_qkv(&a, storage);
            attend_all(k, &a, &b, storage, ORIEL_QUERY_TILE);
            for (int64_t r = 0; r < a.rows; r++)
                for (int32_t d = 0; d < a.dim; d++) {
                    int64_t i = r * (int64_t)a.stride + d;

                    check_value(value_at(&b, i, storage), truth[i],
                                relative + 2e-6, absolute, storage,
                                "attention");
                }
            free_buffer(&b);
        }
        free(truth);
        free(a.x);
    }
}
END_TEST

START_TEST(attention_bits_do_not_depend_on_the_tile)
{
    const attention_case c = {80, 260, 3};

    for (size_t s = 0; s < COUNT(storages); s++) {
        qkv a = make_qkv(&c, 1);

        FOR_KERNELS(k)
        {
            buffer one, two;

            if (storages[s] == ORIEL_STORAGE_BF16 && !k->attention_bf16)
                continue;
            one = store_qkv(&a, storages[s]);
            two = store_qkv(&a, storages[s]);
            attend_all(k, &a, &one, storages[s], 128);
            attend_all(k, &a, &two, storages[s], 36);
            ck_assert_int_eq(memcmp(one.memory, two.memory, one.bytes), 0);
            free_buffer(&one);
            free_buffer(&two);
        }
        free(a.x);
    }
}
END_TEST

/* A flag that is set ends it before any row is stored; one that is not changes
   no bit. */
START_TEST(attention_stops_when_it_is_told)
{
    const attention_case c = {80, 600, 3};
    const atomic_bool yes = true, no = false;

    for (size_t s = 0; s < COUNT(storages); s++) {
        qkv a = make_qkv(&c, 1);

        FOR_KERNELS(k)
        {
            buffer plain, stopped, given;

            if (storages[s] == ORIEL_STORAGE_BF16 && !k->attention_bf16)
                continue;
            given = store_qkv(&a, storages[s]);
            stopped = store_qkv(&a, storages[s]);
            plain = store_qkv(&a, storages[s]);
            run_attention_until(k, &a, &stopped, 0, 100, storages[s], &yes);
            ck_assert_int_eq(memcmp(stopped.memory, given.memory, given.bytes),
                             0);
            run_attention_until(k, &a, &stopped, 0, 100, storages[s], &no);
            run_attention(k, &a, &plain, 0, 100, storages[s]);
            ck_assert_int_eq(memcmp(stopped.memory, plain.memory, given.bytes),
                             0);
            free_buffer(&given);
            free_buffer(&stopped);
            free_buffer(&plain);
        }
        free(a.x);
    }
}
END_TEST

/* Scores of thousands, where a naive exponential overflows: the largest key
   takes all, and its value comes out. */
START_TEST(attention_survives_extreme_scores)
{
    const attention_case c = {16, 140, 1};

    for (size_t s = 0; s < COUNT(storages); s++) {
        qkv a = make_qkv(&c, 1);

        for (int32_t r = 0; r < a.rows; r++)
            for (int32_t d = 0; d < a.dim; d++) {
                float *row = a.x + (size_t)r * a.stride;

                row[d] = 256.0f;                            /* q */
                row[a.dim + d] = r == 131 ? 256.0f : -8.0f; /* k */
            }
        FOR_KERNELS(k)
        {
            buffer b;

            if (storages[s] == ORIEL_STORAGE_BF16 && !k->attention_bf16)
                continue;
            b = store_qkv(&a, storages[s]);
            attend_all(k, &a, &b, storages[s], 128);
            for (int32_t r = 0; r < a.rows; r++)
                for (int32_t d = 0; d < a.dim; d++)
                    ck_assert_float_eq(
                        value_at(&b, r * (int64_t)a.stride + d, storages[s]),
                        a.x[131 * a.stride + (size_t)(2 * a.dim + d)]);
            free_buffer(&b);
        }
        free(a.x);
    }
}
END_TEST

START_TEST(attention_keeps_a_nan)
{
    const attention_case c = {16, 24, 1};

    for (size_t s = 0; s < COUNT(storages); s++) {
        qkv a = make_qkv(&c, 1);

        a.x[7 * a.stride + (size_t)a.dim + 2] = NAN; /* a key */
        FOR_KERNELS(k)
        {
            buffer b;

            if (storages[s] == ORIEL_STORAGE_BF16 && !k->attention_bf16)
                continue;
            b = store_qkv(&a, storages[s]);
            attend_all(k, &a, &b, storages[s], 128);
            for (int32_t r = 0; r < a.rows; r++)
                ck_assert(
                    isnan(value_at(&b, r * (int64_t)a.stride, storages[s])));
            free_buffer(&b);
        }
        free(a.x);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_attention");
    TCase *tc = tcase_create("attention");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, attention_follows_the_oracle, 0,
                        (int)COUNT(attention_cases));
    tcase_add_test(tc, attention_bits_do_not_depend_on_the_tile);
    tcase_add_test(tc, attention_stops_when_it_is_told);
    tcase_add_test(tc, attention_survives_extreme_scores);
    tcase_add_test(tc, attention_keeps_a_nan);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
