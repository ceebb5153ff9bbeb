/* SPDX-License-Identifier: Apache-2.0 */
/* encode_case.c - see encode_case.h */
#include "encode_case.h"

#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SIDE 1000000

bool
encode_case_parse(const char *text, int32_t *width, int32_t *height)
{
    char *cross, *end;
    const long w = strtol(text, &cross, 10);
    const long h = *cross == 'x' ? strtol(cross + 1, &end, 10) : 0;

    if (*cross != 'x' || *end != '\0' || w < 1 || w > MAX_SIDE || h < 1 ||
        h > MAX_SIDE)
        return false;
    *width = (int32_t)w;
    *height = (int32_t)h;
    return true;
}

static oriel_status
no_memory(oriel_error *err)
{
    snprintf(err->message, sizeof(err->message), "out of memory");
    return err->status = ORIEL_ERR_MEMORY;
}

static oriel_status
make_pixels(encode_case *c, oriel_error *err)
{
    const size_t bytes = (size_t)c->width * (size_t)c->height * 3;

    c->pixels = malloc(bytes);
    if (!c->pixels)
        return no_memory(err);
    for (size_t i = 0; i < bytes; i++)
        c->pixels[i] = (uint8_t)(bench_random(ENCODE_CASE_SEED, i) >> 56);
    c->frame = c->pixels;
    return ORIEL_OK;
}

static oriel_status
make_pixel_values(encode_case *c, oriel_error *err)
{
    const size_t n = (size_t)c->info.patches * (size_t)c->info.patch_columns;

    c->pixel_values = malloc(n * sizeof(float));
    if (!c->pixel_values)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const double unit =
            (double)(bench_random(ENCODE_CASE_SEED, i) >> 40) * 0x1p-23 - 1.0;

        c->pixel_values[i] = (float)(unit * ENCODE_CASE_SCALE);
    }
    return ORIEL_OK;
}

oriel_status
encode_case_open(encode_case *c, const oriel_model *model, int32_t width,
                 int32_t height, bool from_pixel_values, oriel_error *err)
{
    const oriel_item item = {width, height, 1, 0, 0, 0};
    oriel_status status;

    *c = (encode_case){.width = width, .height = height};
    c->info = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
    status = oriel_plan_create(&c->plan, model, &item, 1, NULL, err);
    if (!status)
        status = oriel_plan_get_info(c->plan, &c->info, err);
    if (!status)
        status =
            from_pixel_values ? make_pixel_values(c, err) : make_pixels(c, err);
    if (status)
        goto unwind;
    c->embeddings_bytes = (size_t)c->info.tokens *
                          (size_t)c->info.out_hidden_size * sizeof(float);
    c->embeddings = malloc(c->embeddings_bytes);
    if (c->embeddings)
        return ORIEL_OK;
    status = no_memory(err);

unwind:
    encode_case_close(c);
    return status;
}

oriel_status
encode_case_run(const encode_case *c, oriel_encoder *encoder, float *embeddings,
                oriel_error *err)
{
    oriel_input in = ORIEL_INPUT_INIT;
    oriel_output out = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = embeddings,
                           .bytes = c->embeddings_bytes};

    if (c->pixel_values) {
        in.pixel_values = c->pixel_values;
        in.pixel_values_bytes = (size_t)c->info.patches *
                                (size_t)c->info.patch_columns * sizeof(float);
    } else {
        in.frames = &c->frame;
    }
    out.results = &result;
    out.n_results = 1;
    return oriel_encode(encoder, c->plan, &in, &out, NULL, err);
}

void
encode_case_close(encode_case *c)
{
    oriel_plan_destroy(c->plan);
    free(c->pixels);
    free(c->pixel_values);
    free(c->embeddings);
    *c = (encode_case){0};
}

encode_error
encode_compare(const float *got, const float *reference, int64_t rows,
               int32_t columns)
{
    encode_error e = {0, 1, true};
    double difference = 0, norm = 0;

    for (int64_t r = 0; r < rows; r++) {
        const float *g = got + r * columns, *f = reference + r * columns;
        double gg = 0, ff = 0, gf = 0;

        for (int32_t i = 0; i < columns; i++) {
            const double a = (double)g[i], b = (double)f[i];

            gg += a * a;
            ff += b * b;
            gf += a * b;
            difference += (a - b) * (a - b);
        }
        norm += ff;
        e.finite = e.finite && isfinite(gg) && isfinite(ff);
        e.cosine_min = fmin(e.cosine_min, gf / sqrt(gg * ff));
    }
    e.relative_l2 = sqrt(difference / norm);
    return e;
}
