/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - the host memory of the library, lent by the caller's hooks
 */
#ifndef ORIEL_BASE_MEMORY_H
#define ORIEL_BASE_MEMORY_H

#include "oriel.h"

#include <stdbool.h>

#define ORIEL_ALIGNMENT 64 /* a cache line, and the widest vector */

/*
 * Copy the caller's hooks (NULL: none) by the rule for structs of other sizes.
 * An alloc without its free, or the reverse, is ORIEL_ERR_ARGUMENT.
 */
oriel_status oriel_hooks_load(oriel_hooks *out, const oriel_hooks *from,
                              oriel_error *err);

/* NULL when memory is out or the product overflows; zeroed.  Alignment is
   ORIEL_ALIGNMENT.  'hooks' may be NULL. */
void *oriel_calloc(const oriel_hooks *hooks, size_t count, size_t bytes);
/* The same, uninitialised. */
void *oriel_alloc(const oriel_hooks *hooks, size_t bytes);
void oriel_free(const oriel_hooks *hooks, void *memory); /* NULL is fine */
char *oriel_strdup(const oriel_hooks *hooks, const char *text);

void oriel_log(const oriel_hooks *hooks, int32_t level, const char *line);
bool oriel_cancelled(const oriel_hooks *hooks);
/* ORIEL_ERR_CANCELLED when the hook says so. */
oriel_status oriel_cancel_check(const oriel_hooks *hooks, oriel_error *err);

#endif /* ORIEL_BASE_MEMORY_H */
