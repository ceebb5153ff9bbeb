/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c - own attention over frames or cuDNN's, made ready and run */
#include "cuda/attention.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/cursor.h"
#include "cuda/device.h"
#include "cuda/errors.h"
#include "cuda/known_answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static oriel_cudnn_plan *
plan_of(oriel_cuda_attention *a, oriel_cudnn_class c)
{
    return &a->plan[c.sequences][c.rows];
}

/* ---- A plan ---------------------------------------------------------------- */

/* Operands of a first run: sequences that are all empty. */
typedef struct scratch {
    void *memory;
    oriel_cudnn_args args;
    cudaStream_t stream;
} scratch;

/* The places of its arrays, from 'cursor' on. */
static oriel_cudnn_args
place(oriel_cuda_cursor *cursor, const oriel_cudnn_plan *plan)
{
    const int64_t n = plan->shape.sequences;
    const int64_t row = (int64_t)plan->shape.heads * plan->shape.head_dim *
                        (int64_t)sizeof(uint16_t);
    oriel_cudnn_args args = {.scale = 1};

    args.lengths = oriel_cuda_take(cursor, n, sizeof(int32_t));
    args.qkv_offsets = oriel_cuda_take(cursor, n + 1, sizeof(int64_t));
    args.out_offsets = oriel_cuda_take(cursor, n + 1, sizeof(int64_t));
    args.qkv = oriel_cuda_take(cursor, 3, row);
    args.out = oriel_cuda_take(cursor, 1, row);
    args.workspace = oriel_cuda_take(cursor, 1, ORIEL_CUDNN_WORKSPACE_BYTES);
    return args;
}

static oriel_status
make_scratch(scratch *s, const oriel_cuda_attention *a,
             const oriel_cudnn_plan *plan, oriel_error *err)
{
    oriel_cuda_cursor cursor = {0}, placed = {0};
    oriel_status status;

    *s = (scratch){0};
    (void)place(&cursor, plan);
    status =
        oriel_cuda_alloc(&s->memory, cursor.at, a->hooks, a->cudnn.device_index,
                         "cuDNN's first attention", err);
    placed.base = s->memory;
    s->args = place(&placed, plan);
    if (!status)
        status = oriel_cuda_check(
            cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking),
            "cudaStreamCreateWithFlags", err);
    if (!status)
        status = oriel_cuda_check(
            cudaMemsetAsync(s->memory, 0, cursor.at, s->stream),
            "cudaMemsetAsync", err);
    return status;
}

/* Waits for what was enqueued; a status is a failure's from before. */
static oriel_status
free_scratch(scratch *s, const oriel_cuda_attention *a, oriel_status status,
             oriel_error *err)
{
    if (s->stream) {
        cudaError_t error = cudaStreamSynchronize(s->stream);

        if (!status)
            status = oriel_cuda_check(error, "cuDNN's first attention", err);
        (void)cudaStreamDestroy(s->stream);
    }
    oriel_cuda_free(s->memory, a->hooks, a->cudnn.device_index);
    return status;
}

/* The library may load what a plan runs when it first runs, which a capture
   forbids; and a capture may be what an encoder does first. */
static oriel_status
warm(const oriel_cuda_attention *a, const oriel_cudnn_plan *plan,
     oriel_error *err)
{
    scratch s;
    oriel_status status = make_scratch(&s, a, plan, err);

    if (!status)
        status = oriel_cudnn_run(&a->cudnn, plan, &s.args, s.stream, err);
    return free_scratch(&s, a, status, err);
}

static oriel_status
build(oriel_cuda_attention *a, oriel_cudnn_class c, oriel_error *err)
{
    const oriel_cudnn_shape shape = {.heads = a->heads,
                                     .head_dim = a->head_dim,
                                     .sequences = oriel_cudnn_sequences_of(c),
                                     .rows = oriel_cudnn_rows_of(c)};
    oriel_cudnn_plan plan;
    oriel_status status = oriel_cudnn_make(&a->cudnn, &plan, &shape, err);

    if (status)
        return status;
    if (plan.workspace_bytes > ORIEL_CUDNN_WORKSPACE_BYTES)
        status = oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                            "cuDNN's engine %d asks for %lld bytes of scratch, "
                            "expected at most %d",
                            plan.engine, (long long)plan.workspace_bytes,
                            ORIEL_CUDNN_WORKSPACE_BYTES);
    if (!status)
        status = warm(a, &plan, err);
    if (status)
        oriel_cudnn_plan_destroy(&plan);
    else
        *plan_of(a, c) = plan;
    return status;
}

/* ---- Create and destroy ---------------------------------------------------- */

