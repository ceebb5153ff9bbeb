/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_patchify.c - normalisation against the specification's values, cutting
 * against its formula for rows and columns
 */
#include "base/half.h"
#include "pixels/made_image.h"
#include "pixels/patchify.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static oriel_network
published(void)
{
    return (oriel_network){
        .in_channels = 3,
        .patch_size = 14,
        .temporal_patch_size = 2,
        .spatial_merge_size = 2,
        .image_mean = {0.48145466, 0.4578275, 0.40821073},
        .image_std = {0.26862954, 0.26130258, 0.27577711},
        .rescale_factor = 0.00392156862745098,
        .do_rescale = 1,
        .do_normalize = 1,
    };
}

/* ---- The table --------------------------------------------------------- */

START_TEST(table_is_the_specification_s)
{
    static const float first[3] = {-1.7922626f, -1.7520970f, -1.4802198f};
    static const float last[3] = {1.9303362f, 2.0748835f, 2.1458971f};
    static const int levels[6] = {0, 1, 127, 128, 254, 255};
    static const uint16_t bf16[3][6] = {
        {0xbfe5, 0xbfe4, 0x3d7d, 0x3d9c, 0x3ff5, 0x3ff7},
        {0xbfe0, 0xbfde, 0x3e1e, 0x3e2d, 0x4004, 0x4005},
        {0xbfbd, 0xbfbc, 0x3ea7, 0x3eae, 0x4008, 0x4009},
    };
    oriel_network net = published();
    float fast[3][256], slow[3][256];
    int differing = 0;

    oriel_normalise_table(&net, ORIEL_RESAMPLE_TORCHVISION, fast);
    oriel_normalise_table(&net, ORIEL_RESAMPLE_PILLOW, slow);
    for (int c = 0; c < 3; c++) {
        ck_assert(fast[c][0] == first[c] && fast[c][255] == last[c]);
        for (int k = 0; k < 6; k++)
            ck_assert_uint_eq(bf16[c][k],
                              oriel_f32_to_bf16(fast[c][levels[k]]));
        for (int p = 0; p < 256; p++) {
            ck_assert_uint_eq(oriel_f32_to_bf16(fast[c][p]),
                              oriel_f32_to_bf16(slow[c][p]));
            differing += fast[c][p] != slow[c][p];
        }
    }
    ck_assert_int_eq(537, differing); /* of 768, says the specification */
}
END_TEST

START_TEST(flavours_choose_their_formula)
{
    oriel_network net = published();
    float of[4][3][256];

    for (int32_t f = 0; f < 4; f++)
        oriel_normalise_table(&net, f, of[f]);
    ck_assert_mem_eq(of[ORIEL_RESAMPLE_TORCHVISION], of[ORIEL_RESAMPLE_FLOAT],
                     sizeof(of[0]));
    ck_assert_mem_eq(of[ORIEL_RESAMPLE_PILLOW], of[ORIEL_RESAMPLE_PILLOW12],
                     sizeof(of[0]));
    ck_assert_mem_ne(of[ORIEL_RESAMPLE_PILLOW], of[ORIEL_RESAMPLE_FLOAT],
                     sizeof(of[0]));
}
END_TEST

/* ---- Cutting ----------------------------------------------------------- */

static const struct shape {
    int32_t patch, frames, merge, tokens;
    int same; /* frames that are one frame */
} shapes[] = {
    {14, 2, 2, 1, 1}, {14, 2, 2, 7, 1}, {14, 2, 2, 7, 0}, {4, 2, 2, 5, 0},
    {4, 2, 2, 5, 1},  {1, 1, 1, 3, 0},  {2, 3, 3, 4, 0},  {16, 2, 2, 3, 1},
    {17, 2, 2, 2, 0}, {17, 3, 1, 2, 1}, {13, 3, 1, 4, 1}, {14, 1, 2, 3, 0},
    {16, 4, 1, 2, 0}, {15, 5, 2, 2, 1},
};

static const oriel_isa variants[] = {ORIEL_ISA_BASELINE, ORIEL_ISA_AVX2,
                                     ORIEL_ISA_AVX512, ORIEL_ISA_AVX512_BF16};

enum { MOST_FRAMES = 5, GUARD = 0x5A };

typedef struct fixture {
    oriel_network net;
    int32_t grid_w, columns, n_rows, *place;
    size_t pitch, stride;
    uint8_t *owned[MOST_FRAMES];
    const uint8_t *frames[MOST_FRAMES];
    float table[3][256];
} fixture;

