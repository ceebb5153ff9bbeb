/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - tensors out of a checkpoint onto the device
 *
 * Everything is written once, from the first byte of the allocation to the
 * last, through a small ring of pinned slots: rows that need no packing are
 * read from the file straight into the slot.  The stream is our own, and is
 * waited for before anybody sees the weights.
 */
#include "cuda/weights.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cuda/errors.h"
#include "cuda/ring.h"
#include "cuda/tables.h"

#include <string.h>

enum {
    SLOTS = 2,
    SLOT_BYTES = 4 << 20, /* a row has at most 256 KiB: shapes.c */
    GROUP = 8             /* rows of gate, then of up: linear_swiglu.cu */
};

typedef struct loader {
    const oriel_backend_weights *weights;
    const oriel_weight_reader *reader;
    const oriel_backend_config *config;
    oriel_error *err;
    oriel_cuda_upload upload;
    oriel_progress progress;
    uint16_t *rows; /* as read, where they must be packed */
    size_t rows_bytes;
} loader;

static size_t
tensor_bytes(int64_t rows, int64_t columns)
{
    return (size_t)(rows * columns) * sizeof(uint16_t);
}

/* Room for rows of bf16; an upload that failed says why at its end. */
static oriel_status
space(loader *l, uint16_t **out, int64_t rows, int64_t columns)
{
    *out = oriel_cuda_upload_space(&l->upload, tensor_bytes(rows, columns));
    return *out ? ORIEL_OK : ORIEL_ERR_FAULT;
}

static oriel_status
read_rows(loader *l, oriel_tensor tensor, int32_t block, int64_t first,
          int64_t rows, uint16_t *out)
{
    return l->reader->read(l->reader->model, tensor, block, first, rows,
                           ORIEL_DTYPE_BF16, out, l->err);
}

/* ---- The ways a tensor is packed ----------------------------------------- */

/* Each ends where the next tensor begins. */
static void
close_tensor(loader *l, const uint16_t *start, int64_t rows, int64_t columns)
{
    size_t at =
        (size_t)((const char *)start - (const char *)l->weights->memory);

    oriel_cuda_upload_pad(&l->upload,
                          (at + tensor_bytes(rows, columns) + 255) / 256 * 256);
}

/* As it is. */
static oriel_status
load_plain(loader *l, oriel_tensor tensor, int32_t block, int64_t rows,
           int64_t columns)
{
    int64_t chunk = SLOT_BYTES / (int64_t)tensor_bytes(1, columns);
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < rows && !status; r += chunk) {
        int64_t n = rows - r < chunk ? rows - r : chunk;
        uint16_t *out;

        status = space(l, &out, n, columns);
        if (!status)
            status = read_rows(l, tensor, block, r, n, out);
    }
    return status;
}

static oriel_status
load_matrix(loader *l, oriel_tensor tensor, int32_t block, const uint16_t *to,
            int64_t rows, int64_t columns)
{
    oriel_status status = load_plain(l, tensor, block, rows, columns);

    close_tensor(l, to, rows, columns);
    return status;
}

static oriel_status
load_vector(loader *l, oriel_tensor tensor, int32_t block, const uint16_t *to,
            int64_t rows)
{
    return load_matrix(l, tensor, block, to, rows, 1);
}

/* Columns (channel, slice, y, x) to (y, slice, x, channel), lines padded. */
static void
pack_patch_row(uint16_t *out, const uint16_t *in, const oriel_network *net,
               const oriel_cuda_shapes *s)
{
    int32_t size = net->patch_size;

    memset(out, 0, tensor_bytes(1, s->patch_depth));
    for (int32_t y = 0; y < size; y++)
        for (int32_t t = 0; t < s->slices; t++) {
            uint16_t *line = out + ((size_t)y * (size_t)s->slices + (size_t)t) *
                                       (size_t)s->line_bytes;

            for (int32_t x = 0; x < size; x++)
                for (int32_t c = 0; c < 3; c++)
                    line[x * 3 + c] =
                        in[((c * s->slices + t) * size + y) * size + x];
        }
}

static oriel_status
load_patch_embed(loader *l)
{
    const oriel_backend_weights *w = l->weights;
    const oriel_cuda_shapes *s = &w->shapes;
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < s->hidden && !status; r++) {
        uint16_t *out;

        status = space(l, &out, 1, s->patch_depth);
        if (!status)
            status = read_rows(l, ORIEL_TENSOR_PATCH_EMBED, 0, r, 1, l->rows);
        if (!status)
            pack_patch_row(out, l->rows, &w->network, s);
    }
    close_tensor(l, w->patch_weight, s->hidden, s->patch_depth);
    return status;
}

