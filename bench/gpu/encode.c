/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.c - the whole encoder on a GPU, in every way it can be run
 *
 * RGB8 noise on the device in, fp32 embeddings on the device out, through the
 * public API: one picture of 448 x 448, one of 1036 x 1036, 64 of 448 x 448, all
 * in bf16.  With our own products, those of sm_90a on compute capability 9.0, and
 * cuBLASLt's, and each of them kernel by kernel ("direct"), by the encoder's
 * graphs ("graphs") and as the replay of the caller's capture ("captured"); timed
 * by events.  In the encoder's graphs kernels of sm_90a begin before the one before
 * them ended (programmatic dependent launch), in a caller's capture they do not, which
 * however also holds what the encoder launches before and after its graphs.  Before
 * that the three must give the same finite bytes, and all kinds of products about the
 * same; that they are right is for the golden tests and parity_hf.py.  --tiny is for
 * the tiny network on the simulated GPU, where nothing is timed.
 */
#include "oriel.h"
#include "stopwatch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_gpu_encode MODEL [--tiny] [--kernels own|both] [--json "
    "FILE]\n"
    "The whole encoder on a GPU, in every way it can be run; on compute\n"
    "capability 9.0 with the kernels of sm_90a as well.  both: and with\n"
    "cuBLASLt's products.\n";

enum { MAX_ITEMS = 64, N_SIZES = 3 };
/* The encoder makes a graph of a shape's second call and launches it from the
   third on. */
enum { CALLS_TO_SETTLE = 3 };
#define BUDGET 1.0 /* seconds a measurement */
/* Of bf16 roundings in other places; a mistake is larger by far. */
#define FAR_APART 0.1

typedef struct size {
    const char *name;
    int32_t width, height;
    int32_t n;
} size;
static const size large_sizes[N_SIZES] = {{"448x448", 448, 448, 1},
                                          {"1036x1036", 1036, 1036, 1},
                                          {"64x448x448", 448, 448, MAX_ITEMS}};
static const size tiny_sizes[] = {{"40x56", 40, 56, 1}};

enum { OWN, HOPPER, CUBLASLT, N_KERNELS };
static const struct {
    const char *name;
    int32_t option;
} kernels[N_KERNELS] = {{"own", ORIEL_KERNELS_OWN},
                        {"hopper", ORIEL_KERNELS_HOPPER},
                        {"cublaslt", ORIEL_KERNELS_CUBLASLT}};
enum { DIRECT, GRAPHS, N_ENCODERS };
static const int32_t graphs[N_ENCODERS] = {ORIEL_GRAPHS_OFF, ORIEL_GRAPHS_AUTO};

typedef struct bench {
    const size *sizes;
    int n_sizes;
    bool runs[N_KERNELS];
    oriel_model *model;
    oriel_encoder *encoders[N_KERNELS][N_ENCODERS];
    void *workspace; /* of all: they take turns on one stream */
    size_t workspace_bytes;
    oriel_plan *plans[N_SIZES];
    oriel_plan_info infos[N_SIZES];
    FILE *json;
    int rows;
} bench;

/* One size, on the device. */
typedef struct scene {
    const bench *b;
    oriel_encoder *encoder;
    const oriel_plan *plan;
    const void *frames[MAX_ITEMS];
    void *pixels, *embeddings;
    size_t embeddings_bytes;
    float *own;        /* what our own products gave */
    double own_direct; /* seconds */
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
plan_all(bench *b)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;

    options.device = ORIEL_DEVICE_CUDA;
    for (int i = 0; i < b->n_sizes; i++) {
        const size *s = &b->sizes[i];
        oriel_item items[MAX_ITEMS];

        for (int k = 0; k < s->n; k++)
            items[k] = (oriel_item){s->width, s->height, 1, 0, 0, 0};
        b->infos[i] = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
        if (oriel_plan_create(&b->plans[i], b->model, items, (size_t)s->n, NULL,
                              &err) ||
            oriel_plan_get_info(b->plans[i], &b->infos[i], &err))
            return complain(s->name, err.message);
        for (int k = 0; k < N_KERNELS; k++) {
            size_t bytes = 0;

            options.kernels = kernels[k].option;
            if (b->runs[k] &&
                oriel_plan_workspace_bytes(b->plans[i], &options, &bytes, &err))
                return complain(s->name, err.message);
            if (bytes > b->workspace_bytes)
                b->workspace_bytes = bytes;
        }
    }
    return must(cudaMalloc(&b->workspace, b->workspace_bytes), "cudaMalloc");
}

