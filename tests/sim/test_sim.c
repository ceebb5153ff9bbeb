/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator itself: each faulty kernel is reported under every schedule, its
 * correct twin under none, and the stand-in runtime keeps CUDA's promises only.
 */
#include "sim/control.h"
#include "sim/counters.h"
#include "sim/faulty.h"
#include "support/device_case.h"
#include "support/driver.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES = 256 };

static const struct {
    int which;
    const char *says;
} faults[] = {
    {FAULTY_REVERSE, "race in shared memory"},
    {FAULTY_REVERSE_WARP, "race in shared memory"},
    {FAULTY_COPY, "not waited for"},
    {FAULTY_PIPELINE, "shared memory"},
    {FAULTY_OVERRUN_SHARED, "of 2048 bytes of shared memory"},
    {FAULTY_OVERRUN_GLOBAL, "of an allocation of 1024 bytes"},
    {FAULTY_DIVERGE, "meet at different places"},
    {FAULTY_SKIP_ROUND, "in different rounds of a loop"},
    {FAULTY_SKIP_LATE_ROUND, "in different rounds of a loop"},
    {FAULTY_LEAVE, "deadlock"},
    {FAULTY_COLLIDE, "the same launch wrote at faulty.cu:"},
    {FAULTY_REVERSE_GLOBAL, "the same block read at faulty.cu:"},
    {FAULTY_SHIFT_GLOBAL, "the same block "},
    {FAULTY_HALVES, "the same block wrote at faulty.cu:"},
    {FAULTY_MISALIGN, "not aligned"},
    {FAULTY_OVERRUN_REGISTERS, "beyond the end of an array"},
    {FAULTY_SHIFT, "a shift by too much"},
    {FAULTY_CONVERT, "beyond what the integer holds"},
    {FAULTY_HALF_WARPS, "is met by 16 lanes of a warp"},
    {FAULTY_TWO_BARRIERS, "the lanes of a warp meet at different places"},
    {FAULTY_UNWAITED, "never waited for"},
    {FAULTY_SOURCE, "changed before the copy was waited for"},
    {FAULTY_NOWHERE, "expected an address inside its operand"},
};

static float input[VALUES];

/* Just the values, with nothing after them. */
static faulty_args
make_arguments(void)
{
    faulty_args args;
    float *in;

    for (int i = 0; i < VALUES; i++)
        input[i] = (float)i;
    ck_assert_int_eq(cudaMalloc((void **)&in, sizeof(input)), cudaSuccess);
    ck_assert_int_eq(
        cudaMemcpy(in, input, sizeof(input), cudaMemcpyHostToDevice),
        cudaSuccess);
    ck_assert_int_eq(cudaMalloc((void **)&args.out, sizeof(input)),
                     cudaSuccess);
    args.in = in;
    return args;
}

/* A fault is sticky, as on hardware, so each runs in a process of its own. */
START_TEST(faults_are_reported)
{
    int schedule = _i / (int)COUNT(faults), f = _i % (int)COUNT(faults);
    faulty_args args = make_arguments();
    const char *report;

    device_set_schedule(schedule);
    ck_assert_int_eq(faulty_run(faults[f].which, 1, &args), cudaSuccess);
    report = device_finish();
    ck_assert_msg(strstr(report, faults[f].says), "'%s' lacks '%s'", report,
                  faults[f].says);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
}
END_TEST

