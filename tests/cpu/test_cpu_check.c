/* SPDX-License-Identifier: Apache-2.0 */
/* test_cpu_check.c - the benchmark's check passes a step that is right, and no other */
#include "cpu_check.h"

#include "model/model.h"
#include "support/fixture.h"
#include "support/suite.h"

#include <check.h>
#include <stdlib.h>

extern const oriel_backend *oriel_backend_entry(const char *version);

enum { WIDTH = 56, HEIGHT = 40 };

typedef struct scene {
    fixture_model m;
    const oriel_network *net;
    oriel_weight_reader reader;
    oriel_backend_config config;
    const oriel_backend *backend;
    oriel_backend_weights *weights;
    oriel_backend_context *context;
    oriel_plan *plan;
    oriel_plan_info info;
    oriel_meter meter;
    oriel_backend_job job;
    oriel_input input;
    oriel_output output;
    uint8_t pixels[WIDTH * HEIGHT * 3];
    const void *frame;
    oriel_result result;
    cpu_check check;
} scene;

static void
must(oriel_status status, const oriel_error *err)
{
    ck_assert_msg(status == ORIEL_OK, "%s", err->message);
}

static void
open_scene(scene *s, int32_t precision)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    const oriel_item item = {WIDTH, HEIGHT, 1, WIDTH, HEIGHT, 0};
    oriel_error err;

    *s = (scene){.m = fixture_model_make(&fixture_tiny, 21),
                 .info = ORIEL_PLAN_INFO_INIT,
                 .input = ORIEL_INPUT_INIT,
                 .output = ORIEL_OUTPUT_INIT};
    s->net = oriel_model_network(s->m.model);
    s->reader = oriel_model_reader(s->m.model);
    s->config = (oriel_backend_config){
        .precision = precision, .threads = 2, .hooks = &hooks, .call = &hooks};
    s->backend = oriel_backend_entry(oriel_version());
    must(s->backend->load_weights(&s->weights, s->net, &s->reader, &s->config,
                                  &err),
         &err);
    must(s->backend->create_context(&s->context, s->weights, &s->config, &err),
         &err);
    must(oriel_plan_create(&s->plan, s->m.model, &item, 1, NULL, &err), &err);
    must(oriel_plan_get_info(s->plan, &s->info, &err), &err);
    for (size_t i = 0; i < sizeof(s->pixels); i++)
        s->pixels[i] = (uint8_t)(i * 7919 % 251);
    s->frame = s->pixels;
    s->input.frames = &s->frame;
    s->job = (oriel_backend_job){.plan = s->plan,
                                 .input = &s->input,
                                 .output = &s->output,
                                 .meter = &s->meter};
    must(s->backend->workspace_bytes(s->plan, &s->config,
                                     &s->job.workspace_bytes, &err),
         &err);
    must(s->backend->alloc_workspace(&s->job.workspace, s->job.workspace_bytes,
                                     &s->config, &err),
         &err);
    s->result =
        (oriel_result){.kind = ORIEL_RESULT_EMBEDDINGS,
                       .dtype = ORIEL_DTYPE_BF16,
                       .row_bytes = (size_t)s->info.out_hidden_size * 2};
    s->result.bytes = (size_t)s->info.tokens * s->result.row_bytes;
    s->result.data = calloc(1, s->result.bytes);
    s->check =
        (cpu_check){.context = s->context,
                    .net = s->net,
                    .reader = &s->reader,
                    .info = &s->info,
                    .pixels = s->pixels,
                    .width = WIDTH,
                    .height = HEIGHT,
                    .embeddings = s->result.data,
                    .rows = {0, s->info.patches / 2, s->info.patches - 1},
                    .before = calloc((size_t)s->net->hidden_size * CPU_CHECKED,
                                     sizeof(double))};
    must(s->backend->start(s->context, &s->job, &err), &err);
}

static void
close_scene(scene *s)
{
    oriel_error err;

    must(s->backend->finish(s->context, &err), &err);
    s->backend->free_workspace(s->job.workspace, &s->config);
    s->backend->destroy_context(s->context);
    s->backend->free_weights(s->weights);
    oriel_plan_destroy(s->plan);
    free(s->result.data);
    free(s->check.before);
    fixture_model_free(&s->m);
}

