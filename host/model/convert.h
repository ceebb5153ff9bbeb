/* SPDX-License-Identifier: Apache-2.0 */
/* convert.h - rows of stored floats to the dtype a backend wants */
#ifndef ORIEL_MODEL_CONVERT_H
#define ORIEL_MODEL_CONVERT_H

#include "base/dtype.h"

#include <stddef.h>
#include <stdint.h>

/*
 * 'n' values of dtype 'from' at any address, into 'out' of dtype 'to', another
 * one, F32 or BF16, aligned for it; no overlap.  To F32 exact; to BF16 nearest
 * even; a NaN stays a NaN.
 */
void oriel_convert(void *out, int32_t to, const void *in, int32_t from,
                   size_t n);

#endif /* ORIEL_MODEL_CONVERT_H */
