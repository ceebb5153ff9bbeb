/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_invariance.c - a picture's embeddings do not depend on its batch
 *
 * Through the public API, on CUDA, from and to host memory: pictures and a video
 * one at a time, together, in the other order, beside one of NaN, and once more.
 * Their bytes must be equal every time; with cuBLASLt's products too, and by
 * the kernels of sm_90a.
 */
#include "measure.h"
#include "oriel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_gpu_encode_invariance MODEL [--small] [--cublaslt|--hopper] "
    "[--checks]\n"
    "Whether a picture's embeddings depend on its batch.\n";

enum { MAX_ITEMS = 8, NO_ITEM = -1 };

static const int64_t large[][3] = {{1, 32, 32}, {1, 74, 74}, {2, 16, 8},
                                   {1, 2, 2},   {1, 18, 2},  {1, 6, 110}};
static const int64_t small[][3] = {{1, 10, 14}, {2, 4, 6}, {1, 2, 2}};

typedef struct judge {
    oriel_model *model;
    oriel_encoder *encoder;
    const int64_t (*grids)[3];
    int32_t n;
    int32_t kernels; /* ORIEL_KERNELS_* */
    int32_t checks;  /* ORIEL_CHECKS_* */
    oriel_model_info info;
    int64_t columns;          /* of pixel_values */
    float *pixels[MAX_ITEMS]; /* each [patches, columns] */
    float *alone[MAX_ITEMS];  /* each [tokens, out_hidden] */
} judge;

static int
complain(const char *what)
{
    fprintf(stderr, "oriel_gpu_encode_invariance: %s\n", what);
    return -1;
}

static int64_t
patches(const judge *j, int32_t item)
{
    return j->grids[item][0] * j->grids[item][1] * j->grids[item][2];
}

static size_t
embedding_floats(const judge *j, int32_t item)
{
    const int64_t merge = j->info.spatial_merge_size;

    return (size_t)(patches(j, item) / (merge * merge) *
                    j->info.out_hidden_size);
}

static int
make_pixels(judge *j)
{
    j->columns = (int64_t)j->info.in_channels * j->info.temporal_patch_size *
                 j->info.patch_size * j->info.patch_size;
    for (int32_t i = 0; i < j->n; i++) {
        const size_t n = (size_t)(patches(j, i) * j->columns);

        j->pixels[i] = malloc(n * sizeof(float));
        j->alone[i] = malloc(embedding_floats(j, i) * sizeof(float));
        if (!j->pixels[i] || !j->alone[i])
            return complain("out of memory");
        for (size_t k = 0; k < n; k++)
            j->pixels[i][k] =
                (float)((double)(bench_random((uint64_t)i, k) >> 40) * 0x1p-22 -
                        2.0);
    }
    return 0;
}

static int
open_all(judge *j, const char *path)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;
    oriel_status status;

    j->info = (oriel_model_info)ORIEL_MODEL_INFO_INIT;
    if (oriel_model_open(&j->model, path, NULL, &err) ||
        oriel_model_get_info(j->model, &j->info, &err) ||
        oriel_plan_create_from_grids(&plan, j->model, &j->grids[0][0],
                                     (size_t)j->n, NULL, &err))
        return complain(err.message);
    options.device = ORIEL_DEVICE_CUDA;
    options.kernels = j->kernels;
    options.checks = j->checks;
    status = oriel_plan_workspace_bytes(plan, &options,
                                        &options.workspace_bytes, &err);
    oriel_plan_destroy(plan);
    if (status || oriel_encoder_create(&j->encoder, j->model, &options, &err))
        return complain(err.message);
    return make_pixels(j);
}

