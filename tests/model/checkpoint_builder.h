/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint_builder.h - tiny checkpoints for tests, well-formed or not
 *
 * The network is the tiny one of support/tiny_network.h; its canonical values
 * are a pure function of tensor, block and place, each exact in F32, F16 and
 * BF16, so a test knows what to expect without reading anything back.
 */
#ifndef TESTS_MODEL_CHECKPOINT_BUILDER_H
#define TESTS_MODEL_CHECKPOINT_BUILDER_H

#include "base/manifest.h"
#include "support/networks.h"
#include "support/tiny_network.h"

#include <stddef.h>
#include <stdint.h>

/* Full; and what a re-save leaves when widths come from shapes. */
extern const char tiny_config[];
extern const char tiny_preprocessor[];

enum { SPLIT_QKV = 1, CHANNELS_LAST = 2 };

typedef struct builder_tensor {
    char name[160];
    char dtype[12];
    int64_t shape[8];
    int n_dims;
    int shard;
    size_t bytes;
    uint8_t *data;
} builder_tensor;

typedef struct checkpoint_builder {
    builder_tensor tensors[200];
    int n_tensors;
    int n_shards; /* 0: one file without an index */
    int padding;  /* spaces after the header: moves the data */
} checkpoint_builder;

/* A canonical value of the tiny network. */
float tiny_value(oriel_tensor tensor, int32_t block, int64_t row,
                 int64_t column);

/* The whole tower, its tensors dealt to the shards in turn. */
checkpoint_builder *builder_create(const char *prefix, const char *dtype,
                                   int flags, int n_shards);
void builder_free(checkpoint_builder *b);

/* A further tensor of zeros, or of 'data' (copied). */
builder_tensor *builder_add(checkpoint_builder *b, const char *name,
                            const char *dtype, int n_dims, const int64_t *shape,
                            const void *data);
builder_tensor *builder_find(checkpoint_builder *b, const char *name);
void builder_remove(checkpoint_builder *b, const char *name);
/* Order them backwards, as far as the format cares not. */
void builder_reverse(checkpoint_builder *b);

/* Text and bytes to be freed with free(). */
char *builder_header(const checkpoint_builder *b, int shard);
char *builder_index(const checkpoint_builder *b);
/* A file of this header ('header' NULL: its own) and the shard's data. */
uint8_t *builder_file(const checkpoint_builder *b, int shard,
                      const char *header, size_t *bytes);
void shard_name(char out[64], int shard, int n_shards);

/* Weights and index into a folder. */
void builder_write(const checkpoint_builder *b, const char *folder);

/* ---- Folders ----------------------------------------------------------- */

char *temp_folder(void); /* to be given to temp_remove */
void temp_remove(char *folder);
void write_file(const char *folder, const char *name, const void *bytes,
                size_t n_bytes);
void write_text(const char *folder, const char *name, const char *text);
/* "FOLDER/NAME", in a static buffer, of which there are a few. */
const char *in_folder(const char *folder, const char *name);
/* A folder with this checkpoint_builder, tiny_config and tiny_preprocessor. */
char *temp_checkpoint(const checkpoint_builder *b);
/* 'text' with the first 'from' replaced; fails the test if there is none. */
char *replace(const char *text, const char *from, const char *to);

#endif /* TESTS_MODEL_CHECKPOINT_BUILDER_H */
