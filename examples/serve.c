/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - a queue of pictures, two encoders, the input of a language model
 *
 *   cc serve.c $(pkg-config --cflags --libs oriel) && ./a.out CHECKPOINT
 *
 * A request is rows of text, then a picture.  Runs that fit a budget go to the
 * encoders in turn, each embedding into its row of the input.  With -DSERVE_CUDA
 * and -lcudart pixels are pinned, the input is on the device, and nothing waits.
 */
#include <err.h>
#include <oriel.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef SERVE_CUDA
#include <cuda_runtime.h>
enum { DEVICE = ORIEL_DEVICE_CUDA, MATRIX_MEMORY = ORIEL_MEMORY_DEVICE };
#else /* the same calls on the CPU, which has no streams */
enum { DEVICE = ORIEL_DEVICE_CPU, MATRIX_MEMORY = ORIEL_MEMORY_HOST };
typedef struct CUstream_st *cudaStream_t;
#define cudaStreamCreateWithFlags(stream, flags) (*(stream) = NULL, 0)
#define cudaStreamSynchronize(stream) ((stream) != NULL)
#define cudaMallocHost(memory, bytes) (!(*(memory) = malloc(bytes)))
#define cudaMalloc(memory, bytes) cudaMallocHost(memory, bytes)
#endif
enum { REQUESTS = 32, ENCODERS = 2, TEXT_ROWS = 3, MAX_TOKENS = 28 };
enum { SIDE = 60, NOISE_BYTES = SIDE * SIDE * 3 + REQUESTS };

static oriel_model *model;
static oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
static oriel_encoder *encoders[ENCODERS];
static cudaStream_t streams[ENCODERS];
static size_t n, first_token[REQUESTS + 1], n_rows; /* n: admitted requests */
static oriel_item items[REQUESTS];
static const void *frames[REQUESTS];
static int32_t *row_index; /* of each token, in the language model's input: */
static oriel_result matrix = {.kind = ORIEL_RESULT_EMBEDDINGS,
                              .dtype = ORIEL_DTYPE_BF16};
static void *noise;

static void
stop_if(_Bool failed, const char *why)
{
    if (failed)
        errx(EXIT_FAILURE, "%s", why);
}

/* The size of a picture is enough to refuse it, and to place its tokens. */
static void
admit(oriel_item item)
{
    size_t at = first_token[n];
    int64_t tokens;
    oriel_error err;

    if (oriel_item_measure(model, &item, NULL, NULL, &tokens, &err)) {
        printf("a request is refused: %s\n", err.message);
        return;
    }
    row_index = realloc(row_index, (at + (size_t)tokens) * sizeof(*row_index));
    stop_if(!row_index, "out of memory");
    for (n_rows += TEXT_ROWS; tokens > 0; tokens--)
        row_index[at++] = (int32_t)n_rows++;
    frames[n] = (char *)noise + n;
    items[n++] = item;
    first_token[n] = at;
}

/* Encode items begin to end - 1 on encoder k, which gets the scratch it lacks. */
static oriel_status
encode(size_t k, size_t begin, size_t end, oriel_error *err)
{
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_plan *plan;
    size_t bytes, tries = 1;

    input.frames = frames + begin;
    input.no_wait = 1;
    output.results = &matrix;
    output.n_results = 1;
    output.results_memory = MATRIX_MEMORY;
    output.row_index = row_index + first_token[begin];
    if (oriel_plan_create(&plan, model, items + begin, end - begin, NULL, err))
        return err->status;
    while (oriel_encode(encoders[k], plan, &input, &output, streams[k], err) ==
               ORIEL_ERR_CAPACITY &&
           tries-- > 0 &&
           !oriel_plan_workspace_bytes(plan, &options, &bytes, err) &&
           !oriel_encoder_reserve(encoders[k], bytes, err))
        ;                     /* once more, if it suffices now */
    oriel_plan_destroy(plan); /* read before the return, as row_index was */
    return err->status;
}

/* Each run to the next encoder; the first run ends at ends[0]. */
static void
serve(const size_t *ends)
{
    for (size_t k = 0, begin = 0, end = *ends; begin < n;) {
        oriel_error err;
        oriel_status status = encode(k, begin, end, &err);

        if (status == ORIEL_ERR_BUSY) { /* again, when its work is done */
            stop_if(cudaStreamSynchronize(streams[k]), "the device failed");
        } else if (status == ORIEL_ERR_MEMORY && end - begin > 1) {
            end = begin + (end - begin) / 2;
        } else {
            stop_if(status, err.message);
            begin = end;
            end = end < *ends ? *ends : *++ends;
            k = (k + 1) % ENCODERS;
        }
    }
}

int
main(int argc, char **argv)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_budget limit = ORIEL_BUDGET_INIT;
    size_t ends[REQUESTS + 1] = {0}, runs;
    oriel_error err;

    stop_if(oriel_model_open(&model, argv[argc - 1], NULL, &err), err.message);
    stop_if(oriel_model_get_info(model, &info, &err), err.message);
    stop_if(cudaMallocHost(&noise, NOISE_BYTES), "out of memory");
    for (int i = 0; i < NOISE_BYTES; i++)
        ((char *)noise)[i] = (char)rand();
    for (int i = 0; i < REQUESTS; i++)
        admit((oriel_item){rand() % SIDE, rand() % SIDE, 1, 0, 0, 0});
    limit.max_tokens = MAX_TOKENS;
    stop_if(oriel_plan_split(model, items, n, NULL, &limit, ends, &runs, &err),
            err.message);
    matrix.bytes = n_rows * (size_t)info.out_hidden_size * 2;
    stop_if(cudaMalloc(&matrix.data, matrix.bytes), "out of memory");
    options.device = DEVICE;
    for (int k = 0; k < ENCODERS; k++) {
        stop_if(cudaStreamCreateWithFlags(&streams[k], 0), "no stream");
        stop_if(oriel_encoder_create(&encoders[k], model, &options, &err),
                err.message);
    }
    serve(ends);
    for (int k = 0; k < ENCODERS; k++) {
        stop_if(cudaStreamSynchronize(streams[k]), "the device failed");
        oriel_encoder_destroy(encoders[k]);
    }
    oriel_model_destroy(model);
    return printf("%zu requests in %zu rows, %zu runs\n", n, n_rows, runs) < 0;
}
