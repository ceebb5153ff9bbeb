/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_verify.c - what oriel_device_verify makes of a device's checks and results
 *
 * The device is the CPU backend under another name, whose results a test spoils;
 * its module's own checks are those that the test makes up.  Linked with --wrap, so
 * that the library finds this module.
 */
#include "encode/verify.h"

#include "encode/module.h"
#include "model/alloc_counter.h"
#include "model/probe_model.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const oriel_backend *oriel_backend_entry(const char *version);
oriel_status __wrap_oriel_module_get(const oriel_backend **out, int32_t device,
                                     oriel_error *err);
oriel_status __wrap_oriel_module_find(void **out, int32_t device,
                                      const char *name, oriel_error *err);
oriel_status __real_oriel_plan_workspace_bytes(
    const oriel_plan *plan, const oriel_encoder_options *options, size_t *bytes,
    oriel_error *err);
oriel_status __wrap_oriel_plan_workspace_bytes(
    const oriel_plan *plan, const oriel_encoder_options *options, size_t *bytes,
    oriel_error *err);

enum { MOST = 16 };

/* What the device and its module do. */
static struct {
    oriel_status absent; /* of the module, unless ORIEL_OK */
    oriel_status finds;  /* of looking for its checks */
    bool no_checks;
    oriel_status entry; /* what the checks end with */
    const oriel_check *checks;
    size_t n_checks;
    int spoil, stores;             /* this store ends with a NaN; so far */
    int32_t kernels;               /* encoders of these fail */
    oriel_status encoders, on_cpu; /* with this; those of the CPU */
} device;

/* What was told. */
static struct {
    struct {
        char name[64], implementation[32], message[160];
        int32_t kind, verdict;
    } checks[MOST];
    int n;
} told;

static void
report(void *user, const oriel_check *check)
{
    ck_assert_ptr_eq(user, &told);
    ck_assert_uint_eq(check->struct_size, sizeof(*check));
    ck_assert_int_lt(told.n, MOST);
    snprintf(told.checks[told.n].name, 64, "%s", check->name);
    snprintf(told.checks[told.n].implementation, 32, "%s",
             check->implementation);
    snprintf(told.checks[told.n].message, 160, "%s", check->message);
    told.checks[told.n].kind = check->kind;
    told.checks[told.n++].verdict = check->verdict;
}

/* ---- The device --------------------------------------------------------------- */

static const oriel_backend *
cpu(void)
{
    return oriel_backend_entry(oriel_version());
}

static oriel_status
create_context(oriel_backend_context **out,
               const oriel_backend_weights *weights,
               const oriel_backend_config *config, oriel_error *err)
{
    if (config->kernels == device.kernels && device.encoders) {
        *out = NULL;
        snprintf(err->message, sizeof(err->message), "no such kernels");
        return err->status = device.encoders;
    }
    return cpu()->create_context(out, weights, config, err);
}

static oriel_status
store(oriel_backend_context *context, const oriel_result *result,
      oriel_error *err)
{
    oriel_status status = cpu()->store(context, result, err);

    if (++device.stores == device.spoil)
        ((float *)result->data)[result->bytes / sizeof(float) - 1] = NAN;
    return status;
}

static oriel_status
entry(const char *version, const oriel_verify_job *job, oriel_error *err)
{
    ck_assert_str_eq(version, oriel_version());
    ck_assert_int_eq(job->device_index, 0);
    snprintf(job->card, job->card_bytes, "1 multiprocessor");
    for (size_t i = 0; i < device.n_checks; i++) {
        oriel_check check = device.checks[i];

        check.struct_size = sizeof(check);
        if (job->sink->only & check.kind)
            job->sink->put(job->sink->context, &check);
    }
    if (device.entry)
        snprintf(err->message, sizeof(err->message), "the checks ended");
    return device.entry;
}

