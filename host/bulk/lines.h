/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - the names of a list, one after the other, while it is being written
 *
 * What a list may look like is told by cli/inputs.h.  UTF-8 is read piece by
 * piece, so that work begins before the list ends; UTF-16 is read whole.
 */
#ifndef ORIEL_BULK_LINES_H
#define ORIEL_BULK_LINES_H

#include "oriel.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bulk_lines bulk_lines;

/*
 * 'name' NULL: standard input, of which the 'n_head' bytes at 'head' were read
 * already.  ORIEL_ERR_INPUT (it cannot be opened), _IO, _MEMORY
 */
oriel_status bulk_lines_open(bulk_lines **out, const char *name,
                             bool null_names, const char *head, size_t n_head,
                             oriel_error *err);

/*
 * The next name that is not empty, or NULL at the end; it stays valid until the next
 * call.  Comments are the caller's to skip.  ORIEL_ERR_INPUT (a NUL byte in a
 * list of lines, a name without end, broken UTF-16), _IO, _MEMORY, _CANCELLED
 */
oriel_status bulk_lines_next(bulk_lines *lines, char **name, oriel_error *err);

void bulk_lines_close(bulk_lines *lines); /* NULL is fine */

#endif /* ORIEL_BULK_LINES_H */
