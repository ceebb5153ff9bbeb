/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_graph.c - shapes that come back, replayed as graphs
 *
 * Held against an encoder that launches its kernels one by one: every byte must
 * be the same, whatever the pixels, where they lie, and where results go.
 */
#include "cuda/graph.h"
#include "cuda/input_case.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* An encoder by graphs and one without, and a result of each on the device. */
typedef struct pair {
    oriel_encoder *replaying, *direct;
    device_buffer out[2];
    unsigned char *bytes[2];
    size_t n;
    uint64_t launches; /* before */
} pair;

static pair
make_pair(const cuda_fixture *r)
{
    pair p = {.replaying = cuda_fixture_encoder_with(r, ORIEL_GRAPHS_AUTO),
              .direct = cuda_fixture_encoder_with(r, ORIEL_GRAPHS_OFF),
              .n = r->embeddings_bytes + 64 * (size_t)r->info.tokens,
              .launches = sim_graph_launches()};

    for (int i = 0; i < 2; i++) {
        p.out[i] = device_output(p.n);
        p.bytes[i] = oracle_alloc(1, p.n);
    }
    return p;
}

static void
free_pair(pair *p)
{
    oriel_encoder_destroy(p->replaying);
    oriel_encoder_destroy(p->direct);
    for (int i = 0; i < 2; i++) {
        device_release(p->out[i]);
        free(p->bytes[i]);
    }
}

/* Encode by both, as 'output' says but with the first result in the pair's
   memory. */
static void
encode_both(pair *p, const cuda_fixture *r, const oriel_input *input,
            oriel_output output)
{
    for (int i = 0; i < 2; i++) {
        bool device = output.results_memory == ORIEL_MEMORY_DEVICE;

        result_at(&output, 0)->data = device ? p->out[i].data : p->bytes[i];
        result_at(&output, 0)->bytes = p->n;
        cuda_fixture_encode(i ? p->direct : p->replaying, r->plan, input,
                            &output, NULL);
    }
    cuda_fixture_expect_silence();
    for (int i = 0; i < 2 && output.results_memory == ORIEL_MEMORY_DEVICE; i++)
        device_download(p->bytes[i], p->out[i]);
}

/* Bytes between rows belong to the caller. */
static void
compare_pair(const pair *p, int64_t tokens, size_t row, size_t pitch)
{
    for (int64_t t = 0; t < tokens; t++)
        ck_assert_msg(memcmp(p->bytes[0] + (size_t)t * pitch,
                             p->bytes[1] + (size_t)t * pitch, row) == 0,
                      "token %d differs", (int)t);
}

/* Every kind of input, dtype and place of results, gaps between rows or none:
   one and the same graph; with our own products, with cuBLASLt's and with those of
   sm_90a, and of a residual of one plane and of two. */
static const struct {
    const oriel_network *network;
    int32_t kernels, residual;
    int calls;
} replays[] = {
    {&fixture_tiny, ORIEL_KERNELS_OWN, ORIEL_RESIDUAL_BF16, 12},
    {&fixture_broad, ORIEL_KERNELS_OWN, ORIEL_RESIDUAL_WIDE, 6},
    {&fixture_tiny, ORIEL_KERNELS_CUBLASLT, ORIEL_RESIDUAL_BF16, 6},
    {&fixture_broad, ORIEL_KERNELS_HOPPER, ORIEL_RESIDUAL_WIDE, 6},
};

START_TEST(replays_give_the_same_bytes)
{
    const int calls = replays[_i].calls;
    input_case random_frames =
        input_case_make(replays[_i].network, ORIEL_RESAMPLE_TORCHVISION);
    int64_t out = random_frames.r.info.out_hidden_size;
    const uint64_t uploads = sim_graph_uploads();
    pair p;

    fixture_kernels = replays[_i].kernels;
    fixture_residual = replays[_i].residual;
    p = make_pair(&random_frames.r);

    for (int i = 0; i < calls; i++) {
        oriel_input input;
        oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS};
        oriel_output output = output_of(
            &result, 1, i / 2 % 2 ? ORIEL_MEMORY_DEVICE : ORIEL_MEMORY_HOST);
        size_t value;

        input_case_fill(&random_frames, (uint64_t)i);
        input = input_case_input(&random_frames, (input_kind)(i % INPUT_KINDS));
        result.dtype = 1 + i % 3;
        value = result.dtype == ORIEL_DTYPE_F32 ? 4 : 2;
        result.row_bytes = ((size_t)out * value + 31) / 16 * 16;
        encode_both(&p, &random_frames.r, &input, output);
        compare_pair(&p, random_frames.r.info.tokens, (size_t)out * value,
                     result.row_bytes);
    }
    ck_assert_uint_eq(sim_graph_launches() - p.launches,
                      (uint64_t)(calls - DIRECT_CALLS));
    /* When it is made, not by its first launch. */
    ck_assert_uint_eq(sim_graph_uploads() - uploads, 1);
    free_pair(&p);
    input_case_free(&random_frames);
}
END_TEST

