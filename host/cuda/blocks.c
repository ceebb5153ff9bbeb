/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks.c - a run of blocks: its steps launched, or replayed as a graph
 *
 * One loop launches the steps.  To make a graph the same loop runs once more,
 * into a stream that is being captured, after the run has been enqueued: so
 * what fails while a graph is made costs the call nothing.
 */
#include "cuda/context.h"

static const struct {
    oriel_step step;
    oriel_block_step *launch;
} steps[] = {
    {ORIEL_STEP_ATTN_IN, oriel_cuda_attn_in},
    {ORIEL_STEP_ATTEND, oriel_cuda_attend},
    {ORIEL_STEP_ATTN_OUT, oriel_cuda_attn_out},
    {ORIEL_STEP_MLP_IN, oriel_cuda_mlp_in},
    {ORIEL_STEP_MLP_OUT, oriel_cuda_mlp_out},
};

static oriel_status
launch_blocks(oriel_backend_context *c, int32_t first, int32_t end,
              oriel_error *err)
{
    for (int32_t block = first; block < end; block++)
        for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
            oriel_status status =
                oriel_cuda_begin_step(c, steps[i].step, block, err);

            status = oriel_cuda_end_step(
                c, status ? status : steps[i].launch(c, block, err), err);
            if (status)
                return status;
        }
    return ORIEL_OK;
}

static void
record(oriel_backend_context *c, const oriel_cuda_graph_key *key)
{
    cudaStream_t stream = c->stream;
    oriel_error err;
    oriel_status status;

    if (!oriel_cuda_graph_begin(&c->graphs, &c->hooks))
        return;
    c->stream = c->graphs.stream;
    c->recording = true;
    status = launch_blocks(c, key->first, key->end, &err);
    c->recording = false;
    c->stream = stream;
    oriel_cuda_graph_end(&c->graphs, key, status ? &err : NULL, &c->hooks);
}

static oriel_cuda_graph_key
key_of(const oriel_backend_context *c, int32_t first, int32_t end)
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
        .lo = s->lo,
        .normalised = s->normalised,
        .attended = s->attended,
        .qkv = s->qkv,
        .inner = s->inner,
        .gate_up = s->gate_up,
        .lengths = m->lengths,
        .qkv_offsets = m->qkv_offsets,
        .out_offsets = m->out_offsets,
        .attention = s->attention,
        .cudnn_plan = c->cudnn_plan,
        .batch_counts = m->batch_counts,
        .rows = m->rows,
        .n_packs = m->n_packs,
        .n_window_tiles = m->n_window_tiles,
        .n_frame_tiles = m->n_frame_tiles,
        .first = first,
        .end = end,
    };
}

oriel_status
oriel_cuda_blocks(oriel_backend_context *c, int32_t first, int32_t end,
                  oriel_error *err)
{
    oriel_cuda_graph_key key = key_of(c, first, end);
    bool graphs = c->graphs.on && !c->capturing, replayed = false;
    oriel_status status = oriel_cancel_check(&c->hooks, err);

    if (!status && graphs)
        status = oriel_cuda_graph_replay(&c->graphs, &replayed, &key, c->stream,
                                         &c->hooks, err);
    if (status || replayed)
        return status;
    status = launch_blocks(c, first, end, err);
    if (!status && graphs && oriel_cuda_graph_note_run(&c->graphs, &key))
        record(c, &key);
    return status;
}

oriel_status
oriel_cuda_prepare_blocks(oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_graph_key key = key_of(c, 0, c->weights->network.depth);
    oriel_status status = oriel_cancel_check(&c->hooks, err);

    if (status || !c->graphs.on || oriel_cuda_graph_reserve(&c->graphs, &key))
        return status;
    record(c, &key);
    return oriel_cuda_graph_wait(&c->graphs, &key, &c->hooks, err);
}
