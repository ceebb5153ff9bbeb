/* SPDX-License-Identifier: Apache-2.0 */
/* recover.h - how far a run came that did not end */
#ifndef ORIEL_BULK_RECOVER_H
#define ORIEL_BULK_RECOVER_H

#include "bulk/manifest.h"

typedef struct bulk_recovered {
    bulk_totals totals; /* of the lines that stand */
    int64_t place;      /* where they end in the manifest */
    int64_t parts;      /* part 0 .. parts - 1 are whole and listed */
    json_t *ids;        /* of the last part */
    int64_t *grids;     /* [n, 3] of the last part */
    int64_t *ends;      /* [n] the row after each of its items */
    size_t n;
} bulk_recovered;

/* Read manifest and parts.  ORIEL_ERR_IO, _MEMORY */
oriel_status bulk_recover(bulk_recovered *out, const bulk_layout *layout,
                          oriel_error *err);
void bulk_recovered_free(bulk_recovered *recovered);

/* Read all of a complete run: every part is there, with every row.  '*failed'
   is for the caller to free(): a byte an input.  ORIEL_ERR_MODEL (it is not),
   _IO, _MEMORY */
oriel_status bulk_verify(bulk_totals *totals, int64_t *parts, bool **failed,
                         const bulk_layout *layout, oriel_error *err);

#endif /* ORIEL_BULK_RECOVER_H */
