/* SPDX-License-Identifier: Apache-2.0 */
/* dtype.h - the widths of ORIEL_DTYPE_* */
#ifndef ORIEL_BASE_DTYPE_H
#define ORIEL_BASE_DTYPE_H

#include "oriel.h"

/* Bytes of one value; 0 for what is no ORIEL_DTYPE_*. */
static inline size_t
oriel_dtype_bytes(int32_t dtype)
{
    switch (dtype) {
    case ORIEL_DTYPE_F32:
        return 4;
    case ORIEL_DTYPE_BF16:
    case ORIEL_DTYPE_F16:
        return 2;
    case ORIEL_DTYPE_U8:
        return 1;
    default:
        return 0;
    }
}

#endif /* ORIEL_BASE_DTYPE_H */
