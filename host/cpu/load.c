/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - tensors out of a checkpoint into packed panels, on all cores
 *
 * Blocks come one after another; within one, each panel is a task: read its rows
 * into the thread's staging memory, pad, pack.  Beside the packed weights only
 * that staging, one panel a thread, ever exists.
 */
#include "cpu/weights.h"

#include "base/fail.h"
#include "base/half.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/team.h"

#include <pthread.h>
#include <string.h>

enum { CHUNK_ROWS = 16 }; /* read at a time where columns are padded */

typedef struct loader {
    oriel_backend_weights *weights;
    const oriel_weight_reader *reader;
    int32_t block; /* -1: stage 0 */
    char *staging; /* [threads][staging_bytes] */
    size_t staging_bytes, rows_bytes;

    pthread_mutex_t lock;
    int64_t failed_task; /* of the earliest failure in this stage, or -1 */
    oriel_error failure;
} loader;

/* A run of a tensor's rows and where they go in a panel. */
typedef struct piece {
    oriel_layer_tensors of;
    int64_t first, rows, to;
    int64_t columns; /* of the tensor, before padding */
} piece;

static int64_t
clamp_rows(int64_t first, int64_t rows, int64_t all)
{
    int64_t left = all - first;

    return left < 0 ? 0 : left < rows ? left : rows;
}

/* What a panel holds of one half of its layer. */
static piece
piece_of(const oriel_backend_weights *w, oriel_layer layer, int32_t half,
         int32_t panel)
{
    oriel_tensor_shape shape = oriel_layer_get_shape(&w->network, layer);
    int64_t width = w->shapes.product[layer].n / oriel_layer_halves(layer);
    piece p = {.of = oriel_layer_get_tensors(layer)[half],
               .first = panel * width,
               .to = half * width,
               .columns = shape.columns};

    p.rows = clamp_rows(p.first, width, shape.rows);
    return p;
}

/* One row of what the reader gave, padded, in the staging's storage. */
static void
spread_row(char *to, const char *from, int64_t have, int64_t want,
           oriel_cpu_storage storage)
{
    if (storage == ORIEL_STORAGE_ROUNDED) {
        for (int64_t i = 0; i < have; i++) {
            uint16_t h;
            float f;

            memcpy(&h, from + i * 2, sizeof(h));
            f = oriel_bf16_to_f32(h);
            memcpy(to + i * 4, &f, sizeof(f));
        }
    } else {
        memcpy(to, from, (size_t)have * oriel_cpu_storage_bytes(storage));
    }
    memset(to + (size_t)have * oriel_cpu_storage_bytes(storage), 0,
           (size_t)(want - have) * oriel_cpu_storage_bytes(storage));
}

/* Rows of a tensor into the staged panel. */
static oriel_status
read_piece(const loader *l, const piece *p, int64_t columns, char *staging,
           oriel_error *err)
{
    const oriel_backend_weights *w = l->weights;
    const oriel_weight_reader *reader = l->reader;
    int64_t have = p->columns;
    int32_t dtype =
        w->storage == ORIEL_STORAGE_F32 ? ORIEL_DTYPE_F32 : ORIEL_DTYPE_BF16;
    size_t row_bytes = (size_t)columns * oriel_cpu_storage_bytes(w->storage);
    size_t read_bytes = (size_t)have * (dtype == ORIEL_DTYPE_F32 ? 4 : 2);
    char *to = staging + (size_t)p->to * row_bytes;
    char *chunk = staging + l->rows_bytes;

    if (p->rows > 0 && row_bytes == read_bytes)
        return reader->read(reader->model, p->of.weight, l->block, p->first,
                            p->rows, dtype, to, err);
    for (int64_t r = 0; r < p->rows; r += CHUNK_ROWS) {
        int64_t n = p->rows - r < CHUNK_ROWS ? p->rows - r : CHUNK_ROWS;
        oriel_status status =
            reader->read(reader->model, p->of.weight, l->block, p->first + r, n,
                         dtype, chunk, err);

        if (status)
            return status;
        for (int64_t i = 0; i < n; i++)
            spread_row(to + (size_t)(r + i) * row_bytes,
                       chunk + (size_t)i * read_bytes, have, columns,
                       w->storage);
    }
    return ORIEL_OK;
}

