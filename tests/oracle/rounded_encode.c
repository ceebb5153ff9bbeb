/* SPDX-License-Identifier: Apache-2.0 */
/* rounded_encode.c - the whole tower, several sets of roundings side by side */
#include "oracle/rounded.h"

#include "base/team.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 6 }; /* scratch of a thread */

typedef struct tower {
    const rounded_job *job;
    const oriel_network *net;
    oriel_team *team;
    int64_t rows;
    int32_t *positions;
    oracle_segments *segments[2]; /* windows, frames */
    double *tensors[ORIEL_N_TENSORS];
    double **streams; /* of each run */
    double **scratch; /* [threads][PARTS] */
    int32_t block;
} tower;

static double *
part_of(const tower *t, int32_t thread, int part)
{
    return t->scratch[thread * PARTS + part];
}

/* ---- Steps of one run ---------------------------------------------------- */

/* As oracle_rms_norm, with the rounding that the reference has in between. */
static void
norm(const tower *t, double *y, const double *x, oriel_tensor weight, int sites)
{
    const double *w = t->tensors[weight];
    int64_t width = t->net->hidden_size;

    for (int64_t r = 0; r < t->rows; r++, x += width, y += width) {
        double sum = 0, scale;

        memcpy(y, x, (size_t)width * sizeof(*y));
        rounded_maybe(y, width, sites, ROUNDED_HI_NORM);
        for (int64_t i = 0; i < width; i++)
            sum += y[i] * y[i];
        scale = 1.0 / sqrt(sum / (double)width + ORIEL_RMS_NORM_EPS);
        for (int64_t i = 0; i < width; i++)
            y[i] *= scale;
        rounded_maybe(y, width, sites, ROUNDED_NORM_INNER);
        for (int64_t i = 0; i < width; i++)
            y[i] *= w[i];
        rounded_maybe(y, width, sites, ROUNDED_NORM);
    }
}

static void
linear(const tower *t, double *y, const double *x, oriel_tensor weight,
       oriel_tensor bias, int64_t rows)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(t->net, weight);

    rounded_linear(y, x, t->tensors[weight], t->tensors[bias], rows, shape.rows,
                   shape.columns);
}

static void
round_and_turn(const tower *t, double *qkv, int sites)
{
    const oriel_network *net = t->net;
    int64_t hidden = net->hidden_size;

    for (int64_t r = 0; r < t->rows; r++, qkv += 3 * hidden) {
        rounded_maybe(qkv, 2 * hidden, sites, ROUNDED_QK);
        rounded_maybe(qkv + 2 * hidden, hidden, sites, ROUNDED_V);
        oracle_rope(qkv, 2 * net->num_heads, net->head_dim, net->rope_theta,
                    t->positions[2 * r], t->positions[2 * r + 1], 0);
        rounded_maybe(qkv, 2 * hidden, sites, ROUNDED_ROPE);
    }
}

/* One head of one segment: gathered, attended, put back. */
static void
attend_head(const tower *t, double *out, const double *qkv, const int64_t *rows,
            int64_t n, int32_t head, int sites)
{
    int32_t dim = t->net->head_dim;
    int64_t hidden = t->net->hidden_size;
    size_t bytes = (size_t)dim * sizeof(double);
    double *own = oracle_alloc((size_t)(4 * n * dim), sizeof(*own));

    for (int64_t i = 0; i < n; i++)
        for (int part = 0; part < 3; part++)
            memcpy(own + (part * n + i) * dim,
                   qkv + (3 * rows[i] + part) * hidden + head * dim, bytes);
    rounded_attention(own + 3 * n * dim, own, own + n * dim, own + 2 * n * dim,
                      n, dim, sites);
    for (int64_t i = 0; i < n; i++)
        memcpy(out + rows[i] * hidden + head * dim, own + (3 * n + i) * dim,
               bytes);
    free(own);
}

static void
attend(const tower *t, double *out, const double *qkv, int sites)
{
    const oracle_segments *s =
        t->segments[oriel_network_is_full_attention(t->net, t->block)];

    for (int64_t i = 0; i < s->n; i++)
        for (int32_t head = 0; head < t->net->num_heads; head++)
            attend_head(t, out, qkv, s->rows + s->first[i],
                        s->first[i + 1] - s->first[i], head, sites);
    rounded_maybe(out, t->rows * t->net->hidden_size, sites, ROUNDED_ATTENTION);
}

