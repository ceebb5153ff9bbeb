/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/fake_backend.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_control fake;

struct oriel_backend_weights {
    oriel_network network;
    const oriel_hooks *hooks;
};

/* One enqueued encode: copies of all that it may need later. */
typedef struct fake_job {
    struct fake_job *next;
    struct CUstream_st *stream;
    oriel_network network;
    int64_t patches, tokens;
    int32_t columns, merge2;
    int32_t *window_index;
    const float *pixel_values;
    uint64_t *history;  /* the workspace: [patches], in window order */
    int32_t *row_index; /* NULL: none */
    struct {
        enum fake_step step;
        int32_t block;
        oriel_result result;
    } * steps;
    size_t n_steps;
} fake_job;

struct oriel_backend_context {
    const oriel_backend_weights *weights;
    const oriel_hooks *hooks;
    fake_job *job;
    const oriel_backend_job *given; /* until finish */
};

static fake_job *queue;

void
fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
}

/* ---- Device, weights, context ------------------------------------------ */

static oriel_status
describe(int32_t device_index, oriel_device_info *info, oriel_error *err)
{
    if (device_index != 0)
        return oriel_fail(err, ORIEL_ERR_DEVICE, "there is one fake device");
    info->precision = ORIEL_PRECISION_FP32;
    info->threads = 1;
    snprintf(info->description, sizeof(info->description), "fake");
    return ORIEL_OK;
}

static oriel_status
check(const oriel_network *network, int32_t precision, oriel_error *err)
{
    (void)network;
    if (precision != ORIEL_PRECISION_FP32)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, "fp32 only");
    return ORIEL_OK;
}

static oriel_status
load_weights(oriel_backend_weights **out, const oriel_network *network,
             const oriel_weight_reader *reader,
             const oriel_backend_config *config, oriel_error *err)
{
    struct timespec pause = {0, fake.load_milliseconds * 1000000L};
    float first[1 << 12];
    oriel_status status;

    *out = NULL;
    fake.loads++;
    nanosleep(&pause, NULL);
    if (oriel_cancelled(config->call))
        return oriel_fail(err, ORIEL_ERR_CANCELLED, "cancelled");
    if (fake.load_fails > 0) {
        fake.load_fails--;
        return oriel_fail(err, fake.load_status, "the load fails");
    }
    /* The reader is real: one row proves that it arrives. */
    status = reader->read(reader->model, ORIEL_TENSOR_PATCH_EMBED, 0, 0, 1,
                          ORIEL_DTYPE_F32, first, err);
    if (status)
        return status;
    *out = oriel_calloc(config->hooks, 1, sizeof(**out));
    if (!*out)
        return oriel_fail_memory(err, sizeof(**out), "fake weights");
    (*out)->network = *network;
    (*out)->hooks = config->hooks;
    return ORIEL_OK;
}

static uint64_t
weight_bytes(const oriel_backend_weights *weights)
{
    (void)weights;
    return 1234;
}

static void
free_weights(oriel_backend_weights *weights)
{
    fake.frees++;
    oriel_free(weights->hooks, weights);
}

static oriel_status
create_context(oriel_backend_context **out,
               const oriel_backend_weights *weights,
               const oriel_backend_config *config, oriel_error *err)
{
    *out = NULL;
    if (fake.context_fails)
        return oriel_fail(err, ORIEL_ERR_MEMORY, "the context fails");
    *out = oriel_calloc(config->hooks, 1, sizeof(**out));
    if (!*out)
        return oriel_fail_memory(err, sizeof(**out), "fake context");
    (*out)->weights = weights;
    (*out)->hooks = config->hooks;
    fake.contexts++;
    return ORIEL_OK;
}

static const char *
description(const oriel_backend_context *context)
{
    (void)context;
    return "fake, nothing inside";
}

static void
destroy_context(oriel_backend_context *context)
{
    fake.contexts--;
    oriel_free(context->hooks, context);
}

/* ---- Workspace --------------------------------------------------------- */

static oriel_status
workspace_bytes(const oriel_plan *plan, const oriel_backend_config *config,
                size_t *bytes, oriel_error *err)
{
    (void)config, (void)err;
    *bytes = (size_t)plan->info.patches * FAKE_WORKSPACE_PER_PATCH;
    return ORIEL_OK;
}

static oriel_status
alloc_workspace(void **out, size_t bytes, const oriel_backend_config *config,
                oriel_error *err)
{
    (void)config;
    *out = NULL;
    if (fake.workspace_fails)
        return oriel_fail_memory(err, bytes, "fake workspace");
    *out = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return *out ? ORIEL_OK : oriel_fail_memory(err, bytes, "fake workspace");
}

