/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - one encoder on the CPU: its threads, its products, its job
 *
 * Tokens are in window order from the first step to the last.  The residual
 * stream is fp32 in every precision; operands of products are of the weights'
 * storage.  Rows are padded to a multiple of ORIEL_ROW_STEP and more follow
 * them, for the last tile; what the padding holds is never read by a row that
 * counts.
 */
#ifndef ORIEL_CPU_CONTEXT_H
#define ORIEL_CPU_CONTEXT_H

#include "base/dtype.h"
#include "base/team.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/weights.h"
#include "cpu/workspace.h"

#include <stdatomic.h>

/* What a thread owns for its tile of rows; nothing here depends on a plan. */
typedef struct oriel_cpu_thread {
    void *operand; /* [ORIEL_ROW_TILE][operand_columns] */
    void *merged;  /* the same, for fc1's results */
    float *tile;   /* [ORIEL_ROW_TILE][tile_columns] a product's results */
    void *scratch; /* of products, and of attention */
} oriel_cpu_thread;

struct oriel_backend_context {
    oriel_hooks hooks;
    const oriel_backend_weights *weights;
    const oriel_cpu_kernels *kernels;
    oriel_team *team;
    oriel_cpu_gemm *products[ORIEL_N_LINEAR_LAYERS];
    int32_t n_threads;
    uint32_t heights; /* of tiles that keep a row's bits; see heights.c */
    oriel_cpu_thread *threads;
    char *thread_memory;
    char description[128];

    const oriel_backend_job *job;
    oriel_cpu_workspace space;  /* the job's workspace, laid out */
    const float *cosine, *sine; /* [positions][head_dim / 4] */
    int64_t rows;               /* patches, padded to ORIEL_ROW_STEP */
    int32_t tile_rows;          /* height of a task's tile of patches */
    int64_t n_tiles;
    int32_t block;              /* the step's */
    const oriel_result *result; /* the step's */
    atomic_int failed;          /* a product's ORIEL_ERR_* in a task, or 0 */
};

/* Rows of one task; the last tile may reach into the padding. */
typedef struct oriel_cpu_tile {
    int64_t first;
    int32_t rows; /* one of the heights */
} oriel_cpu_tile;

/* heights.c: find out which heights may be used.  ORIEL_ERR_MEMORY */
oriel_status oriel_cpu_check_heights(oriel_backend_context *context,
                                     oriel_error *err);
/* The least height that may be used for 1 .. ORIEL_ROW_TILE rows. */
int32_t oriel_cpu_height_for(const oriel_backend_context *context,
                             int64_t rows);

static inline oriel_cpu_tile
oriel_cpu_get_tile(const oriel_backend_context *c, int64_t task)
{
    oriel_cpu_tile tile = {task * c->tile_rows, c->tile_rows};

    if (tile.first + tile.rows > c->rows)
        tile.rows = oriel_cpu_height_for(c, c->rows - tile.first);
    return tile;
}

/* Rows a tile, so that no thread idles while others have much left. */
int32_t oriel_cpu_tile_rows(const oriel_backend_context *context, int64_t rows);

/* Run a product on the current thread; a failure is remembered. */
void oriel_cpu_multiply(oriel_backend_context *context, oriel_layer layer,
                        int32_t panel, int32_t thread, const void *src,
                        float *dst, int32_t rows);

/* Run tasks, asking the cancel hook.  ORIEL_ERR_CANCELLED, and as below. */
oriel_status oriel_cpu_run(oriel_backend_context *context,
                           oriel_team_task *task, int64_t n_tasks,
                           oriel_error *err);

/* The same with another argument than the context. */
oriel_status oriel_cpu_run_on(oriel_backend_context *context,
                              oriel_team_task *task, void *argument,
                              int64_t n_tasks, oriel_error *err);

/* ORIEL_ERR_MEMORY, _FAULT when a product failed. */
oriel_status oriel_cpu_products_status(const oriel_backend_context *context,
                                       oriel_error *err);

/* Rows of fp32 at 'from' into 'to' as an ORIEL_DTYPE_*. */
void oriel_cpu_convert_row(void *to, const float *from, int64_t n,
                           int32_t dtype);

/* ---- The table's functions ---------------------------------------------- */

oriel_status oriel_cpu_create_context(oriel_backend_context **out,
                                      const oriel_backend_weights *weights,
                                      const oriel_backend_config *config,
                                      oriel_error *err);
const char *oriel_cpu_description(const oriel_backend_context *context);
void oriel_cpu_destroy_context(oriel_backend_context *context);

oriel_status oriel_cpu_start(oriel_backend_context *context,
                             const oriel_backend_job *job, oriel_error *err);
oriel_status oriel_cpu_patchify(oriel_backend_context *context,
                                oriel_error *err);
oriel_status oriel_cpu_embed(oriel_backend_context *context, oriel_error *err);
oriel_block_step oriel_cpu_attn_in, oriel_cpu_attend, oriel_cpu_attn_out,
    oriel_cpu_mlp_in, oriel_cpu_mlp_out;
/* The two kinds of result. */
oriel_status oriel_cpu_hidden_state(oriel_backend_context *context,
                                    const oriel_result *result,
                                    oriel_error *err);
oriel_status oriel_cpu_merge(oriel_backend_context *context,
                             const oriel_result *result, oriel_error *err);
oriel_status oriel_cpu_finish(oriel_backend_context *context, oriel_error *err);

#endif /* ORIEL_CPU_CONTEXT_H */