/* An encoder, and what it says of itself into the JSON. */
static int
open_encoder(bench *b, oriel_encoder **out, const char *name,
             int32_t kernels_option, int32_t graphs_option)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_error err;

    options.device = ORIEL_DEVICE_CUDA;
    options.precision = ORIEL_PRECISION_BF16;
    options.kernels = kernels_option;
    options.graphs = graphs_option;
    if (oriel_encoder_create(out, b->model, &options, &err) ||
        oriel_encoder_get_info(*out, &info, &err))
        return complain(name, err.message);
    if (b->json && graphs_option == ORIEL_GRAPHS_OFF)
        fprintf(b->json, "\"%s\": \"%s\",\n ", name, info.description);
    return 0;
}

/* Those of one kind, if they are wanted; without them the others go on. */
static int
open_kernels(bench *b, int k)
{
    int result = 0;

    for (int g = 0; b->runs[k] && g < N_ENCODERS && !result; g++)
        result = open_encoder(b, &b->encoders[k][g], kernels[k].name,
                              kernels[k].option, graphs[g]);
    if (result)
        b->runs[k] = false;
    return result;
}

/* How much went wrong. */
static int
open_all(bench *b, const char *path)
{
    oriel_encoder *by_table = NULL;
    oriel_error err;
    int result, wrong = 0;

    if (oriel_model_open(&b->model, path, NULL, &err)) {
        complain(path, err.message);
        return 1;
    }
    if (b->json)
        fprintf(b->json, "{");
    result = plan_all(b) || open_encoder(b, &by_table, "auto",
                                         ORIEL_KERNELS_AUTO, ORIEL_GRAPHS_OFF);
    oriel_encoder_destroy(by_table);
    for (int k = 0; k < N_KERNELS && !result; k++)
        wrong += open_kernels(b, k) != 0;
    if (b->json)
        fprintf(b->json, "\"rows\": [");
    return result ? 1 : wrong;
}

/* Noise, never zeros. */
static int
make_pixels(scene *s, const size *of)
{
    const size_t frame = (size_t)of->width * (size_t)of->height * 3;
    const size_t bytes = frame * (size_t)of->n;
    unsigned char *host = malloc(bytes);
    int result;

    if (!host)
        return complain(of->name, "out of memory");
    for (size_t i = 0; i < bytes; i++)
        host[i] = (unsigned char)(bench_random(7, i) >> 56);
    result = must(cudaMalloc(&s->pixels, bytes), "cudaMalloc") ||
             must(cudaMemcpy(s->pixels, host, bytes, cudaMemcpyHostToDevice),
                  "cudaMemcpy");
    for (int k = 0; k < of->n; k++)
        s->frames[k] = (const char *)s->pixels + frame * (size_t)k;
    free(host);
    return result;
}

static oriel_status
encode(const scene *s, cudaStream_t stream, oriel_error *err)
{
    oriel_input in = ORIEL_INPUT_INIT;
    oriel_output out = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = s->embeddings,
                           .bytes = s->embeddings_bytes};

    in.pixels_memory = out.results_memory = ORIEL_MEMORY_DEVICE;
    in.frames = s->frames;
    out.results = &result;
    out.n_results = 1;
    out.workspace = s->b->workspace;
    out.workspace_bytes = s->b->workspace_bytes;
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

static void
forget_capture(scene *s)
{
    if (s->graph)
        cudaGraphExecDestroy(s->graph);
    if (s->captured)
        cudaGraphDestroy(s->captured);
    if (s->stream)
        cudaStreamDestroy(s->stream);
    s->graph = NULL;
    s->captured = NULL;
    s->stream = NULL;
}

