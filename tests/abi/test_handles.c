/* SPDX-License-Identifier: Apache-2.0 */
/* test_handles.c - lifetimes of handles: order of destruction, threads */
#include "abi/small_checkpoint.h"
#include "oriel.h"
#include "support/random.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const oriel_item items[] = {{40, 24, 1, 40, 24, 0},
                                   {16, 64, 3, 16, 64, 0}};
enum { N_FRAMES = 4, N_TOKENS = 5 * 3 + 2 * 2 * 8, FRAME_BYTES = 40 * 64 * 3 };

/* What one call needs, all its own. */
typedef struct call {
    oriel_model *model;
    oriel_plan *plan;
    oriel_encoder *encoder;
    unsigned char pixels[N_FRAMES][FRAME_BYTES];
    const void *frames[N_FRAMES];
    float embeddings[N_TOKENS * TINY_OUT];
} call;

static void
call_start(call *c, oriel_model *model)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    random_stream random = {5};
    oriel_error err;

    c->model = model;
    for (int f = 0; f < N_FRAMES; f++) {
        c->frames[f] = c->pixels[f];
        for (int i = 0; i < FRAME_BYTES; i++)
            c->pixels[f][i] = (unsigned char)random_u64(&random);
    }
    options.device = ORIEL_DEVICE_CPU;
    options.precision = ORIEL_PRECISION_FP32;
    options.threads = 2;
    ck_assert_int_eq(
        oriel_plan_create(&c->plan, model, items, COUNT(items), NULL, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_plan_workspace_bytes(c->plan, &options,
                                                &options.workspace_bytes, &err),
                     ORIEL_OK);
    ck_assert_msg(!oriel_encoder_create(&c->encoder, model, &options, &err),
                  "%s", err.message);
}

static oriel_status
call_encode(call *c)
{
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = c->embeddings,
                           .bytes = sizeof(c->embeddings)};

    memset(c->embeddings, 0xff, sizeof(c->embeddings));
    input.frames = c->frames;
    output.results = &result;
    output.n_results = 1;
    return oriel_encode(c->encoder, c->plan, &input, &output, NULL, NULL);
}

/* ---- Order of destruction ---------------------------------------------- */

static void
destroy(call *c, int which)
{
    switch (which) {
    case 0:
        oriel_model_destroy(c->model);
        break;
    case 1:
        oriel_plan_destroy(c->plan);
        break;
    default:
        oriel_encoder_destroy(c->encoder);
    }
}

static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

START_TEST(any_order_of_destruction)
{
    static call c;

    call_start(&c, checkpoint_open(NULL));
    ck_assert_int_eq(call_encode(&c), ORIEL_OK);
    for (int i = 0; i < 3; i++)
        destroy(&c, orders[_i][i]);
}
END_TEST

/* An encoder keeps its model: the same bytes after the caller let go. */
START_TEST(encoder_outlives_its_model)
{
    static call c;
    float before[N_TOKENS * TINY_OUT];
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    call_start(&c, checkpoint_open(NULL));
    ck_assert_int_eq(call_encode(&c), ORIEL_OK);
    memcpy(before, c.embeddings, sizeof(before));
    oriel_model_destroy(c.model);
    ck_assert_int_eq(call_encode(&c), ORIEL_OK);
    ck_assert_mem_eq(before, c.embeddings, sizeof(before));
    ck_assert_int_eq(oriel_encoder_get_info(c.encoder, &info, NULL), ORIEL_OK);
    ck_assert_uint_gt(info.weight_bytes, 0);
    oriel_encoder_destroy(c.encoder);
    oriel_plan_destroy(c.plan);
}
END_TEST

/* Two encoders share a model; the first to go leaves the other whole. */
START_TEST(encoders_share_a_model)
{
    static call a, b;

    call_start(&a, checkpoint_open(NULL));
    call_start(&b, a.model);
    ck_assert_int_eq(call_encode(&a), ORIEL_OK);
    oriel_encoder_destroy(a.encoder);
    oriel_plan_destroy(a.plan);
    oriel_model_destroy(a.model);
    ck_assert_int_eq(call_encode(&b), ORIEL_OK);
    ck_assert_mem_eq(a.embeddings, b.embeddings, sizeof(a.embeddings));
    oriel_encoder_destroy(b.encoder);
    oriel_plan_destroy(b.plan);
}
END_TEST

