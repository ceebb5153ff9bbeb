/* SPDX-License-Identifier: Apache-2.0 */
/* json_line.c - JSON from a list, an archive or a manifest */
#include "bulk/json_line.h"

#include "base/fail.h"

#include <stdlib.h>

/* More than a document of 'n' bytes becomes in jansson's memory. */
#define ROOM(n) ((n)*64 + 4096)

oriel_status
bulk_json_parse(json_t **out, const char *text, size_t n, size_t flags,
                oriel_error *err)
{
    void *room;

    *out = json_loadb(text, n, flags, NULL);
    if (*out)
        return oriel_ok(err);
    room = malloc(ROOM(n));
    if (!room)
        return oriel_fail_memory(err, ROOM(n), "JSON");
    free(room);
    *out = json_loadb(text, n, flags, NULL);
    return oriel_ok(err);
}