/* The bytes that the last of a few calls leaves where 0xff was. */
static float *
result_of(scene *s, stopwatch_run *run, int calls)
{
    float *host = malloc(s->embeddings_bytes);
    int result = host ? 0 : complain("encode", "out of memory");

    for (int i = 0; i < calls && !result; i++)
        result = must(cudaMemsetAsync(s->embeddings, 0xff, s->embeddings_bytes,
                                      NULL),
                      "cudaMemsetAsync") ||
                 must(run(s), "encode") ||
                 must(cudaDeviceSynchronize(), "encode");
    if (!result)
        result = must(cudaMemcpy(host, s->embeddings, s->embeddings_bytes,
                                 cudaMemcpyDeviceToHost),
                      "cudaMemcpy");
    if (!result)
        return host;
    free(host);
    return NULL;
}

/* How far from our own products' in relative L2; -1: a value is not finite. */
static double
distance(const scene *s, const float *values)
{
    double apart = 0, all = 0;

    for (size_t i = 0; i < s->embeddings_bytes / sizeof(float); i++) {
        const double d = (double)values[i] - (double)s->own[i];

        if (!isfinite(values[i]))
            return -1;
        apart += d * d;
        all += (double)s->own[i] * (double)s->own[i];
    }
    return sqrt(apart / all);
}

static void
write_row(bench *b, int i, int k, const char *how, double apart,
          const bench_times *t)
{
    const oriel_plan_info *info = &b->infos[i];

    if (!b->json)
        return;
    fprintf(b->json,
            "%s\n {\"size\": \"%s\", \"kernels\": \"%s\", \"how\": \"%s\", "
            "\"images\": %d, \"patches\": %lld, \"flops\": %lld, "
            "\"relative_l2_to_own\": %.3g",
            b->rows++ ? "," : "", b->sizes[i].name, kernels[k].name, how,
            (int)b->sizes[i].n, (long long)info->patches,
            (long long)info->flops, apart);
    if (t)
        fprintf(b->json,
                ", \"seconds\": {\"median\": %.5g, \"p10\": %.5g, \"p90\": "
                "%.5g, \"n\": %d}",
                t->median, t->p10, t->p90, t->n);
    fprintf(b->json, "}");
    fflush(b->json);
}

static int
time_way(bench *b, scene *s, int i, int k, const char *how, stopwatch_run *run,
         double apart)
{
    bench_times t;

    if (!stopwatch_is_real()) {
        printf("%-14s %-8s %-8s right; no hardware, nothing is timed\n",
               b->sizes[i].name, kernels[k].name, how);
        write_row(b, i, k, how, apart, NULL);
        return 0;
    }
    if (stopwatch_measure(&t, run, s, false, BUDGET, 0))
        return -1;
    if (s->own_direct == 0)
        s->own_direct = t.median;
    printf("%-14s %-8s %-8s %9.3f ms (p10 %.3f, p90 %.3f)  %8.1f images/s  "
           "%6.1f TFLOP/s  x%.3f\n",
           b->sizes[i].name, kernels[k].name, how, t.median * 1e3, t.p10 * 1e3,
           t.p90 * 1e3, b->sizes[i].n / t.median,
           (double)b->infos[i].flops / t.median * 1e-12,
           t.median / s->own_direct);
    fflush(stdout);
    write_row(b, i, k, how, apart, &t);
    return 0;
}

/* One way: its bytes against the bytes of the same products, then its time. */
static int
bench_way(bench *b, scene *s, int i, int k, const char *how, stopwatch_run *run,
          int calls, float **bytes)
{
    float *now = result_of(s, run, calls);
    double apart = 0;
    int result = now ? 0 : -1;

    if (!result && !*bytes) {
        *bytes = now;
        if (!s->own)
            s->own = now;
        apart = distance(s, now);
        if (!(apart >= 0 && apart < FAR_APART))
            return complain(b->sizes[i].name,
                            "not finite, or far from our own products': not "
                            "timed");
    } else if (!result) {
        apart = distance(s, now);
        if (memcmp(now, *bytes, s->embeddings_bytes))
            result = complain(how, "other bytes than direct: not timed");
        free(now);
    }
    return result ? -1 : time_way(b, s, i, k, how, run, apart);
}

