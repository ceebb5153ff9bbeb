/* SPDX-License-Identifier: Apache-2.0 */
/* read_file.h - the whole of a file or pipe into memory */
#ifndef ORIEL_CLI_READ_FILE_H
#define ORIEL_CLI_READ_FILE_H

#include "oriel.h"

#include <stddef.h>

/*
 * Read 'name' (NULL: standard input) up to its end, at most 'limit' bytes;
 * '*text' has a NUL behind them and is the caller's to free().  Messages do not
 * name the file.
 * ORIEL_ERR_INPUT (no such file, a folder, too large, unreadable), _MEMORY,
 * _CANCELLED (a signal)
 */
oriel_status cli_read_file(const char *name, size_t limit, char **text,
                           size_t *bytes, oriel_error *err);

#endif /* ORIEL_CLI_READ_FILE_H */
