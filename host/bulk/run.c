/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - run.json: what made a dataset */
#include "bulk/dataset.h"

#include "base/fail.h"
#include "bulk/json_line.h"
#include "model/locate.h"
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

oriel_status
bulk_run_load(json_t **out, const char *folder, oriel_error *err)
{
    char *path = bulk_path(folder, "run.json");
    char *text = NULL;
    size_t bytes = 0;
    struct stat st;
    const char *format;
    oriel_status status = ORIEL_OK;

    *out = NULL;
    if (!path)
        return oriel_fail_memory(err, strlen(folder), "a path");
    if (stat(path, &st) != 0)
        status = oriel_fail(err, ORIEL_ERR_INPUT,
                            "%s: has no run.json: expected a folder that "
                            "oriel extract wrote",
                            ORIEL_QUOTE(folder));
    else
        status = oriel_text_load(path, ORIEL_SAFETENSORS_MAX_HEADER, NULL,
                                 &text, &bytes, err);
    if (!status)
        status = bulk_json_parse(out, text, bytes, 0, err);
    free(text);
    format = json_string_value(json_object_get(*out, "format"));
    if (!status && (!format || strcmp(format, "oriel.extract") != 0)) {
        json_decref(*out);
        *out = NULL;
        status = oriel_fail(err, ORIEL_ERR_INPUT,
                            "%s: expected \"format\": \"oriel.extract\"",
                            ORIEL_QUOTE(path));
    }
    free(path);
    return status ? status : oriel_ok(err);
}

static void
name_difference(bulk_difference *at, const char *outer, const char *key)
{
    snprintf(at->text, sizeof(at->text), "%s%s%s", outer, *outer ? "." : "",
             key);
}

/* The members of 'run', each of which is wanted in 'other'; 'outer' is where
   they are.  Objects are left to the caller unless 'whole'. */
static bool
compare_members(bulk_difference *at, const char *outer, const json_t *run,
                const json_t *other, bool whole)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)run, key, value)
    {
        if ((whole || !json_is_object(value)) &&
            !json_equal(value, json_object_get(other, key))) {
            name_difference(at, outer, key);
            return false;
        }
    }
    return true;
}

bulk_difference
bulk_run_compare(const json_t *run, const json_t *other)
{
    bulk_difference at = {""};
    const char *key;
    json_t *value;

    if (!compare_members(&at, "", run, other, false))
        return at;
    json_object_foreach((json_t *)run, key, value)
    {
        if (json_is_object(value) &&
            !compare_members(&at, key, value, json_object_get(other, key),
                             true))
            return at;
    }
    return at;
}
