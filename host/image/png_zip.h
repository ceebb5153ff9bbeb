/* SPDX-License-Identifier: Apache-2.0 */
/* png_zip.h - zlib's memory through the caller's hooks */
#ifndef ORIEL_IMAGE_PNG_ZIP_H
#define ORIEL_IMAGE_PNG_ZIP_H

#include "base/fail.h"
#include "base/memory.h"

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

/* zlib does not say how much it wanted. */
static inline oriel_status
oriel_zip_fail_memory(oriel_error *err)
{
    return oriel_fail(err, ORIEL_ERR_MEMORY, "out of memory: zlib wanted more");
}

static inline voidpf
oriel_zip_alloc(voidpf opaque, uInt count, uInt bytes)
{
    return oriel_calloc(*(const oriel_hooks **)opaque, count, bytes);
}

static inline void
oriel_zip_free(voidpf opaque, voidpf memory)
{
    oriel_free(*(const oriel_hooks **)opaque, memory);
}

/* '*hooks' is where 'zip' will look for them until inflateEnd. */
static inline oriel_status
oriel_zip_init(z_stream *zip, const oriel_hooks **hooks, oriel_error *err)
{
    zip->zalloc = oriel_zip_alloc;
    zip->zfree = oriel_zip_free;
    zip->opaque = hooks;
    return inflateInit(zip) == Z_OK ? ORIEL_OK : oriel_zip_fail_memory(err);
}

#endif /* ORIEL_IMAGE_PNG_ZIP_H */
