/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.c - what a plan becomes on the device
 *
 * A record an item travels as arguments of a kernel, without a slot of the ring or
 * a copy to wait for; the device makes everything else of them.  Angles are beside
 * the weights, but for sides longer than those are kept for: then the plan's own
 * travel along.
 */
#include "cuda/context.h"

#include "cuda/tables.h"

static void
put_record(void *upload, const oriel_plan_record *record)
{
    oriel_cuda_upload_put(upload, record, sizeof(*record));
}

/* Of indices that are sent: those on the host, for results on the device. */
static size_t
row_index_bytes(const oriel_backend_context *c)
{
    const oriel_output *output = c->job->output;

    return output->row_index && output->row_index_memory == ORIEL_MEMORY_HOST &&
                   output->results_memory == ORIEL_MEMORY_DEVICE
               ? (size_t)c->job->plan->info.tokens * sizeof(int32_t)
               : 0;
}

static oriel_status
send_records(oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_upload u;

    oriel_cuda_upload_begin(&u, NULL, c->stream, c->space.metadata.records);
    oriel_cuda_make_records(c->job->plan, c->weights->shapes.windows_fit,
                            put_record, &u);
    return oriel_cuda_finish_upload(c, &u, err);
}

static oriel_status
send_rope(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cuda_metadata *m = &c->space.metadata;
    oriel_cuda_upload u;

    oriel_cuda_upload_begin(&u, oriel_cuda_job_ring(c), c->stream, m->own_rope);
    oriel_cuda_put_rope(&u, &c->weights->network, m->n_positions);
    return oriel_cuda_finish_upload(c, &u, err);
}

/* Indices of the host, which are read before the call returns. */
static oriel_status
send_row_index(oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_upload u;

    oriel_cuda_upload_begin(&u, oriel_cuda_job_ring(c), c->stream,
                            c->space.metadata.row_index);
    oriel_cuda_upload_put(&u, c->job->output->row_index, row_index_bytes(c));
    return oriel_cuda_finish_upload(c, &u, err);
}

static oriel_status
expand(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_cuda_metadata *m = &c->space.metadata;
    bool frames = c->job->input->frames, fit = c->weights->shapes.windows_fit;
    oriel_expand_plan_args args = {
        .records = m->records,
        .n_records = plan->info.n_items,
        .tokens = (int32_t)plan->info.tokens,
        .n_windows = plan->info.n_windows,
        .side = oriel_network_window_tokens(&plan->network),
        .window_index = m->tokens,
        .window_inverse = frames && oriel_cuda_resamples(plan)
                              ? c->space.frames.places
                              : NULL,
        .positions = m->positions,
        .cu_window = m->cu_window,
        .packs = fit ? m->packs : NULL,
        .window_tiles = fit ? NULL : m->window_tiles,
        .frame_tiles = m->frame_tiles,
        .is_still = frames ? m->is_still : NULL,
        .lengths = m->lengths,
        .qkv_offsets = m->qkv_offsets,
        .out_offsets = m->out_offsets,
        .hidden = c->weights->shapes.hidden,
        .counts = {(int32_t)c->rows, (int32_t)m->counts.n_packs,
                   (int32_t)m->counts.n_frame_tiles},
        .counts_out = m->batch_counts,
    };

    for (int i = 0; i < ORIEL_CUDA_WINDOW_CLASSES; i++)
        args.windows_of[i] = m->counts.windows_of[i];
    return LAUNCH(oriel_cuda_expand_plan, args);
}

void
oriel_cuda_point_tables(oriel_backend_context *c)
{
    oriel_cuda_metadata *m = &c->space.metadata;

    m->rope = m->n_positions ? m->own_rope : c->weights->rope;
    m->table = c->weights->levels +
               (size_t)c->job->plan->resample * (ORIEL_CUDA_LEVEL_BYTES / 2);
}

oriel_status
oriel_cuda_send_metadata(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cuda_metadata *m = &c->space.metadata;
    oriel_status status = send_records(c, err);

    oriel_cuda_point_tables(c);
    if (!status && m->n_positions)
        status = send_rope(c, err);
    if (!status && row_index_bytes(c))
        status = send_row_index(c, err);
    return status ? status : expand(c, err);
}

size_t
oriel_cuda_metadata_slots(const oriel_backend_context *c)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_cuda_metadata *m = &c->space.metadata;
    const oriel_cuda_frames *f = &c->space.frames;
    bool frames = c->job->input->frames && oriel_cuda_resamples(plan);
    const size_t uploads[] = {
        (size_t)m->n_positions *
            (size_t)oriel_cuda_rope_row(c->weights->shapes.head_dim),
        row_index_bytes(c),
        frames ? (size_t)((char *)(f->jobs + plan->n_source_frames) - f->axes)
               : 0,
    };
    size_t slots = 0;

    for (size_t i = 0; i < sizeof(uploads) / sizeof(*uploads); i++)
        slots += (uploads[i] + c->ring.slot_bytes - 1) / c->ring.slot_bytes;
    return slots;
}