START_TEST(twins_are_not)
{
    for (int i = 0; i < device_schedules(); i++) {
        faulty_args args = make_arguments();

        device_set_schedule(i);
        ck_assert_int_eq(faulty_run(_i, 0, &args), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
    }
}
END_TEST

/* What a kernel makes of 'values', in its right form and in its wrong one. */
static void
run_both(float (*sums)[2], int which, const float *values)
{
    faulty_args args = make_arguments();
    float out[32];

    ck_assert_int_eq(cudaMemcpy((void *)(uintptr_t)args.in, values,
                                sizeof(input), cudaMemcpyHostToDevice),
                     cudaSuccess);
    for (int wrong = 0; wrong < 2; wrong++) {
        ck_assert_int_eq(faulty_run(which, wrong, &args), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(
            cudaMemcpy(out, args.out, sizeof(out), cudaMemcpyDeviceToHost),
            cudaSuccess);
        (*sums)[wrong] = out[0];
    }
    cudaFree((void *)(uintptr_t)args.in);
    cudaFree(args.out);
}

/*
 * Where in an instruction a row's depth begins, and whether its sum is split,
 * changes no bit of the plain sums of these values; but a core that aligns and
 * truncates loses the small ones that meet the one.
 */
START_TEST(adversarial_cores_tell_groupings_apart)
{
    float values[VALUES] = {0}, plain[2], adversarial[2];

    if (_i == FAULTY_PACKED) { /* seven small ones, then the one */
        for (int k = 0; k < 7; k++)
            values[k] = 0x1p-25f;
        values[7] = 1;
    } else { /* the one, then a whole instruction of small ones */
        values[0] = 1;
        for (int k = 16; k < 32; k++)
            values[k] = 0x1p-25f;
    }
    run_both(&plain, _i, values);
    device_set_adversarial(true);
    run_both(&adversarial, _i, values);
    device_set_adversarial(false);
    ck_assert(plain[0] == plain[1]);
    ck_assert(plain[0] > 1);
    ck_assert(adversarial[0] == 1);
    ck_assert(adversarial[1] > 1);
}
END_TEST

/* Fresh memory holds NaN, which some operations pass over, or large numbers, which
   they do not. */
START_TEST(two_poisons_show_more_than_one)
{
    float values[VALUES] = {0}, sums[2];
    int showed = 0;

    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        run_both(&sums, FAULTY_UNWRITTEN, values);
        ck_assert(sums[0] == 0);
        showed += sums[1] != 0;
    }
    ck_assert_int_gt(showed, 0);
    ck_assert_int_lt(showed, device_schedules());
    device_set_schedule(0);
}
END_TEST

/* What a block of each kind of GPU may ask for, and 16 bytes more. */
static const struct {
    int architecture;
    size_t kib;
} rooms[] = {{80, 163}, {86, 99}, {89, 99}, {90, 227}, {100, 227}, {120, 99}};

START_TEST(shared_memory_has_its_limit)
{
    size_t most = rooms[_i].kib * 1024;

    sim_architecture(0, rooms[_i].architecture);
    ck_assert_int_eq(faulty_prepare(most), cudaSuccess);
    ck_assert_int_eq(faulty_prepare(most + 16), cudaErrorInvalidValue);
}
END_TEST

/* A kernel is prepared on a device, runs there, and finds its memory there. */
START_TEST(devices_are_apart)
{
    faulty_args args = make_arguments();
    cudaStream_t stream;

    sim_devices(2, 13000);
    ck_assert_int_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                     cudaSuccess);
    ck_assert_int_eq(cudaSetDevice(1), cudaSuccess);
    if (_i == 0) {
        ck_assert_int_eq(faulty_run(FAULTY_COLLIDE, 0, &args), cudaSuccess);
        ck_assert_ptr_nonnull(
            strstr(device_finish(), "of the memory of device 0 on device 1"));
    } else {
        ck_assert_int_eq(faulty_run_on(stream, &args),
                         cudaErrorInvalidResourceHandle);
        ck_assert_str_eq(device_finish(), "");
    }
    (void)cudaStreamDestroy(stream);
}
END_TEST

/* So it is with two contexts of one device; and an event is recorded in its own. */
START_TEST(contexts_are_apart)
{
    faulty_args args = make_arguments();
    int (*create)(driver_context * context, unsigned flags, int device);
    struct cudaPointerAttributes at;
    driver_context context;
    cudaStream_t stream;
    cudaEvent_t event;

    driver_find(&create, "cuCtxCreate");
    ck_assert_int_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                     cudaSuccess);
    ck_assert_int_eq(create(&context, 0, 0), cudaSuccess);
    ck_assert_int_eq(cudaEventCreateWithFlags(&event, cudaEventDefault),
                     cudaSuccess);
    ck_assert_int_eq(cudaEventRecord(event, stream),
                     cudaErrorInvalidResourceHandle);
    ck_assert_int_eq(faulty_run_on(stream, &args),
                     cudaErrorInvalidResourceHandle);
    ck_assert_str_eq(device_finish(), "");
    ck_assert_int_eq(cudaPointerGetAttributes(&at, make_arguments().in),
                     cudaErrorIncompatibleDriverContext);
    ck_assert_int_eq(faulty_run(FAULTY_COLLIDE, 0, &args), cudaSuccess);
    ck_assert_ptr_nonnull(
        strstr(device_finish(), "of the memory of another context"));
    (void)cudaEventDestroy(event);
    (void)cudaStreamDestroy(stream);
}
END_TEST