START_TEST(null_can_be_destroyed)
{
    oriel_model_destroy(NULL);
    oriel_plan_destroy(NULL);
    oriel_encoder_destroy(NULL);
}
END_TEST

/* ---- Threads ------------------------------------------------------------ */

enum { N_THREADS = 3, N_ROUNDS = 4 };

static void *
work(void *argument)
{
    call *c = argument;
    oriel_model *model = c->model;

    for (int i = 0; i < N_ROUNDS; i++) {
        call_start(c, model);
        ck_assert_int_eq(call_encode(c), ORIEL_OK);
        oriel_encoder_destroy(c->encoder);
        oriel_plan_destroy(c->plan);
    }
    return NULL;
}

START_TEST(threads_share_a_model)
{
    static call calls[N_THREADS];
    oriel_model *model = checkpoint_open(NULL);
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++) {
        calls[i].model = model;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &calls[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    oriel_model_destroy(model);
    for (int i = 1; i < N_THREADS; i++)
        ck_assert_mem_eq(calls[0].embeddings, calls[i].embeddings,
                         sizeof(calls[0].embeddings));
}
END_TEST

/* ---- What a client sends ------------------------------------------------- */

/* A side of 1 to 300 pixels, thin ones often. */
static int32_t
draw_side(random_stream *random)
{
    return (int32_t)random_between(random, 1,
                                   random_between(random, 0, 2) ? 300 : 3);
}

static void
encode_whatever(oriel_encoder *encoder, const oriel_plan *plan,
                const oriel_encoder_options *options, const oriel_item *item)
{
    static unsigned char pixels[300 * 300 * 3];
    const void *frames[] = {pixels, pixels, pixels};
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS};
    oriel_error err;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_plan_workspace_bytes(plan, options,
                                                &output.workspace_bytes, NULL),
                     ORIEL_OK);
    input.frames = frames;
    output.workspace = malloc(output.workspace_bytes);
    result.bytes = (size_t)info.tokens * TINY_OUT * sizeof(float);
    result.data = malloc(result.bytes);
    output.results = &result;
    output.n_results = 1;
    ck_assert_msg(!oriel_encode(encoder, plan, &input, &output, NULL, &err),
                  "%d x %d, %d frames: %s", item->width, item->height,
                  item->frames, err.message);
    free(output.workspace);
    free(result.data);
}

/* After planning, no size that a client sends makes encode fail. */
START_TEST(what_was_planned_is_encoded)
{
    static call c;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    random_stream random = {9};
    int planned = 0, refused = 0;

    call_start(&c, checkpoint_open(NULL));
    options.device = ORIEL_DEVICE_CPU;
    options.precision = ORIEL_PRECISION_FP32;
    options.threads = 2; /* as the encoder's, on any number of cores */
    for (int i = 0; i < 150; i++) {
        const oriel_item item = {draw_side(&random),
                                 draw_side(&random),
                                 (int32_t)random_between(&random, 0, 3),
                                 0,
                                 0,
                                 0};
        oriel_plan_options plan_options = ORIEL_PLAN_OPTIONS_INIT;
        oriel_plan *plan;
        oriel_error err;

        plan_options.max_pixels = plan_options.video_max_pixels = 30000;
        plan_options.resample = (int32_t)random_between(&random, 0, 3);
        plan_options.sizing = (int32_t)random_between(&random, 0, 1);
        if (oriel_plan_create(&plan, c.model, &item, 1, &plan_options, &err)) {
            ck_assert_int_eq(err.status, ORIEL_ERR_INPUT);
            refused++;
            continue;
        }
        encode_whatever(c.encoder, plan, &options, &item);
        oriel_plan_destroy(plan);
        planned++;
    }
    ck_assert_int_gt(planned, 50);
    ck_assert_int_gt(refused, 2);
    oriel_encoder_destroy(c.encoder);
    oriel_plan_destroy(c.plan);
    oriel_model_destroy(c.model);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_handles");
    TCase *tc = tcase_create("handles");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, any_order_of_destruction, 0, COUNT(orders));
    tcase_add_test(tc, encoder_outlives_its_model);
    tcase_add_test(tc, encoders_share_a_model);
    tcase_add_test(tc, null_can_be_destroyed);
    tcase_add_test(tc, threads_share_a_model);
    tcase_add_test(tc, what_was_planned_is_encoded);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
