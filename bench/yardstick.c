/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yardstick.c - the tower's linear layers through plain oneDNN
 *
 * Weights of several blocks are kept and visited in turn, so that they come
 * from memory as they do in the tower, where every block has its own.
 * Activations of one width share a buffer, as they might in an encoder.
 */
#include "yardstick.h"

#include "measure.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* oneDNN's own threads are OpenMP's; clang alone has no omp.h on Debian. */
extern void omp_set_num_threads(int threads);

#define MAX_BLOCKS 8 /* 8 blocks: 315 MB of bf16, above any cache of a core */

enum { EMBED, QKV, PROJ, GATE, UP, DOWN, FC1, FC2, N_LAYERS };

typedef struct layer {
    int64_t rows, columns, depth; /* [rows, depth] x [depth, columns] */
    dnnl_primitive_t primitive;
    dnnl_memory_t source, bias, result;
    dnnl_memory_t weights[MAX_BLOCKS];
    int n_weights;
} layer;

struct yardstick {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    layer layers[N_LAYERS];
    dnnl_data_type_t type;
    int32_t blocks;
    int32_t threads;
};

/* Any status but success, with the call's name. */
static int
failed(dnnl_status_t status, const char *what, char *why, size_t why_bytes)
{
    if (status == dnnl_success)
        return 0;
    snprintf(why, why_bytes, "oneDNN refuses %s (status %d)", what,
             (int)status);
    return 1;
}

static float
random_unit(uint64_t seed, size_t i)
{
    return (float)((double)(bench_random(seed, i) >> 40) * 0x1p-23 - 1.0);
}

/* Random numbers in [-1, 1): zeros would be multiplied faster. */
static void
fill_random(void *data, size_t bytes, dnnl_data_type_t type, uint64_t seed)
{
    uint16_t *halves = data;
    float *floats = data;

    if (type == dnnl_f32) {
        for (size_t i = 0; i < bytes / sizeof(float); i++)
            floats[i] = random_unit(seed, i);
        return;
    }
    for (size_t i = 0; i < bytes / sizeof(uint16_t); i++) {
        const float value = random_unit(seed, i);
        uint32_t bits;

        memcpy(&bits, &value, sizeof(bits));
        halves[i] = (uint16_t)(bits >> 16);
    }
}

static int
make_memory(yardstick *y, dnnl_memory_t *out, const dnnl_memory_desc_t *md,
            uint64_t seed, char *why, size_t why_bytes)
{
    void *data;

    if (failed(dnnl_memory_create(out, md, y->engine, DNNL_MEMORY_ALLOCATE),
               "memory", why, why_bytes))
        return -1;
    if (failed(dnnl_memory_get_data_handle(*out, &data), "a memory handle", why,
               why_bytes))
        return -1;
    fill_random(data, dnnl_memory_desc_get_size(md), md->data_type, seed);
    return 0;
}

static void
shape_layers(yardstick *y, const oriel_model_info *m, int64_t patches)
{
    const int64_t merge =
        (int64_t)m->spatial_merge_size * m->spatial_merge_size;
    const int64_t columns = (int64_t)m->in_channels * m->temporal_patch_size *
                            m->patch_size * m->patch_size;
    const int64_t d = m->hidden_size, wide = d * merge;
    const int64_t mlp = m->intermediate_size, tokens = patches / merge;
    const int64_t shapes[N_LAYERS][3] = {
        [EMBED] = {patches, d, columns},
        [QKV] = {patches, 3 * d, d},
        [PROJ] = {patches, d, d},
        [GATE] = {patches, mlp, d},
        [UP] = {patches, mlp, d},
        [DOWN] = {patches, d, mlp},
        [FC1] = {tokens, wide, wide},
        [FC2] = {tokens, m->out_hidden_size, wide},
    };

    for (int i = 0; i < N_LAYERS; i++) {
        layer *l = &y->layers[i];

        l->rows = shapes[i][0];
        l->columns = shapes[i][1];
        l->depth = shapes[i][2];
        l->n_weights = 1;
        if (i >= QKV && i <= DOWN)
            l->n_weights = y->blocks < MAX_BLOCKS ? y->blocks : MAX_BLOCKS;
    }
}

static int
build_primitive(yardstick *y, layer *l, dnnl_primitive_desc_t *pd, char *why,
                size_t why_bytes)
{
    dnnl_memory_desc_t source, weights, bias, result;
    dnnl_matmul_desc_t op;

    if (failed(dnnl_memory_desc_init_by_tag(&source, 2,
                                            (dnnl_dims_t){l->rows, l->depth},
                                            y->type, dnnl_ab),
               "a source", why, why_bytes) ||
        failed(dnnl_memory_desc_init_by_tag(&weights, 2,
                                            (dnnl_dims_t){l->depth, l->columns},
                                            y->type, dnnl_format_tag_any),
               "weights", why, why_bytes) ||
        failed(dnnl_memory_desc_init_by_tag(
                   &bias, 2, (dnnl_dims_t){1, l->columns}, dnnl_f32, dnnl_ab),
               "a bias", why, why_bytes) ||
        failed(dnnl_memory_desc_init_by_tag(&result, 2,
                                            (dnnl_dims_t){l->rows, l->columns},
                                            y->type, dnnl_ab),
               "a result", why, why_bytes) ||
        failed(dnnl_matmul_desc_init(&op, &source, &weights, &bias, &result),
               "a matmul", why, why_bytes) ||
        failed(dnnl_primitive_desc_create(pd, &op, NULL, y->engine, NULL),
               "this matmul here", why, why_bytes) ||
        failed(dnnl_primitive_create(&l->primitive, *pd), "a primitive", why,
               why_bytes))
        return -1;
    return 0;
}

