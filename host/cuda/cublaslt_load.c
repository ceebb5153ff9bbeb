/* SPDX-License-Identifier: Apache-2.0 */
/* cublaslt_load.c - finding the library, as the system's loader does */
#include "cuda/cublaslt.h"

#include "base/fail.h"

#include <dlfcn.h>
#include <string.h>

static oriel_status
cannot(oriel_error *err)
{
    const char *why = dlerror();

    return oriel_fail(err, ORIEL_ERR_DEVICE,
                      "cuBLASLt cannot be loaded: %s; expected " ORIEL_LT_MODULE
                      ", of the CUDA 13 toolkit or its cublas package",
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

#define FIND(result, name, parameters) \
    found = found && find(module, "cublasLt" #name, &library->name);

oriel_status
oriel_lt_load(oriel_lt_library *library, int32_t *version, oriel_error *err)
{
    /* It starts threads and handlers of its own: never unloaded. */
    void *module =
        dlopen(ORIEL_LT_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    oriel_status status = ORIEL_OK;
    bool found = true;

    *library = (oriel_lt_library){0};
    *version = 0;
    if (!module)
        return cannot(err);
    ORIEL_LT_FUNCTIONS(FIND)
    if (!found)
        status = cannot(err);
    else
        *version = (int32_t)library->GetVersion();
    if (!status && *version / 10000 != ORIEL_LT_MAJOR)
        status = oriel_fail(err, ORIEL_ERR_DEVICE,
                            "cuBLASLt is of version %d.%d, expected %d.x",
                            *version / 10000, *version % 10000 / 100,
                            ORIEL_LT_MAJOR);
    dlclose(module);
    return status;
}
