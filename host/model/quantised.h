/* SPDX-License-Identifier: Apache-2.0 */
/* quantised.h - weights in a form other than plain floats */
#ifndef ORIEL_MODEL_QUANTISED_H
#define ORIEL_MODEL_QUANTISED_H

#include "model/checkpoint.h"

/* A quantised tensor in the place of the one of this full name: 'qweight' and
   the like; NULL if there is none. */
const oriel_stored_tensor *oriel_quantised_find(
    const oriel_checkpoint *checkpoint, const char *name);

/* ORIEL_ERR_UNSUPPORTED, with the format's name as far as it is known. */
oriel_status oriel_quantised_refuse(const oriel_checkpoint *checkpoint,
                                    const oriel_stored_tensor *tensor,
                                    oriel_error *err);

#endif /* ORIEL_MODEL_QUANTISED_H */