oriel_status
__wrap_oriel_module_get(const oriel_backend **out, int32_t which,
                        oriel_error *err)
{
    static oriel_backend gpu;
    const oriel_status status =
        which == ORIEL_DEVICE_CUDA ? device.absent : device.on_cpu;

    gpu = *cpu();
    gpu.create_context = create_context;
    gpu.store = store;
    *out = which == ORIEL_DEVICE_CUDA ? &gpu : cpu();
    if (status)
        snprintf(err->message, sizeof(err->message), "no such module");
    return status;
}

oriel_status
__wrap_oriel_module_find(void **out, int32_t which, const char *name,
                         oriel_error *err)
{
    oriel_verify_entry_fn *function = entry;

    ck_assert_int_eq(which, ORIEL_DEVICE_CUDA);
    ck_assert_str_eq(name, "oriel_verify_entry");
    memcpy(out, &function, sizeof(function));
    if (device.no_checks)
        *out = NULL;
    if (device.finds)
        snprintf(err->message, sizeof(err->message), "nothing is found");
    return device.finds;
}

/* Of the backend that runs, and not of the one that is meant. */
oriel_status
__wrap_oriel_plan_workspace_bytes(const oriel_plan *plan,
                                  const oriel_encoder_options *options,
                                  size_t *bytes, oriel_error *err)
{
    oriel_encoder_options own = *options;

    own.device = ORIEL_DEVICE_CPU;
    own.kernels = ORIEL_KERNELS_AUTO;
    return __real_oriel_plan_workspace_bytes(plan, &own, bytes, err);
}

/* ---- Runs --------------------------------------------------------------------- */

static oriel_verify_info info;
static oriel_error err;

static oriel_status
verify(int32_t only, const oriel_hooks *hooks)
{
    oriel_verify_options options = ORIEL_VERIFY_OPTIONS_INIT;

    memset(&told, 0, sizeof(told));
    info = (oriel_verify_info)ORIEL_VERIFY_INFO_INIT;
    device.stores = 0;
    options.only = only;
    options.user = &told;
    options.report = report;
    options.hooks = hooks;
    return oriel_device_verify(&options, &info, &err);
}

static void
check_told(int i, int32_t verdict, const char *name, const char *implementation,
           const char *message)
{
    ck_assert_int_lt(i, told.n);
    ck_assert_str_eq(told.checks[i].name, name);
    ck_assert_str_eq(told.checks[i].implementation, implementation);
    ck_assert_msg(strstr(told.checks[i].message, message) != NULL,
                  "check %d: %s", i, told.checks[i].message);
    ck_assert_int_eq(told.checks[i].verdict, verdict);
}

#define RESAMPLED "resample, patch_embed: pictures"
#define ALONE "a picture alone and in a batch"
#define THROUGH "two pictures through two blocks"
#define HIDDEN "two pictures: hidden states"
#define EMBEDDINGS "two pictures: embeddings"
#define OWN "own kernels"
#define HOPPER "Hopper kernels"

