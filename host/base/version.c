/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - what was loaded, and the names of its statuses */
#include "base/version.h"

const char *
oriel_version(void)
{
    return ORIEL_VERSION_STRING;
}

int32_t
oriel_abi_version(void)
{
    return ORIEL_ABI_VERSION;
}

const char *
oriel_status_name(oriel_status status)
{
    switch (status) {
#define NAME(status) \
    case status: \
        return #status
        NAME(ORIEL_OK);
        NAME(ORIEL_ERR_INPUT);
        NAME(ORIEL_ERR_ARGUMENT);
        NAME(ORIEL_ERR_CAPACITY);
        NAME(ORIEL_ERR_MEMORY);
        NAME(ORIEL_ERR_NOT_FOUND);
        NAME(ORIEL_ERR_IO);
        NAME(ORIEL_ERR_MODEL);
        NAME(ORIEL_ERR_UNSUPPORTED);
        NAME(ORIEL_ERR_DEVICE);
        NAME(ORIEL_ERR_FAULT);
        NAME(ORIEL_ERR_CANCELLED);
        NAME(ORIEL_ERR_INTERNAL);
        NAME(ORIEL_ERR_BUSY);
#undef NAME
    default:
        return "unknown";
    }
}
