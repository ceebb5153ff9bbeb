/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_faults.c - faults that show later, and devices that cannot be used
 *
 * Calls that fail at once: test_cuda_failing_call.c.
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* A kernel or a copy faults after the call that enqueued it: the call was fine,
   the wait for it is not, nor is the next call, and the encoder stays lost.  It
   is destroyed all the same. */
START_TEST(a_fault_surfaces_later)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_error err;

    for (int i = 0; i < 3; i++) /* from then on by a graph */
        ck_assert_int_eq(
            oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
            ORIEL_OK);
    cuda_fixture_expect(&r, out);
    sim_fault_operation(1 + (uint64_t)_i * 4, cudaErrorIllegalAddress);
    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
            ORIEL_ERR_FAULT);
        ck_assert_msg(err.message[0], "no message");
    }
    oriel_encoder_destroy(encoder);
    /* The device gives nothing back any more: the host's side of the cuda_fixture. */
    free(r.pixels);
    free(r.expected);
    oriel_plan_destroy(r.plan);
    fixture_model_free(&r.m);
}
END_TEST

/* The runtime's words name no cause: a capture elsewhere, in its strictest mode. */
START_TEST(a_capture_elsewhere_is_named)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_status status = ORIEL_OK;
    oriel_error err;

    for (uint64_t n = 1; n < 40 && status != ORIEL_ERR_ARGUMENT; n++) {
        sim_fail_call(n, cudaErrorStreamCaptureImplicit);
        status = oriel_encode(encoder, r.plan, &input, &output, NULL, &err);
    }
    sim_fail_call(0, cudaSuccess);
    ck_assert_int_eq(status, ORIEL_ERR_ARGUMENT);
    ck_assert_msg(strstr(err.message, "another stream of this process is "
                                      "captured in global mode"),
                  "%s", err.message);
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Devices that cannot be used ------------------------------------------ */

static const struct {
    int count, driver, architecture, index;
    const char *words; /* NULL: it can be used */
} machines[] = {
    {1, 13000, 90, 0, NULL},
    {1, 13010, 80, 0, NULL},
    {0, 0, 90, 0, "no NVIDIA driver is installed"},
    {1, 12090, 90, 0, "of CUDA 12.9, expected R580"},
    {0, 13000, 90, 0, "cudaGetDeviceCount"},
    {1, 13000, 90, 1, "device_index is 1, but there is 1 device"},
    {2, 13000, 90, -1, "device_index is -1, but there are 2 devices"},
    {1, 13000, 75, 0, "compute capability 7.5, expected 8.0"},
};

START_TEST(devices_are_told_apart)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    oriel_error err;
    oriel_status status;

    sim_devices(machines[_i].count, machines[_i].driver);
    sim_architecture(0, machines[_i].architecture);
    status = fixture_backend()->describe(machines[_i].index, &info, &err);
    if (machines[_i].words) {
        ck_assert_int_eq(status, ORIEL_ERR_DEVICE);
        ck_assert_msg(strstr(err.message, machines[_i].words), "%s",
                      err.message);
        return;
    }
    ck_assert_msg(status == ORIEL_OK, "%s", err.message);
    ck_assert_int_eq(info.precision, ORIEL_PRECISION_BF16);
    ck_assert_uint_eq(info.memory_bytes, UINT64_C(80) << 30);
    ck_assert_ptr_nonnull(strstr(
        info.description, machines[_i].architecture == 90
                              ? "Simulated GPU, sm_90 by sm_90a machine"
                              : "Simulated GPU, sm_80 by sm_80 machine"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, a_fault_surfaces_later, 0, 6);
    tcase_add_test(tc, a_capture_elsewhere_is_named);
    tcase_add_loop_test(tc, devices_are_told_apart, 0, COUNT(machines));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
