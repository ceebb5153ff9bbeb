/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - allocation, log and cancel through the caller's hooks */
#include "base/memory.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/options.h"

#include <stdlib.h>
#include <string.h>

oriel_status
oriel_hooks_load(oriel_hooks *out, const oriel_hooks *from, oriel_error *err)
{
    oriel_status status = oriel_options_load(
        out, sizeof(*out), sizeof(oriel_hooks), from, "oriel_hooks", err);

    if (!status)
        status =
            oriel_reserved_check(out->reserved, "oriel_hooks.reserved", err);
    if (status)
        return status;
    if (!out->alloc != !out->free || !out->device_alloc != !out->device_free)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_hooks: %s comes without its %s",
                          out->alloc          ? "alloc"
                          : out->free         ? "free"
                          : out->device_alloc ? "device_alloc"
                                              : "device_free",
                          out->alloc          ? "free"
                          : out->free         ? "alloc"
                          : out->device_alloc ? "device_free"
                                              : "device_alloc");
    return ORIEL_OK;
}

void *
oriel_alloc(const oriel_hooks *hooks, size_t bytes)
{
    if (bytes > SIZE_MAX - ORIEL_ALIGNMENT)
        return NULL;
    bytes = oriel_round_up(bytes ? bytes : 1, ORIEL_ALIGNMENT);
    if (hooks && hooks->alloc)
        return hooks->alloc(hooks->user, bytes, ORIEL_ALIGNMENT);
    return aligned_alloc(ORIEL_ALIGNMENT, bytes);
}

void *
oriel_calloc(const oriel_hooks *hooks, size_t count, size_t bytes)
{
    size_t total;
    void *memory;

    if (!oriel_mul_size(&total, count, bytes))
        return NULL;
    memory = oriel_alloc(hooks, total);
    if (memory)
        memset(memory, 0, total);
    return memory;
}

void
oriel_free(const oriel_hooks *hooks, void *memory)
{
    if (!memory)
        return;
    if (hooks && hooks->free)
        hooks->free(hooks->user, memory);
    else
        free(memory);
}

char *
oriel_strdup(const oriel_hooks *hooks, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = oriel_alloc(hooks, bytes);

    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

void
oriel_log(const oriel_hooks *hooks, int32_t level, const char *line)
{
    if (hooks && hooks->log)
        hooks->log(hooks->user, level, line);
}

bool
oriel_cancelled(const oriel_hooks *hooks)
{
    return hooks && hooks->cancel && hooks->cancel(hooks->user) != 0;
}

oriel_status
oriel_cancel_check(const oriel_hooks *hooks, oriel_error *err)
{
    if (!oriel_cancelled(hooks))
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_CANCELLED,
                      "cancelled by the caller's hook");
}
