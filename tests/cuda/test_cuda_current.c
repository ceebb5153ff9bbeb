/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_current.c - callers with a CUDA context of their own
 *
 * Ours all lies in a device's primary context.  A caller whose own context of the
 * same device is current finds encoders working in the primary one, and whatever
 * of his context he gives to one is refused by name.
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/driver.h"
#include "support/suite.h"

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- The driver, as a caller finds it --------------------------------------- */

static struct {
    int (*create)(driver_context *context, unsigned flags, int device);
    int (*destroy)(driver_context context);
    int (*get_current)(driver_context *context);
    int (*set_current)(driver_context context);
    int (*pop)(driver_context *context);
} driver;

static void
find_driver(void)
{
    driver_find(&driver.create, "cuCtxCreate");
    driver_find(&driver.destroy, "cuCtxDestroy");
    driver_find(&driver.get_current, "cuCtxGetCurrent");
    driver_find(&driver.set_current, "cuCtxSetCurrent");
    driver_find(&driver.pop, "cuCtxPopCurrent");
}

static driver_context
current(void)
{
    driver_context context;

    MUST(driver.get_current(&context));
    return context;
}

/* A context of the caller's, not current. */
static driver_context
make_context(int device)
{
    driver_context context, popped;

    MUST(driver.create(&context, 0, device));
    MUST(driver.pop(&popped));
    ck_assert_ptr_eq(popped, context);
    return context;
}

/* ---- One batch, and streams of both contexts -------------------------------- */

typedef struct scene {
    cuda_fixture r;
    device_buffer out;
    oriel_input input;
    oriel_result result;
    oriel_output output;
    driver_context primary, own; /* of device 0; primary is current */
    cudaStream_t stream;         /* of the primary one */
    cudaStream_t stranger;       /* of the own one */
} scene;

static void
set_up(scene *s)
{
    find_driver();
    s->r = cuda_fixture_make(cuda_fixture_shallow());
    s->out = device_output(s->r.embeddings_bytes);
    s->input = cuda_fixture_device_input(&s->r);
    s->result = embeddings_result(s->out.data, s->r.embeddings_bytes);
    s->output = output_of(&s->result, 1, ORIEL_MEMORY_DEVICE);
    s->stream = cuda_fixture_stream();
    s->primary = current();
    s->own = make_context(0);
    MUST(driver.set_current(s->own));
    s->stranger = cuda_fixture_stream();
    MUST(driver.set_current(s->primary));
}

static void
tear_down(scene *s)
{
    MUST(driver.set_current(s->primary));
    MUST(cudaStreamDestroy(s->stranger));
    MUST(cudaStreamDestroy(s->stream));
    MUST(driver.destroy(s->own));
    device_release(s->out);
    cuda_fixture_free(&s->r);
}

static void
expect_encode(scene *s, oriel_encoder *encoder, cudaStream_t stream)
{
    cuda_fixture_encode(encoder, s->r.plan, &s->input, &s->output, stream);
    MUST(cudaStreamSynchronize(stream));
    cuda_fixture_expect(&s->r, s->out);
}

static void
expect_refusal(scene *s, oriel_encoder *encoder, cudaStream_t stream,
               const char *words)
{
    cuda_fixture_expect_refusal(encoder, &s->r, &s->input, &s->output, stream,
                                ORIEL_ERR_ARGUMENT, words);
}

static const char of_a_stream[] =
    "the stream is of a CUDA context of the caller's, expected the primary "
    "context of device 0";
static const char of_a_default_stream[] =
    "the stream is a default one, and the current CUDA context is not the "
    "primary one of device 0";

/* ---- Contexts of the encoder's device ---------------------------------------- */

/* Every call but encode names no memory and no stream, so it just works; with
   either's products, by graph too. */
START_TEST(an_encoder_works_while_another_context_is_current)
{
    scene s;
    oriel_encoder *encoder;
    oriel_error err;

    fixture_kernels = _i;
    set_up(&s);
    MUST(driver.set_current(s.own));
    encoder = cuda_fixture_encoder(&s.r);
    ck_assert_ptr_eq(current(), s.own);
    for (int i = 0; i < DIRECT_CALLS + 2; i++)
        expect_encode(&s, encoder, s.stream);
    ck_assert_int_eq(oriel_encoder_reserve(encoder, 1 << 22, &err), ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, s.r.plan, &err), ORIEL_OK);
    expect_encode(&s, encoder, s.stream);
    ck_assert_int_eq(oriel_encoder_status(encoder, &err), ORIEL_OK);
    ck_assert_ptr_eq(current(), s.own);
    MUST(driver.set_current(s.primary));
    expect_encode(&s, encoder, s.stream);
    expect_encode(&s, encoder, NULL);
    MUST(driver.set_current(s.own));
    oriel_encoder_destroy(encoder);
    ck_assert_ptr_eq(current(), s.own);
    tear_down(&s);
}
END_TEST

START_TEST(streams_of_another_context_are_refused)
{
    static const cudaStream_t defaults[] = {NULL, cudaStreamLegacy,
                                            cudaStreamPerThread};
    scene s;
    oriel_encoder *encoder;

    set_up(&s);
    encoder = cuda_fixture_encoder(&s.r);
    expect_refusal(&s, encoder, s.stranger, of_a_stream);
    ck_assert_ptr_eq(current(), s.primary);
    MUST(driver.set_current(s.own));
    expect_refusal(&s, encoder, s.stranger, of_a_stream);
    for (size_t i = 0; i < COUNT(defaults); i++) {
        expect_refusal(&s, encoder, defaults[i], of_a_default_stream);
        ck_assert_ptr_eq(current(), s.own);
    }
    expect_encode(&s, encoder, s.stream);
    MUST(driver.set_current(s.primary));
    for (size_t i = 0; i < COUNT(defaults); i++)
        expect_encode(&s, encoder, defaults[i]);
    oriel_encoder_destroy(encoder);
    tear_down(&s);
}
END_TEST

