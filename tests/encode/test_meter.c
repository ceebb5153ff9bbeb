/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_meter.c - progress and profile of one encode, on a backend whose every step
 * takes longer than the pause between two calls of the hook
 */
#include "base/progress.h"
#include "encode/encode_fixture.h"
#include "encode/fake_backend.h"
#include "support/hook_log.h"
#include "support/suite.h"

#include <string.h>
#include <time.h>

enum { STEP_MS = ORIEL_PROGRESS_PAUSE_MS + 5 };

static void
take_time(void *user)
{
    const double until = oriel_milliseconds() + STEP_MS;

    (void)user;
    while (oriel_milliseconds() < until)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void
remake(struct encode_fixture *s, const oriel_backend *backend, int32_t device,
       int32_t profile, const oriel_hooks *hooks)
{
    oriel_backend_config config = {
        .precision = ORIEL_PRECISION_FP32, .threads = 1, .profile = profile};

    encode_fixture_setup(s, backend);
    oriel_encoder_destroy(s->encoder);
    ck_assert_int_eq(oriel_encoder_create_on(&s->encoder, s->tiny.model,
                                             backend, device, &config, hooks,
                                             encode_fixture_workspace, NULL),
                     ORIEL_OK);
}

/* Of a matrix product: two for each multiplication and addition. */
static int64_t
product(int64_t rows, int64_t depth, int64_t columns)
{
    return 2 * rows * depth * columns;
}

/* Scores and values of segments of these lengths, in all heads together. */
static int64_t
attention(const int32_t *cu, int32_t n)
{
    int64_t flops = 0;

    for (int32_t i = 0; i < n; i++) {
        int64_t length = cu[i + 1] - cu[i];

        flops += 4 * TINY_HIDDEN * length * length;
    }
    return flops;
}

/* What each step of an encode costs, in their order; the number of steps. */
static int
cost_of_steps(const oriel_plan *plan, int64_t steps[2 + 5 * TINY_DEPTH])
{
    static const int32_t full[] = {TINY_FULL_ATTENTION_BLOCKS};
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    int n = 0;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    steps[n++] = product(info.patches, TINY_COLUMNS, TINY_HIDDEN);
    for (int32_t b = 0; b < TINY_DEPTH; b++) {
        bool frames = b == full[0] || b == full[1];

        steps[n++] = product(info.patches, TINY_HIDDEN, 3 * TINY_HIDDEN);
        steps[n++] = frames ? attention(info.cu_seqlens, info.n_frames)
                            : attention(info.cu_window_seqlens, info.n_windows);
        steps[n++] = product(info.patches, TINY_HIDDEN, TINY_HIDDEN);
        steps[n++] = product(info.patches, TINY_HIDDEN, 2 * TINY_INTERMEDIATE);
        steps[n++] = product(info.patches, TINY_INTERMEDIATE, TINY_HIDDEN);
    }
    steps[n++] = product(info.tokens, 4 * TINY_HIDDEN, 4 * TINY_HIDDEN) +
                 product(info.tokens, 4 * TINY_HIDDEN, TINY_OUT);
    return n;
}

/* ---- Progress ------------------------------------------------------------- */

START_TEST(progress_is_told_in_flops_step_by_step)
{
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    int64_t steps[2 + 5 * TINY_DEPTH], sum = 0;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    int n;

    remake(&s, fake_host_backend(), ORIEL_DEVICE_CPU, 0, &hooks);
    n = cost_of_steps(s.plan, steps);
    fake.inside = take_time;
    hook_log_reset(&l);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(l.what, ORIEL_PROGRESS_ENCODING);
    ck_assert_int_eq(l.calls, n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(l.done[i], sum += steps[i]);
    ck_assert_int_eq(l.of, sum);
    ck_assert_int_eq(oriel_plan_get_info(s.plan, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.flops, sum);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

/* The whole is what this call runs: no block after its last result, no merger. */
START_TEST(the_whole_is_what_the_call_runs)
{
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    int64_t steps[2 + 5 * TINY_DEPTH], sum = 0;

    remake(&s, fake_host_backend(), ORIEL_DEVICE_CPU, 0, &hooks);
    cost_of_steps(s.plan, steps);
    s.output.results =
        s.results + 1 + _i; /* the hidden state after _i blocks */
    hook_log_reset(&l);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    for (int i = 0; i < 1 + 5 * _i; i++)
        sum += steps[i];
    ck_assert_int_ge(l.calls, 1);
    ck_assert_int_eq(l.of, sum);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

/* Enqueued is not done: the hook is not told of a device's work. */
START_TEST(work_of_a_device_is_not_told)
{
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);

    remake(&s, fake_backend(), ORIEL_DEVICE_CUDA, 0, &hooks);
    fake.inside = take_time;
    hook_log_reset(&l);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(l.calls, 0);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(a_failed_call_never_tells_of_its_end)
{
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);

    remake(&s, fake_host_backend(), ORIEL_DEVICE_CPU, 1, &hooks);
    fake.inside = take_time;
    fake.fail_with = ORIEL_ERR_MEMORY;
    fake.fail_call = 10;
    hook_log_reset(&l);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_ERR_MEMORY);
    ck_assert_int_ge(l.calls, 1);
    ck_assert_int_lt(l.done[l.calls - 1], l.of);
    ck_assert_int_eq(l.profiles, 0);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

/* ---- Profile -------------------------------------------------------------- */

START_TEST(a_profile_has_the_milliseconds_of_each_step)
{
    static const struct {
        const char *name;
        int times;
    } expected[] = {
        {"START", 1},
        {"PATCHIFY", 1},
        {"EMBED", 1},
        {"STORE", 1},
        {"ATTN_IN", TINY_DEPTH},
        {"ATTEND", TINY_DEPTH},
        {"ATTN_OUT", TINY_DEPTH},
        {"MLP_IN", TINY_DEPTH},
        {"MLP_OUT", TINY_DEPTH},
        {"MERGE", 1},
    };
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    double all = 0, took;

    remake(&s, fake_host_backend(), ORIEL_DEVICE_CPU, 1, &hooks);
    s.output.n_results = 2; /* embeddings and the hidden state 0 */
    fake.inside = take_time;
    hook_log_reset(&l);
    took = oriel_milliseconds();
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    took = oriel_milliseconds() - took;
    ck_assert_int_eq(l.profiles, 1);
    for (size_t i = 0; i < COUNT(expected); i++) {
        double ms = hook_log_milliseconds(&l, expected[i].name);

        ck_assert_msg(ms >= expected[i].times * STEP_MS - 0.001, "%s: %f",
                      expected[i].name, ms);
        all += ms;
    }
    ck_assert_double_eq_tol(hook_log_milliseconds(&l, "all steps"), all, 0.02);
    ck_assert_double_ge(hook_log_milliseconds(&l, "the call"), all - 0.02);
    ck_assert_double_le(hook_log_milliseconds(&l, "the call"), took + 0.001);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(without_the_option_there_is_no_line)
{
    struct encode_fixture s;
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);

    remake(&s, fake_host_backend(), ORIEL_DEVICE_CPU, 0, &hooks);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(l.profiles, 0);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("meter");
    TCase *tc = tcase_create("meter");

    tcase_add_test(tc, progress_is_told_in_flops_step_by_step);
    tcase_add_loop_test(tc, the_whole_is_what_the_call_runs, 0, TINY_DEPTH + 1);
    tcase_add_test(tc, work_of_a_device_is_not_told);
    tcase_add_test(tc, a_failed_call_never_tells_of_its_end);
    tcase_add_test(tc, a_profile_has_the_milliseconds_of_each_step);
    tcase_add_test(tc, without_the_option_there_is_no_line);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
