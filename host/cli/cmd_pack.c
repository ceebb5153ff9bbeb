/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pack.c - oriel pack: the vision tower alone, in one file */
#include "base/fail.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/hub.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "files/json_text.h"
#include "files/safetensors_writer.h"
#include "model/checkpoint.h"
#include "model/tower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 8 << 20, NAME_BYTES = 64, N_TEXTS = 3 };

typedef struct pack_job {
    const cli_options *options;
    oriel_checkpoint *checkpoint;
    oriel_writer_tensor *tensors; /* as they will lie in the file */
    const oriel_stored_tensor **sources;
    char (*names)[NAME_BYTES];
    size_t n_tensors;
    char *texts[N_TEXTS]; /* by oriel_tower_entry */
    oriel_writer *writer;
    uint64_t written;
} pack_job;

/* ---- The configuration ------------------------------------------------- */

static json_t *
config_json(const oriel_network *net)
{
    return json_pack(
        "{s:s, s:{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, "
        "s:f, s:o}}",
        "model_type", "qwen2_5_vl", "vision_config", "model_type", "qwen2_5_vl",
        "hidden_act", "silu", "depth", net->depth, "hidden_size",
        net->hidden_size, "intermediate_size", net->intermediate_size,
        "num_heads", net->num_heads, "out_hidden_size", net->out_hidden_size,
        "in_channels", net->in_channels, "patch_size", net->patch_size,
        "temporal_patch_size", net->temporal_patch_size, "spatial_merge_size",
        net->spatial_merge_size, "window_size", net->window_size, "rope_theta",
        net->rope_theta, "fullatt_block_indexes",
        oriel_json_integers(net->full_attention_blocks,
                            net->n_full_attention_blocks));
}

static json_t *
preprocessor_json(const oriel_network *net)
{
    const double *mean = net->image_mean;
    const double *std = net->image_std;

    return json_pack(
        "{s:f, s:f, s:i, s:i, s:i, s:b, s:f, s:b, s:[f,f,f], s:[f,f,f]}",
        "min_pixels", net->min_pixels, "max_pixels", net->max_pixels,
        "patch_size", net->patch_size, "temporal_patch_size",
        net->temporal_patch_size, "merge_size", net->spatial_merge_size,
        "do_rescale", net->do_rescale, "rescale_factor", net->rescale_factor,
        "do_normalize", net->do_normalize, "image_mean", mean[0], mean[1],
        mean[2], "image_std", std[0], std[1], std[2]);
}

static json_t *
video_preprocessor_json(const oriel_network *net)
{
    /* Without the cap the number of tokens says nothing; 1 is a valid one. */
    return json_pack("{s:f, s:f, s:b, s:i}", "min_pixels",
                     net->video_min_pixels, "max_pixels", net->video_max_pixels,
                     "cap_pixels_per_frame", net->video_tokens != 0,
                     "max_video_tokens",
                     net->video_tokens ? net->video_tokens : 1);
}

