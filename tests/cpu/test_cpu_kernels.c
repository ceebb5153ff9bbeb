/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_kernels.c - every vectorised kernel, in every instruction set that
 * this processor has, against the oracle
 *
 * Widths are chosen around the vectors' (4, 8, 16 lanes), outputs have guards
 * behind them, and a row's bits must not depend on the rows beside it.
 */
#include "base/bfloat16.h"
#include "cpu/kernels.h"
#include "oracle/oracle.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_ISA = 4, GUARD = 64 };

/* NULL where the processor lacks it. */
static const oriel_kernels *
kernels_of(int i)
{
    return (oriel_isa)i <= oriel_processor_isa()
               ? oriel_kernels_get((oriel_isa)i)
               : NULL;
}

#define FOR_KERNELS(k) \
    for (int isa_ = 0; isa_ < N_ISA; isa_++) \
        for (const oriel_kernels *k = kernels_of(isa_); k; k = NULL)

static const oriel_storage storages[] = {
    ORIEL_STORAGE_F32, ORIEL_STORAGE_ROUNDED, ORIEL_STORAGE_BF16};

/* ---- Buffers with guards ------------------------------------------------ */

typedef struct buffer {
    unsigned char *memory;
    size_t bytes;
} buffer;

static buffer
make_buffer(size_t bytes)
{
    buffer b = {NULL, bytes};
    int failed = posix_memalign((void **)&b.memory, 64, bytes + GUARD);

    ck_assert_int_eq(failed, 0);
    memset(b.memory, 0xa5, bytes + GUARD);
    return b;
}

static void
free_buffer(buffer *b)
{
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_int_eq(b->memory[b->bytes + i], 0xa5);
    free(b->memory);
}

static float
value_at(const buffer *b, int64_t i, oriel_storage storage)
{
    uint16_t half;
    float value;

    if (storage == ORIEL_STORAGE_BF16) {
        memcpy(&half, b->memory + 2 * i, 2);
        return oriel_bf16_to_f32(half);
    }
    memcpy(&value, b->memory + 4 * i, 4);
    return value;
}

/*
 * 'got' is the stored form of something within 'relative' and 'absolute' of
 * the truth: equal to it in fp32, within half a bf16 unit more when rounded.
 */
static void
check_value(float got, double truth, double relative, double absolute,
            oriel_storage storage, const char *what)
{
    double bound = fabs(truth) * relative + absolute;

    if (storage != ORIEL_STORAGE_F32) {
        bound += fabs(truth) * 0x1.01p-8;
        ck_assert_msg(isnan(got) ||
                          got == oriel_bf16_to_f32(oriel_f32_to_bf16(got)),
                      "%s: %g is no bf16", what, (double)got);
    }
    ck_assert_msg(fabs((double)got - truth) <= bound,
                  "%s: %.9g, expected %.9g within %g", what, (double)got, truth,
                  bound);
}

static void
fill(float *x, int64_t n, double scale, uint64_t seed)
{
    random_stream stream = {seed};

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(random_unit(&stream) * scale);
}

static double *
widen(const float *x, int64_t n)
{
    double *d = oracle_alloc((size_t)n, sizeof(*d));

    for (int64_t i = 0; i < n; i++)
        d[i] = (double)x[i];
    return d;
}

/* ---- Norm ---------------------------------------------------------------- */

static const int64_t widths[] = {8, 16, 24, 32, 40, 72, 160, 1280};

START_TEST(rms_norm_follows_the_oracle)
{
    enum { ROWS = 3 };
    int64_t width = widths[_i];
    float *x = oracle_alloc((size_t)(ROWS * width), sizeof(*x));
    float *weight = oracle_alloc((size_t)width, sizeof(*weight));
    double *truth = oracle_alloc((size_t)(ROWS * width), sizeof(*truth));
    double *dx, *dw;

    fill(x, ROWS * width, 3.0, 1);
    fill(weight, width, 2.0, 2);
    x[width + 5] = 3000.0f; /* an outlier channel */
    for (int64_t i = 2 * width; i < 3 * width; i++)
        x[i] *= 1e-4f; /* where eps is felt */
    dx = widen(x, ROWS * width);
    dw = widen(weight, width);
    oracle_rms_norm(truth, dx, dw, ROWS, width, 1e-6);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer((size_t)(ROWS * width) *
                               oriel_storage_bytes(storages[s]));

        k->rms_norm(y.memory, x, weight, ROWS, width, 1e-6f, storages[s]);
        for (int64_t i = 0; i < ROWS * width; i++)
            check_value(value_at(&y, i, storages[s]), truth[i], 1e-6, 1e-30,
                        storages[s], "rms_norm");
        free_buffer(&y);
    }
    free(x);
    free(weight);
    free(truth);
    free(dx);
    free(dw);
}
END_TEST