/* Hidden states cut the blocks into runs, each with its graph.  By kernels that
   overlap, too, between which results are stored. */
START_TEST(hidden_states_part_the_blocks)
{
    enum { CALLS = 4, STATES = 3 };
    cuda_fixture r;
    pair p;
    size_t bytes;
    float *states[2][STATES];
    oriel_input input;

    fixture_kernels = _i ? ORIEL_KERNELS_HOPPER : ORIEL_KERNELS_OWN;
    r = cuda_fixture_make(&fixture_tiny);
    p = make_pair(&r);
    bytes = (size_t)r.info.patches * 32 * sizeof(float);
    input = cuda_fixture_device_input(&r);

    for (int call = 0; call < CALLS; call++)
        for (int i = 0; i < 2; i++) {
            static const int32_t indices[STATES] = {3, 0, 1};
            oriel_result results[STATES + 1];
            oriel_output output =
                output_of(results, STATES + 1, ORIEL_MEMORY_HOST);

            for (int t = 0; t < STATES; t++) {
                states[i][t] = oracle_alloc(1, bytes);
                results[t] =
                    hidden_state_result(indices[t], states[i][t], bytes);
            }
            results[STATES] = embeddings_result(p.bytes[i], r.embeddings_bytes);
            cuda_fixture_encode(i ? p.direct : p.replaying, r.plan, &input,
                                &output, NULL);
            if (i == 0)
                continue;
            compare_pair(&p, 1, r.embeddings_bytes, 0);
            for (int t = 0; t < STATES; t++) {
                ck_assert_mem_eq(states[0][t], states[1][t], bytes);
                free(states[0][t]);
                free(states[1][t]);
            }
        }
    cuda_fixture_expect_silence();
    /* Before 1, before 3, and after. */
    ck_assert_uint_eq(sim_graph_launches() - p.launches,
                      3 * (CALLS - DIRECT_CALLS));
    free_pair(&p);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Which shapes have graphs --------------------------------------------- */

enum { SHAPES = ORIEL_CUDA_GRAPHS + 2 };

/* Columns of tokens, the first the smallest; what each gives without graphs. */
typedef struct gallery {
    cuda_fixture r;
    oriel_encoder *encoder; /* with room for the largest */
    oriel_plan *plans[SHAPES];
    float *pixels, *expected[SHAPES], *found;
    size_t bytes[SHAPES];
} gallery;

static void
see(gallery *g, oriel_encoder *encoder, int shape, float *out)
{
    oriel_input input = fixture_input(g->plans[shape], g->pixels);
    oriel_result result = embeddings_result(out, g->bytes[shape]);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);

    cuda_fixture_encode(encoder, g->plans[shape], &input, &output, NULL);
}

static void
expect_shape(gallery *g, int shape)
{
    memset(g->found, 0xff, g->bytes[shape]);
    see(g, g->encoder, shape, g->found);
    ck_assert_mem_eq(g->found, g->expected[shape], g->bytes[shape]);
}

