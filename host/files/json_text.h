/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.h - JSON as text, whole or not at all
 *
 * jansson's own json_dumps goes on when its buffer cannot grow, and what it
 * then returns lacks a piece (seen in 2.14, keys of objects).
 */
#ifndef ORIEL_FILES_JSON_TEXT_H
#define ORIEL_FILES_JSON_TEXT_H

#include <jansson.h>
#include <stdint.h>

/* Text for the caller to free(), NULL when memory is out or 'json' is NULL. */
char *oriel_json_text(const json_t *json, size_t flags);

/* A copy of an object, which shares its values; NULL also where json_copy leaves a
   member out and does not say so: when memory is out. */
json_t *oriel_json_copy(json_t *object);

/*
 * Append to 'list' and return it; both references are taken over.  NULL, and
 * the list gone, when anything is NULL or memory is out: a document lacks
 * nothing, or there is none.
 */
json_t *oriel_json_append(json_t *list, json_t *value);

/* A list of 'n' numbers; NULL without memory. */
json_t *oriel_json_integers(const int32_t *values, int32_t n);

#endif /* ORIEL_FILES_JSON_TEXT_H */