static int
describe(pack_job *job)
{
    static json_t *(*const makers[N_TEXTS])(const oriel_network *) = {
        [ORIEL_TOWER_CONFIG] = config_json,
        [ORIEL_TOWER_PREPROCESSOR] = preprocessor_json,
        [ORIEL_TOWER_VIDEO_PREPROCESSOR] = video_preprocessor_json,
    };

    for (int i = 0; i < N_TEXTS; i++) {
        json_t *json = makers[i](&job->checkpoint->network);

        job->texts[i] =
            oriel_json_text(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
        json_decref(json);
        if (!job->texts[i])
            return cli_report_memory("the configuration");
    }
    return CLI_DONE;
}

/* ---- The tensors ------------------------------------------------------- */

/* "visual.blocks.0.attn.q.weight" of a third that is stored apart. */
static void
name_part(char *out, oriel_tensor tensor, int32_t block, int32_t part,
          int32_t n_parts)
{
    char *qkv;

    oriel_tensor_full_name(out, NAME_BYTES, ORIEL_TOWER_PREFIX, tensor, block);
    qkv = n_parts == 3 ? strstr(out, "qkv") : NULL;
    if (!qkv)
        return;
    *qkv = "qkv"[part];
    memmove(qkv + 1, qkv + 3, strlen(qkv + 3) + 1);
}

/* A tensor as it is stored: its own dtype, its own shape. */
static void
add_tensor(pack_job *job, const oriel_stored_tensor *source)
{
    oriel_writer_tensor *out = &job->tensors[job->n_tensors];

    out->name = job->names[job->n_tensors];
    out->dtype = source->dtype_name;
    out->rank = source->n_dims;
    memcpy(out->shape, source->shape,
           (size_t)source->n_dims * sizeof(*source->shape));
    job->sources[job->n_tensors++] = source;
}

static int
list_tensors(pack_job *job)
{
    const oriel_checkpoint *checkpoint = job->checkpoint;
    const int32_t depth = checkpoint->network.depth;
    const size_t n = (size_t)checkpoint->n_tensors;

    job->tensors = calloc(n, sizeof(*job->tensors));
    job->sources = calloc(n, sizeof(void *));
    job->names = calloc(n, sizeof(*job->names));
    if (!job->tensors || !job->sources || !job->names)
        return cli_report_memory("the list of tensors");
    for (int32_t i = 0; i < oriel_manifest_count(depth); i++) {
        const oriel_binding *binding = &checkpoint->bindings[i];
        oriel_tensor tensor;
        int32_t block;

        oriel_manifest_at(depth, i, &tensor, &block);
        for (int32_t part = 0; part < binding->n_parts; part++) {
            name_part(job->names[job->n_tensors], tensor, block, part,
                      binding->n_parts);
            add_tensor(job, binding->parts[part]);
        }
    }
    return CLI_DONE;
}

static oriel_status
copy_tensor(pack_job *job, const oriel_stored_tensor *source, char *chunk,
            oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (uint64_t at = 0; at < source->bytes && !status;) {
        const uint64_t left = source->bytes - at;
        const size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;

        if (cli_hooks.cancel(NULL))
            return oriel_fail(err, ORIEL_ERR_CANCELLED, "pack: cancelled");
        status = oriel_stored_read(source, at, chunk, n, err);
        if (!status)
            status =
                oriel_writer_write(job->writer, job->written, chunk, n, err);
        at += n;
        job->written += n;
        cli_progress_update((int64_t)(job->written >> 20));
    }
    return status;
}

static int
copy_tensors(pack_job *job)
{
    char *chunk = malloc(CHUNK_BYTES);
    oriel_status status = ORIEL_OK;
    oriel_error err;

    if (!chunk)
        return cli_report_memory("a tensor");
    for (size_t i = 0; i < job->n_tensors && !status; i++)
        status = copy_tensor(job, job->sources[i], chunk, &err);
    free(chunk);
    return status ? cli_report_failure(&err, NULL) : CLI_DONE;
}

/* ---- The file ---------------------------------------------------------- */

static int
write_file(pack_job *job)
{
    const char *path = job->options->output;
    oriel_writer_options how = {
        .replace = job->options->force,
        .data_bytes = job->checkpoint->weight_bytes,
        .hooks = &cli_output_hooks,
    };
    const oriel_writer_entry metadata[] = {
        {"format", ORIEL_TOWER_FORMAT},
        {"format_version", ORIEL_TOWER_FORMAT_VERSION},
        {"tool", "oriel " ORIEL_VERSION_STRING},
        {oriel_tower_key(ORIEL_TOWER_CONFIG), job->texts[ORIEL_TOWER_CONFIG]},
        {oriel_tower_key(ORIEL_TOWER_PREPROCESSOR),
         job->texts[ORIEL_TOWER_PREPROCESSOR]},
        {oriel_tower_key(ORIEL_TOWER_VIDEO_PREPROCESSOR),
         job->texts[ORIEL_TOWER_VIDEO_PREPROCESSOR]},
    };
    const oriel_writer_header header = {
        .tensors = job->tensors,
        .n_tensors = job->n_tensors,
        .metadata = metadata,
        .n_metadata = sizeof(metadata) / sizeof(*metadata),
    };
    oriel_error err;
    int failed;

    if (oriel_writer_header_bytes(&header, &how.header_bytes, &err) ||
        oriel_writer_create(&job->writer, path, &how, &err))
        return cli_output_report(&err, path);
    failed = copy_tensors(job);
    if (failed) {
        oriel_writer_abort(job->writer);
        return failed;
    }
    return oriel_writer_finish(job->writer, &header, &err)
               ? cli_output_report(&err, path)
               : CLI_DONE;
}

/* ---- The command ------------------------------------------------------- */

static int
open_checkpoint(pack_job *job, const char *path)
{
    oriel_model_options options = cli_settings_model_options(job->options);
    oriel_checkpoint_options same = {options.config_path, options.config_preset,
                                     options.prefix};
    cli_model_path where;
    oriel_error err;
    int failed = cli_hub_find(&where, path);

    if (!failed && oriel_checkpoint_open(&job->checkpoint, where.path, &same,
                                         &cli_model_hooks, &err))
        failed = cli_hub_report(&where, &err);
    cli_hub_free(&where);
    for (size_t i = 0; !failed && i < job->checkpoint->n_files; i++)
        failed = cli_output_check_not(
            job->options->output,
            oriel_file_name(oriel_safetensors_file(job->checkpoint->files[i])));
    return failed;
}

static void
report_done(const pack_job *job)
{
    cli_report_note("%s of weights in %zu tensors, %s: %s",
                    cli_text_bytes(job->written).text, job->n_tensors,
                    cli_text_seconds(cli_progress_seconds()).text,
                    ORIEL_QUOTE(job->options->output));
    if (cli_report_json())
        cli_report_event(json_pack(
            "{s:s, s:o, s:I, s:I, s:f, s:i}", "event", "done", "output",
            cli_text_name(job->options->output), "tensors",
            (json_int_t)job->n_tensors, "bytes", (json_int_t)job->written,
            "seconds", cli_progress_seconds(), "exit", CLI_DONE));
}

static int
pack(pack_job *job, const char *path)
{
    int failed = open_checkpoint(job, path);

    if (!failed)
        failed = describe(job);
    if (!failed)
        failed = list_tensors(job);
    if (!failed) {
        cli_progress_begin("MiB", job->checkpoint->weight_bytes >> 20);
        failed = write_file(job);
        cli_progress_end();
    }
    if (!failed)
        report_done(job);
    return failed;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    pack_job job = {.options = options};
    const char *missing[3] = {NULL};
    size_t n = 0;
    int failed;

    if (n_operands == 0)
        missing[n++] = "a checkpoint";
    if (!options->output)
        missing[n++] = "-o FILE";
    if (n > 0)
        return cli_flags_report_missing("pack", missing);
    if (n_operands > 1)
        return cli_report_error(CLI_USAGE, "pack needs one checkpoint");
    failed = cli_output_check_name("-o", options->output, "safetensors");
    if (!failed)
        failed = pack(&job, operands[0]);
    for (int i = 0; i < N_TEXTS; i++)
        free(job.texts[i]);
    free(job.tensors);
    free(job.sources);
    free(job.names);
    oriel_checkpoint_close(job.checkpoint);
    return failed;
}

const cli_command cli_cmd_pack = {
    .name = "pack",
    .usage = "DIR|FILE|ORG/NAME -o FILE",
    .summary = "the vision tower of a checkpoint alone, in one file",
    .text =
        "Copies the vision tower out of a checkpoint, 1.35 GB of 16, into one\n"
        "safetensors file whose metadata holds the configuration and the "
        "limits. The\n"
        "file is given to --model as it is, without a config.json beside it, "
        "and has\n"
        "the digest and the embeddings of the checkpoint. Each tensor keeps "
        "its dtype.\n",
    .examples = "What a worker needs of the 7B model.\n"
                "oriel pack Qwen2.5-VL-7B-Instruct -o tower.safetensors\n"
                "Encode with it.\n"
                "oriel encode *.jpg --model tower.safetensors -o "
                "embeddings.safetensors\n",
    .flag = CLI_PACK,
    .run = run,
};
