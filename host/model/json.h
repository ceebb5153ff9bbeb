/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON from outside: bounded, and complained about by name
 */
#ifndef ORIEL_MODEL_JSON_H
#define ORIEL_MODEL_JSON_H

#include "base/memory.h"
#include "oriel.h"

#include <jansson.h>
#include <stdbool.h>

/* More values than any real header has; bounds the memory of a hostile one. */
#define ORIEL_JSON_MAX_VALUES (1 << 20)

/*
 * Parse an object.  Duplicate keys, surplus text, numbers beyond 64 bits and
 * more than ORIEL_JSON_MAX_VALUES values are ORIEL_ERR_MODEL.  'file' is the
 * name for messages, unquoted.  Free with json_decref.  ORIEL_ERR_MEMORY
 */
oriel_status oriel_json_parse(json_t **out, const char *text, size_t bytes,
                              const char *file, oriel_error *err);

/*
 * The same for what Python's json reads: also NaN, Infinity and numbers of any
 * size, \u0000, halves of surrogate pairs and a byte order mark; of duplicate
 * keys the last one counts.
 */
oriel_status oriel_json_parse_python(json_t **out, const char *text,
                                     size_t bytes, const char *file,
                                     const oriel_hooks *hooks,
                                     oriel_error *err);

/* Rewrite a text in place, so that jansson reads it (json_python.c). */
void oriel_json_from_python(char *text, size_t bytes);

/* After that: the value was NaN. */
bool oriel_json_is_nan(const json_t *value);
/* The value of a number; from 1e308 on infinite. */
double oriel_json_double(const json_t *value);

/*
 * Reading fields of one object, one after the other, and looking at 'status'
 * once: after the first failure the rest do nothing.  null counts as absent.
 * Each returns whether the field was there, and good.
 */
typedef struct oriel_fields {
    const json_t *object; /* NULL: nothing is there */
    const char *file;     /* for messages, unquoted */
    const char *path;     /* "vision_config." */
    oriel_status status;
    oriel_error *err;
} oriel_fields;

/* The value, or NULL: absent, or null, or failed before. */
const json_t *oriel_field(const oriel_fields *fields, const char *name);

bool oriel_field_i32(oriel_fields *fields, const char *name, int32_t low,
                     int32_t high, int32_t *out);
bool oriel_field_i64(oriel_fields *fields, const char *name, int64_t low,
                     int64_t high, int64_t *out);
/* An integer or a real; finite. */
bool oriel_field_double(oriel_fields *fields, const char *name, double *out);
bool oriel_field_bool(oriel_fields *fields, const char *name, int32_t *out);
/* Lives as long as the object. */
const char *oriel_field_text(oriel_fields *fields, const char *name);
const json_t *oriel_field_object(oriel_fields *fields, const char *name);
const json_t *oriel_field_array(oriel_fields *fields, const char *name);

/* "FILE: PATHname: expected WHAT, found FOUND" as ORIEL_ERR_MODEL. */
void oriel_field_fail(oriel_fields *fields, const char *name,
                      const json_t *found, const char *what);

#endif /* ORIEL_MODEL_JSON_H */
