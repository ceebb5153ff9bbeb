/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.h - arrays that take their places one after another */
#ifndef ORIEL_CUDA_CURSOR_H
#define ORIEL_CUDA_CURSOR_H

#include "base/checked.h"

/* Of every array on the device, cudaMalloc's own. */
enum { ORIEL_CUDA_ALIGNMENT = 256 };

/* With base NULL it only counts.  Once a sum overflows it stays overflowed. */
typedef struct oriel_cuda_cursor {
    char *base;
    size_t at;
    bool overflowed;
} oriel_cuda_cursor;

/* Room for rows x row_bytes; where it starts, or NULL when only counting. */
static inline void *
oriel_cuda_take(oriel_cuda_cursor *c, int64_t rows, int64_t row_bytes)
{
    size_t start = c->at, bytes;

    if (!oriel_mul_size(&bytes, (size_t)rows, (size_t)row_bytes) ||
        bytes > SIZE_MAX - ORIEL_CUDA_ALIGNMENT ||
        !oriel_add_size(&c->at, c->at,
                        oriel_round_up(bytes, ORIEL_CUDA_ALIGNMENT)))
        c->overflowed = true;
    return c->base && !c->overflowed ? c->base + start : NULL;
}

#endif /* ORIEL_CUDA_CURSOR_H */
