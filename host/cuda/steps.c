/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.c - the steps up to the last block as launches
 *
 *   PATCHIFY  resample, or a copy of pixel_values to where EMBED reads them
 *   EMBED     patch_embed
 *   ATTN_IN   rms_norm, linear; and rope where attention does not turn itself
 *   ATTEND    window_attention, or full_attention, or cuDNN's over frames
 *   ATTN_OUT  linear_residual
 *   MLP_IN    rms_norm, linear_swiglu
 *   MLP_OUT   linear_residual
 *
 * MERGE, and hidden states: store.c.
 *
 * Where cuBLASLt runs a block's product (products.h), linear_swiglu is its
 * product and swiglu.  Where values are rounded: docs/numerics.md.
 */
#include "cuda/context.h"

#include <stddef.h>

/* ---- Pixels -------------------------------------------------------------- */

static oriel_status
send_pixels(oriel_backend_context *c, oriel_error *err)
{
    const oriel_input *input = c->job->input;

    if (input->frames)
        return oriel_cuda_resamples(c->job->plan)
                   ? oriel_cuda_send_frames(c, err)
                   : oriel_cuda_send_float_frames(c, err);
    if (input->pixels_memory == ORIEL_MEMORY_DEVICE)
        return ORIEL_OK; /* EMBED reads them where they are */
    return oriel_cuda_send_pixel_values(c, err);
}

oriel_status
oriel_cuda_patchify(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = oriel_cuda_begin_step(c, ORIEL_STEP_PATCHIFY, 0, err);

    return oriel_cuda_end_step(c, status ? status : send_pixels(c, err), err);
}

static oriel_status
embed_patches(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cuda_shapes *s = &c->weights->shapes;
    const oriel_cuda_metadata *m = &c->space.metadata;
    const oriel_input *input = c->job->input;
    oriel_patch_embed_args args = {
        .weight =
            oriel_cuda_get_layer(c->weights, ORIEL_LAYER_PATCH, 0)->weight,
        .out = c->space.residual,
        .lo = c->space.lo,
        .rows = c->rows,
        .hidden = s->hidden,
        .patch_size = c->weights->network.patch_size,
        .slices = s->slices,
        .table = m->table,
        .merge2 = s->merge2,
        .dtype = input->dtype,
    };

    if (input->frames) {
        args.pixels = c->space.pixels;
        args.is_still = m->is_still;
    } else {
        args.pixel_values = input->pixels_memory == ORIEL_MEMORY_DEVICE
                                ? input->pixel_values
                                : c->space.pixel_values;
        args.tokens = m->tokens;
    }
    return LAUNCH(oriel_cuda_patch_embed, args);
}

oriel_status
oriel_cuda_embed(oriel_backend_context *c, oriel_error *err)
{
    oriel_status status = oriel_cuda_begin_step(c, ORIEL_STEP_EMBED, 0, err);

    if (!status)
        status = embed_patches(c, err);
    if (!status) /* pixel_values were read; frames, before */
        status = oriel_cuda_staging_release(&c->staging, c->stream, err);
    return oriel_cuda_end_step(c, status, err);
}

/* ---- Blocks -------------------------------------------------------------- */

/* Of a size class: where the batch's count of 'member' is. */
static oriel_counted
counted(const oriel_backend_context *c, size_t member)
{
    const char *counts = (const char *)c->space.metadata.batch_counts;
    oriel_counted by = {0};

    if (counts) {
        by.count = (const int32_t *)(counts + member);
        by.multiprocessors = c->products.hopper.blocks;
        /* A caller's graph has plain edges, which he may ask for. */
        by.overlaps = c->products.hopper.overlaps && !c->capturing;
    }
    return by;
}

#define COUNTED(c, member) counted(c, offsetof(oriel_batch_counts, member))

