/* SPDX-License-Identifier: Apache-2.0 */
#include "support/random_network.h"

#include "oracle/rounded.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is drawn ------------------------------------------------------- */

enum { HIDDEN_MOST = 136 };

static int32_t
between(random_stream *random, int64_t low, int64_t high)
{
    return (int32_t)random_between(random, low, high);
}

/* Often small, now and then up to the most there may be. */
static int32_t
mostly_small(random_stream *random, int32_t small, int32_t most)
{
    return between(random, 1, between(random, 0, 3) ? small : most);
}

static void
draw_network(random_network *any, random_stream *random)
{
    oriel_network *n = &any->network;

    memset(n, 0, sizeof(*n));
    n->depth = between(random, 1, ANY_DEPTH);
    n->head_dim = 8 * between(random, 1, 16);
    n->num_heads = between(random, 1, HIDDEN_MOST / n->head_dim);
    n->hidden_size = n->num_heads * n->head_dim;
    n->intermediate_size = between(random, 1, 200);
    n->out_hidden_size = between(random, 1, 150);
    n->in_channels = 3;
    n->patch_size = mostly_small(random, 8, 32);
    n->temporal_patch_size = between(random, 1, 2);
    n->spatial_merge_size = 2;
    n->window_size = 2 * n->patch_size * mostly_small(random, 5, 7);
    n->rope_theta = 10000.0;
    n->full_attention_blocks = any->full;
    for (int32_t block = 0; block < n->depth; block++)
        if (between(random, 0, 1))
            any->full[n->n_full_attention_blocks++] = block;
}

/* A token, a strip, a video and a picture, in any order. */
static void
draw_grids(random_network *any, random_stream *random)
{
    int64_t kinds[ANY_ITEMS][3] = {
        {1, 2, 2},
        {1, 2, 2 * between(random, 1, 24)},
        {between(random, 2, 3), 2 * between(random, 1, 3),
         2 * between(random, 1, 3)},
        {1, 2 * between(random, 1, 6), 2 * between(random, 1, 6)},
    };
    int first = between(random, 0, ANY_ITEMS - 1);

    if (between(random, 0, 1)) { /* the strip stands upright */
        kinds[1][1] = kinds[1][2];
        kinds[1][2] = 2;
    }
    for (int i = 0; i < ANY_ITEMS; i++)
        memcpy(any->grids[i], kinds[(first + i) % ANY_ITEMS],
               sizeof(any->grids[i]));
}

void
random_network_draw(random_network *any, uint64_t seed)
{
    random_stream random = {seed * 977 + 5};
    const oriel_network *n = &any->network;
    int at;

    draw_network(any, &random);
    draw_grids(any, &random);
    at = snprintf(any->words, sizeof(any->words),
                  "depth %d (%d full), %d heads of %d, intermediate %d, out "
                  "%d, patch %d x %d, window %d:",
                  n->depth, n->n_full_attention_blocks, n->num_heads,
                  n->head_dim, n->intermediate_size, n->out_hidden_size,
                  n->temporal_patch_size, n->patch_size, n->window_size);
    for (int i = 0; i < ANY_ITEMS; i++)
        at += snprintf(any->words + at, sizeof(any->words) - (size_t)at,
                       " %dx%dx%d", (int)any->grids[i][0],
                       (int)any->grids[i][1], (int)any->grids[i][2]);
}

/* ---- Values -------------------------------------------------------------- */

enum { EXACT, ROUNDED, RUNS };

typedef struct tower {
    const random_network *any;
    const batch *b;
    bool rounds_matrices, rounds_vectors;
    double *exact; /* the state of the first run */
    double emulated[ANY_DEPTH + 2], found[ANY_DEPTH + 2];
} tower;

static void
fill(void *user, oriel_tensor tensor, int32_t block, double *out)
{
    const tower *t = user;
    oriel_tensor_shape shape = oriel_tensor_get_shape(&t->any->network, tensor);
    int64_t n = shape.rows * shape.columns;
    bool rounds = shape.columns > 1 ? t->rounds_matrices : t->rounds_vectors;

    memcpy(out, oracle_weights_get(t->b->m.oracle, tensor, block),
           (size_t)n * sizeof(*out));
    for (int64_t i = 0; i < n && rounds; i++)
        out[i] = rounded_to_bf16(out[i]);
}

