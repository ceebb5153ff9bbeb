/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels to hidden states: against double precision, and both entries alike. */
#include "base/half.h"
#include "kernels/linear_case.h"
#include "oracle/oracle.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* patch_size, slices, hidden, tokens of 4 patches */
static const int shapes[][4] = {{4, 2, 32, 3},
                                {14, 2, 48, 5},
                                {14, 1, 16, 2},
                                {5, 2, 16, 34},
                                {32, 1, 24, 2}};
enum { MERGE2 = 4, RANDOM_SHAPES = 3 };

struct embed_case {
    int32_t patch, slices, hidden, line, depth;
    int64_t rows;
    uint8_t *levels; /* [rows in image order, slices, patch, patch, 3] */
    uint8_t *is_still;
    int32_t *tokens;
    uint16_t *table;     /* [3, 256] */
    uint16_t *weight;    /* official: [hidden, 3, slices, patch, patch] */
    float *pixel_values; /* [rows, 3, slices, patch, patch], image order */
    device_buffer d_weight, d_pixels, d_still, d_table, d_values, d_tokens;
    int32_t dtype; /* 0: from pixels */
};

/* Where an official column goes in the kernel's order. */
static int32_t
packed_column(const struct embed_case *c, int channel, int slice, int y, int x)
{
    return (y * c->slices + slice) * c->line + 3 * x + channel;
}

#define EACH_COLUMN(c) \
    for (int ch = 0, column = 0; ch < 3; ch++) \
        for (int s = 0; s < (c)->slices; s++) \
            for (int y = 0; y < (c)->patch; y++) \
                for (int x = 0; x < (c)->patch; x++, column++)

static uint8_t
level_of(const struct embed_case *c, int64_t row, int s, int y, int x, int ch)
{
    return c
        ->levels[(((row * c->slices + s) * c->patch + y) * c->patch + x) * 3 +
                 ch];
}

static void
make_pixels(struct embed_case *c, random_stream *random)
{
    size_t patch_bytes = (size_t)(c->patch * c->patch * 3);

    c->levels = malloc((size_t)c->rows * (size_t)c->slices * patch_bytes);
    c->is_still = malloc((size_t)c->rows);
    for (size_t i = 0; i < (size_t)c->rows * (size_t)c->slices * patch_bytes;
         i++)
        c->levels[i] = (uint8_t)random_u64(random);
    for (int64_t r = 0; r < c->rows; r++) {
        c->is_still[r] = r / MERGE2 % 3 != 1;
        for (int s = 1; c->is_still[r] && s < c->slices; s++)
            memcpy(c->levels + (size_t)(r * c->slices + s) * patch_bytes,
                   c->levels + (size_t)(r * c->slices) * patch_bytes,
                   patch_bytes);
    }
    c->table = random_bf16(random, 3 * 256, 2, 0);
    c->pixel_values =
        malloc((size_t)c->rows * (size_t)c->slices * patch_bytes * 4);
    for (int64_t r = 0; r < c->rows; r++) {
        float *row =
            c->pixel_values + (size_t)r * (size_t)c->slices * patch_bytes;
        EACH_COLUMN(c)
        row[column] =
            oriel_bf16_to_f32(c->table[ch * 256 + level_of(c, r, s, y, x, ch)]);
    }
}

/* As the kernels want them: patches in window order, lines padded with zeros,
   and of a still only the first slice (the second holds another picture). */
static device_buffer
upload_pixels(const struct embed_case *c, const uint8_t *still)
{
    size_t row_bytes = (size_t)(c->slices * c->patch * c->line);
    uint8_t *packed = calloc((size_t)c->rows, row_bytes);
    device_buffer buffer;

    for (int64_t r = 0; r < c->rows; r++) {
        int64_t from = c->tokens[r / MERGE2] * (int64_t)MERGE2 + r % MERGE2;

        EACH_COLUMN(c)
        {
            uint8_t level = level_of(c, from, s, y, x, ch);

            packed[(size_t)r * row_bytes +
                   (size_t)((s * c->patch + y) * c->line + 3 * x + ch)] =
                s && still[r] ? (uint8_t)~level : level;
            (void)column;
        }
    }
    buffer = device_upload(packed, (size_t)c->rows * row_bytes);
    free(packed);
    return buffer;
}

