/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - jansson within a bound, and typed fields */
#include "model/json.h"

#include "base/fail.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What can be known of a text without allocating anything. */
typedef struct survey {
    size_t values;  /* at least as many as there are */
    size_t longest; /* token, in bytes */
} survey;

static bool
is_between_tokens(char c)
{
    return c == ',' || c == ':' || c == '[' || c == ']' || c == '{' ||
           c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static survey
look_over(const char *text, size_t bytes)
{
    survey s = {1, 0};
    bool in_string = false;
    size_t begin = 0; /* of the token */

    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];

        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            if (!in_string)
                begin = i;
            in_string = !in_string;
        } else if (!in_string && is_between_tokens(c)) {
            /* Each value but the first follows one of these. */
            s.values += c == ',' || c == ':' || c == '[' || c == '{';
            begin = i + 1;
        }
        if (i + 1 - begin > s.longest)
            s.longest = i + 1 - begin;
    }
    return s;
}

static const char head[] = "[\"";
static const char middle[] = "\",\n";
static const char tail[] = "]";

/*
 * The text goes to jansson as ["xx...x",\nTEXT].  Its scanner drops characters
 * silently when it cannot grow its buffer for a token (2.14), so the first one
 * grows it for all that follow, and is counted afterwards.
 */
typedef struct feed {
    const char *text;
    size_t bytes;
    size_t pad; /* length of the first string */
    size_t at;  /* of head, pad, middle, text and tail together */
} feed;

/* Copy of one piece what falls into the window; its length. */
static size_t
feed_piece(feed *f, size_t *start, const char *piece, size_t bytes, char *out,
           size_t room)
{
    size_t n = 0;

    if (f->at >= *start && f->at < *start + bytes) {
        const size_t skip = f->at - *start;

        n = bytes - skip < room ? bytes - skip : room;
        if (piece)
            memcpy(out, piece + skip, n);
        else
            memset(out, 'x', n);
        f->at += n;
    }
    *start += bytes;
    return n;
}

static size_t
feed_some(void *buffer, size_t room, void *data)
{
    feed *f = data;
    char *out = buffer;
    size_t start = 0;
    size_t n = 0;

    n += feed_piece(f, &start, head, sizeof(head) - 1, out, room);
    n += feed_piece(f, &start, NULL, f->pad, out + n, room - n);
    n += feed_piece(f, &start, middle, sizeof(middle) - 1, out + n, room - n);
    n += feed_piece(f, &start, f->text, f->bytes, out + n, room - n);
    n += feed_piece(f, &start, tail, sizeof(tail) - 1, out + n, room - n);
    return n;
}

/*
 * Whether the parser failed for want of memory.  jansson often says nothing
 * then.  But when there is no room for a string's value it calls the string,
 * whose closing quote it has just read, an invalid token or no string; of a
 * string that is malformed it says something else.
 */
static bool
was_memory(const feed *f, const json_error_t *why)
{
    const size_t end_of_pad = sizeof(head) - 1 + f->pad + 1;
    const size_t before = end_of_pad + sizeof(middle) - 2;
    const size_t at = why->position < 0 ? 0 : (size_t)why->position;

    if (json_error_code(why) == json_error_out_of_memory ||
        why->text[0] == '\0')
        return true;
    return json_error_code(why) == json_error_invalid_syntax &&
           (strncmp(why->text, "invalid token", 13) == 0 ||
            strncmp(why->text, "string or '}' expected", 22) == 0) &&
           (at == end_of_pad || (at > before && at - before <= f->bytes &&
                                 f->text[at - before - 1] == '"'));
}

/*
 * The length of the first string.  jansson doubles its buffer when it is full
 * but for one byte; if it cannot, it drops the character, and of a string whose
 * last quote was dropped it copies what lies after the buffer.  So growing
 * must not coincide with that quote, nor be the one character earlier that a
 * dropped one makes it.
 */
