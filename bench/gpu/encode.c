/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.c - the whole encoder on a GPU
 *
 *     oriel_gpu_encode MODEL [--json FILE]
 *
 * RGB8 noise on the device in, fp32 embeddings on the device out, through the
 * public API: one picture of 448 x 448, one of 1036 x 1036, 64 of 448 x 448, all
 * in bf16.  Timed by events, as direct calls and as the replay of a captured
 * graph.  Before that, both must give the same finite bytes; that they are right
 * is for the golden tests and parity_hf.py.
 */
#include "oriel.h"
#include "stopwatch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ITEMS = 64 };
#define BUDGET 1.5 /* seconds a measurement */

static const struct size {
    const char *name;
    int32_t width, height;
    int32_t n;
} sizes[] = {{"448x448", 448, 448, 1},
             {"1036x1036", 1036, 1036, 1},
             {"64x448x448", 448, 448, MAX_ITEMS}};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

typedef struct bench {
    oriel_model *model;
    oriel_encoder *encoder;
    oriel_plan *plans[N_SIZES];
    oriel_plan_info infos[N_SIZES];
    FILE *json;
    int rows;
} bench;

/* One size, on the device. */
typedef struct scene {
    oriel_encoder *encoder;
    const oriel_plan *plan;
    const void *frames[MAX_ITEMS];
    void *pixels, *embeddings;
    size_t embeddings_bytes;
    cudaStream_t stream;
    cudaGraph_t captured;
    cudaGraphExec_t graph;
} scene;

static int
complain(const char *what, const char *why)
{
    fprintf(stderr, "oriel_gpu_encode: %s: %s\n", what, why);
    return -1;
}

static int
must(cudaError_t error, const char *what)
{
    return error ? complain(what, cudaGetErrorString(error)) : 0;
}

static int
open_encoder(bench *b, const char *path)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;

    if (oriel_model_open(&b->model, path, NULL, &err))
        return complain(path, err.message);
    options.device = ORIEL_DEVICE_CUDA;
    options.precision = ORIEL_PRECISION_BF16;
    for (int i = 0; i < N_SIZES; i++) {
        oriel_item items[MAX_ITEMS];
        size_t bytes;

        for (int k = 0; k < sizes[i].n; k++)
            items[k] =
                (oriel_item){sizes[i].width, sizes[i].height, 1, 0, 0, 0};
        b->infos[i] = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
        if (oriel_plan_create(&b->plans[i], b->model, items, (size_t)sizes[i].n,
                              NULL, &err) ||
            oriel_plan_get_info(b->plans[i], &b->infos[i], &err) ||
            oriel_plan_workspace(b->plans[i], &options, &bytes, &err))
            return complain(sizes[i].name, err.message);
        if (bytes > options.workspace_bytes)
            options.workspace_bytes = bytes;
    }
    if (oriel_encoder_create(&b->encoder, b->model, &options, &err))
        return complain("encoder", err.message);
    return 0;
}

/* Noise, never zeros. */
static int
make_pixels(scene *s, const struct size *size)
{
    const size_t frame = (size_t)size->width * (size_t)size->height * 3;
    const size_t bytes = frame * (size_t)size->n;
    unsigned char *host = malloc(bytes);
    int result;

    if (!host)
        return complain(size->name, "out of memory");
    for (size_t i = 0; i < bytes; i++)
        host[i] = (unsigned char)(bench_random(7, i) >> 56);
    result = must(cudaMalloc(&s->pixels, bytes), "cudaMalloc") ||
             must(cudaMemcpy(s->pixels, host, bytes, cudaMemcpyHostToDevice),
                  "cudaMemcpy");
    for (int k = 0; k < size->n; k++)
        s->frames[k] = (const char *)s->pixels + frame * (size_t)k;
    free(host);
    return result;
}

static oriel_status
encode(const scene *s, cudaStream_t stream, oriel_error *err)
{
    oriel_input in = ORIEL_INPUT_INIT;
    oriel_output out = ORIEL_OUTPUT_INIT;

    in.memory = out.memory = ORIEL_MEMORY_DEVICE;
    in.frames = s->frames;
    out.embeddings = s->embeddings;
    out.embeddings_bytes = s->embeddings_bytes;
    return oriel_encode(s->encoder, s->plan, &in, &out,
                        (struct CUstream_st *)stream, err);
}

static cudaError_t
run_direct(void *context)
{
    oriel_error err;

    if (!encode(context, NULL, &err))
        return cudaSuccess;
    complain("encode", err.message);
    return cudaErrorUnknown;
}

static cudaError_t
run_graph(void *context)
{
    return cudaGraphLaunch(((const scene *)context)->graph, NULL);
}

