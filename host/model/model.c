/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - oriel_model: a checkpoint, shared and counted */
#include "model/model.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/process.h"
#include "model/published.h"
#include "model/read.h"
#include "model/state.h"

#include <math.h>
#include <string.h>

/* Hooks of presets: none. */
static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

/* ---- Opening ---------------------------------------------------------- */

static oriel_status
load_options(oriel_model_options *options, oriel_hooks *hooks,
             const oriel_model_options *from, oriel_error *err)
{
    oriel_status status = oriel_options_load(options, sizeof(*options),
                                             sizeof(oriel_model_options), from,
                                             "oriel_model_options", err);

    if (!status)
        status = oriel_reserved_check(options->reserved,
                                      "oriel_model_options.reserved", err);
    return status ? status : oriel_hooks_load(hooks, options->hooks, err);
}

static oriel_status
check_config(const oriel_model_options *options, oriel_error *err)
{
    if (options->config_path && options->config_preset)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_options: config_path and config_preset "
                          "are set, expected one of them");
    if (options->config_preset && !oriel_model_preset(options->config_preset))
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_options.config_preset: \"%s\": expected "
                          "one of" ORIEL_PUBLISHED_NAMES,
                          ORIEL_QUOTE(options->config_preset));
    return ORIEL_OK;
}

/* Takes the checkpoint over, also when it fails. */
static oriel_status
wrap(oriel_model **out, oriel_checkpoint *checkpoint, const oriel_hooks *hooks,
     oriel_error *err)
{
    oriel_model *model = oriel_calloc(hooks, 1, sizeof(*model));

    if (!model) {
        oriel_checkpoint_close(checkpoint);
        return oriel_fail_memory(err, sizeof(*model), "a model");
    }
    model->network = checkpoint->network;
    model->weight_dtype = checkpoint->weight_dtype;
    model->n_tensors = checkpoint->n_tensors;
    model->weight_bytes = checkpoint->weight_bytes;
    model->checkpoint = checkpoint;
    model->process = oriel_process_id();
    model->hooks = *hooks;
    atomic_init(&model->references, 1);
    pthread_mutex_init(&model->shared.lock, NULL);
    pthread_mutex_init(&model->digest_lock, NULL);
    *out = model;
    return oriel_ok(err);
}

oriel_status
oriel_model_open(oriel_model **out, const char *path,
                 const oriel_model_options *options, oriel_error *err)
{
    oriel_model_options opt;
    oriel_hooks hooks;
    oriel_checkpoint *checkpoint;
    oriel_status status;

    if (!out || !path) {
        if (out)
            *out = NULL;
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_open: %s is NULL", out ? "path" : "out");
    }
    *out = NULL;
    status = load_options(&opt, &hooks, options, err);
    if (!status)
        status = check_config(&opt, err);
    if (!status) {
        const oriel_checkpoint_options chosen = {opt.config_path,
                                                 opt.config_preset, opt.prefix};

        status = oriel_checkpoint_open(&checkpoint, path, &chosen, &hooks, err);
    }
    return status ? status : wrap(out, checkpoint, &hooks, err);
}

oriel_status
oriel_model_open_memory(oriel_model **out, const char *config_json,
                        size_t config_bytes, const void *weights,
                        size_t weights_bytes,
                        const oriel_model_options *options, oriel_error *err)
{
    oriel_model_options opt;
    oriel_hooks hooks;
    oriel_checkpoint *checkpoint;
    oriel_status status;

    if (out)
        *out = NULL;
    if (!out || !config_json || !weights)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_open_memory: %s is NULL",
                          !out           ? "out"
                          : !config_json ? "config_json"
                                         : "weights");
    status = load_options(&opt, &hooks, options, err);
    if (!status && (opt.config_path || opt.config_preset))
        status = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                            "oriel_model_open_memory: %s is set, expected "
                            "config_json alone",
                            opt.config_path ? "config_path" : "config_preset");
    if (!status)
        status = oriel_checkpoint_open_memory(
            &checkpoint, config_json, config_bytes, weights, weights_bytes,
            opt.prefix, &hooks, err);
    return status ? status : wrap(out, checkpoint, &hooks, err);
}

/* ---- Asking ----------------------------------------------------------- */

