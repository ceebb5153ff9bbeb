/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_streams.c - what an encoder relies on of CUDA's streams and contexts
 *
 * Through the public API: an encoder's first call within a capture; then calls on
 * every kind of stream, the default one by each of its names, until the encoder
 * launches graphs.  Their bytes must be equal, and the caller's device stays
 * current.  With several devices the encoder is on the last one, and the first
 * gets no context by it.
 */
#include "oriel.h"
#include "stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_gpu_encode_streams MODEL [--cublaslt|--hopper]\n"
    "What an encoder relies on of CUDA's streams and contexts.\n";

enum { ROWS = 8, COLUMNS = 12, CALLS = 4 };

typedef struct bench {
    int device;
    oriel_model *model;
    oriel_plan *plan;
    oriel_encoder *encoder;
    void *pixels, *embeddings;
    size_t pixels_bytes, bytes; /* of embeddings */
    char *first, *now;          /* what came out */
    cudaStream_t blocking, other;
} bench;

static int
complain(const char *what, const char *why)
{
    fprintf(stderr, "oriel_gpu_encode_streams: %s: %s\n", what, why);
    return -1;
}

static int
must(cudaError_t error, const char *what)
{
    return error ? complain(what, cudaGetErrorString(error)) : 0;
}

/* ---- Contexts ------------------------------------------------------------- */

/* Whether the driver has a context for the device; -1: it does not say. */
static int
has_context(int device)
{
    int (*state)(int device, unsigned *flags, int *active) = NULL;
    enum cudaDriverEntryPointQueryResult found;
    void *symbol = NULL;
    unsigned flags;
    int active;

    if (cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &symbol,
                                         12000, cudaEnableDefault, &found) ||
        !symbol)
        return -1;
    memcpy(&state, &symbol, sizeof(symbol));
    return state(device, &flags, &active) ? -1 : active;
}

/* Of a thread that has used no device: this must be the first of all checks. */
static int
check_contexts(const bench *b)
{
    int now = -1;

    if (must(cudaGetDevice(&now), "cudaGetDevice"))
        return -1;
    if (now != 0)
        return complain("the caller's device", "is current no more");
    if (b->device == 0) {
        printf("one device: whether others get a context cannot be seen\n");
        return 0;
    }
    if (has_context(b->device) != 1)
        return complain("the encoder's device", "has no context");
    if (has_context(0) != 0)
        return complain("the caller's device", "has a context now");
    printf("device 0 got no context by an encoder on device %d\n", b->device);
    return 0;
}

/* ---- The encoder ---------------------------------------------------------- */

static int
open_encoder(bench *b, const char *path, int32_t kernels)
{
    static const int64_t grid[] = {1, ROWS, COLUMNS};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_error err;

    options.device = ORIEL_DEVICE_CUDA;
    options.device_index = b->device;
    options.kernels = kernels;
    if (oriel_model_open(&b->model, path, NULL, &err) ||
        oriel_plan_create_from_grids(&b->plan, b->model, grid, 1, NULL, &err) ||
        oriel_plan_get_info(b->plan, &info, &err) ||
        oriel_plan_workspace_bytes(b->plan, &options, &options.workspace_bytes,
                                   &err) ||
        oriel_encoder_create(&b->encoder, b->model, &options, &err))
        return complain(path, err.message);
    b->pixels_bytes = (size_t)info.patches * (size_t)info.patch_columns * 4;
    b->bytes = (size_t)info.tokens * (size_t)info.out_hidden_size * 4;
    return 0;
}

static int
make_memory(bench *b)
{
    float *pixels = malloc(b->pixels_bytes);
    int result;

    b->first = malloc(b->bytes);
    b->now = malloc(b->bytes);
    if (!pixels || !b->first || !b->now) {
        free(pixels);
        return complain("memory", "is out");
    }
    for (size_t i = 0; i < b->pixels_bytes / 4; i++)
        pixels[i] = (float)((double)(bench_random(3, i) >> 40) * 0x1p-22 - 2);
    result = must(cudaSetDevice(b->device), "cudaSetDevice") ||
             must(cudaMalloc(&b->pixels, b->pixels_bytes), "cudaMalloc") ||
             must(cudaMalloc(&b->embeddings, b->bytes), "cudaMalloc") ||
             must(cudaMemcpy(b->pixels, pixels, b->pixels_bytes,
                             cudaMemcpyHostToDevice),
                  "cudaMemcpy") ||
             must(cudaStreamCreateWithFlags(&b->blocking, cudaStreamDefault),
                  "cudaStreamCreateWithFlags") ||
             must(cudaStreamCreateWithFlags(&b->other, cudaStreamNonBlocking),
                  "cudaStreamCreateWithFlags");
    free(pixels);
    return result;
}

