/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c - which stored tensor is which, and whether its shape is right */
#include "model/bind.h"

#include "base/fail.h"
#include "model/prefix.h"
#include "model/quantised.h"
#include "model/tensor_place.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct binder {
    oriel_checkpoint *checkpoint;
    const oriel_config *config;
    const char *config_name;
    oriel_error *err;
} binder;

/* ---- Every vision tensor in turn -------------------------------------- */

typedef oriel_status visit(binder *b, const oriel_stored_tensor *tensor,
                           const oriel_tensor_place *at);

/* Call 'with' for each tensor of the network that is stored under 'prefix',
   blocks beyond the depth left out. */
static oriel_status
for_each(binder *b, const char *prefix, visit *with)
{
    for (size_t i = 0; i < b->checkpoint->n_files; i++) {
        size_t n;
        const oriel_stored_tensor *tensors =
            oriel_safetensors_tensors(b->checkpoint->files[i], &n);

        for (size_t k = 0; k < n; k++) {
            const char *rest = oriel_prefix_strip(prefix, tensors[k].name);
            oriel_tensor_place at;
            oriel_status status = ORIEL_OK;

            if (rest && oriel_tensor_place_parse(rest, &at))
                status = with(b, &tensors[k], &at);
            if (status)
                return status;
        }
    }
    return ORIEL_OK;
}

/* The same for both names of a tower that has two, the better one first. */
static oriel_status
for_both(binder *b, visit *with)
{
    const oriel_checkpoint *checkpoint = b->checkpoint;
    const oriel_prefix_pair pair = oriel_prefix_names(checkpoint->prefix);
    oriel_status status;

    if (checkpoint->wanted_prefix || !pair.first)
        return for_each(b, checkpoint->prefix, with);
    status = for_each(b, pair.first, with);
    return status ? status : for_each(b, pair.second, with);
}

__attribute__((format(printf, 4, 5))) static oriel_status
fail_tensor(const binder *b, oriel_status status,
            const oriel_stored_tensor *tensor, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return oriel_fail(b->err, status, "%s: tensor %s: %s",
                      ORIEL_QUOTE(oriel_file_name(tensor->file)),
                      ORIEL_QUOTE(tensor->name), what);
}

static bool
is_float(const oriel_stored_tensor *tensor)
{
    return tensor->dtype == ORIEL_STORED_F32 ||
           tensor->dtype == ORIEL_STORED_F16 ||
           tensor->dtype == ORIEL_STORED_BF16;
}

static int32_t
dtype_of(const oriel_stored_tensor *tensor)
{
    return tensor->dtype == ORIEL_STORED_F32   ? ORIEL_DTYPE_F32
           : tensor->dtype == ORIEL_STORED_F16 ? ORIEL_DTYPE_F16
                                               : ORIEL_DTYPE_BF16;
}

static oriel_status
count_block(binder *b, const oriel_stored_tensor *tensor,
            const oriel_tensor_place *at)
{
    (void)tensor;
    if (at->block >= b->checkpoint->n_stored_blocks)
        b->checkpoint->n_stored_blocks = at->block + 1;
    return ORIEL_OK;
}

/* The sums that get_info tells. */
static void
count_tensor(oriel_checkpoint *checkpoint, const oriel_stored_tensor *tensor)
{
    checkpoint->n_tensors++;
    checkpoint->weight_bytes += tensor->bytes;
    if (checkpoint->weight_dtype == 0)
        checkpoint->weight_dtype = dtype_of(tensor);
    else if (checkpoint->weight_dtype != dtype_of(tensor))
        checkpoint->weight_dtype = ORIEL_DTYPE_F32;
}

/* A place that the better name of the tower has filled, wholly or in part. */
static bool
is_taken(const oriel_checkpoint *checkpoint, const oriel_binding *binding,
         const oriel_stored_tensor *tensor)
{
    const oriel_prefix_pair pair = oriel_prefix_names(checkpoint->prefix);

    if (checkpoint->wanted_prefix || !pair.first ||
        oriel_prefix_strip(pair.first, tensor->name))
        return false;
    for (int i = 0; i < 3; i++)
        if (binding->parts[i] &&
            oriel_prefix_strip(pair.first, binding->parts[i]->name))
            return true;
    return false;
}