START_TEST(a_good_device_passes)
{
    static const oriel_check checks[] = {{.kind = ORIEL_CHECK_KERNEL,
                                          .verdict = ORIEL_VERDICT_PASSED,
                                          .name = "rope",
                                          .implementation = OWN,
                                          .message = ""},
                                         {.kind = ORIEL_CHECK_OCCUPANCY,
                                          .verdict = ORIEL_VERDICT_SKIPPED,
                                          .name = "blocks",
                                          .implementation = OWN,
                                          .message = "of another card"}};

    device.checks = checks;
    device.n_checks = 2;
    ck_assert_msg(verify(0, NULL) == ORIEL_OK, "%s", err.message);
    ck_assert_int_eq(told.n, 11);
    check_told(0, ORIEL_VERDICT_PASSED, "rope", OWN, "");
    check_told(1, ORIEL_VERDICT_SKIPPED, "blocks", OWN, "of another card");
    check_told(2, ORIEL_VERDICT_PASSED, RESAMPLED, OWN, "");
    check_told(3, ORIEL_VERDICT_PASSED, ALONE, OWN, "");
    check_told(4, ORIEL_VERDICT_PASSED, HIDDEN, OWN, "");
    check_told(5, ORIEL_VERDICT_PASSED, EMBEDDINGS, OWN, "");
    check_told(6, ORIEL_VERDICT_PASSED, HIDDEN, "cuBLASLt", "");
    check_told(7, ORIEL_VERDICT_PASSED, EMBEDDINGS, "cuBLASLt", "");
    /* The CPU, which is this device, has none. */
    check_told(8, ORIEL_VERDICT_SKIPPED, THROUGH, "cuDNN",
               "attention is ORIEL_ATTENTION_CUDNN");
    check_told(9, ORIEL_VERDICT_PASSED, HIDDEN, HOPPER, "");
    check_told(10, ORIEL_VERDICT_PASSED, EMBEDDINGS, HOPPER, "");
    ck_assert_int_eq(info.passed, 9);
    ck_assert_int_eq(info.skipped, 2);
    ck_assert_int_eq(info.failed, 0);
    ck_assert_str_eq(info.card, "1 multiprocessor");
    ck_assert_ptr_nonnull(strstr(info.choice, "cpu"));

    /* One kind at a time. */
    ck_assert_int_eq(verify(ORIEL_CHECK_KERNEL, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 2);
    ck_assert_int_eq(verify(ORIEL_CHECK_INVARIANCE, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 1);
    check_told(0, ORIEL_VERDICT_PASSED, ALONE, OWN, "");
    ck_assert_int_eq(verify(ORIEL_CHECK_NETWORK, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 7);
    ck_assert_int_eq(verify(ORIEL_CHECK_OCCUPANCY, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 1);
    ck_assert_int_eq(oriel_device_verify(NULL, NULL, NULL), ORIEL_OK);
}
END_TEST

/* Where bytes are known no encoder runs: it would write anywhere. */
START_TEST(a_failed_check_is_named)
{
    static const oriel_check checks[] = {{.kind = ORIEL_CHECK_KERNEL,
                                          .verdict = ORIEL_VERDICT_FAILED,
                                          .name = "expand_plan, 3 items",
                                          .implementation = OWN,
                                          .message = "byte 7 is 1, expected 2"},
                                         {.kind = ORIEL_CHECK_INSTRUCTION,
                                          .verdict = ORIEL_VERDICT_FAILED,
                                          .name = "mma",
                                          .implementation = OWN,
                                          .message = "another sum"},
                                         {.kind = ORIEL_CHECK_KERNEL,
                                          .verdict = ORIEL_VERDICT_FAILED,
                                          .name = "linear",
                                          .implementation = "cuBLASLt",
                                          .error = 2,
                                          .bound = 1,
                                          .message = "too far"}};

    device.checks = checks;
    device.n_checks = 2;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_FAULT);
    ck_assert_str_eq(err.message, "2 of 2 checks failed: expand_plan, 3 items "
                                  "of own kernels: byte 7 is 1, expected 2");
    ck_assert_int_eq(told.n, 5);
    check_told(2, ORIEL_VERDICT_SKIPPED, RESAMPLED, OWN, "places values");
    check_told(3, ORIEL_VERDICT_SKIPPED, ALONE, OWN, "write anywhere");
    check_told(4, ORIEL_VERDICT_SKIPPED, THROUGH, OWN, "write anywhere");
    ck_assert_int_eq(info.failed, 2);
    ck_assert_int_eq(info.skipped, 3);
    ck_assert_int_eq(verify(ORIEL_CHECK_KERNEL | ORIEL_CHECK_NETWORK, NULL),
                     ORIEL_ERR_FAULT);
    ck_assert_int_eq(told.n, 3);
    check_told(1, ORIEL_VERDICT_SKIPPED, RESAMPLED, OWN, "");
    check_told(2, ORIEL_VERDICT_SKIPPED, THROUGH, OWN, "");

    /* What is not exact, or places nothing, is one fault more. */
    device.checks = &checks[1];
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_FAULT);
    ck_assert_str_eq(err.message,
                     "2 of 10 checks failed: mma of own kernels: another sum");
    ck_assert_int_eq(info.passed, 8);
}
END_TEST

/* The results of the encodes in their order: which checks see one that is off. */
static const char *const seen[] = {
    RESAMPLED,  NULL,   RESAMPLED,  NULL, /* pictures, then patches */
    ALONE,      NULL,   ALONE,      NULL, /* both, then the second */
    EMBEDDINGS, HIDDEN,                   /* of each in 'whose' */
    EMBEDDINGS, HIDDEN, EMBEDDINGS, HIDDEN,
};
enum { BYTES = 8 }; /* of them for the first two checks, which are of bytes */
static const char *const whose[] = {OWN, "cuBLASLt", HOPPER};

START_TEST(a_result_that_is_off_is_seen)
{
    const bool network = _i >= BYTES;

    device.spoil = _i + 1;
    ck_assert_int_eq(verify(0, NULL), seen[_i] ? ORIEL_ERR_FAULT : ORIEL_OK);
    ck_assert_int_eq(device.stores, (int)COUNT(seen));
    ck_assert_int_eq(info.failed, seen[_i] != NULL);
    ck_assert_int_eq(info.passed + info.failed, 8);
    for (int i = 0; i < told.n; i++)
        if (told.checks[i].verdict == ORIEL_VERDICT_FAILED) {
            ck_assert_str_eq(told.checks[i].name, seen[_i]);
            ck_assert_str_eq(told.checks[i].implementation,
                             network ? whose[(_i - BYTES) / 2] : OWN);
            ck_assert_ptr_nonnull(
                strstr(told.checks[i].message,
                       network ? "too far from the CPU" : "other bytes "));
            ck_assert_ptr_nonnull(strstr(err.message, seen[_i]));
        }
}
END_TEST

START_TEST(encoders_that_cannot_be_made)
{
    /* cuBLASLt may be absent. */
    device.kernels = ORIEL_KERNELS_CUBLASLT;
    device.encoders = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 8);
    check_told(4, ORIEL_VERDICT_SKIPPED, THROUGH, "cuBLASLt",
               "no such kernels");
    device.encoders = ORIEL_ERR_FAULT;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_FAULT);
    check_told(4, ORIEL_VERDICT_FAILED, THROUGH, "cuBLASLt", "no such kernels");
    /* Kernels of another device, too. */
    device.kernels = ORIEL_KERNELS_HOPPER;
    device.encoders = ORIEL_ERR_UNSUPPORTED;
    ck_assert_int_eq(verify(0, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 8);
    check_told(7, ORIEL_VERDICT_SKIPPED, THROUGH, HOPPER, "no such kernels");
    /* Our own may not. */
    device.kernels = ORIEL_KERNELS_OWN;
    device.encoders = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_FAULT);
    ck_assert_int_eq(told.n, 8);
    check_told(0, ORIEL_VERDICT_FAILED, RESAMPLED, OWN, "no such kernels");
    check_told(1, ORIEL_VERDICT_FAILED, ALONE, OWN, "no such kernels");
    check_told(2, ORIEL_VERDICT_FAILED, THROUGH, OWN, "no such kernels");
    ck_assert_int_eq(info.passed, 4);
    ck_assert_int_eq(info.failed, 3);
    /* What would be chosen is told as far as it is known. */
    device.kernels = ORIEL_KERNELS_AUTO;
    ck_assert_int_eq(verify(0, NULL), ORIEL_OK);
    ck_assert_str_eq(info.choice, "no such kernels");
    /* Without the CPU backend there is nothing to compare with. */
    device.on_cpu = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_OK);
    ck_assert_int_eq(told.n, 3);
    check_told(2, ORIEL_VERDICT_SKIPPED, THROUGH, "the CPU backend",
               "no such module");
}
END_TEST