oriel_status
oriel_model_get_info(const oriel_model *model, oriel_model_info *info,
                     oriel_error *err)
{
    oriel_model_info full = ORIEL_MODEL_INFO_INIT;
    oriel_status status;

    if (!model || !info)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_get_info: %s is NULL",
                          model ? "info" : "model");
    const oriel_network *net = &model->network;

    full.tower = net->tower;
    full.has_weights = oriel_model_has_weights(model);
    full.depth = net->depth;
    full.hidden_size = net->hidden_size;
    full.intermediate_size = net->intermediate_size;
    full.num_heads = net->num_heads;
    full.head_dim = net->head_dim;
    full.out_hidden_size = net->out_hidden_size;
    full.in_channels = net->in_channels;
    full.patch_size = net->patch_size;
    full.temporal_patch_size = net->temporal_patch_size;
    full.spatial_merge_size = net->spatial_merge_size;
    full.window_size = net->window_size;
    full.n_full_attention_blocks = net->n_full_attention_blocks;
    full.full_attention_blocks = net->full_attention_blocks;
    /* Pictures and frames have whole pixels: these limits refuse the same. */
    full.min_pixels = (int64_t)ceil(net->min_pixels);
    full.max_pixels = (int64_t)floor(net->max_pixels);
    full.video_min_pixels = (int64_t)ceil(net->video_min_pixels);
    full.video_max_pixels = (int64_t)floor(net->video_max_pixels);
    for (int c = 0; c < 3; c++) {
        full.image_mean[c] = (float)net->image_mean[c];
        full.image_std[c] = (float)net->image_std[c];
    }
    full.weight_dtype = model->weight_dtype;
    full.n_tensors = model->n_tensors;
    full.weight_bytes = model->weight_bytes;
    status = oriel_info_store(info, &full, sizeof(full), sizeof(full),
                              "oriel_model_info", err);
    return status ? status : oriel_ok(err);
}

oriel_status
oriel_model_digest(const oriel_model *model, char digest[33], oriel_error *err)
{
    /* The digest is remembered; to its readers the model does not change. */
    oriel_model *m = (oriel_model *)model;
    oriel_status status;

    if (!model || !digest)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_digest: %s is NULL",
                          model ? "digest" : "model");
    if (!model->checkpoint)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_model_digest: a preset has no weights");
    status = oriel_model_check_process(model, err);
    if (status)
        return status;
    pthread_mutex_lock(&m->digest_lock);
    if (!m->digest[0])
        status = oriel_checkpoint_digest(model->checkpoint, m->digest, err);
    if (!status)
        memcpy(digest, m->digest, sizeof(m->digest));
    pthread_mutex_unlock(&m->digest_lock);
    return status ? status : oriel_ok(err);
}

/* ---- For the rest of the library -------------------------------------- */

const oriel_network *
oriel_model_network(const oriel_model *model)
{
    return &model->network;
}

int32_t
oriel_model_has_weights(const oriel_model *model)
{
    return model && model->checkpoint;
}

oriel_status
oriel_model_check_process(const oriel_model *model, oriel_error *err)
{
    return oriel_process_check(model->process, "the model", err);
}

static oriel_status
read_weights(const void *model, oriel_tensor tensor, int32_t block,
             int64_t first_row, int64_t rows, int32_t dtype, void *out,
             oriel_error *err)
{
    return oriel_checkpoint_read(((const oriel_model *)model)->checkpoint,
                                 tensor, block, first_row, rows, dtype, out,
                                 err);
}

oriel_weight_reader
oriel_model_reader(const oriel_model *model)
{
    oriel_weight_reader reader = {model, read_weights};

    return reader;
}

const oriel_hooks *
oriel_model_hooks(const oriel_model *model)
{
    return oriel_model_has_weights(model) ? &model->hooks : &no_hooks;
}

oriel_model_shared *
oriel_model_get_shared(const oriel_model *model)
{
    return oriel_model_has_weights(model) ? &((oriel_model *)model)->shared
                                          : NULL;
}

/* ---- Counting --------------------------------------------------------- */

void
oriel_model_retain(const oriel_model *model)
{
    if (oriel_model_has_weights(model))
        atomic_fetch_add_explicit(&((oriel_model *)model)->references, 1,
                                  memory_order_relaxed);
}

void
oriel_model_release(const oriel_model *model)
{
    oriel_model *m = (oriel_model *)model;

    if (!oriel_model_has_weights(model) ||
        atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1)
        return;
    const oriel_hooks hooks = m->hooks;

    pthread_mutex_destroy(&m->shared.lock);
    pthread_mutex_destroy(&m->digest_lock);
    oriel_checkpoint_close(m->checkpoint);
    oriel_free(&hooks, m);
}

void
oriel_model_destroy(oriel_model *model)
{
    oriel_model_release(model);
}
