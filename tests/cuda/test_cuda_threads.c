/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_threads.c - encoders of one model on threads and devices at once
 *
 * ThreadSanitizer watches the backend's host side here; the stand-in runtime
 * takes one call at a time, so that threads meet between calls alone.
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, DEVICES = 2, ENCODERS = 2, CALLS = 4 };

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

typedef struct worker {
    const cuda_fixture *r;
    pthread_barrier_t *gate;
    int32_t device_index;
    cudaStream_t stream;
    device_buffer pixels, out;
    float *embeddings;   /* of the host */
    bool captures;       /* the last call of an encoder, and replays it */
    char complaint[512]; /* of the first thing that went wrong */
} worker;

/* What a thread finds wrong, its joiner tells. */
static bool
expect(worker *w, bool condition, const char *what)
{
    if (!condition && !w->complaint[0])
        strncpy(w->complaint, what, sizeof(w->complaint) - 1);
    return condition;
}

static bool
encode(worker *w, oriel_encoder *encoder, const oriel_input *input, void *out,
       int32_t memory)
{
    oriel_output output = cuda_fixture_output(w->r, out, memory);
    oriel_error err;

    return expect(w,
                  oriel_encode(encoder, w->r->plan, input, &output, w->stream,
                               &err) == ORIEL_OK,
                  err.message);
}

static void
encode_in_turn(worker *w, oriel_encoder *encoder)
{
    for (int turn = 0; turn < CALLS; turn++) {
        oriel_input input = cuda_fixture_host_input(w->r);

        if (turn % 2) {
            input.pixels_memory = ORIEL_MEMORY_DEVICE;
            input.pixel_values = w->pixels.data;
        }
        memset(w->embeddings, 0, w->r->embeddings_bytes);
        if (!encode(w, encoder, &input, w->embeddings, ORIEL_MEMORY_HOST))
            return;
        expect(w,
               memcmp(w->embeddings, w->r->expected, w->r->embeddings_bytes) ==
                   0,
               "the embeddings differ");
    }
}

static void
capture(worker *w, oriel_encoder *encoder)
{
    oriel_input input = cuda_fixture_device_input(w->r);
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;

    input.pixel_values = w->pixels.data;
    if (!expect(w,
                cudaStreamBeginCapture(
                    w->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess,
                "no capture"))
        return;
    encode(w, encoder, &input, w->out.data, ORIEL_MEMORY_DEVICE);
    if (!expect(w, cudaStreamEndCapture(w->stream, &graph) == cudaSuccess,
                "the capture was spoiled"))
        return;
    expect(w,
           cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess &&
               cudaGraphLaunch(exec, w->stream) == cudaSuccess &&
               cudaStreamSynchronize(w->stream) == cudaSuccess &&
               cudaGraphExecDestroy(exec) == cudaSuccess &&
               cudaGraphDestroy(graph) == cudaSuccess,
           "the graph does not run");
}

/* Create beside the others, encode, and go, some before and some after them. */
static void *
work(void *argument)
{
    worker *w = argument;

    expect(w, cudaSetDevice(w->device_index) == cudaSuccess, "no such device");
    for (int turn = 0; turn < ENCODERS; turn++) {
        oriel_encoder *encoder;
        oriel_error err;

        pthread_barrier_wait(w->gate);
        encoder = cuda_fixture_try_encoder_on(w->r, w->device_index, &err);
        if (!expect(w, encoder != NULL, err.message))
            continue;
        encode_in_turn(w, encoder);
        if (w->captures)
            capture(w, encoder);
        oriel_encoder_destroy(encoder);
    }
    return NULL;
}

static void
make_worker(worker *w, const cuda_fixture *r, int i, pthread_barrier_t *gate)
{
    *w = (worker){.r = r, .gate = gate, .device_index = i % DEVICES};
    w->captures = i / DEVICES;
    MUST(cudaSetDevice(w->device_index));
    w->stream = cuda_fixture_stream();
    w->pixels = device_upload(r->pixels, r->pixels_bytes);
    w->out = device_output(r->embeddings_bytes);
    w->embeddings = oracle_alloc(1, r->embeddings_bytes);
    MUST(cudaSetDevice(0));
}

static void
free_worker(worker *w)
{
    ck_assert_str_eq(w->complaint, "");
    if (w->captures)
        cuda_fixture_expect(w->r, w->out);
    MUST(cudaStreamDestroy(w->stream));
    device_release(w->pixels);
    device_release(w->out);
    free(w->embeddings);
}

START_TEST(encoders_on_threads_do_not_meet)
{
    cuda_fixture r;
    size_t before;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t gate;

    fixture_kernels = _i % 2 ? ORIEL_KERNELS_CUBLASLT : ORIEL_KERNELS_OWN;
    sim_interleave((uint64_t)_i + 1);
    sim_devices(DEVICES, 13000);
    r = cuda_fixture_make(&fixture_tiny);
    before = sim_device_bytes();
    pthread_barrier_init(&gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        make_worker(&workers[i], &r, i, &gate);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]),
                         0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&gate);
    for (int i = 0; i < THREADS; i++)
        free_worker(&workers[i]);
    cuda_fixture_expect_silence();
    ck_assert_uint_eq(sim_device_bytes(), before);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_threads");
    TCase *tc = tcase_create("threads");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, encoders_on_threads_do_not_meet, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