/* Worked out by hand: 32 banks of 4 bytes, for 32, 16 or 8 lanes at a time, and
   sectors of 32 bytes. */
static const struct {
    int bytes, stride;
    uint64_t phases, least, sectors, needed;
} strides[] = {
    {4, 1, 1, 1, 4, 4},  {4, 2, 2, 1, 8, 4},    {4, 7, 1, 1, 28, 4},
    {4, 8, 8, 1, 32, 4}, {8, 1, 2, 2, 8, 8},    {8, 2, 4, 2, 16, 8},
    {8, 3, 2, 2, 24, 8}, {16, 1, 4, 4, 16, 16}, {16, 2, 8, 4, 32, 16}};

START_TEST(strides_cost_phases_and_sectors)
{
    faulty_args args = make_arguments();
    sim_counters c;

    ck_assert_int_eq(strided_run(strides[_i].bytes, 1, &args), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    sim_start_counters(); /* what was before does not count */
    ck_assert_int_eq(strided_run(strides[_i].bytes, strides[_i].stride, &args),
                     cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    c = sim_take_counters();
    ck_assert_uint_eq(c.shared_stores.requests, 1);
    ck_assert_uint_eq(c.shared_stores.phases, strides[_i].phases);
    ck_assert_uint_eq(c.shared_stores.least, strides[_i].least);
    ck_assert_mem_eq(&c.shared_loads, &c.shared_stores, sizeof(c.shared_loads));
    ck_assert_uint_eq(c.loads.requests, 1);
    ck_assert_uint_eq(c.loads.sectors, strides[_i].sectors);
    ck_assert_uint_eq(c.loads.needed, strides[_i].needed);
    ck_assert_mem_eq(&c.stores, &c.loads, sizeof(c.stores));
    cudaFree((void *)args.in);
    cudaFree(args.out);
}
END_TEST

/* ---- The runtime -------------------------------------------------------- */

START_TEST(nothing_runs_when_it_is_enqueued)
{
    float *pinned, *device, back[VALUES];

    for (int i = 0; i < VALUES; i++)
        input[i] = (float)i;
    ck_assert_int_eq(cudaMallocHost((void **)&pinned, sizeof(input)),
                     cudaSuccess);
    ck_assert_int_eq(cudaMalloc((void **)&device, sizeof(input)), cudaSuccess);
    memset(pinned, 0, sizeof(input));
    ck_assert_int_eq(cudaMemcpyAsync(device, pinned, sizeof(input),
                                     cudaMemcpyHostToDevice, NULL),
                     cudaSuccess);
    /* Pinned memory is read when the stream gets there ... */
    memcpy(pinned, input, sizeof(input));
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaSuccess);
    ck_assert_int_eq(
        cudaMemcpy(back, device, sizeof(back), cudaMemcpyDeviceToHost),
        cudaSuccess);
    ck_assert_mem_eq(back, input, sizeof(back));
    /* ... pageable memory before the call returns. */
    float *pageable = malloc(sizeof(input));

    memset(pageable, 0, sizeof(input));
    ck_assert_int_eq(cudaMemcpyAsync(device, pageable, sizeof(input),
                                     cudaMemcpyHostToDevice, NULL),
                     cudaSuccess);
    memset(pageable, 0xff, sizeof(input));
    free(pageable);
    ck_assert_int_eq(
        cudaMemcpy(back, device, sizeof(back), cudaMemcpyDeviceToHost),
        cudaSuccess);
    for (int i = 0; i < VALUES; i++)
        ck_assert(back[i] == 0);
    cudaFreeHost(pinned);
    cudaFree(device);
}
END_TEST

/* Without an event two streams run in any order; with one, in that order. */
START_TEST(only_events_order_streams)
{
    cudaStream_t a, b;
    cudaEvent_t event;
    float *device, *first, *second, back[1];
    int seen[2] = {0, 0};

    ck_assert_int_eq(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking),
                     cudaSuccess);
    ck_assert_int_eq(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking),
                     cudaSuccess);
    ck_assert_int_eq(cudaEventCreateWithFlags(&event, cudaEventDisableTiming),
                     cudaSuccess);
    cudaMalloc((void **)&device, 4);
    cudaMallocHost((void **)&first, 4);
    cudaMallocHost((void **)&second, 4);
    *first = 1, *second = 2;
    for (int round = 0; round < 64; round++) {
        cudaMemcpyAsync(device, first, 4, cudaMemcpyHostToDevice, a);
        if (_i) {
            cudaEventRecord(event, a);
            cudaStreamWaitEvent(b, event, 0);
        }
        cudaMemcpyAsync(device, second, 4, cudaMemcpyHostToDevice, b);
        ck_assert_int_eq(cudaDeviceSynchronize(), cudaSuccess);
        cudaMemcpy(back, device, 4, cudaMemcpyDeviceToHost);
        seen[back[0] == 2]++;
    }
    ck_assert_int_gt(seen[1], 0);
    if (_i)
        ck_assert_int_eq(seen[0], 0);
    else
        ck_assert_int_gt(seen[0], 0);
    cudaEventDestroy(event);
    cudaStreamDestroy(a);
    cudaStreamDestroy(b);
    cudaFree(device);
    cudaFreeHost(first);
    cudaFreeHost(second);
}
END_TEST