static void
free_workspace(void *workspace, const oriel_backend_config *config)
{
    (void)config;
    free(workspace);
}

static oriel_status
settle(oriel_backend_context *context, oriel_error *err)
{
    (void)context;
    fake.settles++;
    return fake.settle_status
               ? oriel_fail(err, fake.settle_status, "the fake does not settle")
               : ORIEL_OK;
}

static oriel_status
prepare(oriel_backend_context *context, const oriel_backend_job *job,
        oriel_error *err)
{
    (void)context, (void)err;
    fake.prepares++;
    fake.prepared = *job;
    return ORIEL_OK;
}

static oriel_status
status_of(const oriel_backend_context *context, oriel_error *err)
{
    (void)context;
    if (fake.device_status)
        return oriel_fail(err, fake.device_status, "the fake device failed");
    return queue ? oriel_fail(err, ORIEL_ERR_BUSY, "jobs are queued")
                 : ORIEL_OK;
}

/* ---- One job: enqueue -------------------------------------------------- */

static oriel_status
enter(oriel_error *err)
{
    fake.calls++;
    if (fake.inside)
        fake.inside(fake.inside_user);
    if (fake.fail_call == fake.calls)
        return oriel_fail(err, fake.fail_with, "call %d fails", fake.calls);
    return ORIEL_OK;
}

static void
drop_job(fake_job *job)
{
    if (!job)
        return;
    free(job->window_index);
    free(job->row_index);
    free(job->steps);
    free(job);
}

static oriel_status
add(oriel_backend_context *context, enum fake_step step, int32_t block,
    const oriel_result *result, oriel_error *err)
{
    fake_job *job = context->job;
    oriel_status status = enter(err);

    if (status)
        return status;
    job->steps =
        realloc(job->steps, (job->n_steps + 1) * sizeof(job->steps[0]));
    job->steps[job->n_steps].step = step;
    job->steps[job->n_steps].block = block;
    if (result) {
        job->steps[job->n_steps].result = *result;
        memset(result->data, FAKE_POISON, result->bytes);
    }
    job->n_steps++;
    return ORIEL_OK;
}

static oriel_status
start(oriel_backend_context *context, const oriel_backend_job *given,
      oriel_error *err)
{
    const oriel_plan *plan = given->plan;
    fake_job *job;
    oriel_status status = enter(err);

    if (status)
        return status;
    fake.starts++;
    job = calloc(1, sizeof(*job));
    job->stream = given->stream;
    job->network = context->weights->network;
    job->patches = plan->info.patches;
    job->tokens = plan->info.tokens;
    job->columns = plan->info.patch_columns;
    job->merge2 = (int32_t)(plan->info.patches / plan->info.tokens);
    job->window_index = calloc((size_t)job->tokens, sizeof(int32_t));
    memcpy(job->window_index, plan->info.window_index,
           (size_t)job->tokens * sizeof(int32_t));
    job->pixel_values = given->input->pixel_values;
    job->history = given->workspace;
    if (given->output->row_index) {
        job->row_index = calloc((size_t)job->tokens, sizeof(int32_t));
        memcpy(job->row_index, given->output->row_index,
               (size_t)job->tokens * sizeof(int32_t));
    }
    memset(given->workspace, FAKE_POISON,
           (size_t)job->patches * FAKE_WORKSPACE_PER_PATCH);
    context->job = job;
    context->given = given;
    return ORIEL_OK;
}

#define SIMPLE(name, id) \
    static oriel_status name(oriel_backend_context *context, oriel_error *err) \
    { \
        return add(context, id, 0, NULL, err); \
    }
#define IN_BLOCK(name, id) \
    static oriel_status name(oriel_backend_context *context, int32_t block, \
                             oriel_error *err) \
    { \
        return add(context, id, block, NULL, err); \
    }
SIMPLE(patchify, FAKE_PATCHIFY)
SIMPLE(embed, FAKE_EMBED)
IN_BLOCK(attn_in, FAKE_ATTN_IN)
IN_BLOCK(attend, FAKE_ATTEND)
IN_BLOCK(attn_out, FAKE_ATTN_OUT)
IN_BLOCK(mlp_in, FAKE_MLP_IN)
IN_BLOCK(mlp_out, FAKE_MLP_OUT)

