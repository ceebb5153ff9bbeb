/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_ops.c - each step of the cpu backend: checked, then timed
 *
 * Two blocks of the tower (one with windows, one with frames) and its ends, on
 * random weights and pixels, driven through the backend's own functions.  A step
 * is checked (cpu_check.h) and then run again and again where it stands in the
 * network, so that its operands are what the steps before it left.  Beside it
 * oneDNN's own products of the same shapes, with its own threads, as often.
 */
#include "cpu_check.h"
#include "cpu_peer.h"
#include "cpu_work.h"

#include "cpu/shapes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const oriel_backend *oriel_backend_entry(const char *version);

#define BUDGET 0.3 /* seconds an op */
enum { LEAST = 5, MOST = OP_REPEATS_MOST };

typedef struct bench {
    const op_flags *flags;
    op_report report;
    double (*now)(void);
    oriel_network net; /* two blocks; not the model's own depth */
    oriel_weight_reader reader;
    oriel_backend_config config;
    const oriel_backend *backend;
    oriel_backend_weights *weights;
    oriel_backend_context *context;
    void *sweep; /* twice the last cache; --cold */
    size_t sweep_bytes;

    /* Of the size at hand. */
    const op_size *size;
    oriel_plan *plan;
    oriel_plan_info info;
    oriel_meter meter; /* not read */
    oriel_backend_job job;
    oriel_input input;
    oriel_output output;
    const void **frames;
    oriel_result result;
    cpu_check check;
} bench;

/* ---- The steps -------------------------------------------------------------------- */

typedef struct step {
    const char *step, *op;
    int32_t block; /* which of the two; -1: an end of the tower */
    cpu_step which;
} step;

/* In the order in which they run. */
static const step steps[] = {
    {"PATCHIFY", "patchify", -1, CPU_PATCHIFY},
    {"EMBED", "embed", -1, CPU_EMBED},
    {"ATTN_IN", "attn_in", 0, CPU_ATTN_IN},
    {"ATTEND", "attend windows", 0, CPU_WINDOWS},
    {"ATTN_OUT", "attn_out", 0, CPU_ATTN_OUT},
    {"MLP_IN", "mlp_in", 0, CPU_MLP_IN},
    {"MLP_OUT", "mlp_out", 0, CPU_MLP_OUT},
    {"ATTEND", "attend frames", 1, CPU_FRAMES},
    {"MERGE", "merge", -1, CPU_MERGE},
};
enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };

/* How often one encode runs it; 0: this model has none. */
static int32_t
times_a_call(const op_flags *f, const step *s)
{
    const int32_t full = f->info.n_full_attention_blocks;

    if (s->block < 0)
        return 1;
    if (s->which == CPU_FRAMES)
        return full;
    return s->which == CPU_WINDOWS ? f->info.depth - full : f->info.depth;
}

static oriel_status
run_step(bench *b, const step *s, oriel_error *err)
{
    static oriel_block_step *const of_block[CPU_STEPS] = {
        [CPU_ATTN_IN] = oriel_cpu_attn_in, [CPU_WINDOWS] = oriel_cpu_attend,
        [CPU_FRAMES] = oriel_cpu_attend,   [CPU_ATTN_OUT] = oriel_cpu_attn_out,
        [CPU_MLP_IN] = oriel_cpu_mlp_in,   [CPU_MLP_OUT] = oriel_cpu_mlp_out};

    if (s->which == CPU_PATCHIFY)
        return b->backend->patchify(b->context, err);
    if (s->which == CPU_EMBED)
        return b->backend->embed(b->context, err);
    if (s->which == CPU_MERGE)
        return b->backend->store(b->context, &b->result, err);
    return of_block[s->which](b->context, s->block, err);
}

static void
must(oriel_status status, const oriel_error *err)
{
    if (!status)
        return;
    fprintf(stderr, "oriel_bench_cpu_ops: %s\n", err->message);
    exit(EXIT_FAILURE);
}

static void
must_run(bench *b, const step *s)
{
    oriel_error err;

    must(run_step(b, s, &err), &err);
}

static cpu_work
work_of(const bench *b)
{
    return (cpu_work){&b->net, &b->info, b->size, b->weights->storage};
}

static op_row
describe(const bench *b, const step *s)
{
    const cpu_work work = work_of(b);
    op_row row = {.step = s->step,
                  .op = s->op,
                  .by = "oriel",
                  .a_call = times_a_call(b->flags, s)};

    cpu_work_count(&work, s->which, &row);
    return row;
}

/* ---- Time ------------------------------------------------------------------------------- */

typedef void run_once(bench *b, const void *what);

static bench_times
measure(bench *b, bool cold, run_once *run, const void *what)
{
    double seconds[MOST];
    const double end = bench_now() + BUDGET;
    const int repeats = b->flags->repeats;
    int n = 0;

    if (!repeats)
        run(b, what); /* to warm up */
    for (; repeats ? n < repeats : n < MOST && (n < LEAST || bench_now() < end);
         n++) {
        if (cold)
            memset(b->sweep, n, b->sweep_bytes);
        seconds[n] = b->now();
        run(b, what);
        seconds[n] = b->now() - seconds[n];
    }
    return bench_summarise(seconds, n);
}

