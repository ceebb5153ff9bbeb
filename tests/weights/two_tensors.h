/* SPDX-License-Identifier: Apache-2.0 */
/* two_tensors.h - a small file, written in pieces, and its bytes */
#ifndef TESTS_WEIGHTS_TWO_TENSORS_H
#define TESTS_WEIGHTS_TWO_TENSORS_H

#include "files/safetensors_writer.h"
#include "support/folder.h"

/* Where the files are, and what the last call said. */
extern folder home;
extern oriel_error err;

extern const oriel_writer_tensor two_tensors_table[2];
extern const oriel_writer_header two_tensors_header;
extern const char two_tensors_text[]; /* of that header */

/* Fixture: an empty home, and no fault. */
void two_tensors_setup(void);
void two_tensors_teardown(void);

/* Kinds of file system: 0 as it is, 1 without O_TMPFILE, 2 also without
   RENAME_NOREPLACE. */
enum { FILE_SYSTEMS = 3 };
void two_tensors_deny(int kind);

oriel_status two_tensors_write(const char *name, bool replace,
                               uint64_t header_bytes, const oriel_hooks *hooks);

/* The file has these bytes, with 'room' for its header. */
void two_tensors_check(const char *name, size_t room);

#endif /* TESTS_WEIGHTS_TWO_TENSORS_H */