static void
note_failure(loader *l, int64_t task, const oriel_error *err)
{
    pthread_mutex_lock(&l->lock); /* the same failure, whoever came first */
    if (l->failed_task < 0 || task < l->failed_task) {
        l->failed_task = task;
        l->failure = *err;
    }
    pthread_mutex_unlock(&l->lock);
}

/* Of a panel's rows, 'room' are a piece's: those that the tensor lacks are zero. */
static void
clear_after(const piece *p, int64_t room, size_t row_bytes, char *staging)
{
    memset(staging + (size_t)(p->to + p->rows) * row_bytes, 0,
           (size_t)(room - p->rows) * row_bytes);
}

static oriel_status
load_panel(const loader *l, oriel_layer layer, int32_t panel, char *staging,
           oriel_error *err)
{
    oriel_backend_weights *w = l->weights;
    const oriel_cpu_onednn_packing *packing = w->packings[layer];
    const oriel_cpu_gemm_shape *shape = &w->shapes.product[layer];
    const size_t row_bytes =
        (size_t)shape->k * oriel_cpu_storage_bytes(w->storage);
    float *bias = oriel_cpu_vector(w, layer, l->block, panel);
    int32_t halves = oriel_layer_halves(layer);
    oriel_cpu_onednn_matrix *matrix;
    oriel_status status = ORIEL_OK;

    for (int32_t i = 0; i < halves && !status; i++) {
        piece p = piece_of(w, layer, i, panel);

        clear_after(&p, shape->n / halves, row_bytes, staging);
        status = read_piece(l, &p, shape->k, staging, err);
        if (!status && shape->has_bias && p.rows > 0)
            status =
                l->reader->read(l->reader->model, p.of.bias, l->block, p.first,
                                p.rows, ORIEL_DTYPE_F32, bias + p.to, err);
    }
    if (status)
        return status;
    matrix =
        &w->matrices[oriel_cpu_matrix(w, layer, l->block, panel) - w->matrices];
    status = oriel_cpu_onednn_matrix_init(
        matrix, packing, oriel_cpu_packed_place(w, layer, l->block, panel),
        bias, err);
    return status ? status
                  : oriel_cpu_onednn_matrix_pack(matrix, packing, staging, err);
}

static bool
in_stage(const loader *l, oriel_layer layer)
{
    return oriel_layer_in_block(layer) == (l->block >= 0);
}

static oriel_status
load_norms(const loader *l, oriel_error *err)
{
    const oriel_backend_weights *w = l->weights;
    oriel_status status = ORIEL_OK;

    for (int32_t i = ORIEL_N_LINEAR_LAYERS; i < ORIEL_N_LAYERS && !status;
         i++) {
        oriel_layer layer = (oriel_layer)i;

        if (in_stage(l, layer))
            status = l->reader->read(
                l->reader->model, oriel_layer_get_tensors(layer)->weight,
                l->block, 0, w->shapes.hidden, ORIEL_DTYPE_F32,
                oriel_cpu_vector(w, layer, l->block, 0), err);
    }
    return status;
}

/* Task 0 reads the norms, task 1 + i panel i of the stage. */
static void
load_task(void *context, int64_t task, int32_t thread)
{
    loader *l = context;
    char *staging = l->staging + (size_t)thread * l->staging_bytes;
    oriel_error err;
    oriel_status status = ORIEL_OK;

    if (task == 0) {
        status = load_norms(l, &err);
    } else {
        for (int32_t i = 0; i < ORIEL_N_LINEAR_LAYERS; i++) {
            oriel_layer layer = (oriel_layer)i;
            int64_t panel = task - 1 - l->weights->places[i].panel;

            if (in_stage(l, layer) && panel >= 0 &&
                panel < l->weights->shapes.panels[i])
                status = load_panel(l, layer, (int32_t)panel, staging, &err);
        }
    }
    if (status)
        note_failure(l, task, &err);
}