oriel_status
oriel_cuda_normalise(oriel_backend_context *c, oriel_layer norm, int32_t block,
                     oriel_error *err)
{
    oriel_rms_norm_args args = {
        .x = c->space.residual,
        .weight = oriel_cuda_get_layer(c->weights, norm, block)->weight,
        .out = c->space.normalised,
        .rows = c->rows,
        .columns = c->weights->shapes.hidden,
        .lo = c->space.lo,
    };

    if (oriel_layer_in_block(norm)) {
        args.rows = c->space.metadata.rows;
        args.counted = COUNTED(c, rows);
    }

    return LAUNCH(oriel_cuda_rms_norm, args);
}

oriel_linear_args
oriel_cuda_make_linear(const oriel_backend_context *c, oriel_layer layer,
                       int32_t block, const uint16_t *x, uint16_t *out)
{
    const oriel_cuda_layer *of = oriel_cuda_get_layer(c->weights, layer, block);
    oriel_tensor_shape shape = oriel_cuda_layer_shape(c->weights, layer);
    oriel_linear_args args = {
        .x = x,
        .weight = of->weight,
        .bias = of->bias,
        .out = out,
        .rows = c->rows,
        .columns = (int32_t)shape.rows,
        .depth = (int32_t)shape.columns,
        .lo = oriel_layer_adds(layer) ? c->space.lo : NULL,
    };

    if (oriel_layer_in_block(layer)) {
        args.rows = c->space.metadata.rows;
        args.counted = COUNTED(c, rows);
    }

    return args;
}

static oriel_status
multiply(oriel_backend_context *c, oriel_cuda_product which, int32_t block,
         const oriel_linear_args *args, oriel_error *err)
{
    return LAUNCH_BY(oriel_cuda_run_product(&c->products, which, block, args,
                                            c->stream, err),
                     oriel_cuda_product_kernel(&c->products, which));
}

static bool
attends_frames(const oriel_backend_context *c, int32_t block)
{
    return oriel_network_is_full_attention(&c->weights->network, block);
}

/* The window kernel turns q and k while it loads them; the other does not. */
static bool
needs_rope(const oriel_backend_context *c, int32_t block)
{
    return attends_frames(c, block) || !c->weights->shapes.windows_fit;
}

oriel_status
oriel_cuda_attn_in(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    const oriel_cuda_shapes *s = &c->weights->shapes;
    oriel_linear_args qkv = oriel_cuda_make_linear(
        c, ORIEL_LAYER_QKV, block, c->space.normalised, c->space.qkv);
    oriel_rope_args rope = {
        .qkv = c->space.qkv,
        .rope = c->space.metadata.rope,
        .positions = c->space.metadata.positions,
        .rows = c->space.metadata.rows,
        .heads = s->heads,
        .head_dim = s->head_dim,
        .counted = COUNTED(c, rows),
    };
    oriel_status status =
        oriel_cuda_normalise(c, ORIEL_LAYER_NORM1, block, err);

    if (!status)
        status = multiply(c, ORIEL_PRODUCT_QKV, block, &qkv, err);
    if (!status && needs_rope(c, block))
        status = LAUNCH(oriel_cuda_rope, rope);
    return status;
}

static oriel_status
attend_windows(oriel_backend_context *c, oriel_error *err)
{
    const oriel_cuda_shapes *s = &c->weights->shapes;
    const oriel_cuda_metadata *m = &c->space.metadata;
    oriel_window_attention_args args = {
        .qkv = c->space.qkv,
        .out = c->space.attended,
        .cu_window = m->cu_window,
        .packs = m->packs,
        .rope = m->rope,
        .positions = m->positions,
        .n_packs = m->n_packs,
        .heads = s->heads,
        .head_dim = s->head_dim,
        .scale_log2 = c->scale_log2,
        .counted = COUNTED(c, n_packs),
    };

    return LAUNCH(oriel_cuda_window_attention, args);
}