static fixture
make_fixture(const struct shape *s, random_stream *random, int shuffle)
{
    fixture f = {.net = published()};

    f.net.patch_size = s->patch;
    f.net.temporal_patch_size = s->frames;
    f.net.spatial_merge_size = s->merge;
    f.grid_w = s->tokens * s->merge;
    f.n_rows = s->tokens * s->merge * s->merge;
    f.columns = oriel_network_patch_columns(&f.net);
    f.stride = (size_t)f.columns + (shuffle ? 24 : 0);
    f.pitch = (size_t)(f.grid_w * s->patch * 3) + (shuffle ? 11 : 0);
    for (int32_t k = 0; k < s->frames; k++) {
        if (k == 0 || !s->same)
            f.owned[k] = made_image_make(IMAGE_NOISE, random_u64(random),
                                         s->merge * s->patch,
                                         f.grid_w * s->patch, f.pitch);
        f.frames[k] = f.owned[k] ? f.owned[k] : f.owned[0];
    }
    f.place = malloc((size_t)s->tokens * sizeof(*f.place));
    for (int32_t t = 0; t < s->tokens; t++) {
        int32_t other = (int32_t)random_between(random, 0, t);

        f.place[t] = f.place[other];
        f.place[other] = t;
    }
    for (int c = 0; c < 3; c++)
        for (int p = 0; p < 256; p++)
            f.table[c][p] = (float)random_unit(random);
    return f;
}

static void
free_fixture(fixture *f)
{
    for (int k = 0; k < MOST_FRAMES; k++)
        free(f->owned[k]);
    free(f->place);
}

/* Sample of column c of patch (ih, iw) of token x, by the formula. */
static float
expected(const fixture *f, int32_t token, int32_t part, int32_t column)
{
    int32_t side = f->net.patch_size, merge = f->net.spatial_merge_size;
    int32_t px = column % side, py = column / side % side;
    int32_t k = column / (side * side) % f->net.temporal_patch_size;
    int32_t channel = column / (side * side) / f->net.temporal_patch_size;
    int32_t y = part / merge * side + py;
    int32_t x = (token * merge + part % merge) * side + px;

    return f
        ->table[channel]
               [f->frames[k][(size_t)y * f->pitch + (size_t)(3 * x + channel)]];
}

static void
check_rows(const fixture *f, const int32_t *place, const float *f32,
           const uint16_t *bf16)
{
    int32_t parts = f->net.spatial_merge_size * f->net.spatial_merge_size;

    for (int32_t r = 0; r < f->n_rows; r++) {
        int32_t to = place ? place[r / parts] : r / parts;
        size_t row = (size_t)(to * parts + r % parts) * f->stride;

        for (int32_t c = 0; c < f->columns; c++) {
            float value = expected(f, r / parts, r % parts, c);

            ck_assert_msg(f32[row + (size_t)c] == value &&
                              bf16[row + (size_t)c] == oriel_f32_to_bf16(value),
                          "patch %d, row %d, column %d", f->net.patch_size, r,
                          c);
        }
        for (size_t c = (size_t)f->columns; c < f->stride; c++)
            ck_assert(bf16[row + c] == GUARD * 257u && f32[row + c] != 0 &&
                      memcmp(&f32[row + c], &bf16[row + c], 2) == 0);
    }
}

START_TEST(cuts_as_the_formula_says)
{
    const struct shape *s = &shapes[_i];
    random_stream random = {(uint64_t)_i};

    for (int shuffle = 0; shuffle < 2; shuffle++) {
        fixture f = make_fixture(s, &random, shuffle);
        const int32_t *place = shuffle ? f.place : NULL;
        size_t values = (size_t)f.n_rows * f.stride;
        float *f32 = malloc(values * sizeof(*f32));
        uint16_t *bf16 = malloc(values * sizeof(*bf16));

        for (size_t v = 0; v < COUNT(variants); v++) {
            memset(f32, GUARD, values * sizeof(*f32));
            memset(bf16, GUARD, values * sizeof(*bf16));
            oriel_patchify_band_f32_isa(
                variants[v], &f.net, (const float(*)[256])f.table, f.frames,
                f.pitch, f.grid_w, place, f32, f.stride);
            oriel_patchify_band_bf16_isa(
                variants[v], &f.net, (const float(*)[256])f.table, f.frames,
                f.pitch, f.grid_w, place, bf16, f.stride);
            check_rows(&f, place, f32, bf16);
        }
        free(f32);
        free(bf16);
        free_fixture(&f);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("patchify");
    TCase *tests = tcase_create("patchify");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, table_is_the_specification_s);
    tcase_add_test(tests, flavours_choose_their_formula);
    tcase_add_loop_test(tests, cuts_as_the_formula_says, 0, COUNT(shapes));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
