/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reserve.c - own scratch that is enlarged, plans that are prepared, and
 * the status, on a backend that does what the test says
 */
#include "encode/encode_fixture.h"
#include "encode/encoder.h"
#include "encode/fake_backend.h"
#include "support/suite.h"

#include <string.h>

static size_t
own_bytes(const struct encode_fixture *s)
{
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    ck_assert_int_eq(oriel_encoder_get_info(s->encoder, &info, NULL), ORIEL_OK);
    return info.workspace_bytes;
}

/* The fixture's encoder again, with 'bytes' of its own. */
static void
remake(struct encode_fixture *s, const oriel_backend *backend, int32_t grow,
       size_t bytes)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {
        .precision = ORIEL_PRECISION_FP32, .threads = 1, .grow = grow};

    oriel_encoder_destroy(s->encoder);
    ck_assert_int_eq(oriel_encoder_create_on(&s->encoder, s->tiny.model,
                                             backend, ORIEL_DEVICE_CPU, &config,
                                             &hooks, bytes, NULL),
                     ORIEL_OK);
}

/* ---- Reserve -------------------------------------------------------------- */

START_TEST(scratch_grows_and_never_shrinks)
{
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    remake(&s, fake_backend(), 0, 0);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_CAPACITY);
    ck_assert_int_eq(
        oriel_encoder_reserve(s.encoder, encode_fixture_workspace, &err),
        ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_OK);
    fake_drain(NULL);
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, 1, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, 0, NULL), ORIEL_OK);
    ck_assert_uint_eq(own_bytes(&s), encode_fixture_workspace);
    ck_assert_int_eq(fake.settles, 1); /* for the one that grew */
    ck_assert_int_eq(oriel_encoder_reserve(NULL, 1, NULL), ORIEL_ERR_ARGUMENT);
    encode_fixture_teardown(&s);
}
END_TEST

/* 0: no memory; then: what the backend says of its jobs. */
static const oriel_status refusals[] = {ORIEL_ERR_MEMORY, ORIEL_ERR_ARGUMENT,
                                        ORIEL_ERR_CANCELLED};

START_TEST(a_failed_reserve_changes_nothing)
{
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    fake.workspace_fails = _i == 0;
    fake.settle_status = _i ? refusals[_i] : ORIEL_OK;
    ck_assert_int_eq(
        oriel_encoder_reserve(s.encoder, 2 * encode_fixture_workspace, &err),
        refusals[_i]);
    ck_assert_int_eq(err.status, refusals[_i]);
    ck_assert_int_eq(fake.settles, _i > 0);
    ck_assert_uint_eq(own_bytes(&s), encode_fixture_workspace);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_OK);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(an_encoder_may_grow_by_itself)
{
    struct encode_fixture s;
    size_t needed = (size_t)FIXTURE_PATCHES * FAKE_WORKSPACE_PER_PATCH;
    const void *first;

    encode_fixture_setup(&s, fake_host_backend());
    first = s.embeddings;
    remake(&s, fake_host_backend(), 1, 0);
    fake.workspace_fails = 1;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_ERR_MEMORY);
    ck_assert_uint_eq(own_bytes(&s), 0);
    fake.workspace_fails = 0;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_uint_eq(own_bytes(&s), needed);
    fake_drain(NULL);
    /* What suffices is kept, and a caller's own is the caller's business. */
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    s.output.workspace = s.states[0];
    s.output.workspace_bytes = 16;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_ERR_CAPACITY);
    ck_assert_uint_eq(own_bytes(&s), needed);
    ck_assert_ptr_eq(first, s.embeddings);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

/* ---- Prepare -------------------------------------------------------------- */