static double
distance(const double *x, const double *truth, int64_t n)
{
    double off = 0, all = 0;

    for (int64_t i = 0; i < n; i++) {
        off += (x[i] - truth[i]) * (x[i] - truth[i]);
        all += truth[i] * truth[i];
    }
    return sqrt(off / all);
}

static void
judge_state(void *user, int32_t state, int32_t run, const double *values)
{
    tower *t = user;
    const fixture_result *r = &t->b->result;
    bool out = state > t->any->network.depth;
    int64_t n = out ? r->tokens * r->out_hidden : r->patches * r->hidden;
    size_t bytes = (size_t)n * sizeof(*values);

    if (run == EXACT) {
        free(t->exact);
        t->exact = oracle_alloc(1, bytes);
        memcpy(t->exact, values, bytes);
        t->found[state] = oracle_relative_error(
            out ? r->embeddings : r->states[state], values, n);
    } else {
        t->emulated[state] = distance(values, t->exact, n);
    }
}

/* Two samples of one error, from so many rows, differ by no more than a factor
   of exp(4 / sqrt(rows)): tests/golden/test_golden.c. */
static double
bound_of(const tower *t, int32_t state, int sites)
{
    bool out = state > t->any->network.depth;
    int64_t rows = out ? t->b->result.tokens : t->b->result.patches;

    return sites ? t->emulated[state] * exp(4 / sqrt((double)rows)) : 1e-5;
}

void
random_network_check_values(const random_network *any, const batch *b,
                            int sites, bool rounds_vectors)
{
    const oriel_network *net = &any->network;
    const int sets[RUNS] = {[EXACT] = 0, [ROUNDED] = sites};
    tower t = {.any = any,
               .b = b,
               .rounds_matrices = sites != 0,
               .rounds_vectors = rounds_vectors};
    int64_t n = b->result.patches * oriel_network_patch_columns(net);
    double *pixels = oracle_alloc((size_t)n, sizeof(*pixels));
    rounded_job job = {.network = net,
                       .fill = fill,
                       .state = judge_state,
                       .user = &t,
                       .pixel_values = pixels,
                       .grids = any->grids,
                       .n_grids = ANY_ITEMS,
                       .sites = sets,
                       .n_runs = sites ? RUNS : 1,
                       .threads = 1};

    for (int64_t i = 0; i < n; i++)
        pixels[i] = (double)b->pixels[i];
    rounded_encode(&job);
    for (int32_t k = 0; k < net->depth + 2; k++)
        ck_assert_msg(t.found[k] <= bound_of(&t, k, sites),
                      "state %d is off by %g, expected %g; %s", k, t.found[k],
                      bound_of(&t, k, sites), any->words);
    free(t.exact);
    free(pixels);
}

/* ---- Frames -------------------------------------------------------------- */

enum { SIDE = 80 };

static oriel_plan *
plan_frames(const random_network *any, const batch *b, random_stream *random)
{
    const oriel_network *net = &any->network;
    int32_t token = oriel_network_token_pixels(net);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_item items[ANY_ITEMS];
    oriel_plan *plan;
    oriel_error err;

    options.resample = between(random, 0, 3);
    for (int i = 0; i < ANY_ITEMS; i++) {
        items[i] = (oriel_item){
            between(random, 1, SIDE),      between(random, 1, SIDE),
            between(random, 1, 3),         token * between(random, 1, 3),
            token * between(random, 1, 3), 0};
        if (i % 2 == 0) /* one axis keeps its size */
            items[i].width = items[i].resized_width < SIDE
                                 ? items[i].resized_width
                                 : items[i].width;
    }
    ck_assert_msg(oriel_plan_create(&plan, b->m.model, items, ANY_ITEMS,
                                    &options, &err) == ORIEL_OK,
                  "%s", err.message);
    return plan;
}

void
random_network_check_frames(const random_network *any, const batch *b,
                            uint64_t seed)
{
    random_stream random = {seed};
    oriel_plan *plan = plan_frames(any, b, &random);

    batch_check_frames(b, plan, seed);
    oriel_plan_destroy(plan);
}