static oriel_status
blocks(oriel_backend_context *context, int32_t first, int32_t end,
       oriel_error *err)
{
    static const oriel_block_steps steps = {attn_in, attend, attn_out, mlp_in,
                                            mlp_out};

    return oriel_run_blocks(context, &steps, context->given, context->hooks,
                            first, end, err);
}

static oriel_status
store(oriel_backend_context *context, const oriel_result *result,
      oriel_error *err)
{
    bool embeddings = result->kind == ORIEL_RESULT_EMBEDDINGS;

    return add(context, embeddings ? FAKE_MERGE : FAKE_STORE, 0, result, err);
}

static oriel_status
finish(oriel_backend_context *context, oriel_error *err)
{
    fake_job **end = &queue;
    fake_job *job = context->job;
    oriel_status status = enter(err);

    context->job = NULL;
    fake.finishes++;
    if (status) {
        drop_job(job);
        return status;
    }
    while (*end)
        end = &(*end)->next;
    *end = job;
    return ORIEL_OK;
}

/* ---- One job: what the device does when its turn comes ----------------- */

static void
run_patchify(const fake_job *job)
{
    for (int64_t t = 0; t < job->tokens; t++)
        for (int32_t k = 0; k < job->merge2; k++) {
            int64_t from = (int64_t)job->window_index[t] * job->merge2 + k;

            job->history[t * job->merge2 + k] = fake_row_seed(
                job->pixel_values + from * job->columns, job->columns);
        }
}

/* Row 'i' of a result. */
static float *
row_of(const oriel_result *result, int64_t i)
{
    return (float *)(void *)((char *)result->data +
                             (size_t)i * result->row_bytes);
}

static void
run_store(const fake_job *job, const oriel_result *result)
{
    for (int64_t t = 0; t < job->tokens; t++)
        for (int32_t k = 0; k < job->merge2; k++) {
            int64_t to = (int64_t)job->window_index[t] * job->merge2 + k;

            for (int32_t c = 0; c < job->network.hidden_size; c++)
                row_of(result, to)[c] =
                    fake_value(job->history[t * job->merge2 + k], c);
        }
}

static void
run_merge(const fake_job *job, const oriel_result *result)
{
    for (int64_t t = 0; t < job->tokens; t++) {
        uint64_t merged = 0;
        int32_t place = job->window_index[t];

        if (job->row_index)
            place = job->row_index[place];
        if (place < 0)
            continue;
        for (int32_t k = 0; k < job->merge2; k++)
            merged = fake_mix(merged, job->history[t * job->merge2 + k]);
        for (int32_t c = 0; c < job->network.out_hidden_size; c++)
            row_of(result, place)[c] = fake_value(merged, c);
    }
}

static void
run_job(const fake_job *job)
{
    for (size_t i = 0; i < job->n_steps; i++) {
        enum fake_step step = job->steps[i].step;
        uint64_t event =
            (uint64_t)step * 1000u + (uint64_t)(uint32_t)job->steps[i].block;

        if (step == FAKE_PATCHIFY)
            run_patchify(job);
        else if (step == FAKE_STORE)
            run_store(job, &job->steps[i].result);
        else if (step == FAKE_MERGE)
            run_merge(job, &job->steps[i].result);
        else
            for (int64_t p = 0; p < job->patches; p++)
                job->history[p] = fake_mix(job->history[p], event);
    }
}

int
fake_drain(struct CUstream_st *stream)
{
    fake_job **link = &queue;
    int n_jobs = 0;

    while (*link) {
        fake_job *job = *link;

        if (job->stream != stream) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        run_job(job);
        drop_job(job);
        n_jobs++;
    }
    return n_jobs;
}

#define TABLE(where) \
    { \
        .version = ORIEL_VERSION_STRING, .name = "fake", .memory = (where), \
        .describe = describe, .check = check, .load_weights = load_weights, \
        .weight_bytes = weight_bytes, .free_weights = free_weights, \
        .create_context = create_context, .description = description, \
        .destroy_context = destroy_context, \
        .workspace_bytes = workspace_bytes, \
        .alloc_workspace = alloc_workspace, .free_workspace = free_workspace, \
        .settle = settle, .prepare = prepare, .status = status_of, \
        .start = start, .patchify = patchify, .embed = embed, \
        .blocks = blocks, .store = store, .finish = finish, \
    }

const oriel_backend *
fake_backend(void)
{
    static const oriel_backend table = TABLE(ORIEL_MEMORY_DEVICE);

    return &table;
}

const oriel_backend *
fake_host_backend(void)
{
    static const oriel_backend table = TABLE(ORIEL_MEMORY_HOST);

    return &table;
}
