/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - what lies in one folder, sorted */
#ifndef ORIEL_BULK_WALK_H
#define ORIEL_BULK_WALK_H

#include "oriel.h"

/*
 * The paths of all that lies in 'folder', in the order of their bytes; those of
 * folders end with a slash and are sorted with it, so that a walk of the whole
 * tree meets whole paths in order.  '*names' ends with NULL and is for
 * bulk_names_free.  ORIEL_ERR_INPUT, _IO, _MEMORY
 */
oriel_status bulk_walk_list(const char *folder, char ***names,
                            oriel_error *err);

#endif /* ORIEL_BULK_WALK_H */
