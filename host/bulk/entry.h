/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - one input of a run, before it is read */
#ifndef ORIEL_BULK_ENTRY_H
#define ORIEL_BULK_ENTRY_H

#include "oriel.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Ids go into the header of a part, which has its limits. */
enum { BULK_ID_BYTES_MAX = 4096 };

typedef struct bulk_entry {
    int64_t index;   /* in the expanded list, or as the list says */
    int64_t ordinal; /* among the entries of this job */
    bool named_only; /* not to be read: the output has it */
    json_t *id;      /* a string */
    char *source;    /* the file, or ARCHIVE/MEMBER */
    char *archive;   /* the archive that it is a member of, or NULL */
    json_t *columns; /* an object that travels into the manifest, or NULL */
    char *bytes;     /* of an archive's member; NULL: read 'source' */
    size_t n_bytes;
    char **frames;   /* a video's files, which ends with NULL; or NULL */
    oriel_error err; /* not ORIEL_OK: failed already */
} bulk_entry;

/* A new one; 'id' (taken over) is that of the source if NULL.  NULL without
   memory. */
bulk_entry *bulk_entry_new(const char *source, json_t *id);
void bulk_entry_set_id(bulk_entry *entry, json_t *id); /* takes it over */
void bulk_entry_free(bulk_entry *entry);               /* NULL is fine */

/* What errno says of a name in the input: its own fault, or the machine's. */
oriel_status bulk_fail_errno(oriel_error *err, const char *what);

/* Names that end with NULL, and the array itself. */
void bulk_names_free(char **names);

#endif /* ORIEL_BULK_ENTRY_H */
