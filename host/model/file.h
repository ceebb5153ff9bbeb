/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - bytes at an offset, from a file or from the caller's memory
 *
 * Files are read, never mapped: a file that somebody truncates then is an
 * error, not a SIGBUS.  After every read it is checked that the file is still
 * the one that was opened: its size and its times of modification and change.
 */
#ifndef ORIEL_MODEL_FILE_H
#define ORIEL_MODEL_FILE_H

#include "base/memory.h"
#include "oriel.h"

#include <stdint.h>

typedef struct oriel_file oriel_file;

/* "PATH: DOING: <strerror>" with the status that errno 'cause' amounts to. */
oriel_status oriel_file_fail(oriel_error *err, const char *path,
                             const char *doing, int cause);

/* A regular file, kept open.  ORIEL_ERR_NOT_FOUND, _MODEL (a pipe, folder or
   device, or an impossible name), _IO, _MEMORY */
oriel_status oriel_file_open(oriel_file **out, const char *path,
                             const oriel_hooks *hooks, oriel_error *err);

/* 'memory' must outlive the file; 'name' is what messages call it. */
oriel_status oriel_file_wrap(oriel_file **out, const char *name,
                             const void *memory, size_t bytes,
                             const oriel_hooks *hooks, oriel_error *err);

/*
 * All of [offset, offset + bytes), of a file that has not changed since it was
 * opened, or ORIEL_ERR_IO.  Calls no hook and
 * allocates nothing, so it may run on any thread.  Threads: shared.
 */
oriel_status oriel_file_read(const oriel_file *file, uint64_t offset, void *out,
                             size_t bytes, oriel_error *err);

/*
 * The whole of a small file as text with a NUL after it, to be freed with
 * oriel_free.  Longer than 'limit' is ORIEL_ERR_MODEL.
 */
oriel_status oriel_file_load(const oriel_file *file, size_t limit, char **text,
                             size_t *bytes, oriel_error *err);

const char *oriel_file_name(const oriel_file *file);
uint64_t oriel_file_bytes(const oriel_file *file);
/* Asked for and delivered so far; what proves that little is read. */
uint64_t oriel_file_bytes_read(const oriel_file *file);

void oriel_file_close(oriel_file *file); /* NULL is fine */

#endif /* ORIEL_MODEL_FILE_H */