static int
capture(scene *s)
{
    oriel_error err;

    if (must(cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking),
             "cudaStreamCreate") ||
        must(cudaStreamBeginCapture(s->stream, cudaStreamCaptureModeGlobal),
             "cudaStreamBeginCapture"))
        return -1;
    if (encode(s, s->stream, &err))
        complain("capture", err.message);
    return must(cudaStreamEndCapture(s->stream, &s->captured),
                "cudaStreamEndCapture") ||
           must(cudaGraphInstantiate(&s->graph, s->captured, 0),
                "cudaGraphInstantiate");
}

/* The bytes that one run leaves where 0xff was. */
static float *
result_of(scene *s, stopwatch_run *run)
{
    float *host = malloc(s->embeddings_bytes);

    if (!host ||
        must(cudaMemset(s->embeddings, 0xff, s->embeddings_bytes),
             "cudaMemset") ||
        must(run(s), "encode") || must(cudaDeviceSynchronize(), "encode") ||
        must(cudaMemcpy(host, s->embeddings, s->embeddings_bytes,
                        cudaMemcpyDeviceToHost),
             "cudaMemcpy")) {
        free(host);
        return NULL;
    }
    return host;
}

static int
check(scene *s, const char *name)
{
    float *first = result_of(s, run_direct), *again = result_of(s, run_graph);
    int result = first && again ? 0 : -1;

    for (size_t i = 0; i < s->embeddings_bytes / 4 && !result; i++)
        if (!isfinite(first[i]))
            result = complain(name, "a value is not finite: not timed");
    if (!result && memcmp(first, again, s->embeddings_bytes))
        result = complain(name, "the graph gave other bytes: not timed");
    free(first);
    free(again);
    return result;
}

static void
show(bench *b, int i, const char *how, const bench_times *t)
{
    const oriel_plan_info *info = &b->infos[i];

    printf("%-14s %-7s %9.3f ms (p10 %.3f, p90 %.3f)  %8.1f images/s  %6.1f "
           "TFLOP/s\n",
           sizes[i].name, how, t->median * 1e3, t->p10 * 1e3, t->p90 * 1e3,
           sizes[i].n / t->median, (double)info->flops / t->median * 1e-12);
    fflush(stdout);
    if (!b->json)
        return;
    fprintf(b->json,
            "%s\n {\"size\": \"%s\", \"how\": \"%s\", \"images\": %d, "
            "\"patches\": %lld, \"flops\": %lld, \"seconds\": {\"median\": "
            "%.5g, \"p10\": %.5g, \"p90\": %.5g, \"n\": %d}}",
            b->rows++ ? "," : "", sizes[i].name, how, (int)sizes[i].n,
            (long long)info->patches, (long long)info->flops, t->median, t->p10,
            t->p90, t->n);
    fflush(b->json);
}

static int
bench_size(bench *b, int i)
{
    scene s = {.encoder = b->encoder, .plan = b->plans[i]};
    bench_times t;
    int result;

    s.embeddings_bytes = (size_t)b->infos[i].tokens *
                         (size_t)b->infos[i].out_hidden_size * sizeof(float);
    result =
        make_pixels(&s, &sizes[i]) ||
        must(cudaMalloc(&s.embeddings, s.embeddings_bytes), "cudaMalloc") ||
        capture(&s) || check(&s, sizes[i].name);
    if (!result && !stopwatch_measure(&t, run_direct, &s, false, BUDGET))
        show(b, i, "direct", &t);
    if (!result && !stopwatch_measure(&t, run_graph, &s, false, BUDGET))
        show(b, i, "graph", &t);
    if (s.graph)
        cudaGraphExecDestroy(s.graph);
    if (s.captured)
        cudaGraphDestroy(s.captured);
    if (s.stream)
        cudaStreamDestroy(s.stream);
    cudaFree(s.embeddings);
    cudaFree(s.pixels);
    return result;
}

int
main(int argc, char **argv)
{
    bench b = {0};
    int wrong = 0;

    if ((argc != 2 && argc != 4) ||
        (argc == 4 &&
         (strcmp(argv[2], "--json") != 0 || !(b.json = fopen(argv[3], "w"))))) {
        fprintf(stderr, "usage: oriel_gpu_encode MODEL [--json FILE]\n");
        return 2;
    }
    if (open_encoder(&b, argv[1]))
        return EXIT_FAILURE;
    if (b.json)
        fprintf(b.json, "[");
    for (int i = 0; i < N_SIZES; i++)
        wrong += bench_size(&b, i) != 0;
    oriel_encoder_destroy(b.encoder);
    for (int i = 0; i < N_SIZES; i++)
        oriel_plan_destroy(b.plans[i]);
    oriel_model_destroy(b.model);
    if (b.json && (fprintf(b.json, "\n]\n") < 0 || fclose(b.json)))
        return EXIT_FAILURE;
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