START_TEST(what_cannot_be_verified_is_refused)
{
    oriel_verify_options options = ORIEL_VERIFY_OPTIONS_INIT;

    options.device = ORIEL_DEVICE_CPU;
    ck_assert_int_eq(oriel_device_verify(&options, NULL, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "only GPUs are verified"));
    options.device = 7;
    ck_assert_int_eq(oriel_device_verify(&options, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "device is 7, expected"));
    options.device = ORIEL_DEVICE_CUDA;
    options.device_index = -1;
    ck_assert_int_eq(oriel_device_verify(&options, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    options.device_index = 0;
    for (int32_t only = -1; only <= 64; only += 65) {
        options.only = only;
        ck_assert_int_eq(oriel_device_verify(&options, NULL, &err),
                         ORIEL_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "expected bits of ORIEL_"));
    }
    options.struct_size = 2;
    ck_assert_int_eq(oriel_device_verify(&options, NULL, &err),
                     ORIEL_ERR_ARGUMENT);

    device.entry = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_DEVICE);
    ck_assert_str_eq(err.message, "the checks ended");
    device.no_checks = true;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(err.message, "liboriel-cuda.so has no checks, expected"));
    device.finds = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_DEVICE);
    ck_assert_str_eq(err.message, "nothing is found");
    device.absent = ORIEL_ERR_DEVICE;
    ck_assert_int_eq(verify(0, NULL), ORIEL_ERR_DEVICE);
    ck_assert_str_eq(err.message, "no such module");
    ck_assert_int_eq(told.n, 0);
}
END_TEST

