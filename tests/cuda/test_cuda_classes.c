/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_classes.c - one graph for every plan of a size class
 *
 * Held against an encoder that launches its kernels one by one.  What lies in the
 * workspace before a batch, and beyond what it has, are NaNs, which are also no
 * window and no row; or all that a batch before it left there.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/tables.h"
#include "encode/encoder.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MOST = 3, SIDE_MOST = 6 };

/* As small as heads of 80 can be, to which all of the kernels of sm_90a attend. */
static const int32_t full_blocks[] = {1};
static const oriel_network one_head = {
    .depth = 2,
    .hidden_size = 80,
    .intermediate_size = 64,
    .num_heads = 1,
    .head_dim = 80,
    .out_hidden_size = 16,
    .in_channels = 3,
    .patch_size = 4,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 16,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = full_blocks,
    .rope_theta = 10000.0,
};

/* A batch, and room for its embeddings. */
typedef struct batch {
    int64_t grids[ITEMS_MOST][3];
    size_t n;
} batch;

static int64_t
side(random_stream *random, int64_t most)
{
    return 2 * random_between(random, 1, most / 2);
}

/* Now few and now many: a batch follows one of another size. */
static batch
random_batch(random_stream *random)
{
    const int64_t most = side(random, SIDE_MOST);
    batch b = {.n = (size_t)random_between(random, 1, ITEMS_MOST)};

    for (size_t i = 0; i < b.n; i++) {
        b.grids[i][0] = random_between(random, 1, 2);
        b.grids[i][1] = side(random, most);
        b.grids[i][2] = side(random, most);
    }
    return b;
}

/* Portraits become landscapes: as many patches, other windows. */
static batch
turned(batch b)
{
    for (size_t i = 0; i < b.n; i++) {
        const int64_t rows = b.grids[i][1];

        b.grids[i][1] = b.grids[i][2];
        b.grids[i][2] = rows;
    }
    return b;
}

/* ---- Two encoders ------------------------------------------------------------ */

/* Both with room for 'largest'; one replays, in memory that is seen here. */
typedef struct pair {
    fixture_model m;
    oriel_plan *largest;
    oriel_encoder *replaying, *direct;
    device_buffer workspace;
    bool own_scratch; /* the encoder's own instead */
    bool kept;        /* as the last batch left it */
} pair;

static oriel_encoder *
make_encoder(const pair *p, int32_t graphs)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    const oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                         .threads = 1,
                                         .kernels = fixture_kernels,
                                         .residual = fixture_residual,
                                         .graphs = graphs};
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(oriel_encoder_create_on(
                      &encoder, p->m.model, fixture_backend(),
                      ORIEL_DEVICE_CUDA, &config, &none,
                      fixture_workspace(p->largest, ORIEL_PRECISION_BF16, 1),
                      &err) == ORIEL_OK,
                  "%s", err.message);
    return encoder;
}

static pair
make_pair(const oriel_network *network, const batch *largest)
{
    pair p = {.m = fixture_model_make(network, 31)};

    p.largest = fixture_plan(&p.m, largest->grids, largest->n);
    p.replaying = make_encoder(&p, ORIEL_GRAPHS_AUTO);
    p.direct = make_encoder(&p, ORIEL_GRAPHS_OFF);
    p.workspace =
        device_output(fixture_workspace(p.largest, ORIEL_PRECISION_BF16, 1));
    return p;
}

static void
free_pair(pair *p)
{
    device_release(p->workspace);
    oriel_encoder_destroy(p->replaying);
    oriel_encoder_destroy(p->direct);
    oriel_plan_destroy(p->largest);
    fixture_model_free(&p->m);
}

static float *
encode(const pair *p, bool replays, const oriel_plan *plan, size_t bytes,
       const oriel_input *input)
{
    float *embeddings = oracle_alloc(1, bytes);
    oriel_result result = embeddings_result(embeddings, bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);

    if (replays && !p->own_scratch) {
        if (!p->kept)
            ck_assert_int_eq(cudaMemsetAsync(p->workspace.data, 0xff,
                                             p->workspace.bytes, NULL),
                             cudaSuccess);
        output.workspace = p->workspace.data;
        output.workspace_bytes = p->workspace.bytes;
    }
    cuda_fixture_encode(replays ? p->replaying : p->direct, plan, input,
                        &output, NULL);
    return embeddings;
}

static void
expect_same(const pair *p, const batch *b, uint64_t seed)
{
    oriel_plan *plan = fixture_plan(&p->m, b->grids, b->n);
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    float *pixels = fixture_pixels(plan, seed);
    const oriel_input input = fixture_input(plan, pixels);
    float *one, *other;
    size_t bytes;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    bytes =
        (size_t)info.tokens * (size_t)info.out_hidden_size * sizeof(*pixels);
    one = encode(p, true, plan, bytes, &input);
    other = encode(p, false, plan, bytes, &input);
    cuda_fixture_expect_silence();
    ck_assert_msg(memcmp(one, other, bytes) == 0,
                  "batch %d of %d patches has other bytes", (int)seed,
                  (int)info.patches);
    free(one);
    free(other);
    free(pixels);
    oriel_plan_destroy(plan);
}

