/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - runs of blocks that come back, as CUDA graphs
 *
 * A run is the blocks between two taps, or all of them.  Its launches are given
 * by the workspace and a few counts; the caller's pixels, results and taps are
 * touched before and behind it alone, so that no graph holds a pointer of theirs.
 *
 * The first time a run is launched kernel by kernel and remembered; the second
 * time too, and each launch is made once more into a stream of ours that is being
 * captured; from the third on the graph is launched.  So when something fails
 * while a graph is made, the work has been enqueued all the same.
 *
 * The least recently used of a few graphs gives way, but only one that has been
 * idle for a while and has run out: shapes that take turns in large numbers do
 * not drive each other out, nobody waits, and those that find no room are
 * launched kernel by kernel.
 */
#ifndef ORIEL_CUDA_GRAPH_H
#define ORIEL_CUDA_GRAPH_H

#include "oriel.h"

#include <cuda_runtime.h>
#include <stdbool.h>

enum {
    ORIEL_CUDA_GRAPHS = 8,       /* kept */
    ORIEL_CUDA_GRAPHS_SEEN = 16, /* runs remembered of those met once */
    ORIEL_CUDA_GRAPHS_IDLE = 32  /* runs that a graph sits out before it goes */
};

/* Everything that the launches of blocks depend on, compared byte by byte. */
typedef struct oriel_cuda_graph_key {
    const void *positions, *cu_window, *packs, *window_tiles, *frame_tiles;
    const void *rope, *residual, *normalised, *attended, *qkv, *inner, *gate_up;
    int64_t rows;
    int32_t n_packs, n_window_tiles, n_frame_tiles;
    int32_t first, end; /* blocks */
    int32_t zero;       /* no padding */
} oriel_cuda_graph_key;

typedef struct oriel_cuda_graph {
    oriel_cuda_graph_key key;
    cudaGraphExec_t exec; /* NULL: none */
    cudaEvent_t passed;   /* behind the last launch */
    bool has_passed, ran;
    uint64_t last_use;
} oriel_cuda_graph;

typedef struct oriel_cuda_graphs {
    bool on;             /* wanted, and nothing has failed */
    cudaStream_t stream; /* for captures alone */
    oriel_cuda_graph kept[ORIEL_CUDA_GRAPHS];
    oriel_cuda_graph_key seen[ORIEL_CUDA_GRAPHS_SEEN];
    int32_t next_seen;
    uint64_t runs; /* so far */

    enum {
        ORIEL_RUN_CLOSED, /* not among blocks */
        ORIEL_RUN_DIRECT,
        ORIEL_RUN_RECORDING,
        ORIEL_RUN_REPLAYED
    } state;
    oriel_cuda_graph_key key;   /* of the run under way */
    oriel_cuda_graph *recorded; /* into this one */
} oriel_cuda_graphs;

/* On the current device; 'option' is ORIEL_GRAPHS_*. */
oriel_status oriel_cuda_graphs_create(oriel_cuda_graphs *graphs, int32_t option,
                                      oriel_error *err);
/* Waits for graphs that run; zeroed or half-made ones are fine. */
void oriel_cuda_graphs_destroy(oriel_cuda_graphs *graphs);

#endif /* ORIEL_CUDA_GRAPH_H */
