/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak.c - very many inputs in one process: memory and descriptors must not grow
 *
 *   oriel_soak MODEL INPUTS FILE...
 *
 * An input is one of the files in turn: probed, decoded, planned and preprocessed;
 * every third is cut short, so that refusals are among them.  Every 64th is encoded
 * as well, and for every 4096th the model is opened anew.  MODEL is a small one
 * (oriel synth --config tiny).  Prints one JSON object: the slope of the resident
 * memory in bytes an input, by least squares over the last three quarters of the
 * run, and the descriptors at a quarter and at the end.
 */
#include "measure.h"
#include "oriel.h"
#include "oriel_image.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: oriel_soak MODEL INPUTS FILE...\n"
    "Very many inputs in one process: what memory and descriptors grow by, as "
    "JSON.\n";

enum { SAMPLES = 1024, ENCODE_EVERY = 64, OPEN_EVERY = 4096 };

typedef struct picture {
    unsigned char *data;
    size_t bytes;
} picture;

static struct {
    const char *folder;
    oriel_model *model;
    oriel_encoder *encoder;
    long good, refused, encoded;
} soak;

static void
check(oriel_status status, const oriel_error *err)
{
    if (!status)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static void *
take(size_t bytes)
{
    void *memory = malloc(bytes);

    if (!memory)
        exit(6);
    return memory;
}

static picture
read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    picture p = {NULL, 0};
    long end = 0;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) <= 0) {
        perror(path);
        exit(2);
    }
    rewind(file);
    p.data = take((size_t)end);
    p.bytes = fread(p.data, 1, (size_t)end, file);
    fclose(file);
    return p;
}

static void
open_model(void)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;

    oriel_encoder_destroy(soak.encoder);
    oriel_model_destroy(soak.model);
    options.device = ORIEL_DEVICE_CPU;
    options.precision = ORIEL_PRECISION_FP32;
    options.threads = 1;
    options.workspace_bytes = (size_t)16 << 20;
    check(oriel_model_open(&soak.model, soak.folder, NULL, &err), &err);
    check(oriel_encoder_create(&soak.encoder, soak.model, &options, &err),
          &err);
}

static void
encode(const oriel_plan *plan, const oriel_plan_info *info,
       const oriel_input *input)
{
    const size_t bytes =
        (size_t)info->tokens * (size_t)info->out_hidden_size * sizeof(float);
    oriel_result result = {
        .kind = ORIEL_RESULT_EMBEDDINGS, .data = take(bytes), .bytes = bytes};
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_error err;

    output.results = &result;
    output.n_results = 1;
    check(oriel_encode(soak.encoder, plan, input, &output, NULL, &err), &err);
    free(result.data);
    soak.encoded++;
}

/* All that is done with a picture that was decoded. */
static void
use(const oriel_image_info *image, const void *rgb, bool encodes)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_item item = {image->width, image->height, 1, 0, 0, 0};
    oriel_plan *plan;
    oriel_error err;
    size_t bytes;
    float *values;

    options.min_pixels = 64;
    options.max_pixels = 64 * 64;
    check(oriel_plan_create(&plan, soak.model, &item, 1, &options, &err), &err);
    check(oriel_plan_get_info(plan, &info, &err), &err);
    bytes = (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    values = take(bytes);
    input.frames = &rgb;
    check(oriel_preprocess(plan, &input, values, bytes, &err), &err);
    if (encodes)
        encode(plan, &info, &input);
    free(values);
    oriel_plan_destroy(plan);
}

static void
run_one(const picture *p, bool cut, bool encodes)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    const size_t bytes = cut ? p->bytes / 2 : p->bytes;
    oriel_status status = oriel_image_probe(p->data, bytes, NULL, &info, NULL);
    size_t rgb_bytes;
    void *rgb;

    if (status) {
        soak.refused++;
        return;
    }
    rgb_bytes = 3 * (size_t)info.width * (size_t)info.height;
    rgb = take(rgb_bytes);
    status = oriel_image_decode(p->data, bytes, NULL, rgb, rgb_bytes, 0, NULL);
    if (status) {
        soak.refused++;
    } else {
        soak.good++;
        use(&info, rgb, encodes);
    }
    free(rgb);
}

static double
resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        exit(2);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int
count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;

    while (folder && readdir(folder))
        n++;
    if (folder)
        closedir(folder);
    return n - 3; /* ".", ".." and its own */
}

/* Of y over x, by least squares. */
static double
slope_of(const double *x, const double *y, int n)
{
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0;

    for (int i = 0; i < n; i++) {
        mean_x += x[i] / n;
        mean_y += y[i] / n;
    }
    for (int i = 0; i < n; i++) {
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        xx += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return xx > 0 ? xy / xx : 0;
}

int
main(int argc, char **argv)
{
    static double at[SAMPLES], resident[SAMPLES];
    const long inputs = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
    const long every = inputs / SAMPLES + 1;
    const int n_files = argc - 3;
    double begin;
    picture *pictures;
    int n = 0, first = 0, descriptors = 0;

    if (bench_help(argc, argv, usage))
        return 0;
    if (inputs < 1) {
        fputs(usage, stderr);
        return 2;
    }
    soak.folder = argv[1];
    pictures = take((size_t)n_files * sizeof(*pictures));
    for (int i = 0; i < n_files; i++)
        pictures[i] = read_file(argv[3 + i]);
    begin = bench_now();
    for (long i = 0; i < inputs; i++) {
        if (i % OPEN_EVERY == 0)
            open_model();
        run_one(&pictures[i % n_files], i / n_files % 3 == 2,
                i % ENCODE_EVERY == 0);
        if (i == inputs / 4) {
            first = n;
            descriptors = count_descriptors();
        }
        if (i % every == 0) {
            at[n] = (double)i;
            resident[n++] = resident_bytes();
        }
    }
    printf("{\"inputs\": %ld, \"good\": %ld, \"refused\": %ld, \"encoded\": "
           "%ld, \"seconds\": %ld, \"resident_bytes\": %.0f, "
           "\"bytes_an_input\": %.3f, \"descriptors\": [%d, %d]}\n",
           inputs, soak.good, soak.refused, soak.encoded,
           (long)(bench_now() - begin), resident[n - 1],
           slope_of(at + first, resident + first, n - first), descriptors,
           count_descriptors());
    oriel_encoder_destroy(soak.encoder);
    oriel_model_destroy(soak.model);
    for (int i = 0; i < n_files; i++)
        free(pictures[i].data);
    free(pictures);
    return 0;
}
