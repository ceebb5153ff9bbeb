/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c - graphs kept, and the steps of blocks recorded and replayed */
#include "cuda/context.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/errors.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(oriel_cuda_graph_key) ==
                   12 * sizeof(void *) + sizeof(int64_t) + 6 * sizeof(int32_t),
               "a key has padding");

/* ---- Keeping them --------------------------------------------------------- */

static oriel_status
create_event(oriel_cuda_graph *graph, oriel_error *err)
{
    oriel_status status = oriel_cuda_check(
        cudaEventCreateWithFlags(&graph->passed, cudaEventDisableTiming),
        "cudaEventCreateWithFlags", err);

    graph->has_passed = !status;
    return status;
}

oriel_status
oriel_cuda_graphs_create(oriel_cuda_graphs *g, int32_t option, oriel_error *err)
{
    oriel_status status;

    memset(g, 0, sizeof(*g));
    if (option == ORIEL_GRAPHS_OFF)
        return ORIEL_OK;
    /* Non-blocking: else the default stream could not be used meanwhile. */
    status = oriel_cuda_check(
        cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking),
        "cudaStreamCreateWithFlags", err);
    for (int i = 0; i < ORIEL_CUDA_GRAPHS && !status; i++)
        status = create_event(&g->kept[i], err);
    g->on = !status;
    return status;
}

void
oriel_cuda_graphs_destroy(oriel_cuda_graphs *g)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++) {
        oriel_cuda_graph *graph = &g->kept[i];

        if (graph->ran)
            (void)cudaEventSynchronize(graph->passed);
        if (graph->exec)
            (void)cudaGraphExecDestroy(graph->exec);
        if (graph->has_passed)
            (void)cudaEventDestroy(graph->passed);
    }
    if (g->stream)
        (void)cudaStreamDestroy(g->stream);
    memset(g, 0, sizeof(*g));
}

static oriel_cuda_graph *
find(oriel_cuda_graphs *g)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++)
        if (g->kept[i].exec &&
            memcmp(&g->kept[i].key, &g->key, sizeof(g->key)) == 0)
            return &g->kept[i];
    return NULL;
}

static bool
has_run_out(oriel_cuda_graph *graph)
{
    bool over = !graph->ran || cudaEventQuery(graph->passed) == cudaSuccess;

    if (!over)
        (void)cudaGetLastError(); /* that it is not ready is no error */
    return over;
}

/* Room for one more, or NULL. */
static oriel_cuda_graph *
make_room(oriel_cuda_graphs *g)
{
    oriel_cuda_graph *oldest = &g->kept[0];

    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++) {
        if (!g->kept[i].exec)
            return &g->kept[i];
        if (g->kept[i].last_use < oldest->last_use)
            oldest = &g->kept[i];
    }
    if (g->runs - oldest->last_use <= ORIEL_CUDA_GRAPHS_IDLE ||
        !has_run_out(oldest))
        return NULL;
    (void)cudaGraphExecDestroy(oldest->exec);
    oldest->exec = NULL;
    oldest->ran = false;
    return oldest;
}

/* Whether this run was met before; if not, it is from now on. */
static bool
is_known(oriel_cuda_graphs *g)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS_SEEN; i++)
        if (memcmp(&g->seen[i], &g->key, sizeof(g->key)) == 0)
            return true;
    g->seen[g->next_seen] = g->key;
    g->next_seen = (g->next_seen + 1) % ORIEL_CUDA_GRAPHS_SEEN;
    return false;
}

/* ---- Recording ------------------------------------------------------------ */

/* Kernels one by one for good; what was enqueued is none the worse for it. */
static void
give_up(oriel_backend_context *c, const char *call, const char *why)
{
    char line[640];

    snprintf(line, sizeof(line),
             "cuda graphs: %s: %s; this encoder launches its kernels one by "
             "one from now on",
             call, why);
    (void)cudaGetLastError();
    c->graphs.on = false;
    c->graphs.state = ORIEL_RUN_DIRECT;
    oriel_log(&c->hooks, ORIEL_LOG_WARNING, line);
}

static void
begin_recording(oriel_backend_context *c)
{
    oriel_cuda_graphs *g = &c->graphs;
    cudaError_t error;

    g->state = ORIEL_RUN_DIRECT;
    g->recorded = make_room(g);
    if (!g->recorded)
        return;
    /* Relaxed: the direct launches beside it are not the capture's business. */
    error = cudaStreamBeginCapture(g->stream, cudaStreamCaptureModeRelaxed);
    if (error == cudaSuccess)
        g->state = ORIEL_RUN_RECORDING;
    else
        give_up(c, "cudaStreamBeginCapture", cudaGetErrorString(error));
}

/* The end of a capture, whole or not; NULL when there is no graph. */
static cudaGraph_t
end_capture(oriel_backend_context *c)
{
    cudaGraph_t graph = NULL;
    cudaError_t error = cudaStreamEndCapture(c->graphs.stream, &graph);

    if (error == cudaSuccess)
        return graph;
    give_up(c, "cudaStreamEndCapture", cudaGetErrorString(error));
    return NULL;
}

static void
abandon_recording(oriel_backend_context *c)
{
    cudaGraph_t graph = end_capture(c);

    if (graph)
        (void)cudaGraphDestroy(graph);
}

static void
keep_recording(oriel_backend_context *c)
{
    oriel_cuda_graphs *g = &c->graphs;
    cudaGraph_t graph = end_capture(c);
    cudaGraphExec_t exec = NULL;
    cudaError_t error;

    if (!graph)
        return;
    error = cudaGraphInstantiate(&exec, graph, 0);
    (void)cudaGraphDestroy(graph);
    if (error != cudaSuccess) {
        give_up(c, "cudaGraphInstantiate", cudaGetErrorString(error));
        return;
    }
    g->recorded->exec = exec;
    g->recorded->key = g->key;
    g->recorded->last_use = g->runs;
}

