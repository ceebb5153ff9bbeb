/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - from operands to entries, one after the other */
#include "bulk/source_state.h"

#include "base/fail.h"
#include "bulk/kind.h"
#include "bulk/walk.h"
#include "cli/read_file.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

oriel_status
bulk_source_open(bulk_source **out, const bulk_source_options *options,
                 oriel_error *err)
{
    bulk_source *source = calloc(1, sizeof(*source));

    *out = source;
    if (!source)
        return oriel_fail_memory(err, sizeof(*source), "the inputs");
    source->options = *options;
    return oriel_ok(err);
}

int64_t
bulk_source_others(const bulk_source *source)
{
    return source->others;
}

int64_t
bulk_source_given(const bulk_source *source)
{
    return source->given;
}

/* ---- Which entries are this job's --------------------------------------- */

static bool
is_wanted(const bulk_source *source, int64_t ordinal)
{
    const bulk_source_options *o = &source->options;

    return !o->is_wanted || o->is_wanted(o->context, ordinal);
}

static bulk_want
want(void *context, int64_t position)
{
    bulk_source *source = context;

    if (position % source->options.of != source->options.shard)
        return BULK_DROP;
    return is_wanted(source, source->wanted++) ? BULK_READ : BULK_NAME;
}

/* Every entry passes here once; NULL stays NULL. */
static bulk_entry *
number(bulk_source *source, bulk_entry *entry, int64_t index)
{
    if (entry) {
        entry->index = index;
        entry->ordinal = source->given++;
        entry->named_only = !is_wanted(source, entry->ordinal);
    }
    return entry;
}

void
bulk_source_forget(source_named *thing)
{
    json_decref(thing->id);
    json_decref(thing->columns);
    thing->id = thing->columns = NULL;
}

/* The entry of a thing that is one; NULL in '*out': it is another job's. */
oriel_status
bulk_source_make_entry(bulk_source *source, source_named *thing,
                       const oriel_error *why, bulk_entry **out,
                       oriel_error *err)
{
    int64_t position = source->position++;

    *out = NULL;
    if (want(source, position) != BULK_DROP) {
        *out = bulk_entry_new(thing->name, thing->id);
        thing->id = NULL;
        if (!*out)
            return oriel_fail_memory(err, sizeof(**out), "an input");
        (*out)->columns = json_incref(thing->columns);
        if (why)
            (*out)->err = *why;
        number(source, *out, position + thing->shift);
    }
    return ORIEL_OK;
}

/* ---- Levels ------------------------------------------------------------- */

oriel_status
bulk_source_fail(oriel_error *err, const char *name, const oriel_error *why)
{
    if (why->status == ORIEL_ERR_CANCELLED) {
        *err = *why;
        return why->status;
    }
    return oriel_fail_cause(err, why->status, why->cause, "%s: %.300s",
                            ORIEL_QUOTE(name), why->message);
}

void
bulk_source_pop(bulk_source *source)
{
    source_level *top = source->top;

    if (!top)
        return;
    source->top = top->below;
    bulk_names_free(top->names);
    bulk_lines_close(top->lines);
    bulk_tar_close(top->tar);
    json_decref(top->id);
    json_decref(top->columns);
    free(top->name);
    free(top);
}

static oriel_status
push(bulk_source *source, source_named *thing, oriel_error *err)
{
    source_level *top = calloc(1, sizeof(*top));

    if (!top)
        return oriel_fail_memory(err, sizeof(*top), "the inputs");
    top->below = source->top;
    source->top = top;
    top->columns = json_incref(thing->columns);
    top->shift = thing->shift;
    top->name = strdup(thing->name);
    if (top->name)
        return ORIEL_OK;
    bulk_source_pop(source);
    return oriel_fail_memory(err, strlen(thing->name), "a name");
}

/* Is it being walked already?  Then a link leads back to it. */
static bool
is_walked(const bulk_source *source, const struct stat *st)
{
    for (const source_level *l = source->top; l; l = l->below)
        if (l->names && l->device == st->st_dev && l->inode == st->st_ino)
            return true;
    return false;
}

static oriel_status
push_folder(bulk_source *source, source_named *thing, const struct stat *st,
            oriel_error *err)
{
    char **names;
    oriel_status status = bulk_walk_list(thing->name, &names, err);

    if (!status)
        status = push(source, thing, err);
    if (status || !source->top) {
        bulk_names_free(names);
        return status;
    }
    source->top->names = names;
    source->top->device = st->st_dev;
    source->top->inode = st->st_ino;
    return ORIEL_OK;
}

