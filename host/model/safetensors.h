/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.h - the table of one safetensors file
 *
 * Layout: 8 bytes of header length (little endian), that many bytes of JSON
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...} and an
 * optional "__metadata__" of strings, then the data.  Opening checks
 * everything the format promises: header at most 32 MiB and beginning with
 * '{', no duplicate names, data without hole, overlap or surplus, and sizes
 * that follow from shape and dtype.  Data may begin at any byte.
 *
 * An unknown dtype is no error here: the tensor may be one that is never read.
 */
#ifndef ORIEL_MODEL_SAFETENSORS_H
#define ORIEL_MODEL_SAFETENSORS_H

#include "model/file.h"

#define ORIEL_SAFETENSORS_MAX_HEADER (32u << 20)

typedef enum oriel_stored {
    ORIEL_STORED_UNKNOWN = 0,
    ORIEL_STORED_BOOL,
    ORIEL_STORED_F4,
    ORIEL_STORED_F6_E2M3,
    ORIEL_STORED_F6_E3M2,
    ORIEL_STORED_U8,
    ORIEL_STORED_I8,
    ORIEL_STORED_F8_E5M2,
    ORIEL_STORED_F8_E4M3,
    ORIEL_STORED_F8_E8M0,
    ORIEL_STORED_I16,
    ORIEL_STORED_U16,
    ORIEL_STORED_F16,
    ORIEL_STORED_BF16,
    ORIEL_STORED_I32,
    ORIEL_STORED_U32,
    ORIEL_STORED_F32,
    ORIEL_STORED_C64,
    ORIEL_STORED_F64,
    ORIEL_STORED_I64,
    ORIEL_STORED_U64
} oriel_stored;

typedef struct oriel_stored_tensor {
    const char *name;       /* as in the file: quote it before printing */
    const char *dtype_name; /* likewise */
    oriel_stored dtype;
    int32_t n_dims;
    const int64_t *shape;
    const oriel_file *file;
    uint64_t offset; /* from the start of the file */
    uint64_t bytes;
} oriel_stored_tensor;

typedef struct oriel_metadata_pair {
    const char *key, *value; /* as in the file: quote before printing */
} oriel_metadata_pair;

typedef struct oriel_safetensors oriel_safetensors;

/*
 * Open and check.  ORIEL_ERR_NOT_FOUND, _IO, _MODEL (malformed), _MEMORY
 */
oriel_status oriel_safetensors_open(oriel_safetensors **out, const char *path,
                                    const oriel_hooks *hooks, oriel_error *err);
oriel_status oriel_safetensors_open_memory(oriel_safetensors **out,
                                           const char *name, const void *memory,
                                           size_t bytes,
                                           const oriel_hooks *hooks,
                                           oriel_error *err);

/* In the order of their data. */
const oriel_stored_tensor *oriel_safetensors_tensors(
    const oriel_safetensors *table, size_t *n_tensors);
/* NULL when there is none. */
const oriel_stored_tensor *oriel_safetensors_find(
    const oriel_safetensors *table, const char *name);
const oriel_metadata_pair *oriel_safetensors_metadata(
    const oriel_safetensors *table, size_t *n_pairs);
const oriel_file *oriel_safetensors_file(const oriel_safetensors *table);

void oriel_safetensors_close(oriel_safetensors *table); /* NULL is fine */

/* Bytes [first, first + bytes) of a tensor's data, as stored. */
oriel_status oriel_stored_read(const oriel_stored_tensor *tensor,
                               uint64_t first, void *out, size_t bytes,
                               oriel_error *err);

#define ORIEL_SHAPE_TEXT 96
/* "[1280, 3, 2, 14, 14]", its tail "..." when it is longer. */
void oriel_shape_text(char out[ORIEL_SHAPE_TEXT], const int64_t *shape,
                      int32_t n_dims);

/* ORIEL_STORED_UNKNOWN for a name that is not in the format. */
oriel_stored oriel_stored_named(const char *name);
/* Bits of one element; 0 for ORIEL_STORED_UNKNOWN. */
uint32_t oriel_stored_bits(oriel_stored dtype);

#endif /* ORIEL_MODEL_SAFETENSORS_H */
