/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_peer.c - see cpu_peer.h */
#include "cpu_peer.h"

#include "base/team.h"

#include <stdlib.h>
#include <string.h>

/* oneDNN's own threads are OpenMP's; clang alone has no omp.h on Debian. */
extern void omp_set_num_threads(int threads);

static dnnl_engine_t engine;
static dnnl_stream_t stream;

void *
cpu_alloc(size_t bytes)
{
    void *p = aligned_alloc(256, (bytes + 255) / 256 * 256);

    if (!p) {
        fprintf(stderr, "oriel_bench_cpu_ops: out of memory\n");
        exit(EXIT_FAILURE);
    }
    return p;
}

float
cpu_random_value(uint64_t i)
{
    const float value =
        (float)((double)(bench_random(1, i) >> 40) * 0x1p-23 - 1.0);
    uint32_t bits;
    float exact;

    memcpy(&bits, &value, sizeof(bits));
    bits &= 0xffff0000u;
    memcpy(&exact, &bits, sizeof(exact));
    return exact;
}

static void
must(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "oriel_bench_cpu_ops: oneDNN refuses %s (status %d)\n",
            what, (int)status);
    exit(EXIT_FAILURE);
}

void
cpu_peer_open(int32_t threads)
{
    omp_set_num_threads(threads);
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "an engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags),
         "a stream");
}

void
cpu_peer_close(void)
{
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
}

void
cpu_peer_version(char *out, size_t out_bytes)
{
    const dnnl_version_t *v = dnnl_version();

    snprintf(out, out_bytes, "%d.%d.%d", v->major, v->minor, v->patch);
}

/* ---- Products ---------------------------------------------------------------- */

static dnnl_memory_t
make_memory(const dnnl_memory_desc_t *desc, bool bf16)
{
    const size_t bytes = dnnl_memory_desc_get_size(desc);
    dnnl_memory_t memory;
    void *data;

    must(dnnl_memory_create(&memory, desc, engine, DNNL_MEMORY_ALLOCATE),
         "memory");
    must(dnnl_memory_get_data_handle(memory, &data), "a handle of memory");
    for (size_t i = 0; i < bytes / (bf16 ? 2 : 4); i++) {
        const float v = cpu_random_value(i);
        uint32_t bits;

        memcpy(&bits, &v, sizeof(bits));
        if (bf16)
            ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
        else
            ((float *)data)[i] = v;
    }
    return memory;
}

/* What is to be multiplied, and whether there is code for it in '*desc'. */
typedef struct shape {
    dnnl_memory_desc_t src, weights, dst;
} shape;

static dnnl_status_t
describe(shape *s, dnnl_primitive_desc_t *desc, int64_t rows, int64_t columns,
         int64_t depth, bool bf16)
{
    const dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_dims_t a = {rows, depth}, b = {depth, columns},
                      c = {rows, columns};
    dnnl_matmul_desc_t product;

    dnnl_memory_desc_init_by_tag(&s->src, 2, a, type, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&s->weights, 2, b, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&s->dst, 2, c, type, dnnl_ab);
    must(dnnl_matmul_desc_init(&product, &s->src, &s->weights, NULL, &s->dst),
         "a product");
    return dnnl_primitive_desc_create(desc, &product, NULL, engine, NULL);
}

bool
cpu_peer_has_bf16(void)
{
    dnnl_primitive_desc_t desc;
    shape s;
    const dnnl_status_t status = describe(&s, &desc, 64, 64, 64, true);

    if (status == dnnl_unimplemented)
        return false;
    must(status, "a product");
    dnnl_primitive_desc_destroy(desc);
    return true;
}

cpu_peer
cpu_peer_make(int64_t rows, int64_t columns, int64_t depth, bool bf16)
{
    dnnl_primitive_desc_t desc;
    shape s;
    cpu_peer p = {.flops =
                      2.0 * (double)rows * (double)columns * (double)depth};

    must(describe(&s, &desc, rows, columns, depth, bf16),
         "a product in this precision");
    must(dnnl_primitive_create(&p.primitive, desc), "a product's code");
    p.arguments[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, make_memory(&s.src, bf16)};
    p.arguments[1] = (dnnl_exec_arg_t){
        DNNL_ARG_WEIGHTS, make_memory(dnnl_primitive_desc_query_md(
                                          desc, dnnl_query_weights_md, 0),
                                      bf16)};
    p.arguments[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, make_memory(&s.dst, bf16)};
    dnnl_primitive_desc_destroy(desc);
    return p;
}

