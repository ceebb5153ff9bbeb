/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cudnn_real.c - plans of NVIDIA's own cuDNN, without a GPU
 *
 *     LD_LIBRARY_PATH=FOLDER_OF_LIBCUDNN ... test_cudnn_real
 *
 * Every row of the table of cudnn_plan.c: the library takes the node, has the
 * row's engine with the row's kernel, compiles it and tells its workspace.  A
 * device is told by its properties, and the driver is cudnn_driver.c's.  Skipped
 * where the library is not installed, or is of a version without rows.
 */
#include "cuda/cudnn.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

enum { MINOR = 19, HEADS = 16 };

static oriel_cudnn_library library;
static int32_t version;

static const struct {
    int32_t capability;
    oriel_cudnn_shape shape;
} plans[] = {
    {80, {HEADS, 80, 16, 6144}},
    {86, {HEADS, 80, 16, 6144}},
    {89, {HEADS, 80, 16, 6144}},
    {90, {HEADS, 80, 1, 1024}},
    {90, {HEADS, 80, 16, 6144}},
    {90, {HEADS, 80, 256, 24576}},
    {90, {HEADS, 64, 16, 6144}},
    {90, {HEADS, 128, 16, 6144}},
    {100, {HEADS, 80, 1, 1024}},
    {100, {HEADS, 80, 256, 24576}},
    {120, {HEADS, 80, 16, 6144}},
    /* Of the known-answer test, and of doctor --verify. */
    {80, {2, 80, 4, 66}},
    {90, {2, 80, 4, 66}},
    {100, {2, 80, 4, 66}},
    {120, {2, 80, 4, 66}},
    {90, {1, 80, 2, 150}},
};

/* Of an H200, but for the capability. */
static oriel_cudnn_descriptor
make_properties(int32_t capability)
{
    oriel_cudnn_descriptor d;
    char json[1024];
    int n = snprintf(
        json, sizeof(json),
        "{\"maxGridSize\": [2147483647, 65535, 65535], "
        "\"maxBlockSize\": [1024, 1024, 64], \"deviceVer\": %d, "
        "\"driverVer\": 13000, \"regsPerBlock\": 65536, "
        "\"multiProcessorCount\": 132, \"smClockRateKHz\": 1980000, "
        "\"memClockRateKHz\": 3201000, \"l2CacheSize\": 62914560, "
        "\"warpSize\": 32, \"maxSharedMemoryPerBlock\": 49152, "
        "\"maxSharedMemoryPerBlockOptin\": %d, "
        "\"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, "
        "\"pciDeviceId\": 0, \"maxCtasPerSM\": 32, "
        "\"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": %d, "
        "\"isTccDriver\": 0, \"supportCoopLaunch\": 1, \"cudaDeviceId\": 0, "
        "\"deviceName\": \"a device\", \"totalGlobalMem\": 150000000000}",
        capability * 10,
        capability % 10 || capability == 120 ? 101376
        : capability == 80                   ? 166912
                                             : 232448,
        capability % 10 || capability == 120 ? 1536 : 2048);

    ck_assert_int_lt(n, (int)sizeof(json));
    ck_assert_int_eq(library.BackendCreateDescriptor(ORIEL_CUDNN_DEVICE, &d),
                     ORIEL_CUDNN_SUCCESS);
    ck_assert_int_eq(library.BackendSetAttribute(d, ORIEL_CUDNN_DEVICE_JSON,
                                                 ORIEL_CUDNN_IS_CHAR, n + 1,
                                                 json),
                     ORIEL_CUDNN_SUCCESS);
    ck_assert_int_eq(library.BackendFinalize(d), ORIEL_CUDNN_SUCCESS);
    return d;
}

/* 'pretended': what the table is asked for. */
static oriel_status
make(oriel_cudnn_plan *plan, int32_t capability, int32_t pretended, int32_t of,
     const oriel_cudnn_shape *shape, oriel_error *err)
{
    const oriel_cudnn_target target = {
        .properties = make_properties(capability), .capability = pretended};
    oriel_status status =
        oriel_cudnn_plan_make(plan, &library, of, &target, shape, err);

    ck_assert_int_eq(library.BackendDestroyDescriptor(target.properties),
                     ORIEL_CUDNN_SUCCESS);
    return status;
}

