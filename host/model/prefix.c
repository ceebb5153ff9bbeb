/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.c - finding the vision tower among the names of a checkpoint */
#include "model/prefix.h"

#include "base/fail.h"
#include "base/manifest.h"

#include <stdbool.h>
#include <string.h>

#define NEW "model.visual."
#define OLD "visual."

/* Length of what stands before the first tensor's name, or -1. */
static ptrdiff_t
length_before_tail(const char *name)
{
    const char *tail = oriel_tensor_name(ORIEL_TENSOR_PATCH_EMBED);
    const size_t n = strlen(name);

    if (n < strlen(tail) || strcmp(name + n - strlen(tail), tail) != 0)
        return -1;
    return (ptrdiff_t)(n - strlen(tail));
}

/* Length of the prefix if 'name' is a tower's first tensor, else -1. */
static ptrdiff_t
prefix_length(const char *name)
{
    static const char *const towers[] = {OLD, "vision_tower."};
    const ptrdiff_t before = length_before_tail(name);
    const size_t length = (size_t)before;

    if (before <= 0)
        return before;
    for (size_t i = 0; i < sizeof(towers) / sizeof(*towers); i++) {
        const size_t w = strlen(towers[i]);

        if (length >= w && memcmp(name + length - w, towers[i], w) == 0 &&
            (length == w || name[length - w - 1] == '.'))
            return before;
    }
    return -1;
}

static bool
is_prefix(const char *prefix, const char *name, ptrdiff_t length)
{
    return strlen(prefix) == (size_t)length &&
           memcmp(prefix, name, (size_t)length) == 0;
}

/* What the reference would load goes first. */
static int
rank(const char *name)
{
    const ptrdiff_t length = length_before_tail(name);

    return is_prefix(NEW, name, length) ? 2 : is_prefix(OLD, name, length);
}

void
oriel_prefix_consider(oriel_prefix *prefix, const char *name)
{
    if (!prefix->lora && strstr(name, ".lora_"))
        prefix->lora = name;
    if (prefix->wanted) {
        const ptrdiff_t length = length_before_tail(name);

        if (length >= 0 && is_prefix(prefix->wanted, name, length))
            prefix->best = name;
        return;
    }
    if (prefix_length(name) < 0 ||
        (prefix->best && strcmp(prefix->best, name) == 0))
        return;
    if (!prefix->best) {
        prefix->best = name;
    } else if (rank(name) > rank(prefix->best)) {
        prefix->other = prefix->best;
        prefix->best = name;
    } else if (!prefix->other) {
        prefix->other = name;
    }
}

oriel_status
oriel_prefix_settle(char **out, const oriel_prefix *prefix, const char *where,
                    const oriel_hooks *hooks, oriel_error *err)
{
    const char *tail = oriel_tensor_name(ORIEL_TENSOR_PATCH_EMBED);
    size_t length;

    *out = NULL;
    if (!prefix->best && prefix->wanted)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: no vision tower under the prefix \"%s\": "
                          "expected a tensor named %s%s",
                          ORIEL_QUOTE(where), ORIEL_QUOTE(prefix->wanted),
                          ORIEL_QUOTE(prefix->wanted), tail);
    if (!prefix->best && prefix->lora)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: a LoRA adapter (tensor %s), not a model; give "
                          "the model that it was merged into",
                          ORIEL_QUOTE(where), ORIEL_QUOTE(prefix->lora));
    if (!prefix->best)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: no vision tower: expected a tensor named "
                          "[...]visual.%s",
                          ORIEL_QUOTE(where), tail);
    if (prefix->other && rank(prefix->best) == 0)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: two vision towers, expected one or a prefix "
                          "(--prefix): %s and %s",
                          ORIEL_QUOTE(where), ORIEL_QUOTE(prefix->best),
                          ORIEL_QUOTE(prefix->other));
    length = (size_t)length_before_tail(prefix->best);
    *out = oriel_alloc(hooks, length + 1);
    if (!*out)
        return oriel_fail_memory(err, length + 1, "a prefix");
    memcpy(*out, prefix->best, length);
    (*out)[length] = '\0';
    return ORIEL_OK;
}

char *
oriel_prefix_copy(const char *prefix, const oriel_hooks *hooks)
{
    const size_t n = strlen(prefix);
    char *copy = oriel_alloc(hooks, n + 2);

    if (!copy)
        return NULL;
    memcpy(copy, prefix, n + 1);
    if (n && prefix[n - 1] != '.')
        memcpy(copy + n, ".", 2);
    return copy;
}

oriel_prefix_pair
oriel_prefix_names(const char *prefix)
{
    oriel_prefix_pair pair = {NULL, NULL};

    if (strcmp(prefix, NEW) == 0 || strcmp(prefix, OLD) == 0) {
        pair.first = NEW;
        pair.second = OLD;
    }
    return pair;
}

const char *
oriel_prefix_strip(const char *prefix, const char *name)
{
    const size_t n = strlen(prefix);

    return strncmp(prefix, name, n) == 0 ? name + n : NULL;
}