static oriel_status
place_tensor(binder *b, const oriel_stored_tensor *tensor,
             const oriel_tensor_place *at)
{
    const int32_t depth = b->checkpoint->network.depth;
    const int32_t n_parts = at->part < 0 ? 1 : 3;
    const int32_t slot = at->part < 0 ? 0 : at->part;
    oriel_binding *binding;

    if (at->block >= depth)
        return ORIEL_OK;
    binding =
        &b->checkpoint
             ->bindings[oriel_manifest_position(depth, at->tensor, at->block)];
    if (is_taken(b->checkpoint, binding, tensor))
        return ORIEL_OK;
    if (!is_float(tensor))
        return oriel_quantised_refuse(b->checkpoint, tensor, b->err);
    if (binding->n_parts != 0 && binding->n_parts != n_parts)
        return fail_tensor(b, ORIEL_ERR_MODEL, tensor,
                           "expected q, k, v either as one or apart, found "
                           "both");
    if (binding->parts[slot])
        return fail_tensor(
            b, ORIEL_ERR_MODEL, tensor, "expected once, found in %s too",
            ORIEL_QUOTE(oriel_file_name(binding->parts[slot]->file)));
    binding->n_parts = n_parts;
    binding->parts[slot] = tensor;
    count_tensor(b->checkpoint, tensor);
    return ORIEL_OK;
}

/* ---- Configuration against shapes ------------------------------------- */

static oriel_status
fail_missing(const binder *b, oriel_tensor tensor, int32_t block)
{
    const oriel_stored_tensor *quantised;
    char name[256];

    oriel_tensor_full_name(name, sizeof(name), b->checkpoint->prefix, tensor,
                           block);
    quantised = oriel_quantised_find(b->checkpoint, name);
    if (quantised)
        return oriel_quantised_refuse(b->checkpoint, quantised, b->err);
    b->checkpoint->incomplete = true;
    return oriel_fail(b->err, ORIEL_ERR_MODEL,
                      "%s: tensor %s: missing, expected as vision_config.depth "
                      "is %d",
                      ORIEL_QUOTE(b->checkpoint->name), ORIEL_QUOTE(name),
                      b->checkpoint->network.depth);
}

/* A configured number against what a tensor's shape tells. */
static oriel_status
agree(const binder *b, const char *field, int64_t configured, int64_t derived,
      const oriel_stored_tensor *tensor)
{
    char shape[ORIEL_SHAPE_TEXT];

    if (configured == derived)
        return ORIEL_OK;
    oriel_shape_text(shape, tensor->shape, tensor->n_dims);
    return oriel_fail(b->err, ORIEL_ERR_MODEL,
                      "%s: vision_config.%s is %" PRId64
                      ", but tensor %s has shape %s",
                      ORIEL_QUOTE(b->config_name), field, configured,
                      ORIEL_QUOTE(tensor->name), shape);
}

/* More blocks than the configuration wants are no error: the reference does not
   load them. */
static oriel_status
check_depth(const binder *b)
{
    const int32_t seen = b->checkpoint->n_stored_blocks;

    if (seen >= b->config->depth)
        return ORIEL_OK;
    b->checkpoint->incomplete = true;
    return oriel_fail(b->err, ORIEL_ERR_MODEL,
                      "%s: vision_config.depth is %d%s, but the tensors of %s "
                      "end with block %d",
                      ORIEL_QUOTE(b->config_name), b->config->depth,
                      b->config->depth_given ? "" : " (absent)",
                      ORIEL_QUOTE(b->checkpoint->name), seen - 1);
}

