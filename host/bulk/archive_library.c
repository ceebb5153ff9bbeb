/* SPDX-License-Identifier: Apache-2.0 */
/* archive_library.c - libarchive, loaded when the first archive is met */
#include "bulk/archive_library.h"

#include "base/fail.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libarchive.so.13"

static bulk_archive_library functions;
static bool loaded;

/* A function pointer from the data pointer that dlsym gives, as POSIX has it. */
static bool
find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);

    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

const bulk_archive_library *
bulk_archive_load(oriel_error *err)
{
    void *library;

    if (loaded)
        return &functions;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();

        if (!why)
            why = "unknown";
        oriel_fail(err, oriel_load_status(why, ORIEL_ERR_IO),
                   "archives are read by " LIBRARY ", which cannot be loaded: "
                   "%s",
                   ORIEL_QUOTE(why));
        return NULL;
    }
#define X(name) \
    if (!find(library, #name, &functions.name)) { \
        oriel_fail(err, ORIEL_ERR_IO, LIBRARY " lacks %s", #name); \
        return NULL; \
    }
    BULK_ARCHIVE_FUNCTIONS(X)
#undef X
    loaded = true; /* and it stays: its threads' data has no other end */
    return &functions;
}
