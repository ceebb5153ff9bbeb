/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - liboriel-formats.so: decoders that are loaded when first needed
 *
 * GIF, BMP, TIFF, AVIF and HEIC come through libraries that a server may want
 * to leave out, so they live in a module of their own beside liboriel-image.so.
 * It shows one symbol, oriel_formats_entry, and is refused unless it was built
 * from this version.
 */
#ifndef ORIEL_IMAGE_MODULE_H
#define ORIEL_IMAGE_MODULE_H

#include "image/format.h"

/* What the module offers.  A format that it was built without is absent. */
typedef struct oriel_formats {
    size_t n_formats;
    const oriel_image_format *const *formats;
} oriel_formats;

/* An opened file of the module, whose decoders open it once more to decode: a
   member of oriel_image_file, which the module does not know. */
typedef struct oriel_module_file {
    const oriel_image_job *job;
} oriel_module_file;

/* 'version' is the caller's ORIEL_VERSION_STRING; NULL when it is not the
   module's own. */
typedef const oriel_formats *oriel_formats_entry_fn(const char *version);

/*
 * The format ORIEL_IMAGE_* 'code' of the module, which is loaded once and kept
 * for the life of the process.  'what' is the kind of file, for the message: "a
 * GIF".  Threads: any.
 * ORIEL_ERR_UNSUPPORTED (no module, of another version, or built without it)
 */
oriel_status oriel_formats_get(const oriel_image_format **out, int32_t code,
                               const char *what, oriel_error *err);

#endif /* ORIEL_IMAGE_MODULE_H */
