/* SPDX-License-Identifier: Apache-2.0 */
#include "support/batch.h"

#include "support/random_frames.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fixture_result
batch_encode(const batch *b, const oriel_plan *plan, const oriel_input *input,
             int32_t threads)
{
    oriel_encoder *encoder =
        fixture_encoder(&b->m, plan, b->precision, threads);
    fixture_result r = fixture_encode(&b->m, encoder, plan, input);

    oriel_encoder_destroy(encoder);
    return r;
}

batch
batch_make(const oriel_network *network, int32_t precision,
           const int64_t (*grids)[3], int n_items, uint64_t seed)
{
    batch b = {.network = network,
               .m = fixture_model_make(network, seed),
               .precision = precision,
               .n_items = n_items,
               .grids = grids};
    oriel_input input;

    ck_assert_int_le(n_items, BATCH_MOST);
    b.plan = fixture_plan(&b.m, grids, (size_t)n_items);
    b.pixels = fixture_pixels(b.plan, seed + 1);
    input = fixture_input(b.plan, b.pixels);
    b.result = batch_encode(&b, b.plan, &input, 2);
    return b;
}

void
batch_free(batch *b)
{
    fixture_result_free(&b->result);
    free(b->pixels);
    oriel_plan_destroy(b->plan);
    fixture_model_free(&b->m);
}

/* Values of pixels before an item, and of it. */
static size_t
values_before(const batch *b, int item)
{
    return (size_t)oracle_count_patches(b->grids, item) *
           (size_t)oriel_network_patch_columns(b->network);
}

static size_t
values_of(const batch *b, int item)
{
    return values_before(b, item + 1) - values_before(b, item);
}

void
batch_check_alone(const batch *b)
{
    for (int item = 0; item < b->n_items; item++) {
        oriel_plan *plan = fixture_plan(&b->m, b->grids + item, 1);
        oriel_input input =
            fixture_input(plan, b->pixels + values_before(b, item));
        fixture_result part = fixture_part(&b->result, b->grids, item);
        fixture_result r = batch_encode(b, plan, &input, 1 + item % 3);

        fixture_same(&part, &r);
        fixture_part_free(&part);
        fixture_result_free(&r);
        oriel_plan_destroy(plan);
    }
}

void
batch_check_turned(const batch *b)
{
    int64_t grids[BATCH_MOST][3];
    float *pixels = fixture_pixels(b->plan, 0);
    size_t at = 0;
    int last = b->n_items - 1;
    oriel_plan *plan;
    oriel_input input;
    fixture_result r;

    for (int i = 0; i <= last; i++) {
        size_t n = values_of(b, last - i);

        memcpy(grids[i], b->grids[last - i], sizeof(grids[i]));
        memcpy(pixels + at, b->pixels + values_before(b, last - i),
               n * sizeof(*pixels));
        at += n;
    }
    plan = fixture_plan(&b->m, grids, (size_t)b->n_items);
    input = fixture_input(plan, pixels);
    r = batch_encode(b, plan, &input, 2);
    for (int i = 0; i <= last; i++) {
        fixture_result one = fixture_part(&r, grids, i);
        fixture_result two = fixture_part(&b->result, b->grids, last - i);

        fixture_same(&one, &two);
        fixture_part_free(&one);
        fixture_part_free(&two);
    }
    fixture_result_free(&r);
    oriel_plan_destroy(plan);
    free(pixels);
}

void
batch_check_nan(const batch *b, int item)
{
    size_t all = values_before(b, b->n_items) * sizeof(float);
    float *pixels = oracle_alloc(1, all);
    oriel_input input = fixture_input(b->plan, pixels);
    fixture_result r;

    memcpy(pixels, b->pixels, all);
    for (size_t i = 0; i < values_of(b, item); i++)
        pixels[values_before(b, item) + i] = i % 2 ? NAN : INFINITY;
    r = batch_encode(b, b->plan, &input, 2);
    for (int i = 0; i < b->n_items; i++) {
        fixture_result before = fixture_part(&b->result, b->grids, i);
        fixture_result after = fixture_part(&r, b->grids, i);

        if (i == item)
            ck_assert(isnan(after.embeddings[0]));
        else
            fixture_same(&before, &after);
        fixture_part_free(&before);
        fixture_part_free(&after);
    }
    fixture_result_free(&r);
    free(pixels);
}

void
batch_check_frames(const batch *b, const oriel_plan *plan, uint64_t seed)
{
    random_frames f = random_frames_make(plan, seed);
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    fixture_result from_frames, from_values;
    oriel_input values;
    float *pixels;
    size_t bytes;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    bytes = (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    pixels = oracle_alloc(1, bytes);
    ck_assert_int_eq(oriel_preprocess(plan, &f.input, pixels, bytes, NULL),
                     ORIEL_OK);
    values = fixture_input(plan, pixels);
    from_values = batch_encode(b, plan, &values, 2);
    from_frames = batch_encode(b, plan, &f.input, 3);
    fixture_same(&from_values, &from_frames);
    fixture_result_free(&from_frames);
    fixture_result_free(&from_values);
    free(pixels);
    random_frames_free(&f);
}