/* The rows of a matrix that decide a width, 'field' of the configuration. */
static oriel_status
width_from(const binder *b, oriel_tensor tensor, const char *field,
           int32_t configured, int32_t *out)
{
    const oriel_stored_tensor *stored =
        oriel_checkpoint_find(b->checkpoint, tensor, 0)->parts[0];
    const int64_t columns =
        oriel_tensor_get_shape(&b->checkpoint->network, tensor).columns;
    char shape[ORIEL_SHAPE_TEXT];
    int64_t rows;

    if (!stored)
        return fail_missing(b, tensor, 0);
    oriel_shape_text(shape, stored->shape, stored->n_dims);
    if (stored->n_dims != 2 || stored->shape[0] < 1 ||
        stored->shape[0] > ORIEL_CONFIG_MAX_WIDTH)
        return fail_tensor(b, ORIEL_ERR_MODEL, stored,
                           "shape %s, expected [%s, %" PRId64 "]", shape, field,
                           columns);
    rows = stored->shape[0];
    *out = (int32_t)rows;
    return agree(b, field, configured ? configured : rows, rows, stored);
}

/* [H, 3, T, P, P], or channels last as MLX keeps it: [H, T, P, P, 3]. */
static oriel_status
bind_patch_embed(binder *b)
{
    oriel_network *net = &b->checkpoint->network;
    oriel_binding *binding = &b->checkpoint->bindings[oriel_manifest_position(
        net->depth, ORIEL_TENSOR_PATCH_EMBED, 0)];
    const oriel_stored_tensor *stored = binding->parts[0];
    const int64_t ch = net->in_channels;
    const int64_t t = net->temporal_patch_size;
    const int64_t p = net->patch_size;
    const int64_t *s = stored->shape;
    char shape[ORIEL_SHAPE_TEXT];
    oriel_status status;

    oriel_shape_text(shape, stored->shape, stored->n_dims);
    if (stored->n_dims != 5 || s[0] < 4 || s[0] > ORIEL_CONFIG_MAX_WIDTH)
        return fail_tensor(b, ORIEL_ERR_MODEL, stored,
                           "shape %s, expected [hidden, %d, %d, %d, %d]", shape,
                           (int)ch, (int)t, (int)p, (int)p);
    status = agree(b, "hidden_size",
                   b->config->hidden_size ? b->config->hidden_size : s[0], s[0],
                   stored);
    if (status)
        return status;
    net->hidden_size = (int32_t)s[0];
    if (s[1] == ch && s[2] == t && s[3] == p && s[4] == p)
        return ORIEL_OK;
    if (s[1] == t && s[2] == p && s[3] == p && s[4] == ch) {
        binding->channels_last = 1;
        return ORIEL_OK;
    }
    return oriel_fail(b->err, ORIEL_ERR_MODEL,
                      "%s: in_channels %d, temporal_patch_size %d, patch_size "
                      "%d contradict tensor %s, which has shape %s",
                      ORIEL_QUOTE(b->config_name), (int)ch, (int)t, (int)p,
                      ORIEL_QUOTE(stored->name), shape);
}

static oriel_status
check_heads(const binder *b)
{
    oriel_network *net = &b->checkpoint->network;

    if (net->hidden_size % net->num_heads != 0)
        return oriel_fail(b->err, ORIEL_ERR_MODEL,
                          "%s: vision_config.num_heads %d: expected a divisor "
                          "of hidden_size %d",
                          ORIEL_QUOTE(b->config_name), net->num_heads,
                          net->hidden_size);
    net->head_dim = net->hidden_size / net->num_heads;
    if (net->head_dim % 4 != 0)
        return oriel_fail(b->err, ORIEL_ERR_MODEL,
                          "%s: hidden_size %d / num_heads %d: expected a "
                          "multiple of 4, since rope turns pairs on two axes",
                          ORIEL_QUOTE(b->config_name), net->hidden_size,
                          net->num_heads);
    return ORIEL_OK;
}