static int
bench_kernels(bench *b, scene *s, int i, int k)
{
    float *bytes = NULL;
    int result;

    s->encoder = b->encoders[k][DIRECT];
    result = bench_way(b, s, i, k, "direct", run_direct, 1, &bytes);
    if (!result)
        result = capture(s) ||
                 bench_way(b, s, i, k, "captured", run_graph, 1, &bytes);
    forget_capture(s);
    s->encoder = b->encoders[k][GRAPHS];
    if (!result)
        result = bench_way(b, s, i, k, "graphs", run_direct, CALLS_TO_SETTLE,
                           &bytes);
    if (bytes != s->own)
        free(bytes);
    return result;
}

/* What fails is counted, and the rest goes on. */
static int
bench_size(bench *b, int i)
{
    scene s = {.b = b, .plan = b->plans[i]};
    int wrong = 0;

    s.embeddings_bytes = (size_t)b->infos[i].tokens *
                         (size_t)b->infos[i].out_hidden_size * sizeof(float);
    if (make_pixels(&s, &b->sizes[i]) ||
        must(cudaMalloc(&s.embeddings, s.embeddings_bytes), "cudaMalloc"))
        wrong = 1;
    for (int k = 0; k < N_KERNELS && !(wrong && !s.own); k++)
        if (b->runs[k])
            wrong += bench_kernels(b, &s, i, k) != 0;
    free(s.own);
    cudaFree(s.embeddings);
    cudaFree(s.pixels);
    return wrong;
}

static void
close_all(bench *b)
{
    for (int k = 0; k < N_KERNELS; k++)
        for (int g = 0; g < N_ENCODERS; g++)
            oriel_encoder_destroy(b->encoders[k][g]);
    for (int i = 0; i < b->n_sizes; i++)
        oriel_plan_destroy(b->plans[i]);
    oriel_model_destroy(b->model);
    cudaFree(b->workspace);
}

/* Whether the current device runs the kernels of sm_90a. */
static bool
has_hopper(void)
{
    int device = 0, major = 0, minor = 0;

    return !cudaGetDevice(&device) &&
           !cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
                                   device) &&
           !cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor,
                                   device) &&
           major == 9 && minor == 0;
}

/* -1 for what is no argument of ours; argv[1] is the model. */
static int
parse(bench *b, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--tiny") == 0) {
            b->sizes = tiny_sizes;
            b->n_sizes = 1;
        } else if (strcmp(argv[i], "--kernels") == 0 && i + 1 < argc &&
                   (strcmp(argv[i + 1], "own") == 0 ||
                    strcmp(argv[i + 1], "both") == 0)) {
            b->runs[CUBLASLT] = strcmp(argv[++i], "both") == 0;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc &&
                   (b->json = fopen(argv[i + 1], "w")) != NULL) {
            i++;
        } else {
            return -1;
        }
    }
    return argc < 2 ? -1 : 0;
}

int
main(int argc, char **argv)
{
    bench b = {
        .sizes = large_sizes, .n_sizes = N_SIZES, .runs = {[OWN] = true}};
    int wrong;

    if (bench_help(argc, argv, usage))
        return EXIT_SUCCESS;
    if (parse(&b, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    b.runs[HOPPER] = has_hopper();
    wrong = open_all(&b, argv[1]);
    for (int i = 0; i < b.n_sizes && b.encoders[OWN][GRAPHS]; i++)
        wrong += bench_size(&b, i);
    close_all(&b);
    if (b.json && (fprintf(b.json, "\n ],\n \"wrong\": %d}\n", wrong) < 0 ||
                   fclose(b.json)))
        return EXIT_FAILURE;
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