START_TEST(rms_norm_of_nothing_is_nothing)
{
    float x[16] = {0}, weight[16], y[16];

    fill(weight, 16, 1.0, 3);
    FOR_KERNELS(k)
    {
        k->rms_norm(y, x, weight, 1, 16, 1e-6f, ORIEL_STORAGE_F32);
        for (int i = 0; i < 16; i++)
            ck_assert_float_eq(y[i], 0.0f);
    }
}
END_TEST

/* ---- Element by element -------------------------------------------------- */

START_TEST(swiglu_follows_the_oracle_everywhere)
{
    enum { N = 4001 };
    static float gate[N], up[N];
    static double truth[N];
    double *dg, *du;

    for (int i = 0; i < N; i++) /* -200 .. 200, dense around 0 */
        gate[i] = (float)(200.0 * pow((i - 2000) / 2000.0, 3.0));
    fill(up, N, 40.0, 4);
    dg = widen(gate, N);
    du = widen(up, N);
    oracle_swiglu(truth, dg, du, N);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer(N * oriel_storage_bytes(storages[s]));

        k->swiglu(y.memory, gate, up, N, storages[s]);
        for (int i = 0; i < N; i++)
            check_value(value_at(&y, i, storages[s]), truth[i],
                        6e-7 + 6e-8 * fabs(dg[i]),
                        2e-38 * fabs(dg[i] * du[i]) + 1e-37, storages[s],
                        "swiglu");
        free_buffer(&y);
    }
    free(dg);
    free(du);
}
END_TEST

START_TEST(gelu_follows_the_oracle_everywhere)
{
    enum { N = 4001 };
    static float x[N];
    static double truth[N];
    double *dx;

    for (int i = 0; i < N; i++)
        x[i] = (float)(30.0 * pow((i - 2000) / 2000.0, 3.0));
    dx = widen(x, N);
    oracle_gelu(truth, dx, N);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer(N * oriel_storage_bytes(storages[s]));

        k->gelu(y.memory, x, N, storages[s]);
        for (int i = 0; i < N; i++) {
            double bound = 6e-7 * (x[i] > 0 ? 1.0 : 1.0 + dx[i] * dx[i]);

            check_value(value_at(&y, i, storages[s]), truth[i], bound, 1e-36,
                        storages[s], "gelu");
        }
        free_buffer(&y);
    }
    free(dx);
}
END_TEST

START_TEST(storing_rounds_to_nearest_even)
{
    static const uint32_t bits[] = {
        0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x80000000,
        0x00000001, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000,
        0xffffffff, 0x00008000, 0x33333333, 0xc2f6e979, 0x477fe000};
    enum { N = COUNT(bits) };
    float x[N];

    memcpy(x, bits, sizeof(bits));
    FOR_KERNELS(k)
    {
        buffer y = make_buffer(N * 2), z = make_buffer(N * 4);

        k->store(y.memory, x, N, ORIEL_STORAGE_BF16);
        k->store(z.memory, x, N, ORIEL_STORAGE_ROUNDED);
        for (size_t i = 0; i < N; i++) {
            uint16_t want = oriel_f32_to_bf16(x[i]), got;
            uint32_t wide;

            memcpy(&got, y.memory + 2 * i, 2);
            memcpy(&wide, z.memory + 4 * i, 4);
            ck_assert_int_eq(got, want);
            ck_assert_uint_eq(wide, (uint32_t)want << 16);
        }
        free_buffer(&y);
        free_buffer(&z);
    }
}
END_TEST