static oriel_status
push_tar(bulk_source *source, source_named *thing, oriel_error *err)
{
    oriel_status status = push(source, thing, err);

    if (!status && source->top) {
        status =
            bulk_tar_open(&source->top->tar, source->top->name, "", 0, err);
        if (status)
            bulk_source_pop(source);
    }
    return status;
}

static oriel_status
push_list(bulk_source *source, source_named *thing, const char *name,
          bool null_names, oriel_error *err)
{
    oriel_status status = push(source, thing, err);

    if (!status) {
        status =
            bulk_lines_open(&source->top->lines, name, null_names, "", 0, err);
        if (status)
            bulk_source_pop(source);
    }
    return status;
}

/* Standard input is a tar archive or a list, which its first bytes tell. */
static oriel_status
push_stdin(bulk_source *source, source_named *thing, oriel_error *err)
{
    static const char *const packed[] = {"\x1f\x8b", "\x28\xb5\x2f\xfd", "BZh",
                                         ("\xfd"
                                          "7zXZ")};
    char head[BULK_HEAD_BYTES];
    size_t n = 0;
    bool is_tar;
    oriel_status status = push(source, thing, err);

    if (status || !source->top)
        return status;
    while (n < sizeof(head)) {
        ssize_t got = read(STDIN_FILENO, head + n, sizeof(head) - n);

        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        n += got > 0 ? (size_t)got : 0;
        /* A list is used as it comes. */
        if (got > 0 &&
            memchr(head, source->options.null_names ? '\0' : '\n', n) &&
            bulk_kind_of_head(head, n) == BULK_OTHER && head[0] != '\x1f')
            break;
    }
    is_tar = bulk_kind_of_head(head, n) == BULK_TAR;
    for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
        is_tar = is_tar || (n > strlen(packed[i]) &&
                            memcmp(head, packed[i], strlen(packed[i])) == 0);
    status = is_tar ? bulk_tar_open(&source->top->tar, NULL, head, n, err)
                    : bulk_lines_open(&source->top->lines, NULL,
                                      source->options.null_names, head, n, err);
    if (status)
        bulk_source_pop(source);
    return status;
}

/* ---- One source_named thing ---------------------------------------------------- */

static oriel_status
list_frames(bulk_entry *entry, oriel_error *err)
{
    char **names;
    size_t kept = 0;
    oriel_status status = bulk_walk_list(entry->source, &names, err);

    if (status) {
        bulk_names_free(names);
        entry->err = *err;
        return status == ORIEL_ERR_INPUT ? ORIEL_OK : status;
    }
    for (size_t i = 0; names[i]; i++)
        if (bulk_kind_of_file(names[i]) == BULK_PICTURE)
            names[kept++] = names[i];
        else
            free(names[i]);
    names[kept] = NULL;
    entry->frames = names;
    if (kept == 0)
        oriel_fail(
            &entry->err, ORIEL_ERR_INPUT,
            "the folder has no pictures: expected the frames of a video");
    return ORIEL_OK;
}

/* With --frames a folder is one video. */
static oriel_status
take_video(bulk_source *source, source_named *thing, bulk_entry **out,
           oriel_error *err)
{
    oriel_status status = bulk_source_make_entry(source, thing, NULL, out, err);

    if (status || !*out || (*out)->named_only)
        return status;
    return list_frames(*out, err);
}

/*
 * What somebody named: it becomes an entry in '*out', a level, or neither where
 * it is another job's.  A name that ends as a picture's is not even looked at.
 */
oriel_status
bulk_source_take_named(bulk_source *source, source_named *thing,
                       bulk_entry **out, oriel_error *err)
{
    bulk_kind kind = bulk_kind_of_name(thing->name);
    struct stat st;
    oriel_error why;
    oriel_status status;

    if (cli_is_url(thing->name)) {
        (void)cli_fail_url(&why);
        return bulk_source_make_entry(source, thing, &why, out, err);
    }
    memset(&st, 0, sizeof(st));
    if (kind != BULK_PICTURE || source->options.frames)
        (void)stat(thing->name, &st);
    if (S_ISDIR(st.st_mode) && source->options.frames)
        return take_video(source, thing, out, err);
    if (!S_ISDIR(st.st_mode) && kind == BULK_OTHER)
        kind = bulk_kind_of_file(thing->name);
    if (S_ISDIR(st.st_mode))
        status = push_folder(source, thing, &st, &why);
    else if (kind == BULK_TAR)
        status = push_tar(source, thing, &why);
    else
        return bulk_source_make_entry(source, thing, NULL, out, err);
    if (status == ORIEL_ERR_INPUT)
        return bulk_source_make_entry(source, thing, &why, out, err);
    if (status)
        status = bulk_source_fail(err, thing->name, &why);
    return status;
}

