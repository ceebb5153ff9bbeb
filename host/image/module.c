/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c - finding liboriel-formats.so
 *
 * It lies beside liboriel-image.so and nowhere else: neither the working
 * folder, a search path nor the environment decides which code is loaded.
 */
#include "image/module.h"

#include "base/fail.h"
#include "base/version.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "liboriel-formats.so"

/*
 * The folder of this very code, symbolic links resolved.  Asked of a hidden
 * function: the address of a public one may be a stub in the program.  A
 * library that was loaded by a relative path has that path for its name, but
 * the loader remembers the folder, whatever the working folder is now.
 */
static bool
own_folder(char folder[PATH_MAX])
{
    char origin[PATH_MAX];
    char joined[2 * PATH_MAX];
    const char *name, *slash;
    struct link_map *map;
    Dl_info info;

    if (!dladdr1((const void *)oriel_formats_get, &info, (void **)&map,
                 RTLD_DL_LINKMAP) ||
        !info.dli_fname)
        return false;
    name = info.dli_fname;
    slash = strrchr(name, '/');
    if (name[0] != '/') {
        if (map->l_name[0] == '\0' || !slash ||
            dlinfo(map, RTLD_DI_ORIGIN, origin))
            return false;
        snprintf(joined, sizeof(joined), "%s%s", origin, slash);
        name = joined;
    }
    if (!realpath(name, folder))
        return false;
    *strrchr(folder, '/') = '\0';
    return true;
}

static oriel_status
load(const oriel_formats **out, const char *what, oriel_error *err)
{
    char folder[PATH_MAX];
    char path[PATH_MAX + sizeof(MODULE)];
    oriel_formats_entry_fn *entry;
    void *handle;

    errno = 0;
    if (!own_folder(folder))
        return oriel_fail(err, oriel_errno_status(errno, ORIEL_ERR_UNSUPPORTED),
                          "%s: cannot tell which folder liboriel-image.so was "
                          "loaded from, expected " MODULE " there",
                          what);
    snprintf(path, sizeof(path), "%s/" MODULE, folder);
    if (access(path, F_OK) != 0)
        return oriel_fail(err, oriel_errno_status(errno, ORIEL_ERR_UNSUPPORTED),
                          "%s; " MODULE " is not installed beside "
                          "liboriel-image.so: install it, or convert the file "
                          "to PNG",
                          what);
    errno = 0;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const int error = errno;
        const char *reason = dlerror();
        const oriel_status fault =
            oriel_load_status(reason ? reason : "",
                              oriel_errno_status(error, ORIEL_ERR_UNSUPPORTED));

        return oriel_fail(err, fault,
                          "%s; " MODULE " beside liboriel-image.so cannot be "
                          "loaded (%s)",
                          what, ORIEL_QUOTE(reason ? reason : "?"));
    }
    entry = (oriel_formats_entry_fn *)dlsym(handle, "oriel_formats_entry");
    *out = entry ? entry(ORIEL_VERSION_STRING) : NULL;
    if (!*out) {
        dlclose(handle);
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "%s; " MODULE " beside liboriel-image.so is not of "
                          "version " ORIEL_VERSION_STRING
                          ": install both from one build",
                          what);
    }
    return ORIEL_OK;
}

oriel_status
oriel_formats_get(const oriel_image_format **out, int32_t code,
                  const char *what, oriel_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const oriel_formats *loaded;
    const oriel_formats *formats;
    oriel_status status = ORIEL_OK;

    pthread_mutex_lock(&lock);
    if (!loaded)
        status = load(&loaded, what, err);
    formats = loaded;
    pthread_mutex_unlock(&lock);
    if (status || !formats)
        return status;
    for (size_t i = 0; i < formats->n_formats; i++)
        if (formats->formats[i]->code == code) {
            *out = formats->formats[i];
            return ORIEL_OK;
        }
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                      "%s; this " MODULE " was built without a decoder for "
                      "it: convert the file to PNG",
                      what);
}