static int
encode(const bench *b, cudaStream_t stream, const char *how)
{
    oriel_input in = ORIEL_INPUT_INIT;
    oriel_output out = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = b->embeddings,
                           .bytes = b->bytes};
    oriel_error err;

    in.pixels_memory = out.results_memory = ORIEL_MEMORY_DEVICE;
    in.pixel_values = b->pixels;
    in.pixel_values_bytes = b->pixels_bytes;
    out.results = &result;
    out.n_results = 1;
    return oriel_encode(b->encoder, b->plan, &in, &out,
                        (struct CUstream_st *)stream, &err)
               ? complain(how, err.message)
               : 0;
}

static int
read_back(const bench *b, char *into, const char *how)
{
    return must(cudaDeviceSynchronize(), how) ||
           must(cudaMemcpy(into, b->embeddings, b->bytes,
                           cudaMemcpyDeviceToHost),
                how);
}

/* ---- What is checked ------------------------------------------------------ */

/* Nothing is loaded lazily: the first call of all may be captured. */
static int
check_capture(const bench *b)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    int result =
        must(cudaStreamBeginCapture(b->other, cudaStreamCaptureModeGlobal),
             "cudaStreamBeginCapture") ||
        encode(b, b->other, "the first call, captured") ||
        must(cudaStreamEndCapture(b->other, &graph), "cudaStreamEndCapture") ||
        must(cudaGraphInstantiate(&exec, graph, 0), "cudaGraphInstantiate") ||
        must(cudaGraphLaunch(exec, b->other), "cudaGraphLaunch") ||
        read_back(b, b->first, "the first call, captured");

    if (exec)
        cudaGraphExecDestroy(exec);
    if (graph)
        cudaGraphDestroy(graph);
    if (!result)
        printf("the first call of all, captured: replayed\n");
    return result;
}

static int
check_stream(const bench *b, cudaStream_t stream, const char *how)
{
    int result = 0;

    for (int i = 0; i < CALLS && !result; i++)
        result =
            must(cudaMemsetAsync(b->embeddings, 0xff, b->bytes, stream), how) ||
            encode(b, stream, how) || read_back(b, b->now, how) ||
            (memcmp(b->now, b->first, b->bytes) ? complain(how, "other bytes")
                                                : 0);
    if (!result)
        printf("%s: the bytes of the first call\n", how);
    return result;
}

static int
check_all(bench *b)
{
    const struct {
        cudaStream_t stream;
        const char *how;
    } streams[] = {{NULL, "the default stream"},
                   {cudaStreamLegacy, "cudaStreamLegacy"},
                   {cudaStreamPerThread, "cudaStreamPerThread"},
                   {b->blocking, "a blocking stream"},
                   {b->other, "a non-blocking stream"}};
    int result = check_capture(b);

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]) && !result; i++)
        result = check_stream(b, streams[i].stream, streams[i].how);
    return result;
}

static void
close_all(bench *b)
{
    oriel_encoder_destroy(b->encoder);
    oriel_plan_destroy(b->plan);
    oriel_model_destroy(b->model);
    if (b->blocking)
        cudaStreamDestroy(b->blocking);
    if (b->other)
        cudaStreamDestroy(b->other);
    cudaFree(b->pixels);
    cudaFree(b->embeddings);
    free(b->first);
    free(b->now);
}

int
main(int argc, char **argv)
{
    bench b = {0};
    int32_t kernels = ORIEL_KERNELS_OWN;
    int result, count = 0;

    if (bench_help(argc, argv, usage))
        return EXIT_SUCCESS;
    if (argc == 3 && strcmp(argv[2], "--cublaslt") == 0)
        kernels = ORIEL_KERNELS_CUBLASLT;
    else if (argc == 3 && strcmp(argv[2], "--hopper") == 0)
        kernels = ORIEL_KERNELS_HOPPER;
    else if (argc != 2) {
        fputs(usage, stderr);
        return 2;
    }
    if (must(cudaGetDeviceCount(&count), "cudaGetDeviceCount"))
        return EXIT_FAILURE;
    b.device = count - 1;
    result = open_encoder(&b, argv[1], kernels) || check_contexts(&b) ||
             make_memory(&b) || check_all(&b);
    close_all(&b);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