/* ---- Folders, archives, operands ------------------------------------------ */

static oriel_status
take_of_folder(bulk_source *source, bulk_entry **out, oriel_error *err)
{
    source_level *folder = source->top;
    const char *name = folder->names[folder->next];
    source_named thing = {.name = name,
                          .columns = json_incref(folder->columns),
                          .shift = folder->shift};
    oriel_status status = ORIEL_OK;
    oriel_error why = {.status = ORIEL_OK};
    struct stat st;

    if (!name) {
        bulk_source_forget(&thing);
        bulk_source_pop(source);
        return ORIEL_OK;
    }
    folder->next++;
    if (name[strlen(name) - 1] == '/') {
        if (stat(name, &st) == 0 && !is_walked(source, &st))
            status = push_folder(source, &thing, &st, &why);
    } else
        switch (bulk_kind_of_file(name)) {
        case BULK_PICTURE:
            status = bulk_source_make_entry(source, &thing, NULL, out, err);
            break;
        case BULK_TAR:
            status = push_tar(source, &thing, &why);
            break;
        default:
            source->others++;
        }
    if (why.status == ORIEL_ERR_INPUT)
        status = bulk_source_make_entry(source, &thing, &why, out, err);
    else if (why.status)
        status = bulk_source_fail(err, name, &why);
    bulk_source_forget(&thing);
    return status;
}

static oriel_status
take_of_tar(bulk_source *source, bulk_entry **out, oriel_error *err)
{
    source_level *tar = source->top;
    int64_t before;
    oriel_error why;
    oriel_status status = bulk_tar_next(tar->tar, out, &source->position,
                                        &source->others, want, source, &why);

    before = source->position - 1;
    if (!status && *out) {
        if (tar->columns && !(*out)->columns)
            (*out)->columns = json_incref(tar->columns);
        number(source, *out, before + tar->shift);
        return ORIEL_OK;
    }
    if (status == ORIEL_ERR_INPUT) {
        source_named thing = {.name = tar->name, .shift = tar->shift};

        status = bulk_source_make_entry(source, &thing, &why, out, err);
    } else if (status)
        status = bulk_source_fail(err, tar->name, &why);
    bulk_source_pop(source);
    return status;
}

static oriel_status
take_operand(bulk_source *source, bulk_entry **out, oriel_error *err)
{
    char *operand = source->options.operands[source->next_operand++];
    source_named thing = {.name = operand};
    oriel_error why;
    oriel_status status;

    if (strcmp(operand, "-") == 0)
        status = push_stdin(source, &thing, &why);
    else if (operand[0] == '@' && operand[1] &&
             !bulk_source_is_file_name(operand))
        status = push_list(source, &thing, operand + 1,
                           source->options.null_names, &why);
    else if (bulk_kind_of_name(operand) == BULK_JSON_LINES)
        status = push_list(source, &thing, operand, false, &why);
    else
        return bulk_source_take_named(source, &thing, out, err);
    if (status == ORIEL_ERR_INPUT)
        return bulk_source_make_entry(source, &thing, &why, out, err);
    if (status)
        status = bulk_source_fail(err, operand, &why);
    return status;
}

oriel_status
bulk_source_next(bulk_source *source, bulk_entry **out, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    *out = NULL;
    while (!status && !*out) {
        if (!source->top && source->next_operand == source->options.n_operands)
            break;
        if (!source->top)
            status = take_operand(source, out, err);
        else if (source->top->tar)
            status = take_of_tar(source, out, err);
        else if (source->top->lines)
            status = bulk_source_take_line(source, out, err);
        else
            status = take_of_folder(source, out, err);
    }
    if (status) {
        bulk_entry_free(*out);
        *out = NULL;
        return status;
    }
    return oriel_ok(err);
}

void
bulk_source_close(bulk_source *source)
{
    if (!source)
        return;
    while (source->top)
        bulk_source_pop(source);
    free(source);
}