static size_t
choose_pad(size_t longest)
{
    size_t pad = longest + 2;

    while (((pad + 1) & (pad + 2)) == 0 || (pad & (pad + 1)) == 0)
        pad++;
    return pad;
}

/* Room for the buffer while it grows: old, new and a copy of the string. */
static bool
has_room(size_t pad)
{
    void *room = malloc(8 * pad + 64);

    free(room);
    return room;
}

static oriel_status
parse(json_t **out, const char *text, size_t bytes, size_t flags,
      const char *file, oriel_error *err)
{
    const survey s = look_over(text, bytes);
    feed f = {text, bytes, choose_pad(s.longest), 0};
    const char *zero;
    json_error_t why;
    json_t *wrapped;

    *out = NULL;
    if (bytes == 0)
        return oriel_fail(
            err, ORIEL_ERR_MODEL,
            "%s: malformed JSON: the file is empty, expected an object",
            ORIEL_QUOTE(file));
    if (s.values > ORIEL_JSON_MAX_VALUES)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: JSON of more values than the %d expected",
                          ORIEL_QUOTE(file), ORIEL_JSON_MAX_VALUES);
    /* jansson drops one after a number, and counts positions wrong from there. */
    zero = memchr(text, '\0', bytes);
    if (zero)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: malformed JSON: byte %zu is zero, expected text",
                          ORIEL_QUOTE(file), (size_t)(zero - text));
    if (!has_room(f.pad))
        return oriel_fail_memory(err, 8 * f.pad, "JSON values");
    wrapped = json_load_callback(feed_some, &f, flags, &why);
    if (wrapped ? json_string_length(json_array_get(wrapped, 0)) != f.pad
                : was_memory(&f, &why)) {
        json_decref(wrapped);
        return oriel_fail_memory(err, bytes, "JSON values");
    }
    if (!wrapped)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: malformed JSON at line %d, column %d: %s",
                          ORIEL_QUOTE(file), why.line - 1, why.column,
                          ORIEL_QUOTE(why.text));
    if (json_array_size(wrapped) == 2 &&
        json_is_object(json_array_get(wrapped, 1)))
        *out = json_incref(json_array_get(wrapped, 1));
    json_decref(wrapped);
    return *out ? ORIEL_OK
                : oriel_fail(err, ORIEL_ERR_MODEL,
                             "%s: expected one JSON object", ORIEL_QUOTE(file));
}

oriel_status
oriel_json_parse(json_t **out, const char *text, size_t bytes, const char *file,
                 oriel_error *err)
{
    return parse(out, text, bytes, JSON_REJECT_DUPLICATES, file, err);
}

oriel_status
oriel_json_parse_python(json_t **out, const char *text, size_t bytes,
                        const char *file, const oriel_hooks *hooks,
                        oriel_error *err)
{
    char *copy = oriel_alloc(hooks, bytes + 1);
    oriel_status status;

    *out = NULL;
    if (!copy)
        return oriel_fail_memory(err, bytes + 1, "a JSON text");
    memcpy(copy, text, bytes);
    oriel_json_from_python(copy, bytes);
    status = parse(out, copy, bytes, 0, file, err);
    oriel_free(hooks, copy);
    return status;
}

bool
oriel_json_is_nan(const json_t *value)
{
    return json_is_string(value) &&
           strcmp(json_string_value(value), "\x7f") == 0;
}

double
oriel_json_double(const json_t *value)
{
    const double number = json_number_value(value);

    return fabs(number) < 1e308 ? number : copysign(INFINITY, number);
}

const json_t *
oriel_field(const oriel_fields *fields, const char *name)
{
    const json_t *value;

    if (fields->status)
        return NULL;
    value = json_object_get(fields->object, name);
    return json_is_null(value) ? NULL : value;
}