static void
run_own(bench *b, const void *what)
{
    must_run(b, what);
}

typedef struct peers {
    cpu_peer each[CPU_PRODUCTS_MOST];
    int n;
} peers;

static void
run_peers(bench *b, const void *what)
{
    const peers *p = what;

    (void)b;
    for (int i = 0; i < p->n; i++)
        cpu_peer_run(&p->each[i]);
}

static void
time_row(bench *b, op_row *row, run_once *run, const void *what)
{
    for (int cache = OP_HOT; cache <= OP_COLD; cache <<= 1) {
        bench_times times;

        if (!(b->flags->caches & cache))
            continue;
        times = measure(b, cache == OP_COLD, run, what);
        row->times = &times;
        row->cache = cache == OP_HOT ? "hot" : "cold";
        op_report_row(&b->report, b->size, row);
    }
}

/* The same products by oneDNN, and nothing else of the step; in fp32 where it cannot
   multiply bf16. */
static void
time_peers(bench *b, const step *s, const op_row *own)
{
    const bool wanted = b->flags->precision == ORIEL_PRECISION_BF16;
    const bool bf16 = wanted && cpu_peer_has_bf16();
    const cpu_work work = work_of(b);
    cpu_product p[CPU_PRODUCTS_MOST];
    peers all = {.n = cpu_work_products(&work, s->which, p)};
    op_row row = *own;

    if (all.n == 0)
        return;
    row.by = wanted && !bf16 ? "onednn fp32" : "onednn";
    for (int i = 0; i < all.n; i++)
        all.each[i] = cpu_peer_make(p[i].rows, p[i].columns, p[i].depth, bf16);
    time_row(b, &row, run_peers, &all);
    for (int i = 0; i < all.n; i++)
        cpu_peer_free(&all.each[i]);
    bench_settle();
}

static void
bench_step(bench *b, const step *s)
{
    op_row row = describe(b, s);

    if (b->flags->once) {
        printf("%-12s %-9s %s: once\n", b->size->name, s->step, s->op);
        must_run(b, s);
        return;
    }
    cpu_check_before(&b->check, s->which);
    must_run(b, s);
    if (cpu_check_after(&b->check, s->which, s->block)) {
        b->report.wrong++;
        return;
    }
    time_row(b, &row, run_own, s);
    time_peers(b, s, &row);
}

/* ---- A size ------------------------------------------------------------------------------- */

static void
open_size(bench *b)
{
    const size_t frame = (size_t)b->size->width * (size_t)b->size->height * 3;
    uint8_t *pixels = cpu_alloc(frame);
    oriel_error err;

    b->plan = op_flags_plan(b->flags, b->size, &b->info);
    if (!b->plan)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < frame; i++)
        pixels[i] = (uint8_t)(cpu_random_value(i) * 127.0f + 128.0f);
    b->frames = cpu_alloc((size_t)b->size->n * sizeof(*b->frames));
    for (int32_t i = 0; i < b->size->n; i++)
        b->frames[i] = pixels;
    b->job = (oriel_backend_job){.plan = b->plan,
                                 .input = &b->input,
                                 .output = &b->output,
                                 .meter = &b->meter};
    b->input = (oriel_input)ORIEL_INPUT_INIT;
    b->input.frames = b->frames;
    b->output = (oriel_output)ORIEL_OUTPUT_INIT;
    must(b->backend->workspace_bytes(b->plan, &b->config,
                                     &b->job.workspace_bytes, &err),
         &err);
    must(b->backend->alloc_workspace(&b->job.workspace, b->job.workspace_bytes,
                                     &b->config, &err),
         &err);
    b->result =
        (oriel_result){.kind = ORIEL_RESULT_EMBEDDINGS,
                       .dtype = ORIEL_DTYPE_BF16,
                       .row_bytes = (size_t)b->info.out_hidden_size * 2};
    b->result.bytes = (size_t)b->info.tokens * b->result.row_bytes;
    b->result.data = cpu_alloc(b->result.bytes);
    b->check =
        (cpu_check){.context = b->context,
                    .net = &b->net,
                    .reader = &b->reader,
                    .info = &b->info,
                    .pixels = pixels,
                    .width = b->size->width,
                    .height = b->size->height,
                    .embeddings = b->result.data,
                    .rows = {0, b->info.patches / 2, b->info.patches - 1},
                    .before = cpu_alloc((size_t)b->net.hidden_size *
                                        CPU_CHECKED * sizeof(double))};
}

static void
close_size(bench *b)
{
    free((void *)b->check.pixels);
    free(b->check.before);
    free(b->result.data);
    free(b->frames);
    b->backend->free_workspace(b->job.workspace, &b->config);
    oriel_plan_destroy(b->plan);
}

static bool
is_wanted(const bench *b, const step *s)
{
    return times_a_call(b->flags, s) > 0 &&
           op_flags_want(b->flags, s->step, s->op);
}