static oriel_status
run_step(scene *s, cpu_step step, int32_t block, oriel_error *err)
{
    switch (step) {
    case CPU_PATCHIFY:
        return s->backend->patchify(s->context, err);
    case CPU_EMBED:
        return s->backend->embed(s->context, err);
    case CPU_ATTN_IN:
        return oriel_cpu_attn_in(s->context, block, err);
    case CPU_WINDOWS:
    case CPU_FRAMES:
        return oriel_cpu_attend(s->context, block, err);
    case CPU_ATTN_OUT:
        return oriel_cpu_attn_out(s->context, block, err);
    case CPU_MLP_IN:
        return oriel_cpu_mlp_in(s->context, block, err);
    case CPU_MLP_OUT:
        return oriel_cpu_mlp_out(s->context, block, err);
    default:
        return s->backend->store(s->context, &s->result, err);
    }
}

/* The first bytes of what a step writes for the last checked row. */
static unsigned char *
written(const scene *s, cpu_step step)
{
    const oriel_cpu_workspace *space = &s->context->space;
    const oriel_cpu_gemm_shape *products = s->weights->shapes.product;
    const size_t row = (size_t)s->check.rows[CPU_CHECKED - 1];
    const size_t unit = oriel_cpu_storage_bytes(s->weights->storage);
    const size_t hidden = (size_t)s->net->hidden_size;

    switch (step) {
    case CPU_PATCHIFY:
        return (unsigned char *)space->patch_rows +
               row * (size_t)products[ORIEL_LAYER_PATCH].k * unit;
    case CPU_ATTN_IN:
        return (unsigned char *)space->v + row * hidden * unit;
    case CPU_WINDOWS:
    case CPU_FRAMES:
        return (unsigned char *)space->q + row * hidden * unit;
    case CPU_MLP_IN:
        return (unsigned char *)space->inner +
               row * (size_t)products[ORIEL_LAYER_DOWN].k * unit;
    case CPU_MERGE:
        return (unsigned char *)s->result.data +
               (size_t)s->info.window_index[row / CPU_MERGED] *
                   s->result.row_bytes;
    default:
        return (unsigned char *)(space->residual + row * hidden);
    }
}

/* Right, then with the sign of one value turned and that value made large. */
static void
check_step(scene *s, cpu_step step, int32_t block)
{
    unsigned char *value, kept;
    oriel_error err;

    cpu_check_before(&s->check, step);
    must(run_step(s, step, block, &err), &err);
    ck_assert_msg(cpu_check_after(&s->check, step, block) == 0,
                  "step %d is right", (int)step);
    value = written(s, step);
    value += step != CPU_MERGE && (step == CPU_EMBED || step == CPU_ATTN_OUT ||
                                   step == CPU_MLP_OUT ||
                                   s->weights->storage != ORIEL_STORAGE_BF16)
                 ? 3
                 : 1; /* of fp32, of bf16 the byte with sign and exponent */
    kept = *value;
    *value = 0xc3;
    ck_assert_msg(cpu_check_after(&s->check, step, block) != 0,
                  "step %d is wrong", (int)step);
    *value = 0x7f;
    ck_assert_msg(cpu_check_after(&s->check, step, block) != 0,
                  "step %d is not finite, or huge", (int)step);
    *value = kept;
}

static void
check_all(int32_t precision)
{
    int32_t windows = -1, frames = -1;
    scene s;

    open_scene(&s, precision);
    for (int32_t b = s.net->depth - 1; b >= 0; b--)
        *(oriel_network_is_full_attention(s.net, b) ? &frames : &windows) = b;
    ck_assert(windows >= 0 && frames >= 0);
    check_step(&s, CPU_PATCHIFY, 0);
    check_step(&s, CPU_EMBED, 0);
    check_step(&s, CPU_ATTN_IN, windows);
    check_step(&s, CPU_WINDOWS, windows);
    check_step(&s, CPU_ATTN_OUT, windows);
    check_step(&s, CPU_MLP_IN, windows);
    check_step(&s, CPU_MLP_OUT, windows);
    check_step(&s, CPU_ATTN_IN, frames);
    check_step(&s, CPU_FRAMES, frames);
    check_step(&s, CPU_MERGE, 0);
    close_scene(&s);
}

START_TEST(fp32)
{
    check_all(ORIEL_PRECISION_FP32);
}
END_TEST

START_TEST(bf16)
{
    check_all(ORIEL_PRECISION_BF16);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_check");
    TCase *tcase = tcase_create("steps");

    tcase_add_test(tcase, fp32);
    tcase_add_test(tcase, bf16);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
