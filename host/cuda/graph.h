/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - CUDA graphs of runs of blocks, kept for when a run comes back
 *
 * A run is the blocks up to the next result.  Its launches depend on the
 * workspace and a few counts, which are those of a size class where there is one
 * (parts.h): then one graph serves every plan of it.  The caller's pixels and
 * results are touched before and after it only, so no graph holds a pointer of
 * the caller's.
 *
 * The first time a run is launched kernel by kernel and its key remembered; the
 * second time it is launched, and then recorded; from the third on its graph is
 * launched (blocks.c).
 *
 * The least recently used of a few graphs gives way, but only one that has been
 * idle for a while and whose last launch has finished.  So shapes that take
 * turns in large numbers do not drive each other out, no call waits, and runs
 * that find no room are launched kernel by kernel.
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
    const void *rope, *residual, *lo, *normalised, *attended, *qkv, *inner;
    const void *gate_up, *lengths, *qkv_offsets, *out_offsets, *attention;
    const void *cudnn_plan, *batch_counts;
    int64_t rows;
    int32_t n_packs, n_window_tiles, n_frame_tiles;
    int32_t first, end; /* blocks */
    int32_t zero;       /* no padding */
} oriel_cuda_graph_key;

typedef struct oriel_cuda_graph {
    oriel_cuda_graph_key key;
    cudaGraphExec_t exec; /* NULL: none */
    cudaEvent_t passed;   /* after the last launch or upload */
    bool has_passed, ran;
    uint64_t last_use;
} oriel_cuda_graph;

typedef struct oriel_cuda_graphs {
    bool on;             /* wanted, and nothing has failed */
    cudaStream_t stream; /* for captures and uploads alone */
    oriel_cuda_graph kept[ORIEL_CUDA_GRAPHS];
    oriel_cuda_graph_key seen[ORIEL_CUDA_GRAPHS_SEEN];
    int32_t next_seen;
    uint64_t runs;              /* so far */
    oriel_cuda_graph *recorded; /* where what is recorded will be kept */
} oriel_cuda_graphs;

/* On the current device; 'option' is ORIEL_GRAPHS_*. */
oriel_status oriel_cuda_graphs_create(oriel_cuda_graphs *graphs, int32_t option,
                                      oriel_error *err);
/* Waits for graphs that run; zeroed or half-made ones are fine. */
void oriel_cuda_graphs_destroy(oriel_cuda_graphs *graphs);

/* Wait for them, and keep none. */
void oriel_cuda_graphs_clear(oriel_cuda_graphs *graphs);

/* Whether the graph of this run is kept.  Where there is no room for it, wait for
   the one that was used least recently and drop it. */
bool oriel_cuda_graph_reserve(oriel_cuda_graphs *graphs,
                              const oriel_cuda_graph_key *key);
/* Until the device has what was recorded for this run. */
oriel_status oriel_cuda_graph_wait(oriel_cuda_graphs *graphs,
                                   const oriel_cuda_graph_key *key,
                                   const oriel_hooks *call, oriel_error *err);

/* Launch the graph of this run on 'stream', if there is one: 'replayed' says so.
   Where CUDA cannot launch it, 'call' is told and no graph is used again, unless
   memory was out. */
oriel_status oriel_cuda_graph_replay(oriel_cuda_graphs *graphs, bool *replayed,
                                     const oriel_cuda_graph_key *key,
                                     cudaStream_t stream,
                                     const oriel_hooks *call, oriel_error *err);

/* Remember a run whose kernels were launched; whether it is worth a graph, having
   been remembered before. */
bool oriel_cuda_graph_note_run(oriel_cuda_graphs *graphs,
                               const oriel_cuda_graph_key *key);

/* Let 'graphs->stream' be captured; false where there is no room or no capture.
   Then what is launched on it becomes the graph of 'key', which is uploaded at once;
   'failure', NULL for none, says why it must not. */
bool oriel_cuda_graph_begin(oriel_cuda_graphs *graphs, const oriel_hooks *call);
void oriel_cuda_graph_end(oriel_cuda_graphs *graphs,
                          const oriel_cuda_graph_key *key,
                          const oriel_error *failure, const oriel_hooks *call);

#endif /* ORIEL_CUDA_GRAPH_H */