static void
upload(struct embed_case *c)
{
    size_t columns = (size_t)(3 * c->slices * c->patch * c->patch);
    uint16_t *packed =
        calloc((size_t)c->hidden * (size_t)c->depth, sizeof(uint16_t));
    uint8_t *still = malloc((size_t)c->rows);

    for (int h = 0; h < c->hidden; h++)
        EACH_COLUMN(c)
    packed[h * c->depth + packed_column(c, ch, s, y, x)] =
        c->weight[(size_t)h * columns + (size_t)column];
    for (int64_t r = 0; r < c->rows; r++)
        still[r] = c->is_still[c->tokens[r / MERGE2] * MERGE2 + r % MERGE2];
    c->d_weight =
        device_upload(packed, (size_t)c->hidden * (size_t)c->depth * 2);
    c->d_pixels = upload_pixels(c, still);
    c->d_still = device_upload(still, (size_t)c->rows);
    c->d_table = device_upload(c->table, 3 * 256 * 2);
    c->d_tokens =
        device_upload(c->tokens, (size_t)(c->rows / MERGE2) * sizeof(int32_t));
    free(packed);
    free(still);
}

static struct embed_case
make_case(const int *shape)
{
    random_stream random = {(uint64_t)shape[0]};
    struct embed_case c = {.patch = shape[0],
                           .slices = shape[1],
                           .hidden = shape[2],
                           .rows = shape[3] * MERGE2};
    size_t columns = (size_t)(3 * c.slices * c.patch * c.patch);

    c.line = oriel_cuda_patch_line(c.patch);
    c.depth = oriel_cuda_patch_depth(c.patch, c.slices);
    c.tokens = malloc((size_t)shape[3] * sizeof(int32_t));
    for (int t = 0; t < shape[3]; t++) {
        int64_t other = random_between(&random, 0, t);

        c.tokens[t] = c.tokens[other];
        c.tokens[other] = t;
    }
    make_pixels(&c, &random);
    c.weight = random_bf16(&random, (size_t)c.hidden * columns, 0.1, 0);
    upload(&c);
    return c;
}

static void
free_case(struct embed_case *c)
{
    device_release(c->d_weight);
    device_release(c->d_pixels);
    device_release(c->d_still);
    device_release(c->d_table);
    device_release(c->d_tokens);
    free(c->levels);
    free(c->is_still);
    free(c->tokens);
    free(c->table);
    free(c->weight);
    free(c->pixel_values);
}

static cudaError_t
run(void *context, void *out)
{
    const struct embed_case *c = context;
    oriel_patch_embed_args args = {.weight = c->d_weight.data,
                                   .out = out,
                                   .rows = c->rows,
                                   .hidden = c->hidden,
                                   .patch_size = c->patch,
                                   .slices = c->slices};

    if (c->dtype == 0) {
        args.pixels = c->d_pixels.data;
        args.is_still = c->d_still.data;
        args.table = c->d_table.data;
    } else {
        args.pixel_values = c->d_values.data;
        args.tokens = c->d_tokens.data;
        args.merge2 = MERGE2;
        args.dtype = c->dtype;
    }
    return oriel_cuda_patch_embed(&args, NULL);
}

/* Rows of official columns in the kernel's order, zeros between; caller frees. */
static double *
packed_rows(const struct embed_case *c, const double *from, int64_t rows)
{
    const size_t columns = (size_t)(3 * c->slices * c->patch * c->patch);
    double *to = calloc((size_t)rows * (size_t)c->depth, sizeof(double));

    for (int64_t r = 0; r < rows; r++)
        EACH_COLUMN(c)
    to[r * c->depth + packed_column(c, ch, s, y, x)] =
        from[(size_t)r * columns + (size_t)column];
    return to;
}

static void
check_against_oracle(const struct embed_case *c, const uint16_t *out)
{
    size_t columns = (size_t)(3 * c->slices * c->patch * c->patch);
    double *x = malloc((size_t)c->rows * columns * sizeof(double));
    double *w = bf16_values(c->weight, (size_t)c->hidden * columns);
    double *exact = malloc((size_t)(c->rows * c->hidden) * sizeof(double));

    for (size_t i = 0; i < (size_t)c->rows * columns; i++)
        x[i] = (double)c->pixel_values[i];
    oracle_patch_embed(exact, x, w, c->rows, c->hidden, (int64_t)columns);
    double *pixels = packed_rows(c, x, c->rows);
    double *weight = packed_rows(c, w, c->hidden);
    for (int64_t r = 0; r < c->rows; r++) {
        int64_t from = c->tokens[r / MERGE2] * (int64_t)MERGE2 + r % MERGE2;

        for (int h = 0; h < c->hidden; h++) {
            double truth = exact[from * c->hidden + h];
            double value = bf16_value(out[r * c->hidden + h]);
            double bound =
                fabs(truth) * 0x1p-8 +
                linear_slack(pixels + from * c->depth,
                             weight + (int64_t)h * c->depth, c->depth);

            ck_assert_msg(fabs(value - truth) <= bound,
                          "row %d column %d: %g, not %g within %g", (int)r, h,
                          value, truth, bound);
        }
    }
    free(pixels);
    free(weight);
    free(x);
    free(w);
    free(exact);
}

