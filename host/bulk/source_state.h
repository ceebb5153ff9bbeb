/* SPDX-License-Identifier: Apache-2.0 */
/* source_state.h - what the files of a source share */
#ifndef ORIEL_BULK_SOURCE_STATE_H
#define ORIEL_BULK_SOURCE_STATE_H

#include "bulk/lines.h"
#include "bulk/source.h"
#include "bulk/tar.h"

#include <sys/stat.h>

/* What entries are taken from at the moment; those below wait. */
typedef struct source_level {
    struct source_level *below;
    char *name;
    json_t *id, *columns; /* of the JSON line that named it, or NULL */
    int64_t shift;        /* from positions to indices */
    char **names;         /* of a folder */
    size_t next;
    dev_t device;
    ino_t inode;
    bulk_lines *lines;
    bulk_tar *tar;
} source_level;

/* A named thing, and what a JSON line says of it. */
typedef struct source_named {
    const char *name;
    json_t *id, *columns; /* owned, or NULL */
    int64_t shift;
} source_named;

struct bulk_source {
    bulk_source_options options;
    int next_operand;
    source_level *top;
    int64_t position;      /* of the next entry in the whole list */
    int64_t wanted, given; /* entries of this job: asked about, handed out */
    int64_t others;
};

/* ---- source.c ---- */

/* The entry of a thing that is one, with 'why' it failed or NULL; NULL in '*out':
   it is another job's. */
oriel_status bulk_source_make_entry(bulk_source *source, source_named *thing,
                                    const oriel_error *why, bulk_entry **out,
                                    oriel_error *err);

/* What somebody named: it becomes an entry in '*out', a level, or neither where
   it is another job's. */
oriel_status bulk_source_take_named(bulk_source *source, source_named *thing,
                                    bulk_entry **out, oriel_error *err);

/* What ends the run, with the name of the thing that it is about. */
oriel_status bulk_source_fail(oriel_error *err, const char *name,
                              const oriel_error *why);

/* The level on top is done. */
void bulk_source_pop(bulk_source *source);

void bulk_source_forget(source_named *thing);

/* ---- source_list.c ---- */

/* Whether a file has this very name, be it a link to nowhere. */
bool bulk_source_is_file_name(const char *name);

/* The next line of the list on top. */
oriel_status bulk_source_take_line(bulk_source *source, bulk_entry **out,
                                   oriel_error *err);

#endif /* ORIEL_BULK_SOURCE_STATE_H */
