/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_inspect.c - oriel inspect: what a checkpoint or safetensors file holds */
#include "base/fail.h"
#include "base/retry.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/hub.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "files/json_text.h"
#include "model/checkpoint.h"
#include "model/locate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct inspection {
    const cli_options *options;
    cli_model_path where;
    oriel_checkpoint *checkpoint; /* of a model */
    oriel_model *model;
    oriel_safetensors *plain; /* of another safetensors file */
    oriel_model_info info;
    char digest[33];
} inspection;

/* ---- Tables for both forms ---------------------------------------------- */

static const char *
stored_name(int32_t dtype)
{
    return dtype == ORIEL_DTYPE_BF16  ? "BF16"
           : dtype == ORIEL_DTYPE_F16 ? "F16"
                                      : "F32";
}

static size_t
n_files(const inspection *in)
{
    return in->checkpoint ? in->checkpoint->n_files : 1;
}

static const oriel_safetensors *
file_at(const inspection *in, size_t i)
{
    return in->checkpoint ? in->checkpoint->files[i] : in->plain;
}

/* ---- JSON ---------------------------------------------------------------- */

static json_t *
tensor_json(const oriel_stored_tensor *t)
{
    json_t *shape = json_array();

    for (int32_t d = 0; d < t->n_dims; d++)
        shape = oriel_json_append(shape, json_integer(t->shape[d]));
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "name",
                     cli_text_name(t->name), "dtype",
                     cli_text_name(t->dtype_name), "shape", shape, "offset",
                     (json_int_t)t->offset, "bytes", (json_int_t)t->bytes);
}

static json_t *
file_json(const oriel_safetensors *file)
{
    size_t n_tensors, n_pairs;
    const oriel_stored_tensor *t = oriel_safetensors_tensors(file, &n_tensors);
    const oriel_metadata_pair *pairs =
        oriel_safetensors_metadata(file, &n_pairs);
    json_t *tensors = json_array();
    json_t *metadata = json_object();

    for (size_t i = 0; i < n_tensors; i++)
        tensors = oriel_json_append(tensors, tensor_json(&t[i]));
    for (size_t i = 0; i < n_pairs; i++)
        if (json_object_set_new(metadata, pairs[i].key,
                                json_string(pairs[i].value)) != 0) {
            json_decref(metadata);
            metadata = NULL;
        }
    return json_pack(
        "{s:o, s:I, s:o, s:o}", "name",
        cli_text_name(oriel_file_name(oriel_safetensors_file(file))), "bytes",
        (json_int_t)oriel_file_bytes(oriel_safetensors_file(file)), "metadata",
        metadata, "tensors", tensors);
}

static json_t *
floats_json(const float *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        list = oriel_json_append(list, json_real((double)values[i]));
    return list;
}

static json_t *
notes_json(const oriel_notes *notes)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < notes->n_lines; i++)
        list = oriel_json_append(list, json_string(notes->lines[i]));
    return list;
}

static json_t *
model_json(const inspection *in)
{
    const oriel_model_info *m = &in->info;

    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:I, "
        "s:I, s:o, s:o, s:s, s:i, s:I, s:s, s:s?, s:o}",
        "depth", m->depth, "hidden_size", m->hidden_size, "intermediate_size",
        m->intermediate_size, "num_heads", m->num_heads, "head_dim",
        m->head_dim, "out_hidden_size", m->out_hidden_size, "in_channels",
        m->in_channels, "patch_size", m->patch_size, "temporal_patch_size",
        m->temporal_patch_size, "spatial_merge_size", m->spatial_merge_size,
        "window_size", m->window_size, "full_attention_blocks",
        oriel_json_integers(m->full_attention_blocks,
                            m->n_full_attention_blocks),
        "min_pixels", (json_int_t)m->min_pixels, "max_pixels",
        (json_int_t)m->max_pixels, "image_mean", floats_json(m->image_mean, 3),
        "image_std", floats_json(m->image_std, 3), "weight_dtype",
        stored_name(m->weight_dtype), "n_tensors", m->n_tensors, "weight_bytes",
        (json_int_t)m->weight_bytes, "prefix", in->checkpoint->prefix, "digest",
        *in->digest ? in->digest : NULL, "notes",
        notes_json(&in->checkpoint->notes));
}

