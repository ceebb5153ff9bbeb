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
#include "cuda/cursor.h"
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

/* One row of a patch embedding, or of a weight whose columns are padded. */
static void
pack_row(const loader *l, oriel_tensor tensor, uint16_t *out,
         const uint16_t *in, int64_t have, int64_t want)
{
    if (tensor == ORIEL_TENSOR_PATCH_EMBED) {
        pack_patch_row(out, in, &l->weights->network, &l->weights->shapes);
        return;
    }
    memcpy(out, in, tensor_bytes(1, have));
    memset(out + have, 0, tensor_bytes(1, want - have));
}

/* Rows that are packed one by one. */
static oriel_status
load_packed(loader *l, oriel_tensor tensor, int32_t block, int64_t rows,
            int64_t have, int64_t columns)
{
    int64_t chunk = (int64_t)(l->rows_bytes / tensor_bytes(1, have));
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < rows && !status; r += chunk) {
        int64_t n = rows - r < chunk ? rows - r : chunk;

        status = read_rows(l, tensor, block, r, n, l->rows);
        for (int64_t i = 0; i < n && !status; i++) {
            uint16_t *out;

            status = space(l, &out, 1, columns);
            if (!status)
                pack_row(l, tensor, out, l->rows + i * have, have, columns);
        }
    }
    return status;
}

/* Rows as they are. */
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

/* Group by group: rows of the gate, then of the up-projection; zeros after the
   last. */
static oriel_status
load_interleaved(loader *l, const oriel_tensor halves[2], int32_t block,
                 int64_t have, int64_t columns)
{
    int64_t padded = l->weights->shapes.intermediate;
    oriel_status status = ORIEL_OK;

    for (int64_t r = 0; r < padded && !status; r += GROUP)
        for (int half = 0; half < 2 && !status; half++) {
            int64_t n = have - r < GROUP ? have - r : GROUP;
            uint16_t *out;

            status = space(l, &out, GROUP, columns);
            if (status)
                return status;
            n = n < 0 ? 0 : n;
            memset(out + n * columns, 0, tensor_bytes(GROUP - n, columns));
            if (n > 0)
                status = read_rows(l, halves[half], block, r, n, out);
        }
    return status;
}

/* ---- Layer by layer -------------------------------------------------------- */

/*
 * A weight or a bias of a layer: 'halves' are its one or two tensors, 'padded' its
 * shape on the device.
 */
static oriel_status
load_tensor(loader *l, oriel_layer layer, const oriel_tensor halves[2],
            int32_t block, const uint16_t *to, oriel_tensor_shape padded)
{
    oriel_tensor_shape have =
        oriel_tensor_get_shape(&l->weights->network, halves[0]);
    size_t at = (size_t)((const char *)to - (const char *)l->weights->memory);
    oriel_status status;

    if (oriel_layer_halves(layer) == 2)
        status = load_interleaved(l, halves, block, have.rows, padded.columns);
    else if (have.columns != padded.columns ||
             halves[0] == ORIEL_TENSOR_PATCH_EMBED)
        status = load_packed(l, halves[0], block, have.rows, have.columns,
                             padded.columns);
    else
        status = load_plain(l, halves[0], block, have.rows, have.columns);
    /* Rows that are padding, and up to where the next tensor begins. */
    oriel_cuda_upload_pad(
        &l->upload,
        oriel_round_up(at + tensor_bytes(padded.rows, padded.columns),
                       ORIEL_CUDA_ALIGNMENT));
    return status;
}

static oriel_status
load_layer(loader *l, oriel_layer layer, int32_t block)
{
    const oriel_layer_tensors *of = oriel_layer_get_tensors(layer);
    const oriel_cuda_layer *to = oriel_cuda_get_layer(l->weights, layer, block);
    const oriel_tensor weights[2] = {of[0].weight, of[1].weight};
    const oriel_tensor biases[2] = {of[0].bias, of[1].bias};
    oriel_tensor_shape shape = oriel_cuda_layer_shape(l->weights, layer);
    oriel_status status =
        load_tensor(l, layer, weights, block, to->weight, shape);

    if (status || !oriel_layer_has_bias(layer))
        return status;
    shape.columns = 1;
    return load_tensor(l, layer, biases, block, to->bias, shape);
}

/* After the tensors: what is computed and not read. */
static void
put_tables(loader *l)
{
    const oriel_backend_weights *w = l->weights;
    size_t levels = (size_t)((const char *)w->levels - (const char *)w->memory);

    oriel_cuda_put_rope(&l->upload, &w->network, ORIEL_CUDA_ROPE_POSITIONS);
    oriel_cuda_upload_pad(&l->upload, levels);
    for (int32_t flavour = 0; flavour < ORIEL_FLAVOURS; flavour++)
        oriel_cuda_put_levels(&l->upload, &w->network, flavour);
    oriel_cuda_upload_pad(&l->upload, w->bytes);
}

/* What lies outside blocks, then block after block. */
static oriel_status
load_all(loader *l)
{
    oriel_status status = ORIEL_OK;

    for (int32_t block = -1; block < l->weights->network.depth; block++) {
        if (oriel_cancelled(l->config->call))
            return oriel_fail(l->err, ORIEL_ERR_CANCELLED,
                              "cancelled by the caller's hook");
        for (int32_t i = 0; i < ORIEL_N_LAYERS && !status; i++)
            if (oriel_layer_in_block((oriel_layer)i) == (block >= 0))
                status = load_layer(l, (oriel_layer)i, block);
        if (status)
            return status;
        oriel_progress_set(&l->progress, (int64_t)l->upload.written);
    }
    put_tables(l);
    return ORIEL_OK;
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
