/* SPDX-License-Identifier: Apache-2.0 */
/* read_file.h - the whole of a file or pipe into memory */
#ifndef ORIEL_CLI_READ_FILE_H
#define ORIEL_CLI_READ_FILE_H

#include "oriel.h"

#include <stdbool.h>
#include <stddef.h>

/* "https://host/a.jpg": a scheme and two slashes. */
bool cli_is_url(const char *name);
/* What to do with one, as no network is used here: ORIEL_ERR_INPUT. */
oriel_status cli_fail_url(oriel_error *err);

/* Whether what begins with these bytes is worth reading on. */
typedef bool cli_head_check(const char *head, size_t n_bytes);

/*
 * Read 'name' (NULL: standard input) up to its end, at most 'limit' bytes;
 * '*text' has a NUL after them and is the caller's to free().  Messages do not
 * name the file.  'wanted' (NULL: everything is) is asked before more memory is
 * taken than the file's size told, 64 KiB where it tells none; when it says no,
 * what was read so far is all that is returned.  With 'wanted' the file is one
 * of many, and none may stop the others: devices and sockets are refused, and so
 * are pipes that stay silent, after 2 s if no process writes to them, else after
 * 30 s.  Without it a pipe is waited for until a signal comes.
 * ORIEL_ERR_INPUT (no such file, a folder, too large, unreadable, as above),
 * _IO (the machine's fault: no more files can be opened, or a disk fails),
 * _MEMORY, _CANCELLED (a signal)
 */
oriel_status cli_read_file(const char *name, size_t limit,
                           cli_head_check *wanted, char **text, size_t *bytes,
                           oriel_error *err);

#endif /* ORIEL_CLI_READ_FILE_H */
