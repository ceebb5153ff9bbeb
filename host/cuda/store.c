/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - results: MERGE into embeddings, and hidden states as they stand
 *
 *   MERGE     rms_norm, linear_gelu, linear_rows
 *   STORE     store_rows
 *
 * The last kernel stores into the caller's memory where it lies on the device.
 * Results on the host are stored in the workspace first, in image order, and
 * copied from there.
 */
#include "cuda/context.h"

#include "base/dtype.h"
#include "base/fail.h"

static oriel_status
copy_rows(oriel_backend_context *c, const oriel_result *to, int64_t to_row,
          const char *from, size_t from_pitch, size_t width, int64_t rows,
          oriel_error *err)
{
    if (oriel_cuda_is_cancelled(c, err))
        return ORIEL_ERR_CANCELLED;
    return oriel_cuda_check_launch(
        c,
        cudaMemcpy2DAsync((char *)to->data + (size_t)to_row * to->row_bytes,
                          to->row_bytes, from, from_pitch, width, (size_t)rows,
                          c->job->output->results_memory == ORIEL_MEMORY_DEVICE
                              ? cudaMemcpyDeviceToDevice
                              : cudaMemcpyDeviceToHost,
                          c->stream),
        "cudaMemcpy2DAsync", err);
}

/* ---- Embeddings ------------------------------------------------------------ */

/* Whether the last product may store into the caller's memory itself. */
static bool
stores_directly(const oriel_backend_context *c)
{
    return c->job->output->results_memory == ORIEL_MEMORY_DEVICE &&
           c->weights->shapes.out_hidden == c->weights->network.out_hidden_size;
}

/* Tokens whose rows follow each other are copied together. */
static oriel_status
copy_indexed(oriel_backend_context *c, const oriel_result *to, size_t pitch,
             size_t width, oriel_error *err)
{
    const int32_t *row_index = c->job->output->row_index;
    const char *from = c->space.embeddings;
    int64_t tokens = c->job->plan->info.tokens, end;
    oriel_status status = ORIEL_OK;

    for (int64_t t = 0; t < tokens && !status; t = end) {
        for (end = t + 1; end < tokens && row_index[t] >= 0 &&
                          row_index[end] == row_index[t] + (end - t);
             end++)
            ;
        if (row_index[t] >= 0)
            status = copy_rows(c, to, row_index[t], from + (size_t)t * pitch,
                               pitch, width, end - t, err);
    }
    return status;
}

/* From the workspace, without the padding of rows, to the caller. */
static oriel_status
copy_embeddings(oriel_backend_context *c, const oriel_result *to, size_t pitch,
                oriel_error *err)
{
    size_t width = (size_t)c->weights->network.out_hidden_size *
                   oriel_dtype_bytes(to->dtype);

    if (c->job->output->row_index)
        return copy_indexed(c, to, pitch, width, err);
    return copy_rows(c, to, 0, c->space.embeddings, pitch, width,
                     c->job->plan->info.tokens, err);
}

/* Where row_index lies for a kernel; NULL: rows stay in image order. */
static const int32_t *
row_index_on_device(const oriel_backend_context *c)
{
    const oriel_output *output = c->job->output;

    if (!output->row_index || output->row_index_memory == ORIEL_MEMORY_DEVICE)
        return output->row_index;
    return c->space.metadata.row_index;
}

/* The merger's two layers. */
static oriel_status
multiply_merged(oriel_backend_context *c, const oriel_linear_args *fc1,
                const oriel_linear_rows_args *fc2, oriel_error *err)
{
    const oriel_cuda_hopper *h = &c->products.hopper;
    oriel_status status;

    if (!oriel_cuda_hopper_is_on(h)) {
        status = LAUNCH(oriel_cuda_linear_gelu, *fc1);
        return status ? status : LAUNCH(oriel_cuda_linear_rows, *fc2);
    }
    status = LAUNCH_BY(
        oriel_cuda_hopper_run(h, ORIEL_LAYER_FC1, 0, fc1, c->stream, err),
        "hopper_linear_gelu");
    return status
               ? status
               : LAUNCH_BY(oriel_cuda_hopper_run_rows(h, fc2, c->stream, err),
                           "hopper_linear_rows");
}

static oriel_status
merge(oriel_backend_context *c, const oriel_result *to, oriel_error *err)
{
    const oriel_backend_weights *w = c->weights;
    const oriel_cuda_shapes *s = &w->shapes;
    const oriel_cuda_layer *fc2_layer =
        oriel_cuda_get_layer(w, ORIEL_LAYER_FC2, 0);
    int64_t tokens = c->job->plan->info.tokens;
    bool direct = stores_directly(c);
    size_t width = (size_t)s->out_hidden * oriel_dtype_bytes(to->dtype);
    size_t rows = direct ? oriel_result_rows(to, width) : (size_t)tokens;
    /* The patches of a token lie side by side. */
    oriel_linear_args fc1 = oriel_cuda_make_linear(
        c, ORIEL_LAYER_FC1, 0, c->space.normalised, c->space.fc1);
    oriel_linear_rows_args fc2 = {
        .x = c->space.fc1,
        .weight = fc2_layer->weight,
        .bias = fc2_layer->bias,
        .places = c->space.metadata.tokens,
        .row_index = direct ? row_index_on_device(c) : NULL,
        .out = direct ? to->data : c->space.embeddings,
        .row_bytes = (int64_t)(direct ? to->row_bytes : width),
        .out_rows = rows < INT32_MAX ? (int32_t)rows : INT32_MAX,
        .rows = tokens,
        .columns = s->out_hidden,
        .depth = s->merged,
        .dtype = to->dtype,
    };
    oriel_status status =
        oriel_cuda_normalise(c, ORIEL_LAYER_MERGER_NORM, 0, err);

    fc1.rows = tokens;
    if (!status)
        status = multiply_merged(c, &fc1, &fc2, err);
    if (!status && !direct)
        status = copy_embeddings(c, to, width, err);
    return status;
}

/* ---- Hidden states --------------------------------------------------------- */

static oriel_status
store_hidden_state(oriel_backend_context *c, const oriel_result *to,
                   oriel_error *err)
{
    const oriel_cuda_shapes *s = &c->weights->shapes;
    bool direct = c->job->output->results_memory == ORIEL_MEMORY_DEVICE;
    size_t width = (size_t)s->hidden * oriel_dtype_bytes(to->dtype);
    oriel_store_rows_args args = {
        .x = c->space.residual,
        .tokens = c->space.metadata.tokens,
        .out = direct ? to->data : c->space.hidden_state,
        .row_bytes = (int64_t)(direct ? to->row_bytes : width),
        .rows = c->rows,
        .columns = s->hidden,
        .merge2 = s->merge2,
        .dtype = to->dtype,
        .lo = c->space.lo,
    };
    oriel_status status = LAUNCH(oriel_cuda_store_rows, args);

    if (status || direct)
        return status;
    return copy_rows(c, to, 0, c->space.hidden_state, width, width, c->rows,
                     err);
}

oriel_status
oriel_cuda_store(oriel_backend_context *c, const oriel_result *result,
                 oriel_error *err)
{
    bool embeddings = result->kind == ORIEL_RESULT_EMBEDDINGS;
    oriel_status status = oriel_cuda_begin_step(
        c, embeddings ? ORIEL_STEP_MERGE : ORIEL_STEP_STORE, result->index,
        err);

    if (!status)
        status = embeddings ? merge(c, result, err)
                            : store_hidden_state(c, result, err);
    return oriel_cuda_end_step(c, status, err);
}