static oriel_status
settle_network(binder *b)
{
    oriel_network *net = &b->checkpoint->network;
    const oriel_config *config = b->config;
    oriel_status status;

    net->tower = ORIEL_TOWER_QWEN2_5_VL;
    net->in_channels = config->in_channels;
    net->patch_size = config->patch_size;
    net->temporal_patch_size = config->temporal_patch_size;
    net->spatial_merge_size = config->spatial_merge_size;
    net->window_size = config->window_size;
    net->num_heads = config->num_heads;
    net->rope_theta = config->rope_theta;
    net->n_full_attention_blocks = config->n_full_attention_blocks;
    net->full_attention_blocks = b->checkpoint->full_attention_blocks;

    status = bind_patch_embed(b);
    if (!status)
        status = check_heads(b);
    if (!status)
        status = width_from(b, ORIEL_TENSOR_GATE_WEIGHT, "intermediate_size",
                            config->intermediate_size, &net->intermediate_size);
    if (!status)
        status =
            width_from(b, ORIEL_TENSOR_MERGER_FC2_WEIGHT, "out_hidden_size",
                       config->out_hidden_size, &net->out_hidden_size);
    return status;
}

/* ---- All shapes ------------------------------------------------------- */

static oriel_status
check_shape(const binder *b, const oriel_stored_tensor *stored,
            oriel_tensor_shape want, int32_t n_dims)
{
    char found[ORIEL_SHAPE_TEXT];
    char expected[ORIEL_SHAPE_TEXT];
    const int64_t dims[2] = {want.rows, want.columns};

    if (stored->n_dims == n_dims && stored->shape[0] == dims[0] &&
        (n_dims == 1 || stored->shape[1] == dims[1]))
        return ORIEL_OK;
    oriel_shape_text(found, stored->shape, stored->n_dims);
    oriel_shape_text(expected, dims, n_dims);
    return fail_tensor(b, ORIEL_ERR_MODEL, stored, "shape %s, expected %s",
                       found, expected);
}

static oriel_status
check_shapes(const binder *b)
{
    const oriel_network *net = &b->checkpoint->network;
    const int32_t count = oriel_manifest_count(net->depth);

    for (int32_t i = 0; i < count; i++) {
        const oriel_binding *binding = &b->checkpoint->bindings[i];
        oriel_tensor tensor;
        int32_t block;
        oriel_tensor_shape want;

        oriel_manifest_at(net->depth, i, &tensor, &block);
        want = oriel_tensor_get_shape(net, tensor);
        if (binding->n_parts == 0)
            return fail_missing(b, tensor, block);
        want.rows /= binding->n_parts;
        for (int32_t part = 0; part < binding->n_parts; part++) {
            oriel_status status = ORIEL_OK;

            if (!binding->parts[part])
                return fail_missing(b, tensor, block);
            if (tensor != ORIEL_TENSOR_PATCH_EMBED)
                status = check_shape(b, binding->parts[part], want,
                                     oriel_tensor_is_vector(tensor) ? 1 : 2);
            if (status)
                return status;
        }
    }
    return ORIEL_OK;
}

/* As if nothing had been bound yet. */
static void
reset(oriel_checkpoint *checkpoint)
{
    oriel_free(&checkpoint->hooks, checkpoint->bindings);
    checkpoint->bindings = NULL;
    checkpoint->incomplete = false;
    checkpoint->n_stored_blocks = 0;
    checkpoint->n_tensors = 0;
    checkpoint->weight_dtype = 0;
    checkpoint->weight_bytes = 0;
}

oriel_status
oriel_checkpoint_bind(oriel_checkpoint *checkpoint, const oriel_config *config,
                      const char *config_name, oriel_error *err)
{
    binder b = {checkpoint, config, config_name, err};
    const size_t count = (size_t)oriel_manifest_count(config->depth);
    oriel_status status;

    reset(checkpoint);
    checkpoint->network.depth = config->depth;
    for_both(&b, count_block); /* which refuses nothing */
    status = check_depth(&b);
    if (status)
        return status;
    checkpoint->bindings =
        oriel_calloc(&checkpoint->hooks, count, sizeof(*checkpoint->bindings));
    if (!checkpoint->bindings)
        return oriel_fail_memory(err, count * sizeof(*checkpoint->bindings),
                                 "a table of weights");
    status = for_both(&b, place_tensor);
    if (!status)
        status = settle_network(&b);
    return status ? status : check_shapes(&b);
}