static void
bench_size(bench *b)
{
    int last = -1;
    oriel_error err;

    for (int i = 0; i < N_STEPS; i++)
        if (is_wanted(b, &steps[i]))
            last = i;
    open_size(b);
    must(b->backend->start(b->context, &b->job, &err), &err);
    for (int i = 0; i <= last; i++) {
        if (steps[i].which == CPU_FRAMES) /* the second block's q, k and v */
            must(oriel_cpu_attn_in(b->context, steps[i].block, &err), &err);
        if (is_wanted(b, &steps[i]))
            bench_step(b, &steps[i]);
        else
            must_run(b, &steps[i]);
    }
    must(b->backend->finish(b->context, &err), &err);
    close_size(b);
}

/* ---- The network ---------------------------------------------------------------------------- */

/* Random weights, without a checkpoint; exact in bf16. */
static oriel_status
read_random(const void *model, oriel_tensor tensor, int32_t block,
            int64_t first_row, int64_t rows, int32_t dtype, void *out,
            oriel_error *err)
{
    const oriel_network *net = model;
    const int64_t columns = oriel_tensor_get_shape(net, tensor).columns;
    const float scale = columns > 1 ? 0x1p-5f : 0x1p-3f;
    const uint64_t of = oriel_tensor_in_block(tensor) ? (uint64_t)block : 0;
    const uint64_t seed = ((uint64_t)tensor * 64 + of + 1) << 32;

    (void)err;
    for (int64_t i = 0; i < rows * columns; i++) {
        const float v =
            cpu_random_value(seed + (uint64_t)(first_row * columns + i)) *
            scale;
        uint32_t bits;

        memcpy(&bits, &v, sizeof(bits));
        if (dtype == ORIEL_DTYPE_BF16)
            ((uint16_t *)out)[i] = (uint16_t)(bits >> 16);
        else
            ((float *)out)[i] = v;
    }
    return ORIEL_OK;
}

static void
open_network(bench *b)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    static const int32_t full[] = {1};
    oriel_error err;

    b->net = *oriel_model_network(b->flags->model);
    b->net.depth = 2;
    b->net.n_full_attention_blocks = 1;
    b->net.full_attention_blocks = full;
    b->reader = (oriel_weight_reader){&b->net, read_random};
    b->config = (oriel_backend_config){.precision = b->flags->precision,
                                       .threads = b->flags->threads,
                                       .hooks = &hooks,
                                       .call = &hooks};
    b->backend = oriel_backend_entry(oriel_version());
    must(b->backend->check(&b->net, b->flags->precision, &err), &err);
    must(b->backend->load_weights(&b->weights, &b->net, &b->reader, &b->config,
                                  &err),
         &err);
    must(b->backend->create_context(&b->context, b->weights, &b->config, &err),
         &err);
}

static void
begin_report(bench *b)
{
    char name[256], version[32], device[512];
    const op_roofline roofline =
        b->flags->once ? (op_roofline){.bytes_by = "", .flops_by = ""}
                       : cpu_roofline(b->flags);

    bench_processor_name(name, sizeof(name));
    for (char *c = name; *c; c++)
        if (*c == '"' || *c == '\\')
            *c = ' ';
    cpu_peer_version(version, sizeof(version));
    snprintf(device, sizeof(device),
             "\"kind\": \"cpu\", \"name\": \"%s\", \"threads\": %d, "
             "\"precision\": \"%s\", \"onednn\": \"%s\"",
             name, (int)b->flags->threads,
             b->flags->precision == ORIEL_PRECISION_BF16 ? "bf16" : "fp32",
             version);
    printf("%s, %s\n", name, b->backend->description(b->context));
    op_report_begin(&b->report, b->flags, device, &roofline);
}

static int
list(const op_flags *f)
{
    for (int i = 0; i < N_STEPS; i++)
        if (times_a_call(f, &steps[i]) > 0 &&
            op_flags_want(f, steps[i].step, steps[i].op))
            printf("%-9s %-22s %3d times an encode\n", steps[i].step,
                   steps[i].op, (int)times_a_call(f, &steps[i]));
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    op_flags flags;
    bench b = {.flags = &flags};
    long cache;
    int result;

    op_flags_parse(&flags, OP_CPU, argc, argv);
    if (flags.list)
        return list(&flags);
    if (!flags.threads)
        flags.threads = oriel_processor_cores();
    b.now = flags.cpu_time ? bench_processor_now : bench_now;
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    b.sweep_bytes = 2 * (cache > 0 ? (size_t)cache : (size_t)64 << 20);
    if (flags.caches & OP_COLD)
        b.sweep = cpu_alloc(b.sweep_bytes);
    open_network(&b);
    cpu_peer_open(flags.threads);
    begin_report(&b);
    for (int i = 0; i < flags.n_sizes; i++) {
        b.size = &flags.sizes[i];
        bench_size(&b);
    }
    result = op_report_end(&b.report);
    b.backend->destroy_context(b.context);
    b.backend->free_weights(b.weights);
    cpu_peer_close();
    free(b.sweep);
    op_flags_free(&flags);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
