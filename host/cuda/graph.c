/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c - graphs of runs of blocks: kept, launched and made */
#include "cuda/graph.h"

#include "base/memory.h"
#include "cuda/device.h"
#include "cuda/errors.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(oriel_cuda_graph_key) ==
                   19 * sizeof(void *) + sizeof(int64_t) + 6 * sizeof(int32_t),
               "a key has padding");

/* ---- Keeping them --------------------------------------------------------- */

static oriel_status
create_event(oriel_cuda_graph *graph, oriel_error *err)
{
    oriel_status status = oriel_cuda_event_create(&graph->passed, err);

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

/* Once its last launch has passed. */
static void
drop(oriel_cuda_graph *graph)
{
    if (graph->ran)
        (void)cudaEventSynchronize(graph->passed);
    if (graph->exec)
        (void)cudaGraphExecDestroy(graph->exec);
    graph->exec = NULL;
    graph->ran = false;
}

void
oriel_cuda_graphs_clear(oriel_cuda_graphs *g)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++)
        drop(&g->kept[i]);
    memset(g->seen, 0, sizeof(g->seen));
}

void
oriel_cuda_graphs_destroy(oriel_cuda_graphs *g)
{
    oriel_cuda_graphs_clear(g);
    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++)
        if (g->kept[i].has_passed)
            (void)cudaEventDestroy(g->kept[i].passed);
    if (g->stream)
        (void)cudaStreamDestroy(g->stream);
    memset(g, 0, sizeof(*g));
}

static oriel_cuda_graph *
find(oriel_cuda_graphs *g, const oriel_cuda_graph_key *key)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++)
        if (g->kept[i].exec && memcmp(&g->kept[i].key, key, sizeof(*key)) == 0)
            return &g->kept[i];
    return NULL;
}

static bool
has_finished(oriel_cuda_graph *graph)
{
    bool over = !graph->ran || cudaEventQuery(graph->passed) == cudaSuccess;

    if (!over)
        (void)cudaGetLastError(); /* "not ready" is no error */
    return over;
}

/* A place without a graph, else that of the one used least recently. */
static oriel_cuda_graph *
next_place(oriel_cuda_graphs *g)
{
    oriel_cuda_graph *oldest = &g->kept[0];

    for (int i = 0; i < ORIEL_CUDA_GRAPHS; i++) {
        if (!g->kept[i].exec)
            return &g->kept[i];
        if (g->kept[i].last_use < oldest->last_use)
            oldest = &g->kept[i];
    }
    return oldest;
}

/* Room for one more without a wait, or NULL. */
static oriel_cuda_graph *
make_room(oriel_cuda_graphs *g)
{
    oriel_cuda_graph *place = next_place(g);

    if (!place->exec)
        return place;
    if (g->runs - place->last_use <= ORIEL_CUDA_GRAPHS_IDLE ||
        !has_finished(place))
        return NULL;
    (void)cudaGraphExecDestroy(place->exec);
    place->exec = NULL;
    place->ran = false;
    return place;
}

bool
oriel_cuda_graph_reserve(oriel_cuda_graphs *g, const oriel_cuda_graph_key *key)
{
    g->runs++; /* so that what is prepared now was used last */
    if (find(g, key))
        return true;
    drop(next_place(g));
    return false;
}

bool
oriel_cuda_graph_note_run(oriel_cuda_graphs *g, const oriel_cuda_graph_key *key)
{
    for (int i = 0; i < ORIEL_CUDA_GRAPHS_SEEN; i++)
        if (memcmp(&g->seen[i], key, sizeof(*key)) == 0)
            return g->on;
    g->seen[g->next_seen] = *key;
    g->next_seen = (g->next_seen + 1) % ORIEL_CUDA_GRAPHS_SEEN;
    return false;
}

/*
 * Kernels one by one instead; what was enqueued is not affected.  From now on, but
 * where memory was out: there may be some again when this run has come back twice.
 */