static gallery
make_gallery(void)
{
    gallery g = {.r = cuda_fixture_make(cuda_fixture_shallow())};
    oriel_plan *own = g.r.plan;
    oriel_encoder *direct;

    for (int i = 0; i < SHAPES; i++) {
        const int64_t grid[1][3] = {{1, 2 + 2 * i, 2}};

        g.plans[i] = fixture_plan(&g.r.m, grid, 1);
        g.bytes[i] = (size_t)(i + 1) * 24 * sizeof(float);
        g.expected[i] = oracle_alloc(1, g.bytes[i]);
    }
    g.r.plan = g.plans[SHAPES - 1];
    g.pixels = fixture_pixels(g.r.plan, 4);
    g.encoder = cuda_fixture_encoder_with(&g.r, ORIEL_GRAPHS_AUTO);
    direct = cuda_fixture_encoder_with(&g.r, ORIEL_GRAPHS_OFF);
    g.r.plan = own;
    g.found = oracle_alloc(1, g.bytes[SHAPES - 1]);
    for (int i = 0; i < SHAPES; i++)
        see(&g, direct, i, g.expected[i]);
    oriel_encoder_destroy(direct);
    return g;
}

static void
free_gallery(gallery *g)
{
    oriel_encoder_destroy(g->encoder);
    for (int i = 0; i < SHAPES; i++) {
        free(g->expected[i]);
        oriel_plan_destroy(g->plans[i]);
    }
    free(g->pixels);
    free(g->found);
    cuda_fixture_free(&g->r);
}

/* Two too many take turns: the first eight stay, nothing is made in vain. */
START_TEST(shapes_take_turns)
{
    enum { ROUNDS = 4 };
    gallery g = make_gallery();
    uint64_t before = sim_graph_launches();

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < SHAPES; i++)
            expect_shape(&g, i);
    ck_assert_uint_eq(sim_graph_launches() - before,
                      ORIEL_CUDA_GRAPHS * (ROUNDS - DIRECT_CALLS));
    cuda_fixture_expect_silence();
    free_gallery(&g);
}
END_TEST

static void
see_often(gallery *g, int shape, int times)
{
    for (int i = 0; i < times; i++)
        expect_shape(g, shape);
}

/* One that has been idle gives way. */
START_TEST(an_idle_graph_gives_way)
{
    gallery g = make_gallery();
    uint64_t before = sim_graph_launches();

    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++)
        see_often(&g, i, DIRECT_CALLS);
    /* There is no room until the first has been idle for long enough ... */
    see_often(&g, SHAPES - 1,
              ORIEL_CUDA_GRAPHS_IDLE - 2 * ORIEL_CUDA_GRAPHS + 2);
    ck_assert_uint_eq(sim_graph_launches(), before);
    /* ... and then it makes room, but the second does not. */
    see_often(&g, SHAPES - 1, 3);
    ck_assert_uint_eq(sim_graph_launches() - before, 2);
    see_often(&g, 1, 1);
    ck_assert_uint_eq(sim_graph_launches() - before, 3);
    see_often(&g, 0, 1);
    ck_assert_uint_eq(sim_graph_launches() - before, 3);
    cuda_fixture_expect_silence();
    free_gallery(&g);
}
END_TEST

/* But never while it runs: the stand-in would tell that it is destroyed. */
START_TEST(a_running_graph_stays)
{
    gallery g = make_gallery();
    size_t needed = fixture_workspace(g.plans[0], ORIEL_PRECISION_BF16, 1);
    device_buffer space = device_output(needed),
                  out = device_output(g.bytes[0]);
    device_buffer pixels = device_upload(g.pixels, 4 * 96 * sizeof(float));
    oriel_input input = fixture_input(g.plans[0], pixels.data);
    oriel_result result = embeddings_result(out.data, out.bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_DEVICE);
    cudaStream_t stream = cuda_fixture_stream();
    uint64_t before = sim_graph_launches();

    input.pixels_memory = ORIEL_MEMORY_DEVICE;
    output.workspace = space.data;
    output.workspace_bytes = needed;
    for (int i = 0; i < 3; i++)
        cuda_fixture_encode(g.encoder, g.plans[0], &input, &output, stream);
    ck_assert_uint_eq(sim_graph_launches() - before, 1);
    cuda_fixture_expect_silence();
    cuda_fixture_encode(g.encoder, g.plans[0], &input, &output, stream);
    sim_hold(stream, 2); /* its records arrive, and nothing else happens */
    for (int i = 1; i < ORIEL_CUDA_GRAPHS; i++)
        see_often(&g, i, DIRECT_CALLS);
    see_often(&g, SHAPES - 1, ORIEL_CUDA_GRAPHS_IDLE);
    ck_assert_uint_eq(sim_graph_launches() - before, 2);
    sim_release(stream);
    cuda_fixture_expect_silence();
    see_often(&g, SHAPES - 1, 2);
    ck_assert_uint_eq(sim_graph_launches() - before, 3);
    device_download(g.found, out);
    ck_assert_mem_eq(g.found, g.expected[0], g.bytes[0]);
    MUST(cudaStreamDestroy(stream));
    device_release(space);
    device_release(out);
    device_release(pixels);
    free_gallery(&g);
}
END_TEST