/* Device memory of the caller's context, and pinned memory. */
START_TEST(memory_of_another_context_is_refused)
{
    scene s;
    oriel_encoder *encoder;
    oriel_output output;
    void *device, *pinned;
    size_t bytes;

    set_up(&s);
    bytes = s.r.pixels_bytes + s.r.embeddings_bytes + ((size_t)1 << 22);
    encoder = cuda_fixture_encoder(&s.r);
    MUST(driver.set_current(s.own));
    MUST(cudaMalloc(&device, bytes));
    MUST(cudaMallocHost(&pinned, bytes));
    MUST(driver.set_current(_i ? s.own : s.primary));

    s.input.pixel_values = device;
    expect_refusal(&s, encoder, s.stream,
                   "input.pixel_values is in memory of a CUDA context of the "
                   "caller's");
    s.input.pixel_values = pinned;
    s.input.pixels_memory = ORIEL_MEMORY_HOST;
    expect_refusal(&s, encoder, s.stream, "input.pixel_values is in memory of");
    s.input = cuda_fixture_device_input(&s.r);
    s.result.data = device;
    expect_refusal(&s, encoder, s.stream, "results[].data is in memory of");
    s.result.data = pinned;
    s.output.results_memory = ORIEL_MEMORY_HOST;
    expect_refusal(&s, encoder, s.stream, "results[].data is in memory of");
    s.result.data = s.out.data;
    s.output.results_memory = ORIEL_MEMORY_DEVICE;
    output = s.output;
    s.output.workspace = device;
    s.output.workspace_bytes = bytes;
    expect_refusal(&s, encoder, s.stream, "workspace is in memory of");
    s.output = output;
    s.output.row_index = device;
    s.output.row_index_memory = ORIEL_MEMORY_DEVICE;
    expect_refusal(&s, encoder, s.stream, "output.row_index is in memory of");
    s.output = output;
    expect_encode(&s, encoder, s.stream);

    oriel_encoder_destroy(encoder);
    MUST(cudaFree(device));
    MUST(cudaFreeHost(pinned));
    tear_down(&s);
}
END_TEST

/* Whatever goes wrong on the way, the caller is where he was. */
START_TEST(a_call_that_fails_leaves_the_context)
{
    scene s;
    uint64_t calls;

    set_up(&s);
    MUST(driver.set_current(s.own));
    sim_fail_call(0, cudaSuccess);
    oriel_encoder_destroy(cuda_fixture_encoder(&s.r));
    calls = sim_calls();
    for (uint64_t n = 1; n <= calls; n++) {
        oriel_encoder *encoder;
        oriel_error err;

        sim_fail_call(n, cudaErrorMemoryAllocation);
        encoder = cuda_fixture_try_encoder(&s.r, NULL, &err);
        sim_fail_call(0, cudaSuccess);
        ck_assert_ptr_eq(current(), s.own);
        oriel_encoder_destroy(encoder);
    }
    cuda_fixture_expect_silence();
    tear_down(&s);
}
END_TEST

/* ---- Other threads' and other devices' ------------------------------------------ */

/* Nothing is current to the thread: that stays so. */
START_TEST(a_thread_without_a_context)
{
    scene s;
    oriel_encoder *encoder;

    set_up(&s);
    MUST(driver.set_current(NULL));
    ck_assert_ptr_null(current());
    encoder = cuda_fixture_encoder(&s.r);
    for (int i = 0; i < DIRECT_CALLS + 2; i++) {
        cuda_fixture_encode(encoder, s.r.plan, &s.input, &s.output,
                            i % 2 ? s.stream : NULL);
        ck_assert_ptr_null(current());
        MUST(cudaStreamSynchronize(i % 2 ? s.stream : NULL));
        cuda_fixture_expect(&s.r, s.out);
        MUST(driver.set_current(NULL));
    }
    oriel_encoder_destroy(encoder);
    ck_assert_ptr_null(current());
    tear_down(&s);
}
END_TEST

/* A context of another device than the encoder's, primary or not, is none of our
   business: the default stream is the encoder's device's. */
START_TEST(a_context_of_another_device)
{
    scene s;
    driver_context elsewhere;
    oriel_encoder *encoder;

    set_up(&s);
    sim_devices(2, 13000);
    elsewhere = make_context(1);
    MUST(driver.set_current(elsewhere));
    encoder = cuda_fixture_encoder(&s.r);
    for (int i = 0; i < DIRECT_CALLS + 2; i++)
        expect_encode(&s, encoder, i % 2 ? s.stream : NULL);
    expect_refusal(&s, encoder, s.stranger, of_a_stream);
    oriel_encoder_destroy(encoder);
    ck_assert_ptr_eq(current(), elsewhere);
    MUST(driver.set_current(s.primary));
    MUST(driver.destroy(elsewhere));
    tear_down(&s);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cuda_current");
    TCase *tc = tcase_create("contexts");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_encoder_works_while_another_context_is_current,
                        ORIEL_KERNELS_OWN, ORIEL_KERNELS_HOPPER + 1);
    tcase_add_test(tc, streams_of_another_context_are_refused);
    tcase_add_loop_test(tc, memory_of_another_context_is_refused, 0, 2);
    tcase_add_test(tc, a_call_that_fails_leaves_the_context);
    tcase_add_test(tc, a_thread_without_a_context);
    tcase_add_test(tc, a_context_of_another_device);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
