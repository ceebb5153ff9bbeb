/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.c - finding the vision tower among the names of a checkpoint */
#include "model/prefix.h"

#include "base/fail.h"
#include "model/manifest.h"

#include <stdbool.h>
#include <string.h>

/* Length of the prefix if 'name' is a tower's first tensor, else -1. */
static ptrdiff_t
prefix_length(const char *name)
{
    static const char *const towers[] = {"visual.", "vision_tower."};
    const char *tail = oriel_tensor_name(ORIEL_TENSOR_PATCH_EMBED);
    const size_t n = strlen(name);
    size_t length;

    if (n < strlen(tail))
        return -1;
    length = n - strlen(tail);
    if (strcmp(name + length, tail) != 0)
        return -1;
    if (length == 0)
        return 0;
    for (size_t i = 0; i < sizeof(towers) / sizeof(*towers); i++) {
        const size_t w = strlen(towers[i]);

        if (length >= w && memcmp(name + length - w, towers[i], w) == 0 &&
            (length == w || name[length - w - 1] == '.'))
            return (ptrdiff_t)length;
    }
    return -1;
}

void
oriel_prefix_consider(oriel_prefix *prefix, const char *name)
{
    if (prefix_length(name) < 0)
        return;
    if (!prefix->first)
        prefix->first = name;
    else if (!prefix->second && strcmp(prefix->first, name) != 0)
        prefix->second = name;
}

oriel_status
oriel_prefix_settle(char **out, const oriel_prefix *prefix, const char *where,
                    const oriel_hooks *hooks, oriel_error *err)
{
    size_t length;

    if (!prefix->first)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: no vision tower: expected a tensor named "
                          "[...]visual.%s",
                          ORIEL_QUOTE(where),
                          oriel_tensor_name(ORIEL_TENSOR_PATCH_EMBED));
    if (prefix->second)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: two vision towers, expected one: %s and %s",
                          ORIEL_QUOTE(where), ORIEL_QUOTE(prefix->first),
                          ORIEL_QUOTE(prefix->second));
    length = (size_t)prefix_length(prefix->first);
    *out = oriel_alloc(hooks, length + 1);
    if (!*out)
        return oriel_fail_memory(err, length + 1, "a prefix");
    memcpy(*out, prefix->first, length);
    (*out)[length] = '\0';
    return ORIEL_OK;
}

const char *
oriel_prefix_strip(const char *prefix, const char *name)
{
    const size_t n = strlen(prefix);

    return strncmp(prefix, name, n) == 0 ? name + n : NULL;
}