START_TEST(prepare_is_the_backends)
{
    struct encode_fixture s;
    const oriel_model *other = oriel_model_preset("qwen2.5-vl-7b");
    const oriel_item item = {56, 56, 1, 0, 0, 0};
    oriel_plan *foreign;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.plan, NULL), ORIEL_OK);
    ck_assert_ptr_eq(fake.prepared.plan, s.plan);
    ck_assert_ptr_nonnull(fake.prepared.workspace);
    ck_assert(fake.prepared.own_workspace);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, NULL, NULL), ORIEL_OK);
    ck_assert_ptr_null(fake.prepared.plan);
    ck_assert_int_eq(fake.prepares, 2);

    ck_assert_int_eq(oriel_plan_create(&foreign, other, &item, 1, NULL, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, foreign, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "geometry"));
    oriel_plan_destroy(foreign);

    remake(&s, fake_backend(), 0, 16);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.plan, NULL),
                     ORIEL_ERR_CAPACITY);
    ck_assert_int_eq(fake.prepares, 2);
    /* Scratch of the caller's is not known yet. */
    remake(&s, fake_backend(), 0, 0);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.plan, NULL), ORIEL_OK);
    ck_assert_ptr_null(fake.prepared.workspace);
    remake(&s, fake_host_backend(), 1, 0);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.plan, NULL), ORIEL_OK);
    ck_assert_uint_gt(own_bytes(&s), 0);
    ck_assert_int_eq(oriel_encoder_prepare(NULL, s.plan, NULL),
                     ORIEL_ERR_ARGUMENT);
    encode_fixture_teardown(&s);
}
END_TEST

/* ---- Status --------------------------------------------------------------- */

struct seen {
    struct encode_fixture *fixture;
    oriel_status status, reserve, prepare;
};

static void
look_within(void *user)
{
    struct seen *seen = user;

    seen->status = oriel_encoder_status(seen->fixture->encoder, NULL);
    seen->reserve = oriel_encoder_reserve(seen->fixture->encoder, 1, NULL);
    seen->prepare = oriel_encoder_prepare(seen->fixture->encoder, NULL, NULL);
}

START_TEST(status_tells_of_calls_jobs_and_faults)
{
    struct encode_fixture s;
    struct seen seen = {.fixture = &s};
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    ck_assert_int_eq(oriel_encoder_status(NULL, NULL), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_encoder_status(s.encoder, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    fake.inside = look_within;
    fake.inside_user = &seen;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(seen.status, ORIEL_ERR_BUSY);
    ck_assert_int_eq(seen.reserve, ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(seen.prepare, ORIEL_ERR_ARGUMENT);
    fake.inside = NULL;

    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_ERR_BUSY);
    fake_drain(NULL);
    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_OK);

    /* Found by the status alone, and then for ever. */
    fake.device_status = ORIEL_ERR_FAULT;
    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_ERR_FAULT);
    fake.device_status = ORIEL_OK;
    ck_assert_int_eq(oriel_encoder_status(s.encoder, &err), ORIEL_ERR_FAULT);
    ck_assert_ptr_nonnull(strstr(err.message, "destroy"));
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_ERR_FAULT);
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, 1, NULL),
                     ORIEL_ERR_FAULT);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, NULL, NULL),
                     ORIEL_ERR_FAULT);
    encode_fixture_teardown(&s);
}
END_TEST

/* ---- Options -------------------------------------------------------------- */

START_TEST(options_are_switches)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    tiny_model tiny = tiny_model_open(NULL);
    oriel_encoder *encoder;
    oriel_error err;

    options.device = ORIEL_DEVICE_CPU;
    options.grow = 2;
    ck_assert_int_eq(oriel_encoder_create(&encoder, tiny.model, &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "grow is 2"));
    options.grow = 0;
    options.profile = -1;
    ck_assert_int_eq(oriel_encoder_create(&encoder, tiny.model, &options, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "profile is -1"));
    tiny_model_close(&tiny);
}
END_TEST

START_TEST(a_device_does_not_grow)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {
        .precision = ORIEL_PRECISION_FP32, .threads = 1, .grow = 1};
    tiny_model tiny = tiny_model_open(NULL);
    oriel_encoder *encoder;
    oriel_error err;

    fake_reset();
    ck_assert_int_eq(oriel_encoder_create_on(&encoder, tiny.model,
                                             fake_backend(), ORIEL_DEVICE_CUDA,
                                             &config, &hooks, 0, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_null(encoder);
    ck_assert_ptr_nonnull(strstr(err.message, "oriel_encoder_reserve"));
    ck_assert_int_eq(fake.loads, 0);
    tiny_model_close(&tiny);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("reserve");
    TCase *tc = tcase_create("reserve");

    tcase_add_test(tc, scratch_grows_and_never_shrinks);
    tcase_add_loop_test(tc, a_failed_reserve_changes_nothing, 0,
                        COUNT(refusals));
    tcase_add_test(tc, an_encoder_may_grow_by_itself);
    tcase_add_test(tc, prepare_is_the_backends);
    tcase_add_test(tc, status_tells_of_calls_jobs_and_faults);
    tcase_add_test(tc, options_are_switches);
    tcase_add_test(tc, a_device_does_not_grow);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
