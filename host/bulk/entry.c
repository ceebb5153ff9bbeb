/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c - one input of a run, before it is read */
#include "bulk/entry.h"

#include "base/fail.h"
#include "cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
check_id(bulk_entry *entry)
{
    size_t n = json_string_length(entry->id);

    if (n > BULK_ID_BYTES_MAX) {
        oriel_fail(&entry->err, ORIEL_ERR_INPUT,
                   "its id has %zu bytes, expected at most %d", n,
                   BULK_ID_BYTES_MAX);
        json_decref(entry->id);
        entry->id = cli_text_name(ORIEL_QUOTE(entry->source));
    }
}

void
bulk_entry_set_id(bulk_entry *entry, json_t *id)
{
    json_decref(entry->id);
    entry->id = id;
    check_id(entry);
}

bulk_entry *
bulk_entry_new(const char *source, json_t *id)
{
    bulk_entry *entry = calloc(1, sizeof(*entry));

    if (!entry) {
        json_decref(id);
        return NULL;
    }
    entry->id = id ? id : cli_text_name(source);
    entry->source = strdup(source);
    if (entry->id && entry->source) {
        check_id(entry);
        return entry;
    }
    bulk_entry_free(entry);
    return NULL;
}

void
bulk_names_free(char **names)
{
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
}

void
bulk_entry_free(bulk_entry *entry)
{
    if (!entry)
        return;
    json_decref(entry->id);
    json_decref(entry->columns);
    free(entry->source);
    free(entry->archive);
    free(entry->bytes);
    bulk_names_free(entry->frames);
    free(entry);
}

oriel_status
bulk_fail_errno(oriel_error *err, const char *what)
{
    int cause = errno;

    return oriel_fail_cause(err, oriel_errno_status(cause, ORIEL_ERR_INPUT),
                            cause, "%s: %s", what, strerror(cause));
}
