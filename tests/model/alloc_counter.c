/* SPDX-License-Identifier: Apache-2.0 */
/* alloc_counter.c - allocation that is counted and fails on command */
#include "model/alloc_counter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void *
lend(alloc_counter *l, size_t bytes, size_t alignment)
{
    void *memory;

    l->asked++;
    if (bytes > l->largest)
        l->largest = bytes;
    if (l->fail_at &&
        (l->asked == l->fail_at || (l->for_ever && l->asked > l->fail_at)))
        return NULL;
    memory = alignment > 16 ? aligned_alloc(alignment, bytes) : malloc(bytes);
    l->live += memory != NULL;
    return memory;
}

static void
take_back(alloc_counter *l, void *memory)
{
    l->live -= memory != NULL;
    free(memory);
}

static void *
hook_alloc(void *user, size_t bytes, size_t alignment)
{
    return lend(user, bytes, alignment);
}

static void
hook_free(void *user, void *memory)
{
    take_back(user, memory);
}

static void
hook_log(void *user, int32_t level, const char *line)
{
    alloc_counter *l = user;

    (void)level;
    snprintf(l->log, sizeof(l->log), "%s", line);
}

static int32_t
hook_cancel(void *user)
{
    alloc_counter *l = user;

    return l->cancel_after && --l->cancel_after == 0;
}

oriel_hooks
alloc_counter_hooks(alloc_counter *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = hook_alloc;
    hooks.free = hook_free;
    hooks.log = hook_log;
    hooks.cancel = hook_cancel;
    return hooks;
}

static alloc_counter *watched;

static void *
jansson_alloc(size_t bytes)
{
    return lend(watched, bytes, 1);
}

static void
jansson_free(void *memory)
{
    take_back(watched, memory);
}

void
alloc_counter_watch_jansson(alloc_counter *l)
{
    watched = l;
    json_set_alloc_funcs(jansson_alloc, jansson_free);
}