/* With a point or exponent, to be told from an integer. */
static void
describe_real(char *out, size_t bytes, double value)
{
    if (fabs(value) >= 1e308) {
        snprintf(out, bytes, "%sInfinity", value < 0 ? "-" : "");
        return;
    }
    snprintf(out, bytes, "%.15g", value);
    if (strspn(out, "-0123456789") == strlen(out))
        snprintf(out, bytes, "%.1f", value);
}

/* What stands there instead, short. */
static void
describe(char *out, size_t bytes, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        snprintf(out, bytes, "an object");
        break;
    case JSON_ARRAY:
        snprintf(out, bytes, "an array of %zu", json_array_size(value));
        break;
    case JSON_STRING:
        if (oriel_json_is_nan(value))
            snprintf(out, bytes, "NaN");
        else
            snprintf(out, bytes, "\"%s\"",
                     oriel_quote_bytes(json_string_value(value),
                                       json_string_length(value))
                         .text);
        break;
    case JSON_INTEGER:
        snprintf(out, bytes, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        break;
    case JSON_REAL:
        describe_real(out, bytes, json_real_value(value));
        break;
    case JSON_TRUE:
        snprintf(out, bytes, "true");
        break;
    case JSON_FALSE:
        snprintf(out, bytes, "false");
        break;
    default:
        snprintf(out, bytes, "nothing");
    }
}

void
oriel_field_fail(oriel_fields *fields, const char *name, const json_t *found,
                 const char *what)
{
    char text[176];

    if (fields->status)
        return;
    describe(text, sizeof(text), found);
    fields->status = oriel_fail(
        fields->err, ORIEL_ERR_MODEL, "%s: %s%s: expected %s, found %s",
        ORIEL_QUOTE(fields->file), fields->path, name, what, text);
}

bool
oriel_field_i64(oriel_fields *fields, const char *name, int64_t low,
                int64_t high, int64_t *out)
{
    const json_t *value = oriel_field(fields, name);
    char what[96];

    if (!value)
        return false;
    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high) {
        if (low == high)
            snprintf(what, sizeof(what), "%" PRId64, low);
        else
            snprintf(what, sizeof(what),
                     "an integer from %" PRId64 " to %" PRId64, low, high);
        oriel_field_fail(fields, name, value, what);
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

bool
oriel_field_i32(oriel_fields *fields, const char *name, int32_t low,
                int32_t high, int32_t *out)
{
    int64_t value;

    if (!oriel_field_i64(fields, name, low, high, &value))
        return false;
    *out = (int32_t)value;
    return true;
}

bool
oriel_field_double(oriel_fields *fields, const char *name, double *out)
{
    const json_t *value = oriel_field(fields, name);

    if (!value)
        return false;
    if (!json_is_number(value) || !isfinite(oriel_json_double(value))) {
        oriel_field_fail(fields, name, value, "a number");
        return false;
    }
    *out = json_number_value(value);
    return true;
}

bool
oriel_field_bool(oriel_fields *fields, const char *name, int32_t *out)
{
    const json_t *value = oriel_field(fields, name);

    if (!value)
        return false;
    if (!json_is_boolean(value)) {
        oriel_field_fail(fields, name, value, "true or false");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

static const json_t *
field_of_type(oriel_fields *fields, const char *name, json_type type,
              const char *what)
{
    const json_t *value = oriel_field(fields, name);

    if (!value)
        return NULL;
    if (json_typeof(value) != type) {
        oriel_field_fail(fields, name, value, what);
        return NULL;
    }
    return value;
}

const char *
oriel_field_text(oriel_fields *fields, const char *name)
{
    const json_t *value = field_of_type(fields, name, JSON_STRING, "a string");

    return value ? json_string_value(value) : NULL;
}

const json_t *
oriel_field_object(oriel_fields *fields, const char *name)
{
    return field_of_type(fields, name, JSON_OBJECT, "an object");
}

const json_t *
oriel_field_array(oriel_fields *fields, const char *name)
{
    return field_of_type(fields, name, JSON_ARRAY, "an array");
}
