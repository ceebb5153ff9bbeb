/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_gemm.c - oneDNN's products as we use them
 *
 * Against the oracle on ragged widths; and the promise under everything: a
 * row's bits are the same in tiles of every height, at every place in them,
 * whatever its neighbours are.  Each case runs in a process of its own, so that
 * oneDNN can be held to a lesser instruction set.
 */
#include "cpu/gemm.h"

#include "base/half.h"
#include "base/team.h"
#include "oracle/oracle.h"
#include "support/random.h"
#include "support/suite.h"

#include <dnnl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- One matrix on one thread ------------------------------------------- */

typedef struct bench {
    oriel_cpu_gemm_shape shape;
    oriel_cpu_storage storage;
    oriel_team *team;
    oriel_cpu_onednn_engine *engine;
    oriel_cpu_onednn_packing *packing;
    oriel_cpu_gemm *gemm;
    oriel_cpu_onednn_matrix matrix;
    float *weights, *bias; /* [n, k] as the oracle sees them; [n] */
    void *packed, *scratch;
    oriel_error err;
    oriel_status status;
    /* of one run */
    const void *src;
    float *dst;
    int32_t rows;
} bench;

static void *
aligned(size_t bytes)
{
    void *p = NULL;

    ck_assert_int_eq(posix_memalign(&p, 64, bytes + 64), 0);
    memset(p, 0, bytes + 64);
    return p;
}

static float
rounded(double x, oriel_cpu_storage storage)
{
    return storage == ORIEL_STORAGE_F32
               ? (float)x
               : oriel_bf16_to_f32(oriel_f32_to_bf16((float)x));
}

static void
store_operand(void *to, const float *from, size_t n, oriel_cpu_storage storage)
{
    for (size_t i = 0; i < n; i++) {
        if (storage == ORIEL_STORAGE_BF16)
            ((uint16_t *)to)[i] = oriel_f32_to_bf16(from[i]);
        else
            ((float *)to)[i] = from[i];
    }
}

static void
init_task(void *context, int64_t task, int32_t thread)
{
    bench *b = context;

    (void)task, (void)thread;
    b->status = oriel_cpu_onednn_packing_create(
        &b->packing, b->engine, &b->shape, b->storage, ORIEL_ROW_TILE, &b->err);
}

static void
pack_task(void *context, int64_t task, int32_t thread)
{
    bench *b = context;
    size_t n = (size_t)b->shape.n * (size_t)b->shape.k;
    void *rows = aligned(n * 4);

    (void)task, (void)thread;
    store_operand(rows, b->weights, n, b->storage);
    b->packed = aligned(oriel_cpu_onednn_packing_bytes(b->packing));
    b->status = oriel_cpu_onednn_matrix_init(&b->matrix, b->packing, b->packed,
                                             b->bias, &b->err);
    if (!b->status)
        b->status =
            oriel_cpu_onednn_matrix_pack(&b->matrix, b->packing, rows, &b->err);
    if (!b->status)
        b->status = oriel_cpu_gemm_compile(b->gemm, &b->err);
    free(rows);
}

static void
run_task(void *context, int64_t task, int32_t thread)
{
    bench *b = context;

    (void)task;
    b->status = oriel_cpu_gemm_run(b->gemm, thread, b->src, &b->matrix, b->dst,
                                   b->rows, b->scratch);
}

static void
on_team(bench *b, oriel_team_task *task)
{
    oriel_team_run(b->team, task, b, 1);
    ck_assert_msg(b->status == ORIEL_OK, "%s", b->err.message);
}

/* In place: 'gemm' keeps the address of 'packing'. */
static void
make_bench(bench *b, oriel_cpu_gemm_shape shape, oriel_cpu_storage storage)
{
    random_stream stream = {9};

    memset(b, 0, sizeof(*b));
    b->shape = shape;
    b->storage = storage;
    ck_assert_int_eq(oriel_cpu_onednn_load(&b->err), ORIEL_OK);
    ck_assert_int_eq(oriel_team_create(&b->team, 1,
                                       oriel_cpu_onednn_thread_start, NULL,
                                       &b->err),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_cpu_onednn_engine_create(&b->engine, &b->err),
                     ORIEL_OK);
    b->weights = aligned((size_t)shape.n * (size_t)shape.k * sizeof(float));
    b->bias = aligned((size_t)shape.n * sizeof(float));
    for (int64_t i = 0; i < (int64_t)shape.n * shape.k; i++)
        b->weights[i] = rounded(random_unit(&stream), storage);
    for (int32_t i = 0; i < shape.n; i++)
        b->bias[i] = (float)random_unit(&stream);
    on_team(b, init_task);
    ck_assert_int_eq(oriel_cpu_gemm_create(&b->gemm, b->engine, b->packing, 1,
                                           NULL, &b->err),
                     ORIEL_OK);
    on_team(b, pack_task);
    b->scratch = aligned(oriel_cpu_gemm_scratch_bytes(b->gemm));
}

