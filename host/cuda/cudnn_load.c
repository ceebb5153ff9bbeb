/* SPDX-License-Identifier: Apache-2.0 */
/* cudnn_load.c - finding the library, as the system's loader does */
#include "cuda/cudnn.h"

#include "base/fail.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static oriel_status
cannot(oriel_error *err)
{
    const char *why = dlerror();

    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                      "cuDNN cannot be loaded: %s; expected " ORIEL_CUDNN_MODULE
                      " of cuDNN " ORIEL_CUDNN_KNOWN
                      ", and attention own without it",
                      ORIEL_QUOTE(why ? why : "no reason was given"));
}

/* ISO C has no cast from an object's pointer to a function's. */
static bool
find(void *module, const char *name, void *function)
{
    void *symbol = dlsym(module, name);

    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

#define FIND(name, result, parameters) \
    found = found && find(module, "cudnn" #name, &library->name);

oriel_status
oriel_cudnn_load(oriel_cudnn_library *library, int32_t *version,
                 oriel_error *err)
{
    /* It starts threads and handlers of its own: never unloaded. */
    void *module =
        dlopen(ORIEL_CUDNN_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    oriel_status status = ORIEL_OK;
    bool found = true;

    *library = (oriel_cudnn_library){0};
    *version = 0;
    if (!module)
        return cannot(err);
    ORIEL_CUDNN_FUNCTIONS(FIND)
    if (!found)
        status = cannot(err);
    else
        *version = (int32_t)library->GetVersion();
    if (!status &&
        (*version / 10000 != ORIEL_CUDNN_MAJOR || *version < ORIEL_CUDNN_LEAST))
        status =
            oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                       "cuDNN is of version %d.%d, expected " ORIEL_CUDNN_KNOWN,
                       *version / 10000, *version % 10000 / 100);
    dlclose(module);
    return status;
}

/* ---- Statuses -------------------------------------------------------------- */

/* Its statuses come in groups of thousands. */
enum { GROUP = 1000 };

static oriel_status
status_of(oriel_cudnn_status status)
{
    if (status == ORIEL_CUDNN_HOST_ALLOCATION_FAILED ||
        status == ORIEL_CUDNN_DEVICE_ALLOCATION_FAILED)
        return ORIEL_ERR_MEMORY;
    switch (status / GROUP * GROUP) {
    case ORIEL_CUDNN_NOT_SUPPORTED:
        return ORIEL_ERR_UNSUPPORTED;
    case ORIEL_CUDNN_BAD_PARAM:
        return ORIEL_ERR_INTERNAL;
    case ORIEL_CUDNN_INTERNAL_ERROR:
    case ORIEL_CUDNN_EXECUTION_FAILED:
        return ORIEL_ERR_FAULT;
    default:
        return ORIEL_ERR_DEVICE;
    }
}

oriel_status
oriel_cudnn_check(const oriel_cudnn_library *library, oriel_cudnn_status status,
                  const char *what, oriel_error *err)
{
    char why[256] = "";

    if (status == ORIEL_CUDNN_SUCCESS)
        return ORIEL_OK;
    library->GetLastErrorString(why, sizeof(why));
    return oriel_fail_cause(err, status_of(status), status, "cuDNN, %s: %s: %s",
                            what, ORIEL_QUOTE(library->GetErrorString(status)),
                            ORIEL_QUOTE(why));
}
