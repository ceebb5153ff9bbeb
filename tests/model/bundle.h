/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h - tiny checkpoints for tests, well-formed or not
 *
 * The network is small (hidden 32, 2 heads, 4 blocks); its canonical values are
 * a pure function of tensor, block and place, each exact in F32, F16 and BF16,
 * so a test knows what to expect without reading anything back.
 */
#ifndef TESTS_MODEL_BUNDLE_H
#define TESTS_MODEL_BUNDLE_H

#include "model/manifest.h"
#include "support/networks.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TINY_DEPTH = 4,
    TINY_HIDDEN = 32,
    TINY_INTERMEDIATE = 20,
    TINY_OUT = 24,
    TINY_PATCH = 4
};

/* Full; and what a re-save leaves when widths come from shapes. */
extern const char tiny_config[];
extern const char tiny_preprocessor[];

enum { SPLIT_QKV = 1, CHANNELS_LAST = 2 };

typedef struct bundle_tensor {
    char name[160];
    char dtype[12];
    int64_t shape[8];
    int n_dims;
    int shard;
    size_t bytes;
    uint8_t *data;
} bundle_tensor;

typedef struct bundle {
    bundle_tensor tensors[160];
    int n_tensors;
    int n_shards; /* 0: one file without an index */
    int padding;  /* spaces behind the header: moves the data */
} bundle;

/* A canonical value of the tiny network. */
float tiny_value(oriel_tensor tensor, int32_t block, int64_t row,
                 int64_t column);

/* The whole tower, its tensors dealt to the shards in turn. */
bundle *bundle_create(const char *prefix, const char *dtype, int flags,
                      int n_shards);
void bundle_free(bundle *b);

/* A further tensor of zeros, or of 'data' (copied). */
bundle_tensor *bundle_add(bundle *b, const char *name, const char *dtype,
                          int n_dims, const int64_t *shape, const void *data);
bundle_tensor *bundle_find(bundle *b, const char *name);
void bundle_remove(bundle *b, const char *name);
/* Order them backwards, as far as the format cares not. */
void bundle_reverse(bundle *b);

/* Text and bytes to be freed with free(). */
char *bundle_header(const bundle *b, int shard);
char *bundle_index(const bundle *b);
/* A file of this header ('header' NULL: its own) and the shard's data. */
uint8_t *bundle_file(const bundle *b, int shard, const char *header,
                     size_t *bytes);
void shard_name(char out[64], int shard, int n_shards);

/* Weights and index into a folder. */
void bundle_write(const bundle *b, const char *folder);

/* ---- Folders ----------------------------------------------------------- */

char *temp_folder(void); /* to be given to temp_remove */
void temp_remove(char *folder);
void write_file(const char *folder, const char *name, const void *bytes,
                size_t n_bytes);
void write_text(const char *folder, const char *name, const char *text);
/* "FOLDER/NAME", in a static buffer, of which there are a few. */
const char *in_folder(const char *folder, const char *name);
/* A folder with this bundle, tiny_config and tiny_preprocessor. */
char *temp_checkpoint(const bundle *b);
/* 'text' with the first 'from' replaced; fails the test if there is none. */
char *replace(const char *text, const char *from, const char *to);

#endif /* TESTS_MODEL_BUNDLE_H */
