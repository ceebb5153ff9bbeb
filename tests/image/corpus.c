/* SPDX-License-Identifier: Apache-2.0 */
#include "image/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char *file_name;

static void
give_up(const char *why)
{
    fprintf(stderr, "%s: %s\n", file_name, why);
    exit(EXIT_FAILURE);
}

static uint8_t *
read_all(size_t *n_bytes)
{
    FILE *file = fopen(file_name, "rb");
    uint8_t *bytes;
    long n = 0;

    if (!file)
        give_up("cannot be opened");
    if (fseek(file, 0, SEEK_END) || (n = ftell(file)) <= 0 ||
        fseek(file, 0, SEEK_SET))
        give_up("cannot be measured");
    bytes = malloc((size_t)n);
    if (!bytes || fread(bytes, 1, (size_t)n, file) != (size_t)n)
        give_up("cannot be read");
    fclose(file);
    *n_bytes = (size_t)n;
    return bytes;
}

/* Ten times the file is far more than it inflates to. */
static uint8_t *
inflate_all(size_t *n_bytes)
{
    size_t n_packed;
    uint8_t *packed = read_all(&n_packed);
    uLongf n = (uLongf)n_packed * 10;
    uint8_t *bytes = malloc(n);

    if (!bytes || uncompress(bytes, &n, packed, n_packed) != Z_OK)
        give_up("cannot be inflated");
    free(packed);
    *n_bytes = n;
    return bytes;
}

static uint32_t
take_uint(const uint8_t **at, const uint8_t *end, int n)
{
    uint32_t value = 0;

    if (end - *at < n)
        give_up("is cut");
    for (int i = 0; i < n; i++)
        value |= (uint32_t)(*at)[i] << 8 * i;
    *at += n;
    return value;
}

static const uint8_t *
take_bytes(const uint8_t **at, const uint8_t *end, size_t n)
{
    const uint8_t *bytes = *at;

    if ((size_t)(end - bytes) < n)
        give_up("is cut");
    *at += n;
    return bytes;
}

static void
take_file(corpus_file *file, const uint8_t **at, const uint8_t *end)
{
    size_t n_name = take_uint(at, end, 2);
    const uint8_t *name = take_bytes(at, end, n_name);

    memset(file, 0, sizeof(*file));
    if (n_name >= sizeof(file->name))
        give_up("has a long name");
    memcpy(file->name, name, n_name);
    file->n_bytes = take_uint(at, end, 4);
    file->bytes = take_bytes(at, end, file->n_bytes);
    for (int i = 0; i < 4; i++) {
        file->results[i].width = take_uint(at, end, 4);
        file->results[i].height = take_uint(at, end, 4);
        file->results[i].crc = take_uint(at, end, 4);
    }
}

corpus
corpus_load(const char *path)
{
    corpus c = {NULL, NULL, 0};
    size_t n_bytes;
    const uint8_t *at, *end;

    file_name = path;
    c.memory = inflate_all(&n_bytes);
    at = c.memory;
    end = at + n_bytes;
    while (at < end) {
        if (c.n_files % 256 == 0)
            c.files = realloc(c.files, (c.n_files + 256) * sizeof(c.files[0]));
        if (!c.files)
            give_up("is too large");
        take_file(&c.files[c.n_files++], &at, end);
    }
    return c;
}

void
corpus_free(corpus *c)
{
    free(c->files);
    free(c->memory);
}

const corpus_file *
corpus_find(const corpus *c, const char *name)
{
    for (size_t i = 0; i < c->n_files; i++)
        if (strcmp(c->files[i].name, name) == 0)
            return &c->files[i];
    fprintf(stderr, "no file is called %s\n", name);
    give_up("lacks a file");
    return NULL;
}