/* Task i: how the weights of layer i are packed. */
static void
packing_task(void *context, int64_t task, int32_t thread)
{
    loader *l = context;
    oriel_backend_weights *w = l->weights;
    oriel_error err;

    (void)thread;
    if (oriel_cpu_onednn_packing_create(&w->packings[task], w->engine,
                                        &w->shapes.product[task], w->storage,
                                        ORIEL_ROW_TILE, &err))
        note_failure(l, task, &err);
}

static oriel_status
take_failure(const loader *l, oriel_error *err)
{
    if (l->failed_task < 0)
        return ORIEL_OK;
    if (err)
        *err = l->failure;
    return l->failure.status;
}

oriel_status
oriel_cpu_choose_packings(oriel_backend_weights *weights, oriel_team *team,
                          oriel_error *err)
{
    loader l = {.weights = weights, .failed_task = -1};
    oriel_status status;

    pthread_mutex_init(&l.lock, NULL);
    oriel_team_run(team, packing_task, &l, ORIEL_N_LINEAR_LAYERS);
    status = take_failure(&l, err);
    pthread_mutex_destroy(&l.lock);
    return status;
}

/* Room for the largest panel, and a chunk of rows as they are read. */
static oriel_status
allocate_staging(loader *l, const oriel_backend_config *config,
                 oriel_error *err)
{
    const oriel_cpu_shapes *s = &l->weights->shapes;
    size_t unit = oriel_cpu_storage_bytes(l->weights->storage), widest = 0;

    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++) {
        size_t row = (size_t)s->product[p].k * unit;

        if (row * (size_t)s->product[p].n > l->rows_bytes)
            l->rows_bytes = row * (size_t)s->product[p].n;
        if (row > widest)
            widest = row;
    }
    l->staging_bytes = l->rows_bytes + CHUNK_ROWS * widest;
    l->staging_bytes += (size_t)(-l->staging_bytes) % ORIEL_ALIGNMENT;
    l->staging =
        oriel_calloc(config->hooks, (size_t)config->threads, l->staging_bytes);
    if (!l->staging)
        return oriel_fail_memory(err,
                                 (size_t)config->threads * l->staging_bytes,
                                 "staging of weights");
    return ORIEL_OK;
}

static oriel_status
load_stages(loader *l, oriel_team *team, const oriel_backend_config *config,
            oriel_error *err)
{
    const oriel_backend_weights *w = l->weights;
    oriel_progress progress;

    oriel_progress_begin(&progress, config->call, ORIEL_PROGRESS_LOADING,
                         (int64_t)oriel_cpu_weight_bytes(w));
    for (l->block = -1; l->block < w->network.depth; l->block++) {
        const struct oriel_cpu_stage *stage = &w->stages[l->block >= 0];
        oriel_status status;

        if (oriel_cancelled(config->call) ||
            !oriel_team_run_unless_cancelled(team, load_task, l,
                                             1 + stage->panels, config->call))
            return oriel_fail(err, ORIEL_ERR_CANCELLED,
                              "cancelled by the caller's hook");
        status = take_failure(l, err);
        if (status)
            return status;
        oriel_progress_add(
            &progress,
            (int64_t)(stage->bytes + stage->vectors * sizeof(float)));
    }
    oriel_progress_end(&progress);
    return ORIEL_OK;
}

oriel_status
oriel_cpu_read_weights(oriel_backend_weights *weights,
                       const oriel_weight_reader *reader,
                       const oriel_backend_config *config, oriel_error *err)
{
    loader l = {.weights = weights, .reader = reader, .failed_task = -1};
    oriel_team *team = NULL;
    oriel_status status;

    pthread_mutex_init(&l.lock, NULL);
    status =
        oriel_team_create(&team, config->threads, oriel_cpu_onednn_thread_start,
                          config->hooks, err);
    if (!status)
        status = oriel_cpu_choose_packings(weights, team, err);
    if (!status)
        status = oriel_cpu_allocate_weights(weights, err);
    if (!status)
        status = allocate_staging(&l, config, err);
    if (!status)
        status = load_stages(&l, team, config, err);
    oriel_free(config->hooks, l.staging);
    oriel_team_destroy(team);
    pthread_mutex_destroy(&l.lock);
    return status;
}