static oriel_status
attend_by_cudnn(oriel_backend_context *c, oriel_error *err)
{
    return LAUNCH_BY(oriel_cuda_attention_run(&c->attention, c->cudnn_plan,
                                              &c->space, c->stream, err),
                     "cudnnBackendExecute");
}

oriel_status
oriel_cuda_attend(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    const oriel_cuda_shapes *s = &c->weights->shapes;
    const oriel_cuda_metadata *m = &c->space.metadata;
    bool frames = attends_frames(c, block);
    oriel_full_attention_args args = {
        .qkv = c->space.qkv,
        .out = c->space.attended,
        .tiles = frames ? m->frame_tiles : m->window_tiles,
        .n_tiles = frames ? m->n_frame_tiles : m->n_window_tiles,
        .heads = s->heads,
        .head_dim = s->head_dim,
        .scale_log2 = c->scale_log2,
        .counted = COUNTED(c, n_frame_tiles),
    };

    if (!frames && s->windows_fit)
        return attend_windows(c, err);
    if (frames && c->attention.of_cudnn)
        return attend_by_cudnn(c, err);
    if (oriel_cuda_hopper_is_on(&c->products.hopper) &&
        oriel_cuda_hopper_attends(s->head_dim))
        return LAUNCH_BY(oriel_cuda_hopper_attend(&c->products.hopper, &args,
                                                  m->rows, c->stream, err),
                         "hopper_full_attention");
    return LAUNCH(oriel_cuda_full_attention, args);
}

oriel_status
oriel_cuda_attn_out(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    oriel_linear_args args = oriel_cuda_make_linear(
        c, ORIEL_LAYER_PROJ, block, c->space.attended, c->space.residual);

    return multiply(c, ORIEL_PRODUCT_PROJ, block, &args, err);
}

/* The library's product does not multiply: that is a pass of its own. */
static oriel_status
gate_up_apart(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    oriel_linear_args gate_up = oriel_cuda_make_linear(
        c, ORIEL_LAYER_GATE_UP, block, c->space.normalised, c->space.gate_up);
    oriel_swiglu_args args = {
        .gate_up = c->space.gate_up,
        .out = c->space.inner,
        .rows = gate_up.rows,
        .columns = c->weights->shapes.intermediate,
    };
    oriel_status status =
        multiply(c, ORIEL_PRODUCT_GATE_UP, block, &gate_up, err);

    return status ? status : LAUNCH(oriel_cuda_swiglu, args);
}

oriel_status
oriel_cuda_mlp_in(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    const oriel_cuda_layer *gate_up =
        oriel_cuda_get_layer(c->weights, ORIEL_LAYER_GATE_UP, block);
    oriel_linear_swiglu_args args = {
        .x = c->space.normalised,
        .weight = gate_up->weight,
        .bias = gate_up->bias,
        .out = c->space.inner,
        .rows = c->space.metadata.rows,
        .columns = c->weights->shapes.intermediate,
        .depth = c->weights->shapes.hidden,
        .counted = COUNTED(c, rows),
    };
    oriel_status status =
        oriel_cuda_normalise(c, ORIEL_LAYER_NORM2, block, err);

    if (!status && oriel_cuda_is_library(&c->products, ORIEL_PRODUCT_GATE_UP))
        return gate_up_apart(c, block, err);
    if (!status && oriel_cuda_hopper_is_on(&c->products.hopper))
        return LAUNCH_BY(oriel_cuda_hopper_run_swiglu(
                             &c->products.hopper, block, &args, c->stream, err),
                         "hopper_linear_swiglu");
    return status ? status : LAUNCH(oriel_cuda_linear_swiglu, args);
}

oriel_status
oriel_cuda_mlp_out(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    oriel_linear_args args = oriel_cuda_make_linear(
        c, ORIEL_LAYER_DOWN, block, c->space.inner, c->space.residual);

    return multiply(c, ORIEL_PRODUCT_DOWN, block, &args, err);
}
