/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - pinned slots, and what is written through them */
#include "cuda/ring.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/cursor.h"
#include "cuda/device.h"
#include "cuda/errors.h"

#include <string.h>

enum { STORED_TOGETHER = 16 }; /* by store_bytes.cu */

/* ---- The slots ----------------------------------------------------------- */

oriel_status
oriel_cuda_ring_create(oriel_cuda_ring *ring, int32_t n_slots,
                       size_t slot_bytes, oriel_error *err)
{
    size_t bytes = (size_t)n_slots * slot_bytes;
    void *memory = NULL;
    cudaError_t error;

    memset(ring, 0, sizeof(*ring));
    ring->slot_bytes = slot_bytes;
    error = cudaMallocHost(&memory, bytes);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return oriel_fail_cause(err, ORIEL_ERR_MEMORY, (int32_t)error,
                                "out of memory: wanted %zu pinned bytes for "
                                "copies to the device",
                                bytes);
    }
    if (error != cudaSuccess)
        return oriel_cuda_check(error, "cudaMallocHost", err);
    ring->memory = memory;
    for (; ring->n_slots < n_slots; ring->n_slots++) {
        oriel_status status =
            oriel_cuda_event_create(&ring->events[ring->n_slots], err);

        if (status)
            return status;
    }
    return ORIEL_OK;
}

void
oriel_cuda_ring_destroy(oriel_cuda_ring *ring)
{
    for (int32_t i = 0; i < ring->n_slots; i++) {
        if (ring->sent[i])
            (void)cudaEventSynchronize(ring->events[i]);
        (void)cudaEventDestroy(ring->events[i]);
    }
    if (ring->memory)
        (void)cudaFreeHost(ring->memory);
    memset(ring, 0, sizeof(*ring));
}

oriel_status
oriel_cuda_ring_is_free(bool *free, const oriel_cuda_ring *ring, int32_t n,
                        oriel_error *err)
{
    *free = true;
    for (int32_t i = 0; i < n && *free; i++) {
        int32_t slot = (ring->next + i) % ring->n_slots;
        cudaError_t error = cudaSuccess;

        if (ring->sent[slot])
            error = cudaEventQuery(ring->events[slot]);
        *free = error == cudaSuccess;
        if (error == cudaErrorNotReady)
            (void)cudaGetLastError(); /* that it is not ready is no error */
        else if (error != cudaSuccess)
            return oriel_cuda_check(error, "cudaEventQuery", err);
    }
    return ORIEL_OK;
}

oriel_status
oriel_cuda_ring_wait(oriel_cuda_ring *ring, oriel_error *err)
{
    for (int32_t i = 0; i < ring->n_slots; i++) {
        oriel_status status = ORIEL_OK;

        if (!ring->sent[i])
            continue;
        status = oriel_cancel_check(ring->call, err);
        if (!status)
            status = oriel_cuda_check(cudaEventSynchronize(ring->events[i]),
                                      "cudaEventSynchronize", err);
        if (status)
            return status;
        ring->sent[i] = false;
    }
    return ORIEL_OK;
}

/* ---- Writing ------------------------------------------------------------- */

static void
note(oriel_cuda_upload *u, cudaError_t error, const char *call)
{
    if (error == cudaSuccess || u->error != cudaSuccess)
        return;
    u->error = error;
    u->call = call;
}

void
oriel_cuda_upload_begin(oriel_cuda_upload *u, oriel_cuda_ring *ring,
                        cudaStream_t stream, void *to)
{
    u->ring = ring;
    u->stream = stream;
    u->to = to;
    u->width = u->pitch = 0;
    u->slot = NULL;
    u->filled = u->written = 0;
    u->error = cudaSuccess;
    u->call = "";
    u->cancelled = false;
}

/* A slot that no copy reads any more. */
static void
take_slot(oriel_cuda_upload *u)
{
    oriel_cuda_ring *ring = u->ring;

    if (!ring) {
        u->slot = u->carried;
        return;
    }
    u->cancelled = ring->sent[ring->next] && oriel_cancelled(ring->call);
    if (u->cancelled)
        return;
    if (ring->sent[ring->next])
        note(u, cudaEventSynchronize(ring->events[ring->next]),
             "cudaEventSynchronize");
    ring->sent[ring->next] = false;
    if (u->error == cudaSuccess)
        u->slot = ring->memory + (size_t)ring->next * ring->slot_bytes;
}

