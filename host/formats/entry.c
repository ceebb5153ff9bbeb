/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c - the one symbol of liboriel-formats.so */
#include "formats/formats.h"

#include "base/version.h"
#include "image/module.h"

#include <string.h>

__attribute__((visibility("default")))
oriel_formats_entry_fn oriel_formats_entry;

const oriel_formats *
oriel_formats_entry(const char *version)
{
    static const oriel_image_format *const list[] = {
        &oriel_format_gif,  &oriel_format_bmp,  &oriel_format_tiff,
        &oriel_format_avif, &oriel_format_heic,
    };
    static const oriel_formats formats = {sizeof(list) / sizeof(list[0]), list};

    return strcmp(version, ORIEL_VERSION_STRING) == 0 ? &formats : NULL;
}
