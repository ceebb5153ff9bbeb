/* SPDX-License-Identifier: Apache-2.0 */
/* stale_module.c - a liboriel-formats.so of another version */
#include "image/module.h"

__attribute__((visibility("default")))
oriel_formats_entry_fn oriel_formats_entry;

const oriel_formats *
oriel_formats_entry(const char *version)
{
    (void)version;
    return NULL;
}