typedef oriel_status step(oriel_backend_context *c, int32_t block,
                          oriel_error *err);

/* A step that was launched, once more into the capture. */
static void
record(oriel_backend_context *c, step *launch, int32_t block)
{
    cudaStream_t stream = c->stream;
    oriel_error err;
    oriel_status status;

    c->stream = c->graphs.stream;
    status = launch(c, block, &err);
    c->stream = stream;
    if (!status)
        return;
    abandon_recording(c);
    if (c->graphs.on)
        give_up(c, "recording", err.message);
}

/* ---- A run of blocks ------------------------------------------------------ */

/* Blocks from 'first' on run to the next tap, or to the last block. */
static int32_t
end_of_run(const oriel_backend_context *c, int32_t first)
{
    const oriel_output *output = c->job->output;
    int32_t end = c->weights->network.depth;

    for (int32_t i = 0; i < output->n_taps; i++)
        if (output->taps[i].hidden_state > first &&
            output->taps[i].hidden_state < end)
            end = output->taps[i].hidden_state;
    return end;
}

static oriel_cuda_graph_key
key_of(const oriel_backend_context *c, int32_t first)
{
    const oriel_cuda_workspace *s = &c->space;
    const oriel_cuda_metadata *m = &s->metadata;

    return (oriel_cuda_graph_key){
        .positions = m->positions,
        .cu_window = m->cu_window,
        .packs = m->packs,
        .window_tiles = m->window_tiles,
        .frame_tiles = m->frame_tiles,
        .rope = m->rope,
        .residual = s->residual,
        .normalised = s->normalised,
        .attended = s->attended,
        .qkv = s->qkv,
        .inner = s->inner,
        .gate_up = s->gate_up,
        .rows = c->rows,
        .n_packs = m->n_packs,
        .n_window_tiles = m->n_window_tiles,
        .n_frame_tiles = m->n_frame_tiles,
        .first = first,
        .end = end_of_run(c, first),
    };
}

static oriel_status
replay(oriel_backend_context *c, oriel_cuda_graph *graph, oriel_error *err)
{
    cudaError_t error = cudaGraphLaunch(graph->exec, c->stream);
    oriel_status status;

    if (error != cudaSuccess) {
        give_up(c, "cudaGraphLaunch", cudaGetErrorString(error));
        return ORIEL_OK;
    }
    c->graphs.state = ORIEL_RUN_REPLAYED;
    graph->last_use = c->graphs.runs;
    status = oriel_cuda_check(cudaEventRecord(graph->passed, c->stream),
                              "cudaEventRecord", err);
    if (status)
        /* It runs, and nothing says when that is over. */
        (void)cudaStreamSynchronize(c->stream);
    graph->ran = !status;
    return status;
}

static oriel_status
open_run(oriel_backend_context *c, int32_t first, oriel_error *err)
{
    oriel_cuda_graphs *g = &c->graphs;
    oriel_cuda_graph *graph;

    g->state = ORIEL_RUN_DIRECT;
    if (!g->on || c->capturing)
        return ORIEL_OK;
    g->runs++;
    g->key = key_of(c, first);
    graph = find(g);
    if (graph)
        return replay(c, graph, err);
    if (is_known(g))
        begin_recording(c);
    return ORIEL_OK;
}

/* Behind the last block of a run; nobody need have been among blocks. */
static void
close_run(oriel_backend_context *c, bool whole)
{
    if (c->graphs.state == ORIEL_RUN_RECORDING) {
        if (whole)
            keep_recording(c);
        else
            abandon_recording(c);
    }
    c->graphs.state = ORIEL_RUN_CLOSED;
}

static oriel_status
run(oriel_backend_context *c, step *launch, int32_t block, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (c->graphs.state == ORIEL_RUN_CLOSED)
        status = open_run(c, block, err);
    if (status || c->graphs.state == ORIEL_RUN_REPLAYED)
        return status;
    status = launch(c, block, err);
    if (!status && c->graphs.state == ORIEL_RUN_RECORDING)
        record(c, launch, block);
    return status;
}

/* ---- The table's functions: steps.c's and job.c's, through a run ---------- */

#define STEP_OF_A_BLOCK(name) \
    oriel_status oriel_cuda_run_##name(oriel_backend_context *c, \
                                       int32_t block, oriel_error *err) \
    { \
        return run(c, oriel_cuda_##name, block, err); \
    }
STEP_OF_A_BLOCK(attn_in)
STEP_OF_A_BLOCK(attend)
STEP_OF_A_BLOCK(attn_out)
STEP_OF_A_BLOCK(mlp_in)
STEP_OF_A_BLOCK(mlp_out)
#undef STEP_OF_A_BLOCK

oriel_status
oriel_cuda_run_merge(oriel_backend_context *c, oriel_error *err)
{
    close_run(c, true);
    return oriel_cuda_merge(c, err);
}

oriel_status
oriel_cuda_run_tap(oriel_backend_context *c, const oriel_tap *tap,
                   oriel_error *err)
{
    close_run(c, true);
    return oriel_cuda_tap(c, tap, err);
}

/* A run that is open here was cut short by a failure. */
oriel_status
oriel_cuda_run_finish(oriel_backend_context *c, oriel_error *err)
{
    close_run(c, false);
    return oriel_cuda_finish(c, err);
}