/* What was asked for by name is never replaced. */
static oriel_status
test(const oriel_cuda_attention *a, oriel_error *err)
{
    const oriel_cuda_tested tested = {.which = ORIEL_CUDA_CUDNN,
                                      .device_index = a->cudnn.device_index,
                                      .head_dim = a->head_dim,
                                      .cudnn = &a->cudnn,
                                      .hooks = a->hooks};
    oriel_error why;
    bool wrong;
    oriel_status status = oriel_cuda_known_answer(&tested, &wrong, &why);

    if (!status || !wrong) {
        if (status && err)
            *err = why;
        return status;
    }
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, "%s; expected attention own",
                      why.message);
}

static void
describe(oriel_cuda_attention *a, const oriel_hooks *call)
{
    const oriel_cudnn_plan *plan = plan_of(a, (oriel_cudnn_class){0, 0});
    const int32_t version = a->cudnn.version;
    char line[160];

    snprintf(a->text, sizeof(a->text), ", cuDNN %d.%d attention (engine %d)",
             version / 10000, version % 10000 / 100, plan->engine);
    snprintf(line, sizeof(line),
             "cuDNN %d.%d.%d: attention over frames by engine %d, kernel %d",
             version / 10000, version % 10000 / 100, version % 100,
             plan->engine, plan->kernel_config);
    oriel_log(call, ORIEL_LOG_INFO, line);
}

oriel_status
oriel_cuda_attention_create(oriel_cuda_attention *a,
                            const oriel_network *network,
                            const oriel_backend_config *config,
                            const oriel_hooks *hooks, oriel_error *err)
{
    oriel_status status;

    memset(a, 0, sizeof(*a));
    a->of_cudnn = config->attention == ORIEL_ATTENTION_CUDNN;
    if (!a->of_cudnn)
        return ORIEL_OK;
    a->hooks = hooks;
    a->heads = network->num_heads;
    a->head_dim = network->head_dim;
    status = oriel_cudnn_open(&a->cudnn, config->device_index, err);
    if (!status)
        status = test(a, err);
    if (!status)
        status = build(a, (oriel_cudnn_class){0, 0}, err);
    if (!status)
        describe(a, config->call);
    return status;
}

void
oriel_cuda_attention_destroy(oriel_cuda_attention *a)
{
    for (int i = 0; i < ORIEL_CUDNN_SEQUENCE_CLASSES; i++)
        for (int j = 0; j < ORIEL_CUDNN_ROW_CLASSES; j++)
            oriel_cudnn_plan_destroy(&a->plan[i][j]);
    oriel_cudnn_close(&a->cudnn);
}

/* ---- A batch --------------------------------------------------------------- */

oriel_status
oriel_cuda_attention_prepare(oriel_cuda_attention *a,
                             const oriel_plan_info *info, oriel_error *err)
{
    oriel_cudnn_class c;
    oriel_status status;

    if (!a->of_cudnn)
        return ORIEL_OK;
    status =
        oriel_cudnn_find_class(&c, info->n_frames, info->longest_frame, err);
    return status || plan_of(a, c)->plan ? status : build(a, c, err);
}

/* The fewest tiles that may be idle. */
static bool
is_less(const oriel_cudnn_plan *plan, const oriel_cudnn_plan *than)
{
    return !than || (int64_t)plan->shape.sequences * plan->shape.rows <
                        (int64_t)than->shape.sequences * than->shape.rows;
}

oriel_status
oriel_cuda_attention_find(const oriel_cuda_attention *a,
                          const oriel_plan_info *info,
                          const oriel_cudnn_plan **plan, oriel_error *err)
{
    oriel_cudnn_class c;
    oriel_status status;

    *plan = NULL;
    if (!a->of_cudnn)
        return ORIEL_OK;
    status =
        oriel_cudnn_find_class(&c, info->n_frames, info->longest_frame, err);
    if (status)
        return status;
    for (int i = c.sequences; i < ORIEL_CUDNN_SEQUENCE_CLASSES; i++)
        for (int j = c.rows; j < ORIEL_CUDNN_ROW_CLASSES; j++)
            if (a->plan[i][j].plan && is_less(&a->plan[i][j], *plan))
                *plan = &a->plan[i][j];
    if (*plan)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_CAPACITY,
                      "cuDNN's attention has no plan for %d frames of up to %d "
                      "patches: expected oriel_encoder_prepare with this plan "
                      "before the call",
                      info->n_frames, info->longest_frame);
}

oriel_status
oriel_cuda_attention_run(const oriel_cuda_attention *a,
                         const oriel_cudnn_plan *plan,
                         const oriel_cuda_workspace *space, cudaStream_t stream,
                         oriel_error *err)
{
    const oriel_cudnn_args args = {
        .qkv = space->qkv,
        .out = space->attended,
        .lengths = space->metadata.lengths,
        .qkv_offsets = space->metadata.qkv_offsets,
        .out_offsets = space->metadata.out_offsets,
        .workspace = space->attention,
        .scale = (float)(1 / sqrt(a->head_dim)),
    };

    return oriel_cudnn_run(&a->cudnn, plan, &args, stream, err);
}
