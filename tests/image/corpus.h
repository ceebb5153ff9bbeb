/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.h - corpus.bin, as make_corpus.py describes it */
#ifndef TESTS_IMAGE_CORPUS_H
#define TESTS_IMAGE_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/* What Pillow makes of a file; all 0 when it refuses. */
typedef struct corpus_result {
    uint32_t width, height, crc;
} corpus_result;

typedef struct corpus_file {
    char name[160];
    const uint8_t *bytes;
    size_t n_bytes;
    corpus_result results[4]; /* [2 * white + turned] */
} corpus_file;

typedef struct corpus {
    uint8_t *memory;
    corpus_file *files;
    size_t n_files;
} corpus;

/* Exits with a message when it cannot; 'path' must outlive the corpus. */
corpus corpus_load(const char *path);
void corpus_free(corpus *c);
/* The file of that name, which must be there. */
const corpus_file *corpus_find(const corpus *c, const char *name);

#endif /* TESTS_IMAGE_CORPUS_H */
