/* SPDX-License-Identifier: Apache-2.0 */
/* storage.h - how the operands of matrix products are kept */
#ifndef ORIEL_CPU_STORAGE_H
#define ORIEL_CPU_STORAGE_H

#include <stddef.h>

/* Operands are all that bf16 rounds here, each once (docs/numerics.md): the
   residual stays fp32. */
typedef enum oriel_cpu_storage {
    ORIEL_STORAGE_F32,     /* fp32 as they are */
    ORIEL_STORAGE_ROUNDED, /* fp32 holding values rounded to bf16 */
    ORIEL_STORAGE_BF16     /* bf16, for processors that multiply it */
} oriel_cpu_storage;

static inline size_t
oriel_cpu_storage_bytes(oriel_cpu_storage storage)
{
    return storage == ORIEL_STORAGE_BF16 ? 2 : 4;
}

#endif /* ORIEL_CPU_STORAGE_H */