/* A graph is of one workspace. */
START_TEST(each_workspace_has_its_own)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    size_t needed = fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1);
    oriel_input input = cuda_fixture_device_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    uint64_t before = sim_graph_launches();

    for (int turn = 0; turn < 2; turn++) {
        device_buffer spaces[2] = {device_output(needed),
                                   device_output(needed)};

        for (int i = 0; i < 6; i++) {
            oriel_output output =
                cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);

            output.workspace = spaces[i % 2].data;
            output.workspace_bytes = needed;
            cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
            cuda_fixture_expect(&r, out);
        }
        /* Freed, and perhaps given out again: graphs hold what they held. */
        device_release(spaces[0]);
        device_release(spaces[1]);
    }
    ck_assert_uint_ge(sim_graph_launches() - before, 4);
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

static void
keep_warning(void *user, int32_t level, const char *line)
{
    if (level == ORIEL_LOG_WARNING)
        snprintf(user, 640, "%s", line);
}

/* Each call in turn of an encode that records its graph is out of memory, once.
   Where only the recording suffered, graphs come back. */
START_TEST(graphs_survive_an_out_of_memory)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_input input = cuda_fixture_device_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    uint64_t calls = 1;
    int survived = 0;

    for (uint64_t n = 0; n <= calls; n++) { /* 0: to count them */
        char warning[640] = "";
        oriel_hooks hooks = ORIEL_HOOKS_INIT;
        oriel_encoder *encoder;
        oriel_error err;

        hooks.user = warning;
        hooks.log = keep_warning;
        encoder = cuda_fixture_try_encoder(&r, &hooks, &err);
        ck_assert_ptr_nonnull(encoder);
        cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
        sim_fail_call(n, cudaErrorMemoryAllocation);
        if (!oriel_encode(encoder, r.plan, &input, &output, NULL, &err) &&
            warning[0]) {
            /* A capture that cannot be ended leaves no stream for another. */
            const bool ends = strstr(warning, "cudaStreamEndCapture") != NULL;
            uint64_t before = sim_graph_launches();

            sim_fail_call(0, cudaSuccess);
            ck_assert_msg(strstr(warning, ends
                                              ? "from now on"
                                              : "until it has come back twice"),
                          "call %d: '%s'", (int)n, warning);
            for (int i = 0; i < 3; i++)
                cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
            ck_assert_uint_eq(sim_graph_launches() - before, !ends);
            if (!ends)
                cuda_fixture_expect(&r, out);
            survived += !ends;
        }
        calls = n ? calls : sim_calls();
        sim_fail_call(0, cudaSuccess);
        oriel_encoder_destroy(encoder);
    }
    ck_assert_int_ge(survived, 3); /* to begin, to end, to instantiate */
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(off_is_off)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = cuda_fixture_encoder_with(&r, ORIEL_GRAPHS_OFF);
    oriel_input input = cuda_fixture_device_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    uint64_t before = sim_graph_launches();

    for (int i = 0; i < 4; i++)
        cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    ck_assert_uint_eq(sim_graph_launches(), before);
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_graph");
    TCase *tc = tcase_create("graphs");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, replays_give_the_same_bytes, 0, COUNT(replays));
    tcase_add_loop_test(tc, hidden_states_part_the_blocks, 0, 2);
    tcase_add_test(tc, shapes_take_turns);
    tcase_add_test(tc, an_idle_graph_gives_way);
    tcase_add_test(tc, a_running_graph_stays);
    tcase_add_test(tc, each_workspace_has_its_own);
    tcase_add_test(tc, graphs_survive_an_out_of_memory);
    tcase_add_test(tc, off_is_off);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
