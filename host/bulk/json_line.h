/* SPDX-License-Identifier: Apache-2.0 */
/* json_line.h - JSON from a list, an archive or a manifest */
#ifndef ORIEL_BULK_JSON_LINE_H
#define ORIEL_BULK_JSON_LINE_H

#include "oriel.h"

#include <jansson.h>

/*
 * Parse 'n' bytes.  Where they are no JSON, '*out' is NULL with ORIEL_OK.  jansson
 * calls text malformed when memory is out while it reads; so a failure counts only
 * if memory was there and it comes again.  ORIEL_ERR_MEMORY
 */
oriel_status bulk_json_parse(json_t **out, const char *text, size_t n,
                             size_t flags, oriel_error *err);

#endif /* ORIEL_BULK_JSON_LINE_H */