static void
send_slot(oriel_cuda_upload *u)
{
    oriel_cuda_ring *ring = u->ring;
    cudaError_t error;

    if (u->width)
        error = cudaMemcpy2DAsync(u->to, u->pitch, u->slot, u->width, u->width,
                                  u->filled / u->width, cudaMemcpyHostToDevice,
                                  u->stream);
    else
        error = cudaMemcpyAsync(u->to, u->slot, u->filled,
                                cudaMemcpyHostToDevice, u->stream);
    note(u, error, u->width ? "cudaMemcpy2DAsync" : "cudaMemcpyAsync");
    if (error != cudaSuccess)
        return;
    error = cudaEventRecord(ring->events[ring->next], u->stream);
    note(u, error, "cudaEventRecord");
    if (error != cudaSuccess)
        /* The slot is being read, and nothing says when that is over. */
        (void)cudaStreamSynchronize(u->stream);
    ring->sent[ring->next] = error == cudaSuccess;
    ring->next = (ring->next + 1) % ring->n_slots;
}

static void
flush(oriel_cuda_upload *u)
{
    if (!u->slot || u->filled == 0 || u->error != cudaSuccess)
        return;
    if (u->ring) {
        send_slot(u);
    } else {
        size_t stored = oriel_round_up(u->filled, STORED_TOGETHER);
        oriel_store_bytes_args args = {u->to, u->carried, stored};

        memset(u->carried + u->filled, 0, stored - u->filled);
        note(u, oriel_cuda_store_bytes(&args, u->stream), "store_bytes");
    }
    u->to += u->width ? u->filled / u->width * u->pitch : u->filled;
    u->filled = 0;
    u->slot = NULL;
}

void
oriel_cuda_upload_rows(oriel_cuda_upload *u, size_t width, size_t pitch)
{
    if (u->width == width && u->pitch == pitch)
        return;
    flush(u);
    u->width = width;
    u->pitch = pitch;
}

static size_t
capacity(const oriel_cuda_upload *u)
{
    return u->ring ? u->ring->slot_bytes : sizeof(u->carried);
}

void *
oriel_cuda_upload_space(oriel_cuda_upload *u, size_t bytes)
{
    char *space;

    if (u->filled + bytes > capacity(u))
        flush(u);
    if (!u->slot && u->error == cudaSuccess && !u->cancelled)
        take_slot(u);
    if (u->error != cudaSuccess || u->cancelled)
        return NULL;
    space = u->slot + u->filled;
    u->filled += bytes;
    u->written += bytes;
    return space;
}

/* The next piece of at most 'bytes' that fits what is left of a slot. */
static void *
piece(oriel_cuda_upload *u, size_t *bytes)
{
    size_t left = capacity(u) - u->filled;

    if (left == 0)
        left = capacity(u);
    if (*bytes > left)
        *bytes = left;
    return oriel_cuda_upload_space(u, *bytes);
}

void
oriel_cuda_upload_put(oriel_cuda_upload *u, const void *from, size_t bytes)
{
    const char *in = from;

    while (bytes > 0) {
        size_t n = bytes;
        void *out = piece(u, &n);

        if (!out)
            return;
        memcpy(out, in, n);
        in += n;
        bytes -= n;
    }
}

void
oriel_cuda_upload_move(oriel_cuda_upload *u, void *to)
{
    uintptr_t gap = (uintptr_t)to - (uintptr_t)(u->to + u->filled);

    if (u->width == 0 && gap < ORIEL_CUDA_ALIGNMENT) {
        oriel_cuda_upload_pad(u, u->written + gap);
        return;
    }
    flush(u);
    u->width = u->pitch = 0;
    u->to = to;
}

void
oriel_cuda_upload_pad(oriel_cuda_upload *u, size_t written)
{
    while (u->written < written) {
        size_t n = written - u->written;
        void *out = piece(u, &n);

        if (!out)
            return;
        memset(out, 0, n);
    }
}

oriel_status
oriel_cuda_upload_end(oriel_cuda_upload *u, oriel_error *err)
{
    flush(u);
    if (u->cancelled)
        return oriel_fail(err, ORIEL_ERR_CANCELLED,
                          "cancelled by the caller's hook");
    return oriel_cuda_check(u->error, u->call, err);
}
