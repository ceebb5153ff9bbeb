/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_heights.c - a processor on which some tiles do not keep bits
 *
 * Here all heights pass the context's own examination.  Told that some do not,
 * it must do without them and still give the same bytes, within the same
 * workspace.
 */
#include "cpu/context.h"
#include "model/model.h"
#include "support/fixture.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static const int64_t grids[4][3] = {
    {1, 10, 14}, {2, 8, 8}, {1, 2, 2}, {1, 26, 8}};
static const int32_t precisions[] = {ORIEL_PRECISION_FP32,
                                     ORIEL_PRECISION_BF16};

typedef struct scene {
    oriel_backend_config config;
    fixture_model m;
    oriel_plan *plan;
    float *pixels, *embeddings;
    oriel_input input;
    oriel_output output;
    oriel_result result;
    oriel_meter meter; /* not read */
    oriel_backend_job job;
    oriel_backend_weights *weights;
    oriel_backend_context *context;
} scene;

enum { GUARD = 4096 };

static void
must(oriel_status status, const oriel_error *err)
{
    ck_assert_msg(status == ORIEL_OK, "%s", err->message);
}

static void
make_scene(scene *s, int32_t precision)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    const oriel_backend *cpu = fixture_backend();
    oriel_weight_reader reader;
    oriel_error err;

    s->config = (oriel_backend_config){
        .precision = precision, .threads = 2, .hooks = &hooks, .call = &hooks};
    s->m = fixture_model_make(&fixture_wide, 31);
    s->plan = fixture_plan(&s->m, grids, 4);
    s->pixels = fixture_pixels(s->plan, 9);
    s->input = fixture_input(s->plan, s->pixels);
    s->input.dtype = ORIEL_DTYPE_F32;
    reader = oriel_model_reader(s->m.model);
    must(cpu->load_weights(&s->weights, oriel_model_network(s->m.model),
                           &reader, &s->config, &err),
         &err);
    must(cpu->create_context(&s->context, s->weights, &s->config, &err), &err);
    s->output = (oriel_output)ORIEL_OUTPUT_INIT;
    s->result = (oriel_result){
        .kind = ORIEL_RESULT_EMBEDDINGS,
        .dtype = ORIEL_DTYPE_F32,
        .row_bytes = (size_t)fixture_wide.out_hidden_size * 4,
    };
    s->result.bytes = (size_t)s->plan->info.tokens * s->result.row_bytes;
    s->meter = (oriel_meter){0};
    s->job.meter = &s->meter;
    s->job.plan = s->plan;
    s->job.input = &s->input;
    s->job.output = &s->output;
    s->job.workspace_bytes = fixture_workspace(s->plan, precision, 2);
}

static void
free_scene(scene *s)
{
    fixture_backend()->destroy_context(s->context);
    fixture_backend()->free_weights(s->weights);
    free(s->pixels);
    oriel_plan_destroy(s->plan);
    fixture_model_free(&s->m);
}

static void
run_steps(scene *s)
{
    const oriel_backend *cpu = fixture_backend();
    oriel_error err;

    must(cpu->start(s->context, &s->job, &err), &err);
    must(cpu->patchify(s->context, &err), &err);
    must(cpu->embed(s->context, &err), &err);
    must(cpu->blocks(s->context, 0, fixture_wide.depth, &err), &err);
    must(cpu->store(s->context, &s->result, &err), &err);
    must(cpu->finish(s->context, &err), &err);
}

/* Embeddings with the heights of 'mask', in a workspace between guards. */
static void *
encode_with(scene *s, uint32_t mask)
{
    size_t bytes = s->job.workspace_bytes;
    unsigned char *memory;

    ck_assert_int_eq(posix_memalign((void **)&memory, 4096, bytes + 2 * GUARD),
                     0);
    memset(memory, 0xff, bytes + 2 * GUARD);
    s->job.workspace = memory + GUARD;
    s->result.data = oracle_alloc(1, s->result.bytes);
    s->context->heights = mask;
    run_steps(s);
    for (size_t i = 0; i < GUARD; i++) {
        ck_assert_int_eq(memory[i], 0xff);
        ck_assert_int_eq(memory[GUARD + bytes + i], 0xff);
    }
    free(memory);
    return s->result.data;
}

START_TEST(heights_that_failed_are_done_without)
{
    /* 16 ... 128 from the lowest bit; 128 needs no bit. */
    static const uint32_t masks[] = {0x80, 0x00, 0x88, 0xaa, 0x01, 0x40};
    scene s = {0};
    uint32_t all;
    void *want;

    make_scene(&s, precisions[_i]);
    all = s.context->heights;
    want = encode_with(&s, all);
    for (size_t i = 0; i < COUNT(masks); i++) {
        void *got = encode_with(&s, masks[i]);

        ck_assert_int_eq(memcmp(want, got, s.result.bytes), 0);
        free(got);
    }
    free(want);
    free_scene(&s);
}
END_TEST

START_TEST(the_height_of_a_tile_is_the_least_that_may_be_used)
{
    oriel_backend_context c = {.heights = 0x8a}; /* 32, 64, 128 */

    c.n_threads = 3;
    ck_assert_int_eq(oriel_cpu_height_for(&c, 1), 32);
    ck_assert_int_eq(oriel_cpu_height_for(&c, 32), 32);
    ck_assert_int_eq(oriel_cpu_height_for(&c, 33), 64);
    ck_assert_int_eq(oriel_cpu_height_for(&c, 65), 128);
    ck_assert_int_eq(oriel_cpu_height_for(&c, 128), 128);
    ck_assert_int_eq(oriel_cpu_tile_rows(&c, 16), 32);
    ck_assert_int_eq(oriel_cpu_tile_rows(&c, 384), 128);
    c.heights = 0xff;
    ck_assert_int_eq(oriel_cpu_tile_rows(&c, 384), 128);
    ck_assert_int_eq(oriel_cpu_tile_rows(&c, 400), 80); /* six tiles */
    ck_assert_int_eq(oriel_cpu_tile_rows(&c, 16), 16);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_heights");
    TCase *tc = tcase_create("heights");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, heights_that_failed_are_done_without, 0, 2);
    tcase_add_test(tc, the_height_of_a_tile_is_the_least_that_may_be_used);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