static void
add(double *x, double *y, int64_t n, int sites, int before, int after)
{
    rounded_maybe(y, n, sites, before);
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
    rounded_residual(x, n, sites, after);
}

static void
gated(double *gate, double *up, int64_t n, int sites)
{
    rounded_maybe(gate, n, sites, ROUNDED_GATE_UP);
    rounded_maybe(up, n, sites, ROUNDED_GATE_UP);
    for (int64_t i = 0; i < n; i++)
        gate[i] /= 1.0 + exp(-gate[i]);
    rounded_maybe(gate, n, sites, ROUNDED_SILU);
    for (int64_t i = 0; i < n; i++)
        gate[i] *= up[i];
    rounded_maybe(gate, n, sites, ROUNDED_INNER);
}

/* ---- Tasks: a run each --------------------------------------------------- */

static void
embed_task(void *context, int64_t run, int32_t thread)
{
    const tower *t = context;
    int sites = t->job->sites[run];
    int64_t columns = oriel_network_patch_columns(t->net);
    int64_t hidden = t->net->hidden_size;
    double *pixels = part_of(t, thread, 0);

    memcpy(pixels, t->job->pixel_values,
           (size_t)(t->rows * columns) * sizeof(*pixels));
    rounded_maybe(pixels, t->rows * columns, sites, ROUNDED_PIXELS);
    rounded_linear(t->streams[run], pixels,
                   t->tensors[ORIEL_TENSOR_PATCH_EMBED], NULL, t->rows, hidden,
                   columns);
    rounded_residual(t->streams[run], t->rows * hidden, sites, ROUNDED_EMBED);
}

static void
block_task(void *context, int64_t run, int32_t thread)
{
    const tower *t = context;
    const int sites = t->job->sites[run];
    const int64_t n = t->rows * t->net->hidden_size;
    double *x = t->streams[run];
    double *normed = part_of(t, thread, 0), *qkv = part_of(t, thread, 1);
    double *gate = part_of(t, thread, 2), *up = part_of(t, thread, 3);
    double *attended = part_of(t, thread, 4), *y = part_of(t, thread, 5);

    norm(t, normed, x, ORIEL_TENSOR_NORM1, sites);
    linear(t, qkv, normed, ORIEL_TENSOR_QKV_WEIGHT, ORIEL_TENSOR_QKV_BIAS,
           t->rows);
    round_and_turn(t, qkv, sites);
    attend(t, attended, qkv, sites);
    linear(t, y, attended, ORIEL_TENSOR_PROJ_WEIGHT, ORIEL_TENSOR_PROJ_BIAS,
           t->rows);
    add(x, y, n, sites, ROUNDED_PROJ, ROUNDED_ATTENTION_RESIDUAL);

    norm(t, normed, x, ORIEL_TENSOR_NORM2, sites);
    linear(t, gate, normed, ORIEL_TENSOR_GATE_WEIGHT, ORIEL_TENSOR_GATE_BIAS,
           t->rows);
    linear(t, up, normed, ORIEL_TENSOR_UP_WEIGHT, ORIEL_TENSOR_UP_BIAS,
           t->rows);
    gated(gate, up, t->rows * t->net->intermediate_size, sites);
    linear(t, y, gate, ORIEL_TENSOR_DOWN_WEIGHT, ORIEL_TENSOR_DOWN_BIAS,
           t->rows);
    add(x, y, n, sites, ROUNDED_DOWN, ROUNDED_MLP_RESIDUAL);
}

/* The embeddings take the stream's place. */
static void
merge_task(void *context, int64_t run, int32_t thread)
{
    const tower *t = context;
    const int sites = t->job->sites[run];
    const int64_t n = t->rows * t->net->hidden_size, tokens = t->rows / 4;
    double *normed = part_of(t, thread, 0), *inner = part_of(t, thread, 1);

    norm(t, normed, t->streams[run], ORIEL_TENSOR_MERGER_NORM, sites);
    linear(t, inner, normed, ORIEL_TENSOR_MERGER_FC1_WEIGHT,
           ORIEL_TENSOR_MERGER_FC1_BIAS, tokens);
    rounded_maybe(inner, n, sites, ROUNDED_FC1);
    oracle_gelu(inner, inner, n);
    rounded_maybe(inner, n, sites, ROUNDED_GELU);
    linear(t, t->streams[run], inner, ORIEL_TENSOR_MERGER_FC2_WEIGHT,
           ORIEL_TENSOR_MERGER_FC2_BIAS, tokens);
    rounded_maybe(t->streams[run], tokens * t->net->out_hidden_size, sites,
                  ROUNDED_OUT);
}

