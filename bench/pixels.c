/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pixels.c - how fast RGB8 frames become patch rows, a flavour and variant each
 *
 * One thread.  Every variant is checked against plain C before it is timed;
 * one that differs prints no number.  Pixels are random.  bench/peer_pillow.py
 * times Pillow and torchvision on the same sizes.
 */
#include "measure.h"
#include "pixels/resample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_bench_pixels [REPEATS]\n"
    "RGB8 frames to patch rows on one thread: each flavour of resampling and "
    "each\nvariant of the code; 21 repeats by default.\n";

enum { BAND = 112, ALIGNMENT = 64 };

static const struct shape {
    int32_t source_width, source_height, width, height;
} shapes[] = {
    {1280, 960, 1288, 952},   {960, 1280, 952, 1288},  {1920, 1080, 1932, 1092},
    {4000, 3000, 4004, 2996}, {4000, 3000, 1148, 840}, {4000, 3000, 224, 168},
};

static const char *const flavours[] = {"torchvision", "pillow", "pillow12",
                                       "float"};

static void *
take(size_t bytes)
{
    void *memory =
        aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT);

    if (!memory) {
        fprintf(stderr, "out of memory: %zu bytes\n", bytes);
        exit(1);
    }
    return memory;
}

typedef struct job {
    const struct shape *shape;
    int32_t resample;
    oriel_isa isa;
    const uint8_t *source;
    uint8_t *out;
} job;

/* Coefficients included: each picture has its own size. */
static void
resize(const job *j)
{
    const struct shape *s = j->shape;
    size_t line = (size_t)s->width * 3;
    void *memory = take(oriel_resampler_bytes_isa(
        j->isa, s->source_width, s->source_height, s->width, s->height));
    oriel_resampler *r =
        oriel_resampler_init_isa(memory, j->isa, j->resample, s->source_width,
                                 s->source_height, s->width, s->height);
    void *scratch = take(oriel_resampler_scratch_bytes(r, BAND));

    for (int32_t y = 0; y < s->height; y += BAND)
        oriel_resample_band(r, j->source, (size_t)s->source_width * 3, y,
                            s->height - y < BAND ? s->height - y : BAND,
                            j->out + (size_t)y * line, line, scratch);
    free(scratch);
    free(memory);
}

/* Median milliseconds of 'repeats' calls. */
static double
time_calls(void (*call)(const void *), const void *argument, int repeats)
{
    double *seconds = take((size_t)repeats * sizeof(*seconds)), median;

    for (int k = 0; k < repeats; k++) {
        double start = bench_now();

        call(argument);
        seconds[k] = bench_now() - start;
    }
    median = bench_summarise(seconds, repeats).median;
    free(seconds);
    return median * 1e3;
}

static void
call_resize(const void *argument)
{
    resize(argument);
}

static uint8_t *
random_pixels(size_t bytes)
{
    uint8_t *pixels = take(bytes);
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < bytes; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pixels[i] = (uint8_t)x;
    }
    return pixels;
}

static void
bench_resize(const struct shape *s, int repeats)
{
    size_t in = (size_t)s->source_width * (size_t)s->source_height * 3;
    size_t out = (size_t)s->width * (size_t)s->height * 3;
    uint8_t *source = random_pixels(in), *expected = take(out);
    uint8_t *result = take(out);

    for (int32_t f = 0; f < 4; f++) {
        const oriel_passes *last = NULL;
        job j = {s, f, ORIEL_ISA_BASELINE, source, expected};

        resize(&j);
        j.out = result;
        for (int isa = 0; isa <= (int)oriel_processor_isa(); isa++) {
            const oriel_passes *passes = oriel_passes_choose((oriel_isa)isa);
            double ms;

            if (passes == last)
                continue;
            last = passes;
            j.isa = (oriel_isa)isa;
            resize(&j);
            if (memcmp(result, expected, out) != 0) {
                printf("%-11s %-8s WRONG\n", flavours[f],
                       oriel_isa_name(j.isa));
                continue;
            }
            ms = time_calls(call_resize, &j, repeats);
            printf("%4dx%-4d -> %4dx%-4d  %-11s %-8s %8.3f ms %8.0f MP/s\n",
                   s->source_width, s->source_height, s->width, s->height,
                   flavours[f], oriel_isa_name(j.isa), ms,
                   (double)in / 3 / ms * 1e-3);
        }
    }
    free(source);
    free(expected);
    free(result);
}

/* ---- Cutting ----------------------------------------------------------- */

typedef struct cut_job {
    oriel_network network;
    const uint8_t *pixels;
    int32_t width, height;
    float (*table)[256];
    float *f32; /* one of these is NULL */
    uint16_t *bf16;
} cut_job;

static void
call_cut(const void *argument)
{
    const cut_job *j = argument;
    const float(*table)[256] = (const float(*)[256])j->table;
    size_t pitch = (size_t)j->width * 3, band = 28 * pitch;
    size_t rows = (size_t)(j->width / 14) * 2 * 1176;

    for (int32_t y = 0; y < j->height / 28; y++) {
        const uint8_t *at = j->pixels + (size_t)y * band;
        const uint8_t *frames[2] = {at, at};

        if (j->f32)
            oriel_patchify_band_f32(&j->network, table, frames, pitch,
                                    j->width / 14, NULL,
                                    j->f32 + (size_t)y * rows, 1176);
        else
            oriel_patchify_band_bf16(&j->network, table, frames, pitch,
                                     j->width / 14, NULL,
                                     j->bf16 + (size_t)y * rows, 1176);
    }
}

static void
bench_cut(const struct shape *s, int repeats)
{
    static float table[3][256];
    size_t n = (size_t)s->width * (size_t)s->height;
    uint8_t *pixels = random_pixels(n * 3);
    float *rows = take(n * 6 * sizeof(*rows));
    cut_job j = {.network = {.in_channels = 3,
                             .patch_size = 14,
                             .temporal_patch_size = 2,
                             .spatial_merge_size = 2,
                             .image_mean = {0.48145466, 0.4578275, 0.40821073},
                             .image_std = {0.26862954, 0.26130258, 0.27577711},
                             .rescale_factor = 1.0 / 255,
                             .do_rescale = 1,
                             .do_normalize = 1},
                 .pixels = pixels,
                 .width = s->width,
                 .height = s->height,
                 .table = table};

    oriel_normalise_table(&j.network, ORIEL_RESAMPLE_TORCHVISION, table);
    for (int wide = 0; wide < 2; wide++) {
        double ms;

        j.f32 = wide ? rows : NULL;
        j.bf16 = wide ? NULL : (uint16_t *)(void *)rows;
        call_cut(&j);
        ms = time_calls(call_cut, &j, repeats);
        printf("%4dx%-4d cut to %-4s rows %30.3f ms %8.0f MP/s\n", s->width,
               s->height, wide ? "f32" : "bf16", ms, (double)n / ms * 1e-3);
    }
    free(pixels);
    free(rows);
}

int
main(int argc, char **argv)
{
    int repeats = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 21;

    if (bench_help(argc, argv, usage))
        return 0;
    if (repeats < 1)
        repeats = 1;
    for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++)
        bench_resize(&shapes[k], repeats);
    bench_cut(&shapes[0], repeats);
    bench_cut(&shapes[3], repeats);
    return 0;
}