static void
give_up(oriel_cuda_graphs *g, const char *what, const char *why,
        bool out_of_memory, const oriel_hooks *call)
{
    char line[640];

    snprintf(
        line, sizeof(line),
        "cuda graphs: %s: %s; this encoder launches %s kernels one by one%s",
        what, why, out_of_memory ? "this run's" : "its",
        out_of_memory ? " until it has come back twice" : " from now on");
    (void)cudaGetLastError();
    g->on = out_of_memory;
    memset(g->seen, 0, sizeof(g->seen));
    oriel_log(call, ORIEL_LOG_WARNING, line);
}

static void
give_up_after(oriel_cuda_graphs *g, const char *call, cudaError_t error,
              const oriel_hooks *hooks)
{
    give_up(g, call, cudaGetErrorString(error),
            error == cudaErrorMemoryAllocation, hooks);
}

/* After a use of the graph that was enqueued. */
static oriel_status
mark_use(oriel_cuda_graph *graph, cudaStream_t stream, oriel_error *err)
{
    oriel_status status = oriel_cuda_check(
        cudaEventRecord(graph->passed, stream), "cudaEventRecord", err);

    if (status)
        /* It runs, and no event says when it has finished. */
        (void)cudaStreamSynchronize(stream);
    graph->ran = !status;
    return status;
}

/* ---- Replaying ------------------------------------------------------------ */

oriel_status
oriel_cuda_graph_replay(oriel_cuda_graphs *g, bool *replayed,
                        const oriel_cuda_graph_key *key, cudaStream_t stream,
                        const oriel_hooks *call, oriel_error *err)
{
    oriel_cuda_graph *graph = find(g, key);
    cudaError_t error;

    g->runs++;
    *replayed = false;
    if (!graph)
        return ORIEL_OK;
    error = cudaGraphLaunch(graph->exec, stream);
    if (error != cudaSuccess) {
        give_up_after(g, "cudaGraphLaunch", error, call);
        return ORIEL_OK;
    }
    *replayed = true;
    graph->last_use = g->runs;
    return mark_use(graph, stream, err);
}

/* ---- Recording ------------------------------------------------------------ */

bool
oriel_cuda_graph_begin(oriel_cuda_graphs *g, const oriel_hooks *call)
{
    cudaError_t error;

    g->recorded = make_room(g);
    if (!g->recorded)
        return false;
    /* Relaxed: what other threads do is not the capture's business. */
    error = cudaStreamBeginCapture(g->stream, cudaStreamCaptureModeRelaxed);
    if (error != cudaSuccess)
        give_up_after(g, "cudaStreamBeginCapture", error, call);
    return error == cudaSuccess;
}

void
oriel_cuda_graph_end(oriel_cuda_graphs *g, const oriel_cuda_graph_key *key,
                     const oriel_error *failure, const oriel_hooks *call)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    cudaError_t error = cudaStreamEndCapture(g->stream, &graph);
    const char *what = "cudaStreamEndCapture";

    if (error == cudaSuccess && !failure) {
        error = cudaGraphInstantiate(&exec, graph, 0);
        what = "cudaGraphInstantiate";
    }
    if (exec) { /* at once: else its first launch would */
        error = cudaGraphUpload(exec, g->stream);
        what = "cudaGraphUpload";
    }
    if (graph)
        (void)cudaGraphDestroy(graph);
    if (failure) {
        give_up(g, "recording", failure->message,
                failure->status == ORIEL_ERR_MEMORY, call);
        return;
    }
    if (!graph) { /* the stream may still be captured */
        give_up(g, what, cudaGetErrorString(error), false, call);
        return;
    }
    if (error != cudaSuccess) {
        if (exec)
            (void)cudaGraphExecDestroy(exec);
        give_up_after(g, what, error, call);
        return;
    }
    g->recorded->exec = exec;
    g->recorded->key = *key;
    g->recorded->last_use = g->runs;
    (void)mark_use(g->recorded, g->stream, NULL);
}

oriel_status
oriel_cuda_graph_wait(oriel_cuda_graphs *g, const oriel_cuda_graph_key *key,
                      const oriel_hooks *call, oriel_error *err)
{
    oriel_status status;

    if (!find(g, key))
        return ORIEL_OK; /* it could not be made, and the log says why */
    status = oriel_cancel_check(call, err);
    return status ? status
                  : oriel_cuda_check(cudaStreamSynchronize(g->stream),
                                     "cudaStreamSynchronize", err);
}
