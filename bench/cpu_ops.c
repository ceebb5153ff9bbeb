/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_ops.c - what each step of the cpu backend costs at the published sizes
 *
 *   oriel_bench_cpu_ops [--size WxH] [--precision bf16|fp32] [--threads N]
 *                       [--rounds N] [--cpu-time]
 *
 * Two blocks of the 7B tower (one with windows, one with frames) and its ends,
 * on random weights and pixels, driven through the backend's own table; the
 * whole tower is the sum with 28 and 4 of them.  Beside it, in the same
 * rounds, oneDNN's own rate: the same products over all rows at once, weights
 * in the form it asks for, its own threads.  --cpu-time counts processor time
 * instead of elapsed time, for a busy machine: with one thread.
 */
#include "cpu/context.h"
#include "cpu/shapes.h"
#include "encode/backend.h"
#include "measure.h"
#include "model/model.h"
#include "oriel.h"

#include <dnnl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const oriel_backend *oriel_backend_entry(const char *version);
void omp_set_num_threads(int threads);

static double (*now)(void) = bench_now;

static void
must(oriel_status status, const oriel_error *err)
{
    if (status) {
        fprintf(stderr, "cpu_ops: %s\n", err->message);
        exit(1);
    }
}

static void *
must_alloc(size_t bytes)
{
    void *p = aligned_alloc(256, (bytes + 255) / 256 * 256);

    if (!p) {
        fprintf(stderr, "cpu_ops: out of memory\n");
        exit(1);
    }
    return p;
}

/* ---- Random weights, without a checkpoint ------------------------------- */

static float
random_value(uint64_t i)
{
    i += 0x9E3779B97F4A7C15u;
    i = (i ^ (i >> 30)) * 0xBF58476D1CE4E5B9u;
    i = (i ^ (i >> 27)) * 0x94D049BB133111EBu;
    return (float)((double)(i >> 40) * 0x1p-23 - 1.0);
}

static oriel_status
read_random(const void *model, oriel_tensor tensor, int32_t block,
            int64_t first_row, int64_t rows, int32_t dtype, void *out,
            oriel_error *err)
{
    const oriel_network *net = model;
    int64_t columns = oriel_tensor_get_shape(net, tensor).columns;
    float scale = columns > 1 ? 0.03f : 0.1f;
    uint64_t seed = ((uint64_t)tensor * 64 + (uint64_t)block + 1) << 32;

    (void)err;
    for (int64_t i = 0; i < rows * columns; i++) {
        float v =
            random_value(seed + (uint64_t)(first_row * columns + i)) * scale;
        uint32_t bits;

        memcpy(&bits, &v, sizeof(bits));
        if (dtype == ORIEL_DTYPE_BF16)
            ((uint16_t *)out)[i] = (uint16_t)(bits >> 16);
        else
            ((float *)out)[i] = v;
    }
    return ORIEL_OK;
}

/* ---- oneDNN's own rate --------------------------------------------------- */

/* One product over all rows, as a user of the library would run it. */
typedef struct peer {
    double flops;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[3];
} peer;

static dnnl_memory_t
peer_memory(const dnnl_memory_desc_t *desc, dnnl_engine_t engine, int bf16)
{
    size_t bytes = dnnl_memory_desc_get_size(desc);
    void *data = must_alloc(bytes);
    dnnl_memory_t memory;

    for (size_t i = 0; i < bytes / (bf16 ? 2 : 4); i++) {
        float v = random_value(i);
        uint32_t bits;

        memcpy(&bits, &v, sizeof(bits));
        if (bf16)
            ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
        else
            ((float *)data)[i] = v;
    }
    if (dnnl_memory_create(&memory, desc, engine, data) != dnnl_success)
        exit(1);
    return memory;
}

static peer
make_peer(dnnl_engine_t engine, int64_t m, int64_t n, int64_t k, int bf16)
{
    dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t a = {m, k}, b = {k, n}, c = {m, n};
    dnnl_memory_desc_t src, weights, dst;
    dnnl_matmul_desc_t product;
    dnnl_primitive_desc_t desc;
    peer p = {.flops = 2.0 * (double)m * (double)n * (double)k};

    dnnl_memory_desc_init_by_tag(&src, 2, a, type, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&weights, 2, b, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&dst, 2, c, type, dnnl_ab);
    if (dnnl_matmul_desc_init(&product, &src, &weights, NULL, &dst) ||
        dnnl_primitive_desc_create(&desc, &product, NULL, engine, NULL) ||
        dnnl_primitive_create(&p.primitive, desc)) {
        fprintf(stderr, "cpu_ops: oneDNN has no such product\n");
        exit(1);
    }
    p.arguments[0].arg = DNNL_ARG_SRC;
    p.arguments[0].memory = peer_memory(&src, engine, bf16);
    p.arguments[1].arg = DNNL_ARG_WEIGHTS;
    p.arguments[1].memory = peer_memory(
        dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0), engine,
        bf16);
    p.arguments[2].arg = DNNL_ARG_DST;
    p.arguments[2].memory = peer_memory(&dst, engine, bf16);
    dnnl_primitive_desc_destroy(desc);
    return p;
}