START_TEST(rope_follows_the_oracle)
{
    static const int32_t dims[] = {8, 16, 24, 32, 40, 64, 72, 80, 96, 128, 256};
    enum { HEADS = 3 };
    int32_t dim = dims[_i], half = dim / 2, quarter = dim / 4;
    float x[HEADS * 256], cosine[128], sine[128];
    double *truth;

    fill(x, HEADS * dim, 4.0, 5);
    for (int32_t d = 0; d < half; d++) {
        int32_t position = d < quarter ? 37 : 1301;
        float frequency =
            (float)pow(10000.0, -4.0 * (d % quarter) / (double)dim);
        double angle = (double)((float)position * frequency);

        cosine[d] = (float)cos(angle);
        sine[d] = (float)sin(angle);
    }
    truth = widen(x, HEADS * dim);
    oracle_rope(truth, HEADS, dim, 10000.0, 37, 1301, 0);
    FOR_KERNELS(k)
    for (size_t s = 0; s < COUNT(storages); s++) {
        buffer y = make_buffer((size_t)(HEADS * dim) *
                               oriel_storage_bytes(storages[s]));

        k->rope(y.memory, x, HEADS, dim, cosine, sine, storages[s]);
        for (int32_t i = 0; i < HEADS * dim; i++)
            check_value(value_at(&y, i, storages[s]), truth[i], 2e-7, 1e-6,
                        storages[s], "rope");
        free_buffer(&y);
    }
    free(truth);
}
END_TEST

/* ---- Attention ----------------------------------------------------------- */

typedef struct attention_case {
    int32_t head_dim, keys;
    double scale_q;
} attention_case;

static const attention_case attention_cases[] = {
    {80, 1, 1},   {80, 4, 1},    {80, 12, 1},   {80, 16, 1},  {80, 20, 1},
    {80, 48, 1},  {80, 64, 1},   {80, 68, 1},   {80, 127, 1}, {80, 128, 1},
    {80, 129, 1}, {80, 132, 30}, {80, 300, 5},  {16, 64, 1},  {8, 36, 1},
    {24, 40, 1},  {64, 200, 1},  {128, 140, 1}, {96, 130, 1}, {256, 70, 1},
    {80, 520, 1}, {72, 260, 10}, {80, 260, 200}};

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
store_qkv(const qkv *a, oriel_storage storage)
{
    size_t n = (size_t)a->rows * a->stride;
    buffer b = make_buffer(n * oriel_storage_bytes(storage));

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
run_attention(const oriel_kernels *k, const qkv *a, buffer *b, int32_t first,
              int32_t queries, oriel_storage storage)
{
    size_t unit = oriel_storage_bytes(storage);
    buffer scratch = make_buffer(k->attention_scratch(a->dim));
    unsigned char *q = b->memory + (size_t)first * a->stride * unit;
    oriel_attention args = {
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
    };

    if (storage == ORIEL_STORAGE_BF16)
        k->attention_bf16(&args);
    else
        k->attention_f32(&args);
    free_buffer(&scratch);
}

/* In tiles of queries, in place, as the backend does it. */
static void
attend_all(const oriel_kernels *k, const qkv *a, buffer *b,
           oriel_storage storage, int32_t tile)
{
    for (int32_t r = 0; r < a->rows; r += tile)
        run_attention(k, a, b, r, a->rows - r < tile ? a->rows - r : tile,
                      storage);
}

START_TEST(attention_follows_the_oracle)
{
    const attention_case *c = &attention_cases[_i];

    for (size_t s = 0; s < COUNT(storages); s++) {
        oriel_storage storage = storages[s];
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
    Suite *suite = suite_create("cpu_kernels");
    TCase *tc = tcase_create("kernels");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rms_norm_follows_the_oracle, 0, (int)COUNT(widths));
    tcase_add_test(tc, rms_norm_of_nothing_is_nothing);
    tcase_add_test(tc, swiglu_follows_the_oracle_everywhere);
    tcase_add_test(tc, gelu_follows_the_oracle_everywhere);
    tcase_add_test(tc, storing_rounds_to_nearest_even);
    tcase_add_loop_test(tc, rope_follows_the_oracle, 0, 11);
    tcase_add_loop_test(tc, attention_follows_the_oracle, 0,
                        (int)COUNT(attention_cases));
    tcase_add_test(tc, attention_bits_do_not_depend_on_the_tile);
    tcase_add_test(tc, attention_survives_extreme_scores);
    tcase_add_test(tc, attention_keeps_a_nan);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
