/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c - finding liboriel-cpu.so and liboriel-cuda.so
 *
 * They lie beside the library that looks for them, and nowhere else: neither
 * the working folder, a search path nor the environment has a say in which
 * code is loaded.
 */
#include "encode/module.h"

#include "base/fail.h"
#include "base/version.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [ORIEL_DEVICE_CPU] = "cpu",
    [ORIEL_DEVICE_CUDA] = "cuda",
};

/*
 * The file of this very code, as an absolute path.  Asked of a hidden function:
 * the address of a public one may be a stub in the program.  A library that was
 * loaded by a relative path (from Python, in a checkout) has that path for its
 * name, but the loader remembers the folder, whatever the working folder is now.
 */
static int
own_file(char path[PATH_MAX])
{
    char origin[PATH_MAX];
    char joined[2 * PATH_MAX];
    Dl_info info;
    struct link_map *map;
    const char *slash;

    if (!dladdr1((const void *)oriel_module_get, &info, (void **)&map,
                 RTLD_DL_LINKMAP) ||
        !info.dli_fname)
        return 0;
    if (info.dli_fname[0] == '/')
        return realpath(info.dli_fname, path) != NULL;
    slash = strrchr(info.dli_fname, '/');
    if (map->l_name[0] == '\0' || !slash || dlinfo(map, RTLD_DI_ORIGIN, origin))
        return 0;
    snprintf(joined, sizeof(joined), "%s%s", origin, slash);
    return realpath(joined, path) != NULL;
}

/* The folder it lies in, symbolic links resolved. */
static oriel_status
own_folder(char folder[PATH_MAX], oriel_error *err)
{
    bool found;

    errno = 0;
    found = own_file(folder);
    if (!found && errno == ENOMEM)
        return oriel_fail_memory(err, PATH_MAX, "the folder of liboriel.so");
    if (!found)
        return oriel_fail(err, oriel_errno_status(errno, ORIEL_ERR_DEVICE),
                          "cannot tell which folder liboriel.so was loaded "
                          "from: expected an absolute path");
    *strrchr(folder, '/') = '\0';
    return ORIEL_OK;
}

/* Those that were loaded, and their handles. */
enum { DEVICES = sizeof(names) / sizeof(names[0]) };
static const oriel_backend *loaded[DEVICES];
static void *handles[DEVICES];

static oriel_status
load(int32_t device, oriel_error *err)
{
    const char *name = names[device];
    const oriel_backend *backend;
    char folder[PATH_MAX];
    char path[PATH_MAX + 32];
    oriel_backend_entry_fn *entry;
    oriel_status status = own_folder(folder, err);
    void *handle;

    if (status)
        return status;
    snprintf(path, sizeof(path), "%s/liboriel-%s.so", folder, name);
    errno = 0;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const int error = errno;
        const char *reason = dlerror();
        const oriel_status fault = oriel_load_status(
            reason ? reason : "", oriel_errno_status(error, ORIEL_ERR_DEVICE));

        if (fault == ORIEL_ERR_MEMORY)
            return oriel_fail(err, ORIEL_ERR_MEMORY,
                              "out of memory: liboriel-%s.so cannot be loaded",
                              name);
        return oriel_fail(err, fault,
                          "no %s backend: liboriel-%s.so cannot be loaded "
                          "from beside liboriel.so (%s)",
                          name, name, ORIEL_QUOTE(reason ? reason : "?"));
    }
    entry = (oriel_backend_entry_fn *)dlsym(handle, "oriel_backend_entry");
    backend = entry ? entry(ORIEL_VERSION_STRING) : NULL;
    if (!backend) {
        dlclose(handle);
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "liboriel-%s.so beside liboriel.so is not of "
                          "version " ORIEL_VERSION_STRING
                          ": install both from one build",
                          name);
    }
    loaded[device] = backend;
    handles[device] = handle;
    return ORIEL_OK;
}

oriel_status
oriel_module_get(const oriel_backend **out, int32_t device, oriel_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    oriel_status status = ORIEL_OK;

    pthread_mutex_lock(&lock);
    if (!loaded[device])
        status = load(device, err);
    *out = loaded[device];
    pthread_mutex_unlock(&lock);
    return status;
}

oriel_status
oriel_module_find(void **out, int32_t device, const char *name,
                  oriel_error *err)
{
    const oriel_backend *backend;
    oriel_status status = oriel_module_get(&backend, device, err);

    *out = status ? NULL : dlsym(handles[device], name);
    return status;
}
