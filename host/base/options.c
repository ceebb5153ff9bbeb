/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - copying structs between callers and us */
#include "base/options.h"

#include "base/fail.h"

#include <stdint.h>
#include <string.h>

static uint32_t
struct_size_of(const void *from)
{
    uint32_t size;

    memcpy(&size, from, sizeof(size));
    return size;
}

oriel_status
oriel_options_load(void *to, size_t to_bytes, size_t least, const void *from,
                   const char *name, oriel_error *err)
{
    memset(to, 0, to_bytes);
    if (!from)
        return ORIEL_OK;
    size_t size = struct_size_of(from);

    if (size < least)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s: struct_size is %zu, expected at least %zu: "
                          "start from its _INIT macro",
                          name, size, least);
    for (size_t i = to_bytes; i < size; i++)
        if (((const unsigned char *)from)[i])
            return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                              "%s: a field at byte %zu is set, but this "
                              "library knows only %zu bytes of it",
                              name, i, to_bytes);
    memcpy(to, from, size < to_bytes ? size : to_bytes);
    return ORIEL_OK;
}

oriel_status
oriel_info_store(void *to, const void *from, size_t from_bytes, size_t least,
                 const char *name, oriel_error *err)
{
    uint32_t size;

    if (!to)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is NULL", name);
    size = struct_size_of(to);
    if (size < least)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s: struct_size is %u, expected at least %zu: start "
                          "from its _INIT macro",
                          name, size, least);
    memset(to, 0, size);
    memcpy(to, from, size < from_bytes ? size : from_bytes);
    memcpy(to, &size, sizeof(size));
    return ORIEL_OK;
}

oriel_status
oriel_reserved_check(int64_t value, const char *field, oriel_error *err)
{
    if (value)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "%s is %lld, expected 0: this library does not know "
                          "it",
                          field, (long long)value);
    return ORIEL_OK;
}
