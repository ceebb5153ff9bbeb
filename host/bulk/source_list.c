/* SPDX-License-Identifier: Apache-2.0 */
/* source_list.c - the lines of a list: names, and JSON objects */
#include "bulk/source_state.h"

#include "base/fail.h"
#include "bulk/json_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
bulk_source_is_file_name(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0;
}

/* Whatever is wrong with it, a line is one entry. */
static oriel_status
take_json_line(bulk_source *source, const char *line, bulk_entry **out,
               oriel_error *err)
{
    source_named thing = {.shift = source->top->shift};
    json_t *root, *path, *id, *index;
    char number_text[24];
    oriel_error why = {.status = ORIEL_OK};
    oriel_status status = bulk_json_parse(&root, line, strlen(line), 0, err);

    if (status)
        return status;
    path = json_object_get(root, "path");
    id = json_object_get(root, "id");
    index = json_object_get(root, "index");
    thing.name = json_is_string(path) ? json_string_value(path) : line;
    if (!root)
        oriel_fail(&why, ORIEL_ERR_INPUT, "a line that is no JSON object");
    else if (!json_is_string(path) || !*thing.name)
        oriel_fail(&why, ORIEL_ERR_INPUT,
                   "a JSON line without \"path\", expected a string");
    else if (id && !json_is_string(id) && !json_is_integer(id))
        oriel_fail(&why, ORIEL_ERR_INPUT,
                   "\"id\" of a JSON line: expected a string or an integer");
    else if (index &&
             (!json_is_integer(index) || json_integer_value(index) < 0))
        oriel_fail(&why, ORIEL_ERR_INPUT,
                   "\"index\" of a JSON line: expected an integer from 0 on");
    if (!why.status && json_is_string(id))
        thing.id = json_incref(id);
    else if (!why.status && id) {
        snprintf(number_text, sizeof(number_text), "%" JSON_INTEGER_FORMAT,
                 json_integer_value(id));
        thing.id = json_string(number_text);
    }
    if (!why.status && index)
        thing.shift = json_integer_value(index) - source->position;
    if (!why.status && id && !thing.id) {
        json_decref(root);
        return oriel_fail_memory(err, sizeof(json_t), "an id");
    }
    json_incref(path);
    if (root && !why.status) {
        json_object_del(root, "path");
        json_object_del(root, "id");
        json_object_del(root, "index");
        if (json_object_size(root) > 0)
            thing.columns = json_incref(root);
    }
    status = why.status ? bulk_source_make_entry(source, &thing, &why, out, err)
                        : bulk_source_take_named(source, &thing, out, err);
    json_decref(path);
    json_decref(root);
    bulk_source_forget(&thing);
    return status;
}

oriel_status
bulk_source_take_line(bulk_source *source, bulk_entry **out, oriel_error *err)
{
    source_level *list = source->top;
    char *line;
    oriel_error why;
    oriel_status status = bulk_lines_next(list->lines, &line, &why);

    if (status == ORIEL_ERR_INPUT) { /* the list itself */
        source_named thing = {.name = list->name, .shift = list->shift};

        status = bulk_source_make_entry(source, &thing, &why, out, err);
        bulk_source_pop(source);
        return status;
    }
    if (status)
        return bulk_source_fail(err, list->name, &why);
    if (!line) {
        bulk_source_pop(source);
        return ORIEL_OK;
    }
    if (!source->options.null_names && (*line == '#' || *line == '{') &&
        !bulk_source_is_file_name(line))
        return *line == '#' ? ORIEL_OK : take_json_line(source, line, out, err);
    source_named thing = {.name = line, .shift = list->shift};

    return bulk_source_take_named(source, &thing, out, err);
}
