/* SPDX-License-Identifier: Apache-2.0 */
/* shard_index.c - reading the index of a sharded checkpoint */
#include "model/shard_index.h"

#include "base/fail.h"
#include "model/locate.h"

#include <string.h>

oriel_status
oriel_shard_index_open(oriel_shard_index **out, const char *folder,
                       const char *path, const oriel_hooks *hooks,
                       oriel_error *err)
{
    oriel_shard_index *index = oriel_calloc(hooks, 1, sizeof(*index));
    char *text = NULL;
    size_t bytes;
    oriel_status status = ORIEL_ERR_MEMORY;

    *out = index;
    if (index) {
        index->folder = oriel_strdup(hooks, folder);
        index->path = oriel_strdup(hooks, path);
    }
    if (!index || !index->folder || !index->path)
        return oriel_fail_memory(err, sizeof(*index), "an index of shards");
    status = oriel_text_load(path, ORIEL_SAFETENSORS_MAX_HEADER, hooks, &text,
                             &bytes, err);
    if (!status)
        status = oriel_json_parse_python(&index->root, text, bytes, path, hooks,
                                         err);
    oriel_free(hooks, text);
    if (status)
        return status;
    index->weight_map = json_object_get(index->root, "weight_map");
    if (!json_is_object(index->weight_map))
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: weight_map: expected an object",
                          ORIEL_QUOTE(path));
    return ORIEL_OK;
}

/* Resolve "." and ".." in place, without a look at the file system; false: it
   leads out of the folder, or names nothing in it. */
static bool
resolve(char *name)
{
    char *out = name;
    const char *at = name;

    if (*name == '/')
        return false;
    for (bool more = true; more; at += more) {
        const size_t n = strcspn(at, "/");

        more = at[n] == '/'; /* which the next part may overwrite */
        if (n == 2 && memcmp(at, "..", 2) == 0) {
            if (out == name)
                return false;
            for (out--; out > name && out[-1] != '/';)
                out--;
        } else if (n > 1 || (n == 1 && *at != '.')) {
            memmove(out, at, n);
            out += n;
            *out++ = '/';
        }
        at += n;
    }
    if (out == name)
        return false;
    out[-1] = '\0';
    return true;
}

oriel_status
oriel_shard_index_name(char **out, const oriel_shard_index *index,
                       const char *tensor, const json_t *value,
                       const oriel_hooks *hooks, oriel_error *err)
{
    const char *name = json_string_value(value);

    /* With room for the '/' that resolving puts after each part. */
    *out = oriel_alloc(hooks, name ? strlen(name) + 2 : 2);
    if (!*out)
        return oriel_fail_memory(err, 2, "a file name");
    strcpy(*out, name ? name : "");
    if (resolve(*out))
        return ORIEL_OK;
    oriel_free(hooks, *out);
    *out = NULL;
    return oriel_fail(err, ORIEL_ERR_MODEL,
                      "%s: weight_map: expected a file name within the folder, "
                      "found \"%s\" for tensor %s",
                      ORIEL_QUOTE(index->path), ORIEL_QUOTE(name ? name : ""),
                      ORIEL_QUOTE(tensor));
}

void
oriel_shard_index_close(oriel_shard_index *index, const oriel_hooks *hooks)
{
    if (!index)
        return;
    json_decref(index->root);
    oriel_free(hooks, index->folder);
    oriel_free(hooks, index->path);
    oriel_free(hooks, index);
}
