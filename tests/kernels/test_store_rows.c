/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to image order and any dtype on the GPU, against the permutation. */
#include "base/half.h"
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct store_shape {
    int tokens, columns, merge2;
} store_shape;

static const store_shape shapes[] = {
    {1, 8, 1}, {3, 32, 4}, {2, 1016, 4}, {2, 1280, 4}, {1, 3080, 2}};

enum { RANDOM_SHAPES = 4 };

static store_shape
shape_at(int i)
{
    random_stream random = {(uint64_t)i};

    if (i < (int)COUNT(shapes))
        return shapes[i];
    return (store_shape){(int)random_between(&random, 1, 9),
                         8 * (int)random_between(&random, 1, 400),
                         (int)random_between(&random, 1, 5)};
}

struct store_case {
    device_buffer x, lo, tokens; /* lo: 0 bytes where there is one plane */
    int64_t rows;
    int64_t row_bytes;
    int32_t columns, merge2, dtype;
};

static cudaError_t
run(void *context, void *out)
{
    const struct store_case *c = context;
    oriel_store_rows_args args = {
        .x = c->x.data,
        .tokens = c->tokens.data,
        .out = out,
        .row_bytes = c->row_bytes,
        .rows = c->rows,
        .columns = c->columns,
        .merge2 = c->merge2,
        .dtype = c->dtype,
        .lo = c->lo.bytes ? c->lo.data : NULL,
    };

    return oriel_cuda_store_rows(&args, NULL);
}

/* fp16 by its definition; beyond 65,504 and half a step it is infinite. */
static double
nearest_f16(double x)
{
    int exponent;
    double step;

    if (x == 0 || isinf(x))
        return x;
    frexp(x, &exponent);
    step = ldexp(1, (exponent < -13 ? -13 : exponent) - 11);
    x = nearbyint(x / step) * step;
    return fabs(x) > 65504 ? copysign(INFINITY, x) : x;
}

static double
f16_value(uint16_t half)
{
    double sign = half >> 15 ? -1 : 1;
    int exponent = half >> 10 & 31, fraction = half & 1023;

    if (exponent == 31)
        return sign * (fraction ? NAN : INFINITY);
    return exponent ? sign * ldexp(1024 + fraction, exponent - 25)
                    : sign * ldexp(fraction, -24);
}

static double
stored_value(const void *out, size_t i, int32_t dtype)
{
    if (dtype == ORIEL_CUDA_F32)
        return (double)((const float *)out)[i];
    uint16_t half = ((const uint16_t *)out)[i];
    return dtype == ORIEL_CUDA_BF16 ? bf16_value(half) : f16_value(half);
}

static uint16_t *
make_rows(size_t n, uint64_t seed)
{
    static const uint16_t special[] = {0x0000, 0x8000, 0x7f80, 0xff80, 0x4780,
                                       0xc77f, 0x3380, 0x3300, 0x4480};
    random_stream random = {seed};
    uint16_t *x = random_bf16(&random, n, 4, 0);

    for (size_t i = 0; i < n; i += 7)
        x[i] = special[i / 7 % COUNT(special)];
    return x;
}

static uint16_t *
make_rest(const uint16_t *x, size_t n)
{
    random_stream random = {n};
    uint16_t *lo = malloc(n * sizeof(*lo));

    for (size_t i = 0; i < n; i++)
        lo[i] = random_rest(&random, x[i], 0x1p-9);
    return lo;
}

/* _i / 2 odd: of two planes. */
START_TEST(every_row_finds_its_place)
{
    const store_shape shape = shape_at(_i / 12);
    const int32_t dtype = ORIEL_CUDA_F32 + _i % 3;
    const int tokens = shape.tokens, merge2 = shape.merge2;
    const size_t columns = (size_t)shape.columns;
    const size_t rows = (size_t)(tokens * merge2), n = rows * columns;
    const size_t width = columns * (dtype == ORIEL_CUDA_F32 ? 4 : 2);
    const size_t pitch = (width + 15) / 16 * 16 + (size_t)(_i % 2) * 32;
    const size_t bytes = rows * pitch;
    const bool wide = _i % 4 > 1;
    uint16_t *x = make_rows(n, (uint64_t)_i), *lo = make_rest(x, n);
    int32_t *places = malloc((size_t)tokens * sizeof(*places));
    char *out = malloc(bytes), *initial = malloc(bytes);

    memset(initial, 0x5a, bytes);
    for (int i = 0; i < tokens; i++)
        places[i] = (i + 1) % tokens;
    struct store_case c = {
        device_upload(x, n * 2),
        wide ? device_upload(lo, n * 2) : (device_buffer){NULL, 0},
        device_upload(places, (size_t)tokens * sizeof(*places)),
        (int64_t)rows,
        (int64_t)pitch,
        (int32_t)columns,
        merge2,
        dtype};

    ck_assert_int_eq(oriel_cuda_store_rows_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, bytes, initial);
    for (size_t r = 0; r < rows; r++) {
        size_t to = (size_t)places[r / (size_t)merge2] * (size_t)merge2 +
                    r % (size_t)merge2;

        for (size_t i = 0; i < columns; i++) {
            double exact = bf16_value(x[r * columns + i]);
            double value = stored_value(out + to * pitch, i, dtype);

            if (wide)
                exact += bf16_value(lo[r * columns + i]);
            if (dtype == ORIEL_CUDA_F16)
                exact = nearest_f16(exact);
            if (dtype == ORIEL_CUDA_BF16)
                exact = bf16_value(oriel_f32_to_bf16((float)exact));
            ck_assert_msg(value == exact && !signbit(value) == !signbit(exact),
                          "row %zu column %zu: %g, not %g", r, i, value, exact);
        }
        for (size_t i = width; i < pitch; i++)
            ck_assert_int_eq(out[to * pitch + i], 0x5a);
    }
    free(initial);
    device_release(c.x);
    if (wide)
        device_release(c.lo);
    device_release(c.tokens);
    free(x);
    free(lo);
    free(places);
    free(out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_rows");
    TCase *tcase = tcase_create("store_rows");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_row_finds_its_place, 0,
                        12 * (COUNT(shapes) + RANDOM_SHAPES));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