/* Group by group: rows that are there, then zeros. */
static oriel_status
load_interleaved(loader *l, oriel_tensor gate, oriel_tensor up, int32_t block,
                 const uint16_t *to, int64_t columns)
{
    const oriel_cuda_shapes *s = &l->weights->shapes;
    int64_t have = l->weights->network.intermediate_size;
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < s->intermediate && !status; r += GROUP)
        for (int half = 0; half < 2 && !status; half++) {
            int64_t n = have - r < GROUP ? have - r : GROUP;
            uint16_t *out;

            status = space(l, &out, GROUP, columns);
            if (status)
                return status;
            n = n < 0 ? 0 : n;
            memset(out + n * columns, 0, tensor_bytes(GROUP - n, columns));
            if (n > 0)
                status = read_rows(l, half ? up : gate, block, r, n, out);
        }
    close_tensor(l, to, 2 * (int64_t)s->intermediate, columns);
    return status;
}

/* Columns padded with zeros. */
static oriel_status
load_down(loader *l, int32_t block)
{
    const oriel_backend_weights *w = l->weights;
    const oriel_cuda_shapes *s = &w->shapes;
    int64_t have = w->network.intermediate_size;
    int64_t chunk = (int64_t)(l->rows_bytes / tensor_bytes(1, have));
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < s->hidden && !status; r += chunk) {
        int64_t n = s->hidden - r < chunk ? s->hidden - r : chunk;
        uint16_t *out;

        status = read_rows(l, ORIEL_TENSOR_DOWN_WEIGHT, block, r, n, l->rows);
        for (int64_t i = 0; i < n && !status; i++) {
            status = space(l, &out, 1, s->intermediate);
            if (status)
                return status;
            memcpy(out, l->rows + i * have, tensor_bytes(1, have));
            memset(out + have, 0, tensor_bytes(1, s->intermediate - have));
        }
    }
    close_tensor(l, w->blocks[block].down_weight, s->hidden, s->intermediate);
    return status;
}

/* ---- All of them, in the order of weights_layout.c ----------------------- */

static oriel_status
load_attention(loader *l, int32_t i)
{
    const oriel_cuda_block *b = &l->weights->blocks[i];
    int64_t hidden = l->weights->shapes.hidden;
    oriel_status s;

    (void)((s = load_vector(l, ORIEL_TENSOR_NORM1, i, b->norm1, hidden)) ||
           (s = load_matrix(l, ORIEL_TENSOR_QKV_WEIGHT, i, b->qkv_weight,
                            3 * hidden, hidden)) ||
           (s = load_vector(l, ORIEL_TENSOR_QKV_BIAS, i, b->qkv_bias,
                            3 * hidden)) ||
           (s = load_matrix(l, ORIEL_TENSOR_PROJ_WEIGHT, i, b->proj_weight,
                            hidden, hidden)) ||
           (s = load_vector(l, ORIEL_TENSOR_PROJ_BIAS, i, b->proj_bias,
                            hidden)));
    return s;
}

static oriel_status
load_mlp(loader *l, int32_t i)
{
    const oriel_cuda_block *b = &l->weights->blocks[i];
    int64_t hidden = l->weights->shapes.hidden;
    oriel_status s;

    (void)((s = load_vector(l, ORIEL_TENSOR_NORM2, i, b->norm2, hidden)) ||
           (s = load_interleaved(l, ORIEL_TENSOR_GATE_WEIGHT,
                                 ORIEL_TENSOR_UP_WEIGHT, i, b->gate_up_weight,
                                 hidden)) ||
           (s = load_interleaved(l, ORIEL_TENSOR_GATE_BIAS,
                                 ORIEL_TENSOR_UP_BIAS, i, b->gate_up_bias,
                                 1)) ||
           (s = load_down(l, i)) ||
           (s = load_vector(l, ORIEL_TENSOR_DOWN_BIAS, i, b->down_bias,
                            hidden)));
    return s;
}