static int
print_json(const inspection *in)
{
    json_t *files = json_array();
    json_t *model = in->plain ? json_null() : model_json(in);

    for (size_t i = 0; i < n_files(in); i++)
        files = oriel_json_append(files, file_json(file_at(in, i)));
    return cli_report_document(
        json_pack("{s:o, s:o}", "model", model, "files", files));
}

/* ---- Text ---------------------------------------------------------------- */

static void
print_model(const inspection *in)
{
    const oriel_model_info *m = &in->info;

    printf("blocks      %d of width %d: %d heads of %d, MLP %d\n", m->depth,
           m->hidden_size, m->num_heads, m->head_dim, m->intermediate_size);
    printf("patches     %d x %d x %d x %d pixels, %d x %d make a token\n",
           m->temporal_patch_size, m->patch_size, m->patch_size, m->in_channels,
           m->spatial_merge_size, m->spatial_merge_size);
    printf("attention   windows of %d pixels; everywhere in blocks",
           m->window_size);
    for (int32_t i = 0; i < m->n_full_attention_blocks; i++)
        printf(" %d", m->full_attention_blocks[i]);
    printf("\nembeddings  of width %d\n", m->out_hidden_size);
    printf("pixels      %" PRId64 " to %" PRId64 ", mean %g %g %g, std %g %g "
           "%g\n",
           m->min_pixels, m->max_pixels, (double)m->image_mean[0],
           (double)m->image_mean[1], (double)m->image_mean[2],
           (double)m->image_std[0], (double)m->image_std[1],
           (double)m->image_std[2]);
    printf("weights     %s in %d tensors, %s, under \"%s\"\n",
           cli_text_bytes(m->weight_bytes).text, m->n_tensors,
           stored_name(m->weight_dtype), ORIEL_QUOTE(in->checkpoint->prefix));
    if (*in->digest)
        printf("digest      %s\n", in->digest);
    for (int32_t i = 0; i < in->checkpoint->notes.n_lines; i++)
        printf("note        %s\n", in->checkpoint->notes.lines[i]);
}

static void
print_tensors(const oriel_safetensors *file)
{
    size_t n;
    const oriel_stored_tensor *t = oriel_safetensors_tensors(file, &n);
    char shape[ORIEL_SHAPE_TEXT];

    for (size_t i = 0; i < n; i++) {
        oriel_shape_text(shape, t[i].shape, t[i].n_dims);
        printf("  %-52s %-5s %-22s %12" PRIu64 "\n", ORIEL_QUOTE(t[i].name),
               ORIEL_QUOTE(t[i].dtype_name), shape, t[i].bytes);
    }
}

static void
print_file(const inspection *in, const oriel_safetensors *file)
{
    const oriel_file *bytes = oriel_safetensors_file(file);
    size_t n_tensors, n_pairs;
    const oriel_metadata_pair *pairs =
        oriel_safetensors_metadata(file, &n_pairs);

    oriel_safetensors_tensors(file, &n_tensors);
    printf("file        %s: %s, %zu tensors\n",
           ORIEL_QUOTE(oriel_file_name(bytes)),
           cli_text_bytes(oriel_file_bytes(bytes)).text, n_tensors);
    for (size_t i = 0; in->plain && i < n_pairs; i++)
        printf("  %s: %s\n", ORIEL_QUOTE(pairs[i].key),
               ORIEL_QUOTE(pairs[i].value));
    if (in->options->tensors || in->plain)
        print_tensors(file);
}

/* ---- Opening ------------------------------------------------------------- */