/* ---- Rounds -------------------------------------------------------------- */

enum {
    PATCHIFY,
    EMBED,
    ATTN_IN,
    WINDOWS,
    FRAMES,
    ATTN_OUT,
    MLP_IN,
    MLP_OUT,
    MERGE,
    PEER_BLOCK,
    PEER_ENDS,
    N_TIMES
};

typedef struct bench {
    const oriel_backend *backend;
    oriel_backend_context *context;
    oriel_meter meter; /* not read */
    oriel_backend_job job;
    peer block[4], ends[3];
    dnnl_stream_t stream;
    double best[N_TIMES];
    oriel_result result;
} bench;

static void
note(bench *b, int what, double *since)
{
    double t = now(), took = t - *since;

    if (b->best[what] == 0.0 || took < b->best[what])
        b->best[what] = took;
    *since = now();
}

static void
run_block(bench *b, int32_t block)
{
    oriel_error err;
    double t = now();

    must(oriel_cpu_attn_in(b->context, block, &err), &err);
    note(b, ATTN_IN, &t);
    must(oriel_cpu_attend(b->context, block, &err), &err);
    note(b, block == 0 ? WINDOWS : FRAMES, &t);
    must(oriel_cpu_attn_out(b->context, block, &err), &err);
    note(b, ATTN_OUT, &t);
    must(oriel_cpu_mlp_in(b->context, block, &err), &err);
    note(b, MLP_IN, &t);
    must(oriel_cpu_mlp_out(b->context, block, &err), &err);
    note(b, MLP_OUT, &t);
}

static void
run_round(bench *b)
{
    oriel_error err;
    double t;

    must(b->backend->start(b->context, &b->job, &err), &err);
    t = now();
    must(b->backend->patchify(b->context, &err), &err);
    note(b, PATCHIFY, &t);
    must(b->backend->embed(b->context, &err), &err);
    note(b, EMBED, &t);
    run_block(b, 0);
    run_block(b, 1);
    t = now();
    must(b->backend->store(b->context, &b->result, &err), &err);
    note(b, MERGE, &t);
    must(b->backend->finish(b->context, &err), &err);

    t = now();
    for (int i = 0; i < 4; i++)
        dnnl_primitive_execute(b->block[i].primitive, b->stream, 3,
                               b->block[i].arguments);
    note(b, PEER_BLOCK, &t);
    for (int i = 0; i < 3; i++)
        dnnl_primitive_execute(b->ends[i].primitive, b->stream, 3,
                               b->ends[i].arguments);
    note(b, PEER_ENDS, &t);
}

static void
report(const bench *b, const oriel_plan_info *info)
{
    static const char *const names[] = {"patchify", "embed",   "attn_in",
                                        "windows",  "frames",  "attn_out",
                                        "mlp_in",   "mlp_out", "merge"};
    static const int times[] = {1, 1, 32, 28, 4, 32, 32, 32, 1};
    double total = 0.0, linear = 0.0, peers, flops = (double)info->flops;

    for (int i = 0; i <= MERGE; i++)
        total += b->best[i] * times[i];
    for (int i = 0; i < 4; i++)
        linear += 32 * b->block[i].flops;
    for (int i = 0; i < 3; i++)
        linear += b->ends[i].flops;
    peers = 32 * b->best[PEER_BLOCK] + b->best[PEER_ENDS];
    printf("%-10s %10s %6s %10s %7s\n", "step", "ms", "times", "ms", "share");
    for (int i = 0; i <= MERGE; i++)
        printf("%-10s %10.3f %6d %10.1f %6.1f%%\n", names[i], b->best[i] * 1e3,
               times[i], b->best[i] * 1e3 * times[i],
               100.0 * b->best[i] * times[i] / total);
    printf("whole      %.3f s, %.0f GFLOP/s\n", total, flops / total * 1e-9);
    printf("oneDNN     %.3f s for the products alone, %.0f GFLOP/s\n", peers,
           linear / peers * 1e-9);
    printf("fraction   %.3f of oneDNN's own rate\n",
           flops / total / (linear / peers));
}

typedef struct settings {
    int32_t width, height, precision, threads, rounds;
} settings;