static oriel_status
load_merger(loader *l)
{
    const oriel_backend_weights *w = l->weights;
    int64_t hidden = w->shapes.hidden, merged = w->shapes.merged;
    int64_t out = w->network.out_hidden_size;
    oriel_status s;

    (void)((s = load_vector(l, ORIEL_TENSOR_MERGER_NORM, 0, w->merger_norm,
                            hidden)) ||
           (s = load_matrix(l, ORIEL_TENSOR_MERGER_FC1_WEIGHT, 0, w->fc1_weight,
                            merged, merged)) ||
           (s = load_vector(l, ORIEL_TENSOR_MERGER_FC1_BIAS, 0, w->fc1_bias,
                            merged)) ||
           (s = load_plain(l, ORIEL_TENSOR_MERGER_FC2_WEIGHT, 0, out, merged)));
    if (s)
        return s;
    close_tensor(l, w->fc2_weight, w->shapes.out_hidden, merged);
    s = load_plain(l, ORIEL_TENSOR_MERGER_FC2_BIAS, 0, out, 1);
    close_tensor(l, w->fc2_bias, w->shapes.out_hidden, 1);
    return s;
}

/* After the tensors: what is computed and not read. */
static void
put_tables(loader *l)
{
    const oriel_backend_weights *w = l->weights;
    size_t levels = (size_t)((const char *)w->levels - (const char *)w->memory);

    oriel_cuda_put_rope(&l->upload, &w->network, ORIEL_CUDA_ROPE_POSITIONS);
    oriel_cuda_upload_pad(&l->upload, levels);
    for (int32_t flavour = 0; flavour < ORIEL_CUDA_FLAVOURS; flavour++)
        oriel_cuda_put_levels(&l->upload, &w->network, flavour);
    oriel_cuda_upload_pad(&l->upload, w->bytes);
}

static oriel_status
load_all(loader *l)
{
    oriel_status status = load_patch_embed(l);

    for (int32_t i = 0; i < l->weights->network.depth && !status; i++) {
        if (oriel_cancelled(l->config->call))
            return oriel_fail(l->err, ORIEL_ERR_CANCELLED,
                              "cancelled by the caller's hook");
        status = load_attention(l, i);
        if (!status)
            status = load_mlp(l, i);
        oriel_progress_set(&l->progress, (int64_t)l->upload.written);
    }
    if (!status)
        status = load_merger(l);
    if (!status)
        put_tables(l);
    return status;
}

/* Upload failures are found at the end; a reader's are there already. */
static oriel_status
load_through(loader *l, oriel_cuda_ring *ring, cudaStream_t stream)
{
    oriel_status status;

    ring->call = l->config->call;
    oriel_cuda_upload_begin(&l->upload, ring, stream, l->weights->memory);
    oriel_progress_begin(&l->progress, l->config->call, ORIEL_PROGRESS_LOADING,
                         (int64_t)l->weights->bytes);
    status = load_all(l);
    if (l->upload.error != cudaSuccess || l->upload.cancelled || !status)
        status = oriel_cuda_upload_end(&l->upload, l->err);
    if (!status)
        status = oriel_cancel_check(l->config->call, l->err);
    if (!status)
        status = oriel_cuda_check(cudaStreamSynchronize(stream),
                                  "cudaStreamSynchronize", l->err);
    if (!status)
        oriel_progress_end(&l->progress);
    return status;
}

static oriel_status
allocate_rows(loader *l, oriel_error *err)
{
    const oriel_backend_weights *w = l->weights;
    size_t patch = tensor_bytes(1, w->shapes.patch_values);
    size_t down = tensor_bytes(1, w->shapes.intermediate);

    l->rows_bytes = 256 << 10;
    l->rows_bytes = patch > l->rows_bytes ? patch : l->rows_bytes;
    l->rows_bytes = down > l->rows_bytes ? down : l->rows_bytes;
    l->rows = oriel_alloc(l->config->hooks, l->rows_bytes);
    if (!l->rows)
        return oriel_fail_memory(err, l->rows_bytes, "staging of weights");
    return ORIEL_OK;
}

oriel_status
oriel_cuda_read_weights(const oriel_backend_weights *weights,
                        const oriel_weight_reader *reader,
                        const oriel_backend_config *config, oriel_error *err)
{
    loader l = {
        .weights = weights, .reader = reader, .config = config, .err = err};
    oriel_cuda_ring ring = {0};
    cudaStream_t stream = NULL;
    oriel_status status = allocate_rows(&l, err);

    if (!status)
        status = oriel_cuda_check(
            cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
            "cudaStreamCreateWithFlags", err);
    if (!status)
        status = oriel_cuda_ring_create(&ring, SLOTS, SLOT_BYTES, err);
    if (!status)
        status = load_through(&l, &ring, stream);
    oriel_cuda_ring_destroy(&ring);
    if (stream)
        (void)cudaStreamDestroy(stream);
    oriel_free(config->hooks, l.rows);
    return status;
}
