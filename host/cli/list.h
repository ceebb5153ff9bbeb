/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - the text of a list of names, from whatever editor wrote it */
#ifndef ORIEL_CLI_LIST_H
#define ORIEL_CLI_LIST_H

#include "oriel.h"

#include <stddef.h>

/*
 * Make '*text', which malloc gave, UTF-8 without a byte order mark: UTF-16 of
 * either byte order is converted if its mark is there.  '*bytes' is the length;
 * a NUL byte stands after it before and afterwards.  ORIEL_ERR_INPUT (UTF-16
 * that is cut or has half a pair), _MEMORY: then the text is what it was.
 */
oriel_status cli_list_decode(char **text, size_t *bytes, oriel_error *err);

/*
 * Take the next line off '*text', which ends at 'end', and return it, without
 * its line feed and a carriage return before that.  NULL: there is none.
 */
char *cli_list_next_line(char **text, char *end);

#endif /* ORIEL_CLI_LIST_H */