/* ---- All runs ------------------------------------------------------------ */

/* The tensors from 'first' to before 'end'. */
static void
make_tensors(tower *t, int first, int end)
{
    for (int i = first; i < end; i++) {
        oriel_tensor tensor = (oriel_tensor)i;
        oriel_tensor_shape shape = oriel_tensor_get_shape(t->net, tensor);

        if (!t->tensors[i])
            t->tensors[i] = oracle_alloc((size_t)(shape.rows * shape.columns),
                                         sizeof(double));
        t->job->fill(t->job->user, tensor, t->block, t->tensors[i]);
    }
}

static void
drop_tensors(tower *t)
{
    for (int i = 0; i < ORIEL_N_TENSORS; i++) {
        free(t->tensors[i]);
        t->tensors[i] = NULL;
    }
}

static void
run_all(tower *t, oriel_team_task *task, int32_t state)
{
    oriel_team_run(t->team, task, t, t->job->n_runs);
    for (int32_t i = 0; i < t->job->n_runs; i++)
        t->job->state(t->job->user, state, i, t->streams[i]);
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
set_up(tower *t, const rounded_job *job)
{
    const oriel_network *net = job->network;
    int64_t hidden = net->hidden_size, width = 3 * hidden;
    oriel_error err;

    t->job = job;
    t->net = net;
    t->rows = oracle_count_patches(job->grids, job->n_grids);
    t->positions =
        oracle_positions(job->grids, job->n_grids, net->spatial_merge_size);
    t->segments[0] = oracle_segments_create(job->grids, job->n_grids,
                                            net->spatial_merge_size,
                                            oriel_network_window_tokens(net));
    t->segments[1] = oracle_segments_create(job->grids, job->n_grids,
                                            net->spatial_merge_size, 0);
    width = larger(width, net->intermediate_size);
    width = larger(width, oriel_network_patch_columns(net));
    t->streams = oracle_alloc((size_t)job->n_runs, sizeof(*t->streams));
    for (int32_t i = 0; i < job->n_runs; i++)
        t->streams[i] = oracle_alloc(
            (size_t)(t->rows * larger(hidden, net->out_hidden_size)),
            sizeof(double));
    t->scratch = oracle_alloc((size_t)job->threads * PARTS, sizeof(double *));
    for (int32_t i = 0; i < job->threads * PARTS; i++)
        t->scratch[i] = oracle_alloc((size_t)(t->rows * width), sizeof(double));
    if (oriel_team_create(&t->team, job->threads, NULL, NULL, &err)) {
        fprintf(stderr, "oracle: %s\n", err.message);
        abort();
    }
}

static void
tear_down(tower *t)
{
    drop_tensors(t);
    oriel_team_destroy(t->team);
    for (int32_t i = 0; i < t->job->n_runs; i++)
        free(t->streams[i]);
    for (int32_t i = 0; i < t->job->threads * PARTS; i++)
        free(t->scratch[i]);
    free(t->streams);
    free(t->scratch);
    oracle_segments_free(t->segments[0]);
    oracle_segments_free(t->segments[1]);
    free(t->positions);
}

void
rounded_encode(const rounded_job *job)
{
    tower t = {0};

    set_up(&t, job);
    make_tensors(&t, ORIEL_TENSOR_PATCH_EMBED, ORIEL_TENSOR_NORM1);
    run_all(&t, embed_task, 0);
    for (t.block = 0; t.block < t.net->depth; t.block++) {
        make_tensors(&t, ORIEL_TENSOR_NORM1, ORIEL_TENSOR_MERGER_NORM);
        run_all(&t, block_task, t.block + 1);
    }
    drop_tensors(&t);
    make_tensors(&t, ORIEL_TENSOR_MERGER_NORM, ORIEL_N_TENSORS);
    run_all(&t, merge_task, t.net->depth + 1);
    tear_down(&t);
}