/* Encode the items named by 'order'; item 'spoilt' is made of NaN. */
static int
encode(const judge *j, const int32_t *order, int32_t n, int32_t spoilt,
       float *pixels, float *embeddings)
{
    oriel_input in = ORIEL_INPUT_INIT;
    oriel_output out = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS, .data = embeddings};
    int64_t grids[MAX_ITEMS][3];
    oriel_plan *plan = NULL;
    oriel_error err;
    oriel_status status;

    in.pixel_values = pixels;
    out.results = &result;
    out.n_results = 1;
    for (int32_t i = 0; i < n; i++) {
        const size_t bytes =
            (size_t)(patches(j, order[i]) * j->columns) * sizeof(float);
        char *to = (char *)pixels + in.pixel_values_bytes;

        memcpy(grids[i], j->grids[order[i]], sizeof(grids[i]));
        memcpy(to, j->pixels[order[i]], bytes);
        if (order[i] == spoilt)
            memset(to, 0xff, bytes);
        in.pixel_values_bytes += bytes;
        result.bytes += embedding_floats(j, order[i]) * sizeof(float);
    }
    memset(embeddings, 0xff, result.bytes);
    status = oriel_plan_create_from_grids(&plan, j->model, &grids[0][0],
                                          (size_t)n, NULL, &err);
    if (!status)
        status = oriel_encode(j->encoder, plan, &in, &out, NULL, &err);
    oriel_plan_destroy(plan);
    return status ? complain(err.message) : 0;
}

/* A batch; each item's bytes against those it had alone. */
static int
judge_batch(const judge *j, const int32_t *order, int32_t n, int32_t spoilt,
            const char *how, float *pixels, float *embeddings)
{
    const float *at = embeddings;

    if (encode(j, order, n, spoilt, pixels, embeddings))
        return -1;
    for (int32_t i = 0; i < n; i++) {
        const size_t floats = embedding_floats(j, order[i]);

        if (order[i] != spoilt &&
            memcmp(at, j->alone[order[i]], floats * sizeof(float))) {
            fprintf(stderr, "item %d, %s: other bytes than alone\n",
                    (int)order[i], how);
            return -1;
        }
        at += floats;
    }
    printf("%d items, %s: the bytes that each has alone\n", (int)n, how);
    return 0;
}

static int
judge_all(judge *j)
{
    int32_t up[MAX_ITEMS], down[MAX_ITEMS];
    size_t in = 0, out = 0;
    float *pixels, *embeddings;
    int result = 0;

    for (int32_t i = 0; i < j->n; i++) {
        up[i] = i;
        down[i] = j->n - 1 - i;
        in += (size_t)(patches(j, i) * j->columns);
        out += embedding_floats(j, i);
    }
    pixels = malloc(in * sizeof(float));
    embeddings = malloc(out * sizeof(float));
    if (!pixels || !embeddings)
        result = complain("out of memory");
    for (int32_t i = 0; i < j->n && !result; i++)
        result = encode(j, &up[i], 1, NO_ITEM, pixels, j->alone[i]);
    if (!result)
        result =
            judge_batch(j, up, j->n, NO_ITEM, "together", pixels, embeddings) ||
            judge_batch(j, down, j->n, NO_ITEM, "in the other order", pixels,
                        embeddings) ||
            judge_batch(j, up, j->n, 1, "beside one of NaN", pixels,
                        embeddings) ||
            judge_batch(j, up, j->n, NO_ITEM, "once more", pixels, embeddings);
    free(pixels);
    free(embeddings);
    return result;
}

/* -1 for what is no argument of ours; argv[1] is the model. */
static int
parse(judge *j, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--small") == 0) {
            j->grids = small;
            j->n = sizeof(small) / sizeof(small[0]);
        } else if (strcmp(argv[i], "--cublaslt") == 0) {
            j->kernels = ORIEL_KERNELS_CUBLASLT;
        } else if (strcmp(argv[i], "--hopper") == 0) {
            j->kernels = ORIEL_KERNELS_HOPPER;
        } else if (strcmp(argv[i], "--checks") == 0) {
            j->checks = ORIEL_CHECKS_ON;
        } else {
            return -1;
        }
    }
    return argc < 2 ? -1 : 0;
}

int
main(int argc, char **argv)
{
    judge j = {.grids = large,
               .n = sizeof(large) / sizeof(large[0]),
               .kernels = ORIEL_KERNELS_OWN};
    int result;

    if (bench_help(argc, argv, usage))
        return EXIT_SUCCESS;
    if (parse(&j, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    result = open_all(&j, argv[1]) || judge_all(&j);
    for (int32_t i = 0; i < j.n; i++) {
        free(j.pixels[i]);
        free(j.alone[i]);
    }
    oriel_encoder_destroy(j.encoder);
    oriel_model_destroy(j.model);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