/* It is asked before each check, and nothing is left. */
START_TEST(it_can_be_cancelled)
{
    alloc_counter l = {0};
    const oriel_hooks hooks = alloc_counter_hooks(&l);
    int polls = 0;

    for (oriel_status status = ORIEL_ERR_CANCELLED; status; polls++) {
        ck_assert_int_lt(polls, 2000);
        l.cancel_after = polls * 7 + 1;
        status = verify(0, &hooks);
        /* Within an encode it is that check which is not made. */
        ck_assert_msg(status == ORIEL_OK || status == ORIEL_ERR_CANCELLED ||
                          status == ORIEL_ERR_FAULT,
                      "%d: %s", status, err.message);
        ck_assert_int_eq(l.live, 0);
    }
    ck_assert_int_gt(polls, 3);
}
END_TEST

/* A check for which there is no memory is one that has failed. */
START_TEST(every_allocation_may_fail)
{
    alloc_counter l = {0};
    const oriel_hooks hooks = alloc_counter_hooks(&l);
    long n;

    ck_assert_int_eq(verify(0, &hooks), ORIEL_OK);
    ck_assert_int_eq(l.live, 0);
    n = l.asked;
    ck_assert_int_gt(n, 20);
    for (long at = 1; at <= n; at++) {
        oriel_status status;

        l.asked = 0;
        l.fail_at = at;
        status = verify(0, &hooks);
        if (l.live != 0 ||
            (status != ORIEL_ERR_MEMORY && status != ORIEL_ERR_FAULT &&
             !strstr(info.choice, "memory") && info.skipped == 0) ||
            (status && !strstr(err.message, "out of memory")))
            ck_abort_msg("allocation %ld of %ld: %d %s, %ld live", at, n,
                         status, err.message, l.live);
    }
}
END_TEST

/* Also in jansson, which writes the header of the network's file, and reads it. */
START_TEST(every_allocation_of_the_network_may_fail)
{
    alloc_counter l = {0};
    oriel_probe_model probe;
    long n;

    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(oriel_probe_model_open(&probe, &err), ORIEL_OK);
    oriel_probe_model_close(&probe);
    n = l.asked;
    ck_assert_int_gt(n, 200);
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        oriel_status status;

        l.asked = 0;
        status = oriel_probe_model_open(&probe, &err);
        oriel_probe_model_close(&probe);
        if (status != ORIEL_ERR_MEMORY || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("device_verify");
    TCase *tc = tcase_create("device_verify");

    tcase_add_test(tc, a_good_device_passes);
    tcase_add_test(tc, a_failed_check_is_named);
    tcase_add_loop_test(tc, a_result_that_is_off_is_seen, 0, (int)COUNT(seen));
    tcase_add_test(tc, encoders_that_cannot_be_made);
    tcase_add_test(tc, what_cannot_be_verified_is_refused);
    tcase_add_test(tc, it_can_be_cancelled);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, every_allocation_of_the_network_may_fail);
    tcase_set_timeout(tc, 300);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