START_TEST(captures_are_strict)
{
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    float *pinned, *device, *more, back[1];

    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaMalloc((void **)&device, 4);
    cudaMallocHost((void **)&pinned, 4);
    ck_assert_int_eq(
        cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal),
        cudaSuccess);
    ck_assert_int_eq(cudaMalloc((void **)&more, 4),
                     cudaErrorStreamCaptureUnsupported);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph),
                     cudaErrorStreamCaptureInvalidated);

    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    cudaMemcpyAsync(device, pinned, 4, cudaMemcpyHostToDevice, stream);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    ck_assert_int_eq(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    for (int i = 0; i < 3; i++) {
        *pinned = (float)i;
        ck_assert_int_eq(cudaGraphLaunch(exec, stream), cudaSuccess);
        ck_assert_int_eq(cudaStreamSynchronize(stream), cudaSuccess);
        cudaMemcpy(back, device, 4, cudaMemcpyDeviceToHost);
        ck_assert(back[0] == (float)i);
    }
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    cudaStreamDestroy(stream);
    cudaFree(device);
    cudaFreeHost(pinned);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__)
/* The host cannot read device memory but by the runtime. */
START_TEST(device_memory_is_out_of_reach)
{
    volatile float *device;

    cudaMalloc((void **)&device, 4);
    device[0] = 1;
}
END_TEST
#endif

int
main(void)
{
    Suite *suite = suite_create("sim");
    TCase *kernels = tcase_create("kernels");
    TCase *runtime = tcase_create("runtime");

    tcase_add_loop_test(kernels, faults_are_reported, 0,
                        (int)COUNT(faults) * device_schedules());
    tcase_add_loop_test(kernels, twins_are_not, 0, FAULTY_KERNELS);
    tcase_add_loop_test(kernels, adversarial_cores_tell_groupings_apart,
                        FAULTY_PACKED, FAULTY_KERNELS);
    tcase_add_test(kernels, two_poisons_show_more_than_one);
    tcase_add_loop_test(kernels, shared_memory_has_its_limit, 0, COUNT(rooms));
    tcase_add_loop_test(kernels, devices_are_apart, 0, 2);
    tcase_add_test(kernels, contexts_are_apart);
    tcase_add_loop_test(kernels, strides_cost_phases_and_sectors, 0,
                        COUNT(strides));
    tcase_add_test(runtime, nothing_runs_when_it_is_enqueued);
    tcase_add_loop_test(runtime, only_events_order_streams, 0, 2);
    tcase_add_test(runtime, captures_are_strict);
#if !defined(__SANITIZE_ADDRESS__) /* which takes the signal for itself */
    tcase_add_test_raise_signal(runtime, device_memory_is_out_of_reach, 11);
#endif
    suite_add_tcase(suite, kernels);
    suite_add_tcase(suite, runtime);
    return run_suite(suite);
}