/* Any tensor of a vision tower's first layer makes a file a model. */
static bool
has_tower(const oriel_safetensors *file)
{
    static const char tail[] = "patch_embed.proj.weight";
    size_t n;
    const oriel_stored_tensor *t = oriel_safetensors_tensors(file, &n);

    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(t[i].name);

        if (length >= sizeof(tail) - 1 &&
            strcmp(t[i].name + length - (sizeof(tail) - 1), tail) == 0)
            return true;
    }
    return false;
}

static int
open_model(inspection *in)
{
    oriel_model_options options = cli_settings_model_options(in->options);
    oriel_checkpoint_options same = {options.config_path, options.config_preset,
                                     options.prefix};
    const char *path = in->where.path;
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_error err;

    if (oriel_model_open(&in->model, path, &options, &err) ||
        oriel_model_get_info(in->model, &info, &err) ||
        oriel_checkpoint_open(&in->checkpoint, path, &same, &cli_hooks, &err) ||
        (in->options->digest &&
         oriel_model_digest(in->model, in->digest, &err)))
        return cli_hub_report(&in->where, &err);
    in->info = info;
    return CLI_DONE;
}

static int
open_it(inspection *in)
{
    const char *path = in->where.path;
    struct stat st;
    oriel_error err;
    bool is_json;
    int looked;

    looked = oriel_stat(path, &st);
    if (looked == 0 && S_ISDIR(st.st_mode))
        return open_model(in);
    if (looked != 0 && oriel_errno_status(errno, ORIEL_OK)) {
        oriel_fail_cause(&err, oriel_errno_status(errno, ORIEL_OK), errno,
                         "%s: cannot look at it: %s", ORIEL_QUOTE(path),
                         strerror(errno));
        return cli_report_failure(&err, NULL);
    }
    /* An index or a config.json stands for its model. */
    if (oriel_path_is_json(path, &is_json, &cli_hooks, &err))
        return cli_report_failure(&err, NULL);
    if (is_json)
        return open_model(in);
    if (oriel_safetensors_open(&in->plain, path, &cli_hooks, &err))
        return cli_report_failure(&err, NULL);
    if (!in->options->prefix && !has_tower(in->plain))
        return CLI_DONE;
    oriel_safetensors_close(in->plain);
    in->plain = NULL;
    return open_model(in);
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    inspection in = {.options = options};
    int failed;

    if (n_operands != 1)
        return cli_report_error(CLI_USAGE, "inspect needs one folder or file");
    failed = cli_hub_find(&in.where, operands[0]);
    if (!failed)
        failed = open_it(&in);
    if (!failed && options->json)
        failed = print_json(&in);
    else if (!failed) {
        if (!in.plain)
            print_model(&in);
        for (size_t i = 0; i < n_files(&in); i++)
            print_file(&in, file_at(&in, i));
    }
    oriel_safetensors_close(in.plain);
    oriel_checkpoint_close(in.checkpoint);
    oriel_model_destroy(in.model);
    cli_hub_free(&in.where);
    return failed;
}

const cli_command cli_cmd_inspect = {
    .name = "inspect",
    .usage = "DIR|FILE|ORG/NAME",
    .summary = "what a checkpoint, or any safetensors file, holds",
    .text =
        "For a checkpoint: the vision encoder's configuration, limits and "
        "weights,\n"
        "checked as encode would check them. For another safetensors file, "
        "such as\n"
        "one that encode wrote: its metadata and tensors. Only headers are "
        "read,\n"
        "unless --digest asks for the identity of the weights, which does not\n"
        "depend on how they are named or sharded.\n",
    .examples = "Is this checkpoint complete, and which one is it?\n"
                "oriel inspect Qwen2.5-VL-7B-Instruct --digest\n"
                "What is in this file?\n"
                "oriel inspect embeddings.safetensors\n",
    .flag = CLI_INSPECT,
    .run = run,
};
