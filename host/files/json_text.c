/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.c - JSON as text, whole or not at all */
#include "files/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct text_buffer {
    char *text;
    size_t length, capacity;
    bool failed; /* for good: a later piece must not close the gap */
} text_buffer;

static bool
reserve(text_buffer *buffer, size_t bytes)
{
    size_t capacity = buffer->capacity ? buffer->capacity : 1024;
    char *larger;

    while (capacity - buffer->length < bytes) {
        if (capacity > SIZE_MAX / 2)
            return false;
        capacity *= 2;
    }
    if (capacity == buffer->capacity)
        return true;
    larger = realloc(buffer->text, capacity);
    if (!larger)
        return false;
    buffer->text = larger;
    buffer->capacity = capacity;
    return true;
}

static int
append(const char *piece, size_t bytes, void *data)
{
    text_buffer *buffer = data;

    if (buffer->failed || bytes == SIZE_MAX || !reserve(buffer, bytes + 1)) {
        buffer->failed = true;
        return -1;
    }
    memcpy(buffer->text + buffer->length, piece, bytes);
    buffer->length += bytes;
    buffer->text[buffer->length] = '\0';
    return 0;
}

char *
oriel_json_text(const json_t *json, size_t flags)
{
    text_buffer buffer = {0};

    if (json && json_dump_callback(json, append, &buffer, flags) == 0 &&
        !buffer.failed && buffer.text)
        return buffer.text;
    free(buffer.text);
    return NULL;
}

json_t *
oriel_json_append(json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) == 0)
        return list;
    json_decref(list);
    return NULL;
}

json_t *
oriel_json_integers(const int32_t *values, int32_t n)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < n && list; i++)
        list = oriel_json_append(list, json_integer(values[i]));
    return list;
}

json_t *
oriel_json_copy(json_t *object)
{
    json_t *copy = json_copy(object);

    if (json_object_size(copy) == json_object_size(object))
        return copy;
    json_decref(copy);
    return NULL;
}
