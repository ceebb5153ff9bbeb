/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.c - weights, counted
 *
 * The list's lock is held for moments only; loading, which takes seconds, holds
 * the entry's own, so that two devices load side by side.
 */
#include "encode/shared.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdbool.h>

struct oriel_shared_weights {
    oriel_shared_weights *next;
    const oriel_model *model;
    const oriel_backend *backend;
    int32_t device_index, precision;
    int64_t users; /* under the list's lock */

    pthread_mutex_t loading;
    bool tried; /* under 'loading', as what follows */
    oriel_error failure;
    oriel_backend_weights *weights;
};

/* Under the list's lock. */
static oriel_shared_weights *
find(const oriel_model_shared *list, const oriel_backend *backend,
     const oriel_backend_config *config)
{
    oriel_shared_weights *entry = list->first;

    while (entry && (entry->backend != backend ||
                     entry->device_index != config->device_index ||
                     entry->precision != config->precision))
        entry = entry->next;
    return entry;
}

/* Under the list's lock. */
static oriel_shared_weights *
insert(oriel_model_shared *list, const oriel_model *model,
       const oriel_backend *backend, const oriel_backend_config *config)
{
    oriel_shared_weights *entry =
        oriel_calloc(oriel_model_hooks(model), 1, sizeof(*entry));

    if (!entry)
        return NULL;
    entry->model = model;
    entry->backend = backend;
    entry->device_index = config->device_index;
    entry->precision = config->precision;
    pthread_mutex_init(&entry->loading, NULL);
    entry->next = list->first;
    list->first = entry;
    oriel_model_retain(model);
    return entry;
}

/* Under the list's lock. */
static void
unlink_entry(oriel_model_shared *list, const oriel_shared_weights *entry)
{
    oriel_shared_weights *before = list->first;

    if (before == entry) {
        list->first = entry->next;
        return;
    }
    while (before->next != entry)
        before = before->next;
    before->next = entry->next;
}

/* Once for all who wait; but one caller's cancel is not another's. */
static oriel_status
load_once(oriel_shared_weights *entry, const oriel_backend_config *config,
          oriel_error *err)
{
    oriel_backend_config owned = *config;
    oriel_weight_reader reader = oriel_model_reader(entry->model);
    oriel_error failure;

    pthread_mutex_lock(&entry->loading);
    if (!entry->tried) {
        owned.hooks = oriel_model_hooks(entry->model);
        oriel_ok(&failure);
        failure.status = entry->backend->load_weights(
            &entry->weights, oriel_model_network(entry->model), &reader, &owned,
            &failure);
        entry->tried = failure.status != ORIEL_ERR_CANCELLED;
        entry->failure = failure;
    }
    failure = entry->failure;
    pthread_mutex_unlock(&entry->loading);
    if (failure.status && err)
        *err = failure;
    return failure.status;
}

oriel_status
oriel_shared_acquire(oriel_shared_weights **out, const oriel_model *model,
                     const oriel_backend *backend,
                     const oriel_backend_config *config, oriel_error *err)
{
    oriel_model_shared *list = oriel_model_get_shared(model);
    oriel_shared_weights *entry;
    oriel_status status;

    *out = NULL;
    pthread_mutex_lock(&list->lock);
    entry = find(list, backend, config);
    if (!entry)
        entry = insert(list, model, backend, config);
    if (entry)
        entry->users++;
    pthread_mutex_unlock(&list->lock);
    if (!entry)
        return oriel_fail_memory(err, sizeof(*entry), "shared weights");

    status = load_once(entry, config, err);
    if (status) {
        oriel_shared_release(entry);
        return status;
    }
    *out = entry;
    return ORIEL_OK;
}

const oriel_backend_weights *
oriel_shared_get(const oriel_shared_weights *shared)
{
    return shared->weights;
}

void
oriel_shared_release(oriel_shared_weights *shared)
{
    if (!shared)
        return;
    const oriel_model *model = shared->model;
    oriel_model_shared *list = oriel_model_get_shared(model);
    bool last;

    pthread_mutex_lock(&list->lock);
    last = --shared->users == 0;
    if (last)
        unlink_entry(list, shared);
    pthread_mutex_unlock(&list->lock);
    if (!last)
        return;
    if (shared->weights)
        shared->backend->free_weights(shared->weights);
    pthread_mutex_destroy(&shared->loading);
    oriel_free(oriel_model_hooks(model), shared);
    oriel_model_release(model);
}
