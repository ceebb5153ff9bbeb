/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_resample.c - the resampler against torchvision and Pillow themselves
 *
 * resample_*.txt hold digests of what the libraries gave, written by
 * tests/parity/make_resample_digests.py.  Every variant by processor that runs
 * here is held to them, in whole and in bands.
 */
#include "pixels/made_image.h"
#include "pixels/resample.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct flavour {
    int32_t resample;
    const char *file;
} flavours[] = {
    {ORIEL_RESAMPLE_TORCHVISION, "resample_torchvision.txt"},
    {ORIEL_RESAMPLE_PILLOW, "resample_pillow.txt"},
    {ORIEL_RESAMPLE_PILLOW12, "resample_pillow12.txt"},
    {ORIEL_RESAMPLE_FLOAT, "resample_float.txt"},
};

static const oriel_isa variants[] = {ORIEL_ISA_BASELINE, ORIEL_ISA_AVX2,
                                     ORIEL_ISA_AVX512, ORIEL_ISA_AVX512_BF16};

typedef struct test_case {
    int kind, seed, source_height, source_width, height, width;
    unsigned crc;
} test_case;

typedef struct picture {
    const uint8_t *pixels;
    size_t pitch;
} picture;

/* Resize in bands of 'band' rows, everything allocated to the byte. */
static uint8_t *
resize(const test_case *c, picture from, int32_t resample, oriel_isa isa,
       int32_t band)
{
    size_t line = (size_t)c->width * 3, height = (size_t)c->height;
    void *memory = made_image_aligned(oriel_resampler_bytes_isa(
        isa, c->source_width, c->source_height, c->width, c->height));
    oriel_resampler *r =
        oriel_resampler_init_isa(memory, isa, resample, c->source_width,
                                 c->source_height, c->width, c->height);
    uint8_t *out = malloc(line * height);

    for (int32_t y = 0; y < c->height; y += band) {
        int32_t rows = c->height - y < band ? c->height - y : band;
        size_t bytes = oriel_resampler_scratch_bytes(r, rows);
        void *scratch = made_image_aligned(bytes);

        ck_assert_uint_eq(
            bytes, oriel_resampler_scratch_bytes_for(resample, c->source_width,
                                                     c->source_height, c->width,
                                                     c->height, rows));
        oriel_resample_band(r, from.pixels, from.pitch, y, rows,
                            out + (size_t)y * line, line, scratch);
        free(scratch);
    }
    free(memory);
    return out;
}

/* Plain C is held to the smaller cases only, where there is better. */
static int
is_too_slow(const test_case *c, const oriel_passes *passes)
{
    long samples =
        (long)c->source_height * c->source_width + (long)c->height * c->width;

    return passes == &oriel_passes_plain && samples > 500000 &&
           oriel_passes_choose(oriel_processor_isa()) != passes;
}

static void
check_case(const test_case *c, int32_t resample, random_stream *random)
{
    size_t pitch =
        (size_t)c->source_width * 3 + (size_t)random_between(random, 0, 1) * 37;
    uint8_t *source = made_image_make(c->kind, (uint64_t)c->seed,
                                      c->source_height, c->source_width, pitch);
    const oriel_passes *last = NULL;

    for (size_t v = 0; v < COUNT(variants); v++) {
        const oriel_passes *passes = oriel_passes_choose(variants[v]);
        int32_t band = (int32_t)random_between(random, 1, 200);
        uint8_t *out;

        if (passes == last) /* not built, or this processor lacks it */
            continue;
        if (is_too_slow(c, passes))
            continue;
        last = passes;
        if (random_between(random, 0, 3) == 0)
            band = c->height;
        out = resize(c, (picture){source, pitch}, resample, variants[v], band);
        ck_assert_msg(
            made_image_crc(0, out, (size_t)c->height * (size_t)c->width * 3) ==
                c->crc,
            "flavour %d, %s, bands of %d: %dx%d to %dx%d (picture %d, %d)",
            resample, oriel_isa_name(variants[v]), band, c->source_height,
            c->source_width, c->height, c->width, c->kind, c->seed);
        free(out);
    }
    free(source);
}