/* The same values through every dtype: they are bf16 values, exact in fp32; in
   fp16 those below 2^-14 are not, so there the table holds only larger ones. */
START_TEST(both_entries_give_the_same_bytes)
{
    random_stream random = {(uint64_t)_i};
    const int any[4] = {(int)random_between(&random, 1, 16),
                        (int)random_between(&random, 1, 2),
                        8 * (int)random_between(&random, 1, 18),
                        (int)random_between(&random, 1, 36)};
    struct embed_case c = make_case(_i < (int)COUNT(shapes) ? shapes[_i] : any);
    size_t n_values = (size_t)(c.rows * 3 * c.slices * c.patch * c.patch);
    size_t bytes = (size_t)(c.rows * c.hidden) * 2;
    uint16_t *first = malloc(bytes), *other = malloc(bytes);
    uint16_t *halves = malloc(n_values * 2);

    ck_assert_int_eq(oriel_cuda_patch_embed_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, first, bytes, NULL);
    check_against_oracle(&c, first);

    c.dtype = ORIEL_CUDA_F32;
    c.d_values = device_upload(c.pixel_values, n_values * 4);
    device_check_schedules(run, &c, other, bytes, NULL);
    ck_assert_mem_eq(first, other, bytes);
    device_release(c.d_values);

    c.dtype = ORIEL_CUDA_BF16;
    for (size_t i = 0; i < n_values; i++)
        halves[i] = oriel_f32_to_bf16(c.pixel_values[i]);
    c.d_values = device_upload(halves, n_values * 2);
    device_check_schedules(run, &c, other, bytes, NULL);
    ck_assert_mem_eq(first, other, bytes);
    device_release(c.d_values);

    c.dtype = ORIEL_CUDA_F16;
    for (size_t i = 0; i < n_values; i++) {
        halves[i] = oriel_f32_to_f16(c.pixel_values[i]);
        ck_assert(fabsf(c.pixel_values[i]) < 0x1p-14f ||
                  oriel_f16_to_f32(halves[i]) == c.pixel_values[i]);
    }
    c.d_values = device_upload(halves, n_values * 2);
    device_check_schedules(run, &c, other, bytes, NULL);
    check_against_oracle(&c, other);
    device_release(c.d_values);
    free(first);
    free(other);
    free(halves);
    free_case(&c);
}
END_TEST

/*
 * The padding of a line, and of the depth, is not what the next patch holds: its
 * weights are zero, but not even NaN comes near them.  7 x 3 values are padded to
 * 32, and a patch's 224 are no whole number of stages.
 */
START_TEST(neighbours_do_not_reach)
{
    static const int shape[] = {7, 1, 16, 6};
    struct embed_case c = make_case(shape);
    size_t values = (size_t)(3 * c.slices * c.patch * c.patch);
    size_t bytes = (size_t)(c.rows * c.hidden) * 2;
    uint16_t *clean = malloc(bytes), *dirty = malloc(bytes);

    ck_assert_int_eq(oriel_cuda_patch_embed_prepare(NULL), cudaSuccess);
    c.dtype = ORIEL_CUDA_F32;
    c.d_values = device_upload(c.pixel_values, (size_t)c.rows * values * 4);
    device_check_schedules(run, &c, clean, bytes, NULL);
    for (size_t r = 1; r < (size_t)c.rows; r += 2)
        for (size_t i = 0; i < values; i++)
            c.pixel_values[r * values + i] = i % 2 ? NAN : INFINITY;
    device_put(c.d_values, 0, c.pixel_values, (size_t)c.rows * values * 4);
    device_check_schedules(run, &c, dirty, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r += 2)
        ck_assert_mem_eq(clean + r * c.hidden, dirty + r * c.hidden,
                         (size_t)c.hidden * 2);
    device_release(c.d_values);
    free(clean);
    free(dirty);
    free_case(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("patch_embed");
    TCase *tcase = tcase_create("patch_embed");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, both_entries_give_the_same_bytes, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_test(tcase, neighbours_do_not_reach);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
