/* SPDX-License-Identifier: Apache-2.0 */
/* remarks.c - what is said of a tower beside its tensors */
#include "base/fail.h"
#include "model/bind.h"
#include "model/prefix.h"
#include "model/published.h"
#include "model/tensor_place.h"

#include <stdio.h>
#include <string.h>

/* ---- What binding left out -------------------------------------------- */

/* The first few of a list of tensors, and how many there are. */
typedef struct list {
    char names[240];
    size_t n;
} list;

enum { NAMES_SHOWN = 3 };

static void
add(list *l, const oriel_stored_tensor *tensor)
{
    const size_t at = strlen(l->names);

    if (l->n++ < NAMES_SHOWN)
        snprintf(l->names + at, sizeof(l->names) - at, "%s%.64s (%.12s)",
                 at ? ", " : "", ORIEL_QUOTE(tensor->name),
                 ORIEL_QUOTE(tensor->dtype_name));
    else if (l->n == NAMES_SHOWN + 1)
        snprintf(l->names + at, sizeof(l->names) - at, ", ...");
}

/* What of a name follows the tower's prefix, or the other name of it. */
static const char *
strip(const oriel_checkpoint *checkpoint, const char *name)
{
    const oriel_prefix_pair pair = oriel_prefix_names(checkpoint->prefix);
    const char *rest = oriel_prefix_strip(checkpoint->prefix, name);

    if (!rest && !checkpoint->wanted_prefix && pair.first) {
        rest = oriel_prefix_strip(pair.first, name);
        if (!rest)
            rest = oriel_prefix_strip(pair.second, name);
    }
    return rest;
}

/* A tower saved alone has no prefix, but may lie beside a language model:
   there only what looks like a tower's is worth a word. */
static bool
is_of_tower(const char *prefix, const char *rest)
{
    return *prefix || strncmp(rest, "blocks.", 7) == 0 ||
           strncmp(rest, "merger.", 7) == 0 ||
           strncmp(rest, "patch_embed.", 12) == 0;
}

static oriel_status
note_foreign(oriel_checkpoint *checkpoint, oriel_error *err)
{
    list foreign = {"", 0};

    for (size_t i = 0; i < checkpoint->n_files; i++) {
        size_t n;
        const oriel_stored_tensor *t =
            oriel_safetensors_tensors(checkpoint->files[i], &n);

        for (size_t k = 0; k < n; k++) {
            const char *rest = strip(checkpoint, t[k].name);
            oriel_tensor_place at;

            /* inv_freq is a table that some dumps keep; we compute it. */
            if (rest && is_of_tower(checkpoint->prefix, rest) &&
                strcmp(rest, "rotary_pos_emb.inv_freq") != 0 &&
                !oriel_tensor_place_parse(rest, &at))
                add(&foreign, &t[k]);
        }
    }
    if (foreign.n == 0)
        return ORIEL_OK;
    return oriel_note(&checkpoint->notes, &checkpoint->hooks, err,
                      "%zu tensor%s under \"%.64s\" ignored, not of this "
                      "network: %s",
                      foreign.n, foreign.n == 1 ? "" : "s",
                      ORIEL_QUOTE(checkpoint->prefix), foreign.names);
}

static oriel_status
note_blocks(oriel_checkpoint *checkpoint, const oriel_config *config,
            const char *config_name, oriel_error *err)
{
    const int32_t stored = checkpoint->n_stored_blocks;

    if (stored <= config->depth)
        return ORIEL_OK;
    return oriel_note(&checkpoint->notes, &checkpoint->hooks, err,
                      "%s: depth is %d: of the %d stored blocks the others are "
                      "not used",
                      ORIEL_QUOTE(config_name), config->depth, stored);
}

static oriel_status
note_other_tower(oriel_checkpoint *checkpoint, oriel_error *err)
{
    if (!checkpoint->other_tower)
        return ORIEL_OK;
    return oriel_note(&checkpoint->notes, &checkpoint->hooks, err,
                      "two vision towers: \"%.100s\" is used, as transformers "
                      "does, and not that of %s; a prefix (--prefix) chooses",
                      ORIEL_QUOTE(checkpoint->prefix),
                      ORIEL_QUOTE(checkpoint->other_tower));
}

oriel_status
oriel_checkpoint_note(oriel_checkpoint *checkpoint, const oriel_config *config,
                      const char *config_name, oriel_error *err)
{
    oriel_status status = note_other_tower(checkpoint, err);

    if (!status)
        status = note_blocks(checkpoint, config, config_name, err);
    return status ? status : note_foreign(checkpoint, err);
}

/* ---- Without a configuration ------------------------------------------ */

/* Only a file that was named itself may do without: there is one. */
static const oriel_stored_tensor *
find(const oriel_checkpoint *checkpoint, oriel_tensor tensor)
{
    char name[256];

    oriel_tensor_full_name(name, sizeof(name), checkpoint->prefix, tensor, 0);
    return oriel_safetensors_find(checkpoint->files[0], name);
}

static bool
has_shape(const oriel_stored_tensor *tensor, int32_t n, const int64_t *shape)
{
    return tensor && tensor->n_dims == n &&
           memcmp(tensor->shape, shape, (size_t)n * sizeof(*shape)) == 0;
}

/* The number of blocks is checked when they are bound. */
oriel_status
oriel_checkpoint_check_published(const oriel_checkpoint *checkpoint,
                                 oriel_error *err)
{
    static const int64_t patch[] = {ORIEL_PUBLISHED_HIDDEN, 3, 2, 14, 14};
    static const int64_t last[] = {ORIEL_PUBLISHED_HIDDEN, 2, 14, 14, 3};
    static const int64_t merger[] = {ORIEL_PUBLISHED_MERGED,
                                     ORIEL_PUBLISHED_MERGED};
    const oriel_stored_tensor *embed =
        find(checkpoint, ORIEL_TENSOR_PATCH_EMBED);
    char shape[ORIEL_SHAPE_TEXT];

    if ((has_shape(embed, 5, patch) || has_shape(embed, 5, last)) &&
        has_shape(find(checkpoint, ORIEL_TENSOR_MERGER_FC1_WEIGHT), 2, merger))
        return ORIEL_OK;
    oriel_shape_text(shape, embed ? embed->shape : NULL,
                     embed ? embed->n_dims : 0);
    return oriel_fail(err, ORIEL_ERR_NOT_FOUND,
                      "%s: no config.json beside it, and its shapes are not "
                      "those of the published sizes (patch_embed.proj.weight "
                      "%s, expected [1280, 3, 2, 14, 14]); give one with "
                      "--config FILE",
                      ORIEL_QUOTE(checkpoint->name), shape);
}