START_TEST(equals_reference)
{
    const struct flavour *flavour = &flavours[_i];
    random_stream random = {77};
    char path[4096];
    test_case c;
    int n = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", ORIEL_TEST_DATA, flavour->file);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    for (; fscanf(file, "%d %d %d %d %d %d %x", &c.kind, &c.seed,
                  &c.source_height, &c.source_width, &c.height, &c.width,
                  &c.crc) == 7;
         n++)
        check_case(&c, flavour->resample, &random);
    ck_assert_int_ge(n, 400);
    fclose(file);
}
END_TEST

/* The specification's one-channel vector, on all three channels. */
static const struct vector {
    int32_t resample, height, width;
    uint8_t rows[55];
} vectors[] = {
    {ORIEL_RESAMPLE_PILLOW, 5, 6, {32,  103, 138, 141, 152, 80,  171, 154,
                                   145, 144, 108, 191, 85,  137, 163, 135,
                                   143, 87,  144, 104, 167, 118, 124, 161,
                                   97,  78,  169, 159, 126, 168}},
    {ORIEL_RESAMPLE_TORCHVISION, 5, 6, {32,  103, 138, 141, 152, 80,  171, 154,
                                        145, 144, 108, 191, 85,  137, 163, 135,
                                        143, 87,  144, 104, 167, 118, 124, 161,
                                        97,  78,  169, 159, 126, 168}},
    {ORIEL_RESAMPLE_FLOAT, 5, 6, {32,  103, 138, 141, 152, 80,  171, 154,
                                  145, 144, 107, 191, 85,  137, 163, 135,
                                  143, 86,  144, 103, 168, 117, 124, 160,
                                  97,  78,  169, 159, 127, 168}},
    {ORIEL_RESAMPLE_PILLOW,
     5,
     11,
     {20,  48,  92,  135, 151, 107, 138, 195, 140, 60,  102, 146, 197, 155,
      132, 168, 112, 170, 110, 100, 167, 213, 50,  122, 130, 147, 189, 114,
      134, 176, 134, 73,  101, 153, 136, 96,  115, 183, 155, 115, 85,  136,
      185, 134, 86,  109, 74,  87,  178, 190, 141, 153, 121, 114, 219}},
    {ORIEL_RESAMPLE_PILLOW12,
     5,
     11,
     {21,  48,  91,  135, 151, 107, 138, 195, 140, 62,  101, 145, 197, 155,
      132, 168, 112, 170, 109, 100, 168, 213, 50,  122, 129, 146, 189, 114,
      134, 176, 134, 73,  101, 153, 136, 96,  115, 183, 155, 115, 85,  136,
      185, 133, 86,  108, 73,  87,  177, 190, 141, 153, 122, 115, 220}},
};

START_TEST(equals_vector)
{
    const struct vector *v = &vectors[_i];
    test_case c = {.source_height = 7,
                   .source_width = 9,
                   .height = v->height,
                   .width = v->width};
    uint8_t source[7 * 9 * 3], *pixel = source, *out;

    for (int y = 0; y < 7; y++)
        for (int x = 0; x < 9; x++, pixel += 3)
            memset(pixel, 37 * x + 91 * y + 13 * x * y, 3);
    out = resize(&c, (picture){source, 27}, v->resample, oriel_processor_isa(),
                 5);
    for (int k = 0; k < v->height * v->width * 3; k++)
        if (v->resample != ORIEL_RESAMPLE_FLOAT || k / 3 / v->width > 0)
            ck_assert_int_eq(v->rows[k / 3], out[k]);
    free(out);
}
END_TEST

/* Sizes whose coefficients no memory could hold are counted, not wrapped. */
START_TEST(counts_or_refuses_bytes)
{
    const int32_t most = INT32_MAX;
    size_t huge = oriel_resampler_bytes(ORIEL_RESAMPLE_PILLOW, most, most,
                                        most - 1, most - 1);

    ck_assert_uint_gt(huge, (size_t)most * 4 * 5);
    ck_assert_uint_lt(
        oriel_resampler_bytes(ORIEL_RESAMPLE_PILLOW, 448, 448, 448, 448), 1024);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("resample");
    TCase *tests = tcase_create("resample");

    tcase_set_timeout(tests, 200);
    tcase_add_loop_test(tests, equals_reference, 0, COUNT(flavours));
    tcase_add_loop_test(tests, equals_vector, 0, COUNT(vectors));
    tcase_add_test(tests, counts_or_refuses_bytes);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