static settings
parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"size", required_argument, NULL, 's'},
        {"precision", required_argument, NULL, 'p'},
        {"threads", required_argument, NULL, 't'},
        {"rounds", required_argument, NULL, 'r'},
        {"cpu-time", no_argument, NULL, 'c'},
        {NULL, 0, NULL, 0}};
    settings s = {448, 448, ORIEL_PRECISION_BF16, oriel_processor_cores(), 5};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            sscanf(optarg, "%dx%d", &s.width, &s.height);
        else if (c == 'p')
            s.precision = strcmp(optarg, "fp32") == 0 ? ORIEL_PRECISION_FP32
                                                      : ORIEL_PRECISION_BF16;
        else if (c == 't')
            s.threads = atoi(optarg);
        else if (c == 'r')
            s.rounds = atoi(optarg);
        else if (c == 'c')
            now = bench_processor_now;
        else
            exit(2);
    }
    return s;
}

static void
make_peers(bench *b, const oriel_network *net, int64_t rows, int bf16)
{
    dnnl_engine_t engine;
    int64_t h = net->hidden_size, i = net->intermediate_size;
    int64_t m = 4 * h;

    dnnl_engine_create(&engine, dnnl_cpu, 0);
    dnnl_stream_create(&b->stream, engine, dnnl_stream_default_flags);
    b->block[0] = make_peer(engine, rows, 3 * h, h, bf16);
    b->block[1] = make_peer(engine, rows, h, h, bf16);
    b->block[2] = make_peer(engine, rows, 2 * i, h, bf16);
    b->block[3] = make_peer(engine, rows, h, i, bf16);
    b->ends[0] =
        make_peer(engine, rows, h, oriel_network_patch_columns(net), bf16);
    b->ends[1] = make_peer(engine, rows / 4, m, m, bf16);
    b->ends[2] = make_peer(engine, rows / 4, net->out_hidden_size, m, bf16);
}

int
main(int argc, char **argv)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    static const int32_t full[] = {1};
    settings s = parse(argc, argv);
    oriel_item item = {s.width, s.height, 1, 0, 0, 0};
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_network net =
        *oriel_model_network(oriel_model_preset("qwen2.5-vl-7b"));
    oriel_weight_reader reader = {&net, read_random};
    oriel_backend_config config = {.precision = s.precision,
                                   .threads = s.threads,
                                   .hooks = &hooks,
                                   .call = &hooks};
    bench b = {.backend = oriel_backend_entry(oriel_version())};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_backend_weights *weights;
    const void *frame;
    oriel_plan *plan;
    oriel_error err;
    uint8_t *pixels = must_alloc((size_t)s.width * (size_t)s.height * 3);

    net.depth = 2;
    net.n_full_attention_blocks = 1;
    net.full_attention_blocks = full;
    for (int64_t i = 0; i < (int64_t)s.width * s.height * 3; i++)
        pixels[i] = (uint8_t)(random_value((uint64_t)i) * 127.0f + 128.0f);
    frame = pixels;
    must(oriel_plan_create(&plan, oriel_model_preset("qwen2.5-vl-7b"), &item, 1,
                           NULL, &err),
         &err);
    must(oriel_plan_get_info(plan, &info, &err), &err);
    must(b.backend->load_weights(&weights, &net, &reader, &config, &err), &err);
    must(b.backend->create_context(&b.context, weights, &config, &err), &err);
    must(
        b.backend->workspace_bytes(plan, &config, &b.job.workspace_bytes, &err),
        &err);
    must(b.backend->alloc_workspace(&b.job.workspace, b.job.workspace_bytes,
                                    &config, &err),
         &err);
    input.frames = &frame;
    b.result.kind = ORIEL_RESULT_EMBEDDINGS;
    b.result.dtype = ORIEL_DTYPE_BF16;
    b.result.row_bytes = (size_t)info.out_hidden_size * 2;
    b.result.bytes = (size_t)info.tokens * b.result.row_bytes;
    b.result.data = must_alloc(b.result.bytes);
    b.job.meter = &b.meter;
    b.job.plan = plan;
    b.job.input = &input;
    b.job.output = &output;

    omp_set_num_threads(s.threads);
    make_peers(&b, &net, info.patches, s.precision == ORIEL_PRECISION_BF16);
    printf("%s, %dx%d: %lld patches, workspace %.1f MB\n",
           b.backend->description(b.context), s.width, s.height,
           (long long)info.patches, (double)b.job.workspace_bytes * 1e-6);
    for (int32_t r = 0; r < s.rounds; r++)
        run_round(&b);
    report(&b, &info);
    return 0;
}