void
cpu_peer_run(const cpu_peer *p)
{
    must(dnnl_primitive_execute(p->primitive, stream, 3, p->arguments),
         "to multiply");
    must(dnnl_stream_wait(stream), "to end");
}

void
cpu_peer_free(cpu_peer *p)
{
    dnnl_primitive_destroy(p->primitive);
    for (int i = 0; i < 3; i++)
        dnnl_memory_destroy(p->arguments[i].memory);
}

/* ---- Roofline ---------------------------------------------------------------- */

enum { SIDE = 2048, CHUNKS = 64, MOST = 9 };
#define TRIAD_FLOATS ((size_t)16 << 20) /* an array: 64 MiB */
#define TRIAD_BYTES (3.0 * (double)TRIAD_FLOATS * sizeof(float))

typedef struct triad {
    float *a, *b, *c;
} triad;

static void
triad_task(void *context, int64_t task, int32_t thread)
{
    const triad *t = context;
    const size_t n = TRIAD_FLOATS / CHUNKS, first = (size_t)task * n;

    (void)thread;
    for (size_t i = first; i < first + n; i++)
        t->a[i] = t->b[i] + 3.0f * t->c[i];
}

static void
fill_task(void *context, int64_t task, int32_t thread)
{
    const triad *t = context;
    const size_t n = TRIAD_FLOATS / CHUNKS, first = (size_t)task * n;

    (void)thread;
    for (size_t i = first; i < first + n; i++) {
        t->a[i] = 0;
        t->b[i] = (float)(i % 97);
        t->c[i] = (float)(i % 89);
    }
}

/* Of the samples the best: a limit is what the machine can do. */
static double
best_triad(int32_t threads, int samples)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    const size_t bytes = TRIAD_FLOATS * sizeof(float);
    triad t = {cpu_alloc(bytes), cpu_alloc(bytes), cpu_alloc(bytes)};
    double best = 0;
    oriel_team *team;
    oriel_error err;

    if (oriel_team_create(&team, threads, NULL, &hooks, &err)) {
        fprintf(stderr, "oriel_bench_cpu_ops: %s\n", err.message);
        exit(EXIT_FAILURE);
    }
    oriel_team_run(team, fill_task, &t, CHUNKS);
    for (int i = 0; i < samples; i++) {
        const double begun = bench_now();

        oriel_team_run(team, triad_task, &t, CHUNKS);
        if (best == 0 || bench_now() - begun < best)
            best = bench_now() - begun;
    }
    oriel_team_destroy(team);
    free(t.a);
    free(t.b);
    free(t.c);
    return TRIAD_BYTES / best;
}

static double
best_product(bool bf16, int samples)
{
    cpu_peer p = cpu_peer_make(SIDE, SIDE, SIDE, bf16);
    double best = 0, rate;

    for (int i = 0; i <= samples; i++) { /* the first warms up */
        const double begun = bench_now();

        cpu_peer_run(&p);
        if (i == 1 || (i > 1 && bench_now() - begun < best))
            best = bench_now() - begun;
    }
    rate = p.flops / best;
    cpu_peer_free(&p);
    bench_settle();
    return rate;
}

op_roofline
cpu_roofline(const op_flags *f)
{
    const bool bf16 =
        f->precision == ORIEL_PRECISION_BF16 && cpu_peer_has_bf16();
    const int samples = f->repeats && f->repeats < MOST ? f->repeats : MOST;

    return (op_roofline){.bytes_per_s = best_triad(f->threads, samples),
                         .bytes_by = "a triad",
                         .flops_per_s = best_product(bf16, samples),
                         .flops_by = bf16 ? "oneDNN 2048x2048x2048 in bf16"
                                          : "oneDNN 2048x2048x2048 in fp32"};
}