static void
free_bench(bench *b)
{
    oriel_cpu_gemm_destroy(b->gemm);
    oriel_cpu_onednn_matrix_clear(&b->matrix);
    oriel_cpu_onednn_packing_destroy(b->packing);
    oriel_cpu_onednn_engine_destroy(b->engine);
    oriel_team_destroy(b->team);
    free(b->weights);
    free(b->bias);
    free(b->packed);
    free(b->scratch);
}

static void
multiply(bench *b, const void *src, float *dst, int32_t rows)
{
    b->src = src;
    b->dst = dst;
    b->rows = rows;
    on_team(b, run_task);
}

/* ---- Cases --------------------------------------------------------------- */

/* What oneDNN may use; "all" first. */
static const dnnl_cpu_isa_t limits[] = {dnnl_cpu_isa_all,
                                        dnnl_cpu_isa_avx512_core,
                                        dnnl_cpu_isa_avx2, dnnl_cpu_isa_sse41};

static const oriel_cpu_gemm_shape shapes[] = {
    {1280, 1280, 1, 1}, /* proj: adds to what is there */
    {640, 1280, 1, 0},  /* a panel of qkv */
    {768, 1280, 1, 0},  /* of gate and up */
    {1280, 3456, 1, 1}, /* down */
    {1280, 1184, 0, 0}, /* patch embedding */
    {512, 5120, 1, 0},  /* a panel of the merger */
    {32, 96, 0, 0},     {48, 32, 1, 0}, {24, 128, 1, 0},
    {40, 160, 1, 1},    {16, 32, 0, 0}, /* with AMX a tile of 16 rows takes other code */
};

/* Fewer of the large ones where the reference is slow. */
enum { SMALL_FROM = 6, ISA_CASES = 2 * 4 };

static oriel_cpu_storage
begin_case(int limit)
{
    ck_assert_int_eq(dnnl_set_max_cpu_isa(limits[limit % 4]), dnnl_success);
    if (limit >= 4) /* the second half: bf16, as this processor keeps it */
        return limit % 4 == 0 && oriel_processor_isa() >= ORIEL_ISA_AVX512_BF16
                   ? ORIEL_STORAGE_BF16
                   : ORIEL_STORAGE_ROUNDED;
    return ORIEL_STORAGE_F32;
}

START_TEST(products_follow_the_oracle)
{
    oriel_cpu_storage storage = begin_case(_i);

    for (size_t i = SMALL_FROM; i < COUNT(shapes); i++) {
        enum { ROWS = 48 };
        oriel_cpu_gemm_shape shape = shapes[i];
        bench b;
        size_t n_src = ROWS * (size_t)shape.k, n_dst = ROWS * (size_t)shape.n;
        float *x = aligned(n_src * 4), *dst = aligned(n_dst * 4);
        void *src = aligned(n_src * 4);
        random_stream stream = {3};

        make_bench(&b, shape, storage);
        for (size_t j = 0; j < n_src; j++)
            x[j] = rounded(random_unit(&stream), storage);
        for (size_t j = 0; j < n_dst; j++)
            dst[j] = shape.accumulate ? (float)j : NAN;
        store_operand(src, x, n_src, storage);
        multiply(&b, src, dst, ROWS);
        for (int32_t r = 0; r < ROWS; r++)
            for (int32_t o = 0; o < shape.n; o++) {
                int64_t at = (int64_t)r * shape.n + o;
                double sum = shape.accumulate ? (double)at : 0.0;

                sum += shape.has_bias ? (double)b.bias[o] : 0.0;
                for (int32_t j = 0; j < shape.k; j++)
                    sum += (double)x[(int64_t)r * shape.k + j] *
                           (double)b.weights[(int64_t)o * shape.k + j];
                ck_assert_double_eq_tol((double)dst[at], sum,
                                        2e-5 + fabs(sum) * 1e-6);
            }
        free(x);
        free(src);
        free(dst);
        free_bench(&b);
    }
}
END_TEST

