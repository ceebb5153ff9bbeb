/* SPDX-License-Identifier: Apache-2.0 */
/* png_zip.h - zlib's memory through the caller's hooks */
#ifndef ORIEL_IMAGE_PNG_ZIP_H
#define ORIEL_IMAGE_PNG_ZIP_H

#include "base/fail.h"
#include "base/memory.h"

#include <zlib.h>

/* 'hooks' is a const oriel_hooks. */
static inline voidpf
oriel_zip_alloc(voidpf hooks, uInt count, uInt bytes)
{
    return oriel_calloc(hooks, count, bytes);
}

static inline void
oriel_zip_free(voidpf hooks, voidpf memory)
{
    oriel_free(hooks, memory);
}

/* zlib does not say how much it wanted. */
static inline oriel_status
oriel_zip_fail_memory(oriel_error *err)
{
    return oriel_fail(err, ORIEL_ERR_MEMORY, "out of memory: zlib wanted more");
}

#endif /* ORIEL_IMAGE_PNG_ZIP_H */