static int
build_layer(yardstick *y, layer *l, uint64_t seed, char *why, size_t why_bytes)
{
    dnnl_primitive_desc_t pd = NULL;
    int result = -1;

    if (build_primitive(y, l, &pd, why, why_bytes))
        goto unwind;
    for (int i = 0; i < l->n_weights; i++)
        if (make_memory(
                y, &l->weights[i],
                dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                seed + 3 + (uint64_t)i, why, why_bytes))
            goto unwind;
    if (make_memory(y, &l->source,
                    dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0),
                    seed, why, why_bytes) ||
        make_memory(y, &l->bias,
                    dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1),
                    seed + 1, why, why_bytes) ||
        make_memory(y, &l->result,
                    dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0),
                    seed + 2, why, why_bytes))
        goto unwind;
    result = 0;

unwind:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return result;
}

yardstick *
yardstick_create(const oriel_model_info *model, int64_t patches,
                 int32_t precision, int32_t threads, char *why,
                 size_t why_bytes)
{
    yardstick *y = calloc(1, sizeof(*y));

    if (!y) {
        snprintf(why, why_bytes, "out of memory");
        return NULL;
    }
    y->type = precision == ORIEL_PRECISION_BF16 ? dnnl_bf16 : dnnl_f32;
    y->blocks = model->depth;
    y->threads = threads;
    omp_set_num_threads(threads); /* primitives are cut for this many */
    if (failed(dnnl_engine_create(&y->engine, dnnl_cpu, 0), "an engine", why,
               why_bytes) ||
        failed(dnnl_stream_create(&y->stream, y->engine,
                                  dnnl_stream_default_flags),
               "a stream", why, why_bytes))
        goto unwind;
    shape_layers(y, model, patches);
    for (int i = 0; i < N_LAYERS; i++)
        if (build_layer(y, &y->layers[i], 100 + 16 * (uint64_t)i, why,
                        why_bytes))
            goto unwind;
    return y;

unwind:
    yardstick_destroy(y);
    return NULL;
}

static dnnl_status_t
run_layer(const yardstick *y, const layer *l, int32_t block)
{
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, l->source},
        {DNNL_ARG_WEIGHTS, l->weights[block % l->n_weights]},
        {DNNL_ARG_BIAS, l->bias},
        {DNNL_ARG_DST, l->result},
    };

    return dnnl_primitive_execute(l->primitive, y->stream, 4, args);
}

double
yardstick_run(yardstick *y)
{
    dnnl_status_t status;
    double start;

    omp_set_num_threads(y->threads);
    start = bench_now();
    status = run_layer(y, &y->layers[EMBED], 0);
    for (int32_t block = 0; block < y->blocks; block++)
        for (int i = QKV; i <= DOWN && status == dnnl_success; i++)
            status = run_layer(y, &y->layers[i], block);
    if (status == dnnl_success)
        status = run_layer(y, &y->layers[FC1], 0);
    if (status == dnnl_success)
        status = run_layer(y, &y->layers[FC2], 0);
    if (status == dnnl_success)
        status = dnnl_stream_wait(y->stream);
    return status == dnnl_success ? bench_now() - start : -1.0;
}

double
yardstick_flops(const yardstick *y)
{
    double flops = 0;

    for (int i = 0; i < N_LAYERS; i++) {
        const layer *l = &y->layers[i];
        const double times = i >= QKV && i <= DOWN ? y->blocks : 1;

        flops += 2.0 * times * (double)l->rows * (double)l->columns *
                 (double)l->depth;
    }
    return flops;
}

void
yardstick_version(char *out, size_t out_bytes)
{
    const dnnl_version_t *v = dnnl_version();

    snprintf(out, out_bytes, "%d.%d.%d", v->major, v->minor, v->patch);
}

static void
destroy_layer(layer *l)
{
    if (l->primitive)
        dnnl_primitive_destroy(l->primitive);
    for (int i = 0; i < MAX_BLOCKS; i++)
        if (l->weights[i])
            dnnl_memory_destroy(l->weights[i]);
    if (l->source)
        dnnl_memory_destroy(l->source);
    if (l->bias)
        dnnl_memory_destroy(l->bias);
    if (l->result)
        dnnl_memory_destroy(l->result);
}

void
yardstick_destroy(yardstick *y)
{
    if (!y)
        return;
    for (int i = 0; i < N_LAYERS; i++)
        destroy_layer(&y->layers[i]);
    if (y->stream)
        dnnl_stream_destroy(y->stream);
    if (y->engine)
        dnnl_engine_destroy(y->engine);
    free(y);
}