/* One tile: rows 'first' and on of 'all', 'kept' of them, then 'others'. */
static void
multiply_tile(bench *b, const float *others, const char *all, int32_t first,
              int32_t rows, int32_t kept, char *tile, float *got)
{
    size_t k = (size_t)b->shape.k, unit = oriel_cpu_storage_bytes(b->storage);

    store_operand(tile, others, (size_t)rows * k, b->storage);
    memcpy(tile, all + (size_t)first * k * unit, (size_t)kept * k * unit);
    memset(got, 0, ORIEL_ROW_TILE * (size_t)b->shape.n * 4);
    multiply(b, tile, got, rows);
}

/*
 * 128 rows at once are the yardstick; then every height, from every multiple of
 * the step.  oneDNN may cut a product of few rows otherwise (16 rows with AMX, in
 * 2.6): heights.c measures that with ordinary rows and does without such a
 * height.  So one that keeps the bits among ordinary rows must keep them among
 * neighbours that are NaN, infinite or huge, and the full one always must.
 */
static void
check_heights(bench *b)
{
    static const float strange[] = {NAN, INFINITY, -3e38f, 1e-40f};
    size_t k = (size_t)b->shape.k, n = (size_t)b->shape.n;
    size_t unit = oriel_cpu_storage_bytes(b->storage);
    float *x = aligned(ORIEL_ROW_TILE * k * 4);
    char *all = aligned(ORIEL_ROW_TILE * k * unit);
    char *some = aligned(ORIEL_ROW_TILE * k * unit);
    float *want = aligned(ORIEL_ROW_TILE * n * 4);
    float *got = aligned(ORIEL_ROW_TILE * n * 4);
    random_stream stream = {4};

    for (size_t i = 0; i < ORIEL_ROW_TILE * k; i++)
        x[i] = rounded(random_unit(&stream), b->storage);
    store_operand(all, x, ORIEL_ROW_TILE * k, b->storage);
    multiply(b, all, want, ORIEL_ROW_TILE);
    for (int32_t rows = ORIEL_ROW_STEP; rows <= ORIEL_ROW_TILE;
         rows += ORIEL_ROW_STEP) {
        if (!oriel_cpu_gemm_has(b->gemm, rows))
            continue;
        int32_t first =
            (int32_t)random_between(&stream, 0, ORIEL_ROW_TILE - rows);
        int32_t kept = rows - (int32_t)random_between(&stream, 0, 12);
        const float *expected = want + (size_t)first * n;
        size_t bytes = (size_t)kept * n * 4;

        for (size_t i = 0; i < (size_t)rows * k; i++)
            x[i] = (float)random_unit(&stream);
        multiply_tile(b, x, all, first, rows, kept, some, got);
        if (memcmp(got, expected, bytes) != 0 && rows < ORIEL_ROW_TILE)
            continue;
        for (size_t i = 0; i < (size_t)rows * k; i++)
            x[i] = strange[random_u64(&stream) % COUNT(strange)];
        multiply_tile(b, x, all, first, rows, kept, some, got);
        ck_assert_msg(memcmp(got, expected, bytes) == 0,
                      "%s: rows %d.. differ in a tile of %d",
                      oriel_cpu_onednn_packing_code(b->packing), first, rows);
    }
    free(x);
    free(all);
    free(some);
    free(want);
    free(got);
}

START_TEST(bits_do_not_depend_on_the_tile)
{
    int limit = _i / (int)COUNT(shapes);
    oriel_cpu_storage storage = begin_case(limit);
    bench b;

    make_bench(&b, shapes[_i % (int)COUNT(shapes)], storage);
    check_heights(&b);
    free_bench(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_gemm");
    TCase *tc = tcase_create("gemm");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, products_follow_the_oracle, 0, ISA_CASES);
    tcase_add_loop_test(tc, bits_do_not_depend_on_the_tile, 0,
                        ISA_CASES * (int)COUNT(shapes));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