START_TEST(each_row_has_its_plans)
{
    const oriel_cudnn_shape *s = &plans[_i].shape;
    const int32_t capability = plans[_i].capability;
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_msg(!make(&plan, capability, capability, version, s, &err), "%s",
                  err.message);
    ck_assert_int_eq(plan.n_parts, ORIEL_CUDNN_PLAN_PARTS);
    printf("| %d.%d | %d | %d | %d | %d | %d | %lld |\n", capability / 10,
           capability % 10, s->head_dim, s->sequences, s->rows, plan.engine,
           plan.kernel_config, (long long)plan.workspace_bytes);
    /* Something a sequence, and nothing a row. */
    ck_assert_int_ge(plan.workspace_bytes, 0);
    ck_assert_int_le(plan.workspace_bytes, 256 * s->sequences + 768);
    oriel_cudnn_plan_destroy(&plan);
    ck_assert_int_eq(plan.n_parts, 0);
}
END_TEST

static const oriel_cudnn_shape small = {HEADS, 80, 1, 1024};

/* Pointers of no memory: none is touched before a run. */
START_TEST(it_takes_our_operands)
{
    static _Alignas(256) char memory[256];
    const oriel_cudnn_args args = {.qkv = (const uint16_t *)memory,
                                   .out = (uint16_t *)memory,
                                   .lengths = (const int32_t *)memory,
                                   .qkv_offsets = (const int64_t *)memory,
                                   .out_offsets = (const int64_t *)memory,
                                   .workspace = memory,
                                   .scale = 1};
    oriel_cudnn_descriptor pack;
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_msg(!make(&plan, 90, 90, version, &small, &err), "%s",
                  err.message);
    ck_assert_msg(!oriel_cudnn_pack_make(&pack, &plan, &args, &err), "%s",
                  err.message);
    ck_assert_int_eq(library.BackendDestroyDescriptor(pack),
                     ORIEL_CUDNN_SUCCESS);
    oriel_cudnn_plan_destroy(&plan);
}
END_TEST

START_TEST(without_a_row_there_is_no_plan)
{
    static const struct {
        int32_t capability, version;
        const char *words;
    } none[] = {{75, 91900, "cuDNN 9.19 on a device of capability 7.5"},
                {90, 91300, "cuDNN 9.13 on a device of capability 9.0"},
                {90, 99900, "cuDNN 9.99 on a device of capability 9.0"}};
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_int_eq(
        make(&plan, 90, none[_i].capability, none[_i].version, &small, &err),
        ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, none[_i].words), "%s", err.message);
    ck_assert_ptr_nonnull(strstr(err.message, "expected attention own"));
    ck_assert_int_eq(plan.n_parts, 0);
}
END_TEST

/* The engine of another device is not built for this one: that is said, not
   another one taken. */
START_TEST(an_engine_that_is_not_there_is_refused)
{
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_int_eq(make(&plan, 80, 100, version, &small, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, "cuDNN, the "), "%s", err.message);
    ck_assert_int_eq(plan.n_parts, 0);
}
END_TEST

/* As cuDNN's documents say: a head is a multiple of 8 wide, so 20 is none. */
START_TEST(a_shape_that_it_lacks_is_refused)
{
    static const oriel_cudnn_shape odd = {HEADS, 20, 1, 1024};
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_int_eq(make(&plan, 90, 90, version, &odd, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_int_eq(plan.n_parts, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cudnn_real");
    TCase *tc = tcase_create("library");
    oriel_error err;

    if (oriel_cudnn_load(&library, &version, &err)) {
        printf("skipped: %s\n", err.message);
        return TEST_SKIP;
    }
    if (version % 10000 / 100 != MINOR) {
        printf("skipped: cuDNN 9.%d, expected 9.%d\n", version % 10000 / 100,
               MINOR);
        return TEST_SKIP;
    }
    printf("cuDNN %d.%d.%d\n", version / 10000, version % 10000 / 100,
           version % 100);
    fflush(stdout);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, each_row_has_its_plans, 0, COUNT(plans));
    tcase_add_loop_test(tc, without_a_row_there_is_no_plan, 0, 3);
    tcase_add_test(tc, it_takes_our_operands);
    tcase_add_test(tc, an_engine_that_is_not_there_is_refused);
    tcase_add_test(tc, a_shape_that_it_lacks_is_refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