/* ---- Tests ------------------------------------------------------------------- */

/* Heads of 80 and of 16, a residual of one plane and of two. */
static const struct {
    const oriel_network *network;
    int32_t residual;
    int batches;
} runs[] = {
    {&one_head, ORIEL_RESIDUAL_BF16, 300},
    {&fixture_tiny, ORIEL_RESIDUAL_WIDE, 6},
};

START_TEST(a_graph_serves_every_batch)
{
    const batch largest = {{{2, SIDE_MOST, SIDE_MOST},
                            {2, SIDE_MOST, SIDE_MOST},
                            {2, SIDE_MOST, SIDE_MOST}},
                           ITEMS_MOST};
    random_stream random = {5};
    batch b = {{{0}}, 0};
    uint64_t made, launches;
    pair p;

    fixture_residual = runs[_i].residual;
    p = make_pair(runs[_i].network, &largest);
    made = sim_graphs_made();
    launches = sim_graph_launches();
    for (int i = 0; i < runs[_i].batches; i++) {
        p.kept = i % 2;
        b = p.kept ? turned(b) : random_batch(&random);
        expect_same(&p, &b, (uint64_t)i);
    }
    ck_assert_uint_eq(sim_graphs_made() - made, 1);
    ck_assert_uint_eq(sim_graph_launches() - launches,
                      (uint64_t)(runs[_i].batches - DIRECT_CALLS));
    free_pair(&p);
}
END_TEST

/* From one class to the next, and back. */
START_TEST(each_class_has_its_graph)
{
    static const batch few = {{{1, 8, 6}}, 1};
    static const batch many = {{{129, 2, 4}}, 1}; /* 1,032 patches */
    const uint64_t made = sim_graphs_made();
    const uint64_t launches = sim_graph_launches();
    pair p = make_pair(&one_head, &many);

    for (int i = 0; i < 3; i++) {
        expect_same(&p, &few, 1);
        expect_same(&p, &many, 2);
    }
    ck_assert_uint_eq(sim_graphs_made() - made, 2);
    ck_assert_uint_eq(sim_graph_launches() - launches, 2 * (3 - DIRECT_CALLS));
    free_pair(&p);
}
END_TEST

/* Between plans of a class one whose angles lie in the workspace. */
START_TEST(a_plan_with_its_own_angles_stands_apart)
{
    static const batch few = {{{1, 8, 6}}, 1};
    static const batch wide = {{{1, 2, ORIEL_CUDA_ROPE_POSITIONS + 2}}, 1};
    oriel_network windows_alone = one_head;
    uint64_t made, launches;
    pair p;

    windows_alone.depth = 1;
    windows_alone.n_full_attention_blocks = 0;
    p = make_pair(&windows_alone, &wide);
    made = sim_graphs_made();
    launches = sim_graph_launches();
    for (int i = 0; i < DIRECT_CALLS; i++)
        expect_same(&p, &few, 1);
    expect_same(&p, &wide, 2);
    expect_same(&p, &few, 3);
    ck_assert_uint_eq(sim_graphs_made() - made, 1);
    ck_assert_uint_eq(sim_graph_launches() - launches, 1);
    free_pair(&p);
}
END_TEST

/* The encoder's own scratch is of the class: what is prepared for one plan serves all
   of them, from the first call on. */
START_TEST(one_plan_prepares_for_its_class)
{
    static const batch prepared = {{{1, 4, 4}}, 1};
    static const batch others[] = {{{{1, 2, 2}}, 1},
                                   {{{2, 12, 6}, {1, 6, 20}}, 2}};
    pair p = make_pair(&one_head, &prepared);
    uint64_t launches;
    oriel_error err;

    ck_assert_msg(oriel_encoder_prepare(p.replaying, p.largest, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    launches = sim_graph_launches();
    p.own_scratch = true;
    for (size_t i = 0; i < COUNT(others); i++)
        expect_same(&p, &others[i], 3);
    ck_assert_uint_eq(sim_graph_launches() - launches, COUNT(others));
    free_pair(&p);
}
END_TEST

static void
use_hopper(void)
{
    fixture_kernels = ORIEL_KERNELS_HOPPER;
    sim_multiprocessors(1); /* which take everything in many turns */
}

static void
use_defaults(void)
{
    fixture_kernels = ORIEL_KERNELS_OWN;
    fixture_residual = ORIEL_RESIDUAL_BF16;
    sim_multiprocessors(0);
}

int
main(void)
{
    Suite *suite = suite_create("cuda_classes");
    TCase *tc = tcase_create("classes");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, use_hopper, use_defaults);
    tcase_add_loop_test(tc, a_graph_serves_every_batch, 0, COUNT(runs));
    tcase_add_test(tc, each_class_has_its_graph);
    tcase_add_test(tc, a_plan_with_its_own_angles_stands_apart);
    tcase_add_test(tc, one_plan_prepares_for_its_class);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
