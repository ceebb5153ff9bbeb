/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors_writer.h - safetensors files, written whole or not at all
 *
 * Room for the header is set aside first and filled last, so tensors may be
 * streamed before their final shapes are known:
 *
 *     create (header_bytes) -> write, write, ... -> finish (table, metadata)
 *
 * Offsets given to write count from the first byte of data.  Tensors lie one
 * after the other in the order of the table given to finish.
 */
#ifndef ORIEL_FILES_SAFETENSORS_WRITER_H
#define ORIEL_FILES_SAFETENSORS_WRITER_H

#include "oriel.h"

#include <stdbool.h>

#define ORIEL_WRITER_MAX_RANK 8
#define ORIEL_WRITER_MAX_HEADER (UINT64_C(32) << 20) /* what readers accept */

typedef struct oriel_writer oriel_writer;

typedef struct oriel_writer_tensor {
    const char *name;  /* UTF-8, unique */
    const char *dtype; /* "F32", "BF16", "F16", "I64", "I32" */
    int32_t rank;      /* 0 .. ORIEL_WRITER_MAX_RANK */
    int64_t shape[ORIEL_WRITER_MAX_RANK];
} oriel_writer_tensor;

/* One string of __metadata__; UTF-8. */
typedef struct oriel_writer_entry {
    const char *key, *value;
} oriel_writer_entry;

typedef struct oriel_writer_header {
    const oriel_writer_tensor *tensors;
    size_t n_tensors;
    const oriel_writer_entry *metadata; /* written in this order */
    size_t n_metadata;
} oriel_writer_header;

typedef struct oriel_writer_options {
    bool replace;          /* an existing regular file */
    uint64_t header_bytes; /* room for the header; rounded up to 8 */
    uint64_t data_bytes;   /* expected, to reserve on the disk; 0: unknown */
    const oriel_hooks *hooks;
} oriel_writer_options;

/*
 * Bytes of this header in the file, without the 8 of its length, padded to 8.
 * ORIEL_ERR_ARGUMENT (not UTF-8, a name twice, an impossible shape or dtype,
 * beyond ORIEL_WRITER_MAX_HEADER), _MEMORY
 */
oriel_status oriel_writer_header_bytes(const oriel_writer_header *header,
                                       uint64_t *bytes, oriel_error *err);

/* Bytes of a tensor's data.  ORIEL_ERR_ARGUMENT */
oriel_status oriel_writer_tensor_bytes(const oriel_writer_tensor *tensor,
                                       uint64_t *bytes, oriel_error *err);

/* As oriel_whole_file_create. */
oriel_status oriel_writer_create(oriel_writer **out, const char *path,
                                 const oriel_writer_options *options,
                                 oriel_error *err);

/* Data at an offset; each byte once.  Any number of threads at once. */
oriel_status oriel_writer_write(oriel_writer *writer, uint64_t offset,
                                const void *data, size_t bytes,
                                oriel_error *err);

/*
 * Write the header, make the file appear, and destroy 'writer', after a
 * failure too.  ORIEL_ERR_ARGUMENT (as header_bytes; the header needs more
 * room than was set aside; the name is taken), _INTERNAL (the bytes written
 * are not the bytes of the table), _IO, _MEMORY
 */
oriel_status oriel_writer_finish(oriel_writer *writer,
                                 const oriel_writer_header *header,
                                 oriel_error *err);

/* Forget it all: no file appears.  NULL is fine. */
void oriel_writer_abort(oriel_writer *writer);

#endif /* ORIEL_FILES_SAFETENSORS_WRITER_H */
