/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_file.h - what a file is that is not what a checkpoint has there */
#ifndef ORIEL_MODEL_FOREIGN_FILE_H
#define ORIEL_MODEL_FOREIGN_FILE_H

#include "model/file.h"

/* Enough to know them by. */
enum { ORIEL_FOREIGN_BYTES = 48 };

/* What a file with these first bytes is, and what to do: "a Git LFS pointer,
   ..."; NULL for a file of no kind that is known here.  Static. */
const char *oriel_foreign_kind(const void *bytes, size_t n_bytes);

/* ORIEL_ERR_UNSUPPORTED with that, if it is known, else ORIEL_ERR_MODEL with
   the caller's message; ORIEL_ERR_IO if not even this can be read. */
__attribute__((format(printf, 3, 4))) oriel_status oriel_foreign_fail(
    const oriel_file *file, oriel_error *err, const char *format, ...);

#endif /* ORIEL_MODEL_FOREIGN_FILE_H */
